"""The first calls of a program held against the function itself: `tg.compile(f, check=True)`.

The function runs eagerly, what it has done is noted and taken back, the program runs, and all that both have returned,
assigned, left and drawn is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinygrad_lite.errors import CompilationError
from tinygrad_lite.nested import leaves_of, paths_of
from tinygrad_lite.program.replay import Replay
from tinygrad_lite.tape import Leaf
from tinygrad_lite.tensor import Tensor

CALLS = 3
"""How many calls of each kind are checked."""

TOLERANCES = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-9}
"""How far a value may be from that of eager execution, relative to its norm."""


def checked(replay: Replay, eagerly: Callable[[], Any], run: Callable[[], Any], is_exact: bool) -> Any:
    """Return what a program returns, or raise CompilationError, with everything put back, if it does otherwise."""
    before = _State(replay)
    expected = _facts(eagerly(), _State(replay))
    before.put_back()
    returned = run()
    try:
        _compare(expected, _facts(returned, _State(replay)), is_exact)
    except CompilationError:
        before.put_back()
        raise
    return returned


class _State:
    """What a call may change, as it is now: values of Tensors, gradients of leaves, states of generators."""

    def __init__(self, replay: Replay) -> None:
        self.tensors = [(tensor, tensor._array.copy("K")) for tensor in replay.tensors]
        self.gradients = [(t._node, t._node.grad) for t in replay.tensors if isinstance(t._node, Leaf)]
        self.generators = [(generator, generator.state) for generator in replay.generators]

    def put_back(self) -> None:
        """Make everything what it was."""
        for tensor, array in self.tensors:
            tensor._array = array.copy("K")
        for leaf, gradient in self.gradients:
            leaf.grad = gradient
        for generator, state in self.generators:
            generator.state = state


def _facts(returned: Any, state: _State) -> dict[str, Any]:
    """Return all that a call has returned and changed, by what it is called."""
    values = zip(paths_of(returned, "the result"), leaves_of(returned), strict=True)
    facts = {path: leaf._array if isinstance(leaf, Tensor) else leaf for path, leaf in values}
    facts |= {_called(tensor.name, "cell", i): array for i, (tensor, array) in enumerate(state.tensors)}
    facts |= {f"the gradient of {_called(leaf.name, 'leaf', i)}": g for i, (leaf, g) in enumerate(state.gradients)}
    return facts | {f"the state of generator {i}": repr(s) for i, (_, s) in enumerate(state.generators)}


def _called(name: str | None, kind: str, number: int) -> str:
    return f"{name} ({kind} {number})" if name else f"{kind} {number}"


def _compare(expected: Mapping[str, Any], found: Mapping[str, Any], is_exact: bool) -> None:
    differing = [what for what in expected if what not in found or not _agree(expected[what], found[what], is_exact)]
    if differing or expected.keys() != found.keys():
        raise CompilationError(
            f"the program does not give what eager execution gives: {', '.join(differing[:5]) or 'other results'}"
            f"{' and more' * (len(differing) > 5)} differ; does the function read or change anything that is neither "
            "an argument nor a Tensor, such as a counter, or random numbers that are not drawn by tg.uniform?"
        )


def _agree(expected: Any, found: Any, is_exact: bool) -> bool:
    """Return whether two facts are the same, or close enough where the bits may differ."""
    if not isinstance(expected, np.ndarray | np.generic):
        return expected is found or bool(expected == found)
    x, y = np.asarray(expected), np.asarray(found)
    if (x.shape, x.dtype) != (y.shape, y.dtype):
        return False
    if x.dtype.kind != "f":
        return np.array_equal(x, y)
    if is_exact or np.array_equal(x, y, equal_nan=True):
        return np.array_equal(x, y, equal_nan=True)
    is_usual = np.isfinite(x)
    if not np.array_equal(is_usual, np.isfinite(y)) or not np.array_equal(x[~is_usual], y[~is_usual], equal_nan=True):
        return False
    difference, norm = (float(np.linalg.norm(z[is_usual].astype(np.float64))) for z in (x - y, x))
    return difference <= TOLERANCES[x.dtype] * norm
