"""Loading a state by name into Tensors: all of it or, if anything does not fit, nothing."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lite.errors import StateError
from tinygrad_lite.tensor import Array, Tensor, without_history


def load_state(own: Mapping[str, Tensor], state: Mapping[str, Any], owner: str, *, strict: bool = True) -> None:
    """Give each Tensor of `own` the values of its name in `state`.

    Floats of another precision are converted. Raises StateError, with `owner` and a line a problem, for names that are
    missing or unexpected (both forgiven unless `strict`), for another shape, another kind of number, or numbers too
    large for the Tensor's precision; nothing is changed then.

    >>> import numpy as np, tinygrad_lite as tg
    >>> w = tg.Tensor([0.0, 0.0])
    >>> load_state({"w": w}, {"w": np.array([1.0, 2.0])}, "example")
    >>> w.numpy()
    array([1., 2.])
    """
    problems: list[str] = []
    if strict:
        problems += [f"missing: {name} {own[name].shape}" for name in own.keys() - state.keys()]
        problems += [f"unexpected: {name}{_nearest(name, own)}" for name in state.keys() - own.keys()]
    values: dict[str, Array] = {}
    for name in own.keys() & state.keys():
        value, tensor = np.asarray(state[name]), own[name]
        if value.shape != tensor.shape:
            problems.append(f"shape of {name}: expected {tensor.shape}, got {value.shape}")
        elif value.dtype.kind != tensor.dtype.kind:
            problems.append(f"dtype of {name}: expected {tensor.dtype}, got {value.dtype}")
        else:
            with np.errstate(over="ignore"):
                values[name] = value.astype(tensor.dtype)
            if not np.array_equal(np.isfinite(values[name]), np.isfinite(value)):
                problems.append(f"range of {name}: {value.dtype} values too large for {tensor.dtype}")
    if problems:
        raise StateError(f"the state does not fit {owner}:\n  " + "\n  ".join(sorted(problems)))
    for name, value in values.items():
        own[name].assign(without_history(value))


def _nearest(name: str, known: Mapping[str, Tensor]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
