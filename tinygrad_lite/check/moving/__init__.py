"""One entry of a parameter after the other is moved, in batches, and what depends on it is run again, and only that.

A single moved entry changes a row of one product, then a column of the next, then everything: until then the change is
carried along as a patch, as large as what has changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite import primitives as p
from tinygrad_lite.check.capture import Capture, operands_of
from tinygrad_lite.check.moving import products, reductions, shaping
from tinygrad_lite.check.moving.elementwise import elementwise
from tinygrad_lite.check.moving.operation import Findings, Operation, Rule
from tinygrad_lite.check.moving.patches import Patch, patch
from tinygrad_lite.primitives import Primitive
from tinygrad_lite.tape import AnyNode, Leaf, Node, leading_to, tape

WORKING_SET = 4 * 2**20
"""How many bytes the patches of a batch take together, about; what is computed from them takes a few times that."""

PROBED = 16
"""How many entries, spread over the parameter, say how large the patches get."""

RULES: dict[Primitive, Rule] = {
    **dict.fromkeys((p.astype, p.weighted_sum, p.contiguous, p.shares, p.zero_kept_zero), elementwise),
    **dict.fromkeys(
        (p.max, p.min, p.prod, p.prod_of_others, p.var, p.std, p.softmax, p.log_softmax, p.logsumexp),
        reductions.over_axes,
    ),
    p.sum: reductions.total,
    p.mean: reductions.total,
    p.sum_squares: reductions.sum_squares,
    p.norm: reductions.norm,
    p.softmax_cross_entropy: reductions.cross_entropy,
    p.matmul: products.matmul,
    p.linear: products.linear,
    p.transpose: shaping.transpose,
    p.swapaxes: shaping.swapaxes,
    p.expand_dims: shaping.reshape,
    p.reshape: shaping.reshape,
    p.broadcast_to: shaping.broadcast_to,
    p.concatenate: shaping.concatenate,
    p.stack: shaping.stack,
    p.getitem: shaping.getitem,
    p.set_at: shaping.set_at,
    p.scatter_add: shaping.scatter_add,
}
"""How each operation is run again on patches; an elementwise one needs no entry, any other is run entry by entry."""


class Moved(NamedTuple):
    """What a function gives when one entry of a parameter is moved, for each of many entries."""

    outputs: np.ndarray
    """(number of outputs, number of entries)"""
    crosses: np.ndarray
    """For each entry, whether some kink on the way has another signature than without the move."""
    plainly: frozenset[str]
    """The names of the primitives that had to be run again one entry at a time."""


def moved_one_by_one(
    capture: Capture, outputs: Sequence[AnyNode], leaf: Leaf, entries: np.ndarray, steps: np.ndarray
) -> Moved:
    """Return the scalar outputs when entry `entries[b]` of `leaf`, counted flat, is moved by `steps[b]`, alone.

    Batches are cut so that memory stays below about 200 MB, unless the values that depend on a single entry take more.
    """
    path = [node for node in leading_to([leaf], tape(*outputs)) if isinstance(node, Node)]
    entries, steps = np.asarray(entries), np.asarray(steps)
    results, crosses = np.empty((len(outputs), len(entries))), np.zeros(len(entries), bool)
    plainly: set[str] = set()
    with np.errstate(all="ignore"):
        for batch in _batches(capture, outputs, path, leaf, entries, steps):
            replay = _Replay(capture, path, outputs, leaf, entries[batch], steps[batch])
            results[:, batch], crosses[batch] = replay.outputs, replay.findings.crosses
            plainly |= replay.findings.plainly
    return Moved(results, crosses, frozenset(plainly))


def _batches(
    capture: Capture, outputs: Sequence[AnyNode], path: list[Node], leaf: Leaf, entries: np.ndarray, steps: np.ndarray
) -> Iterator[slice]:
    """Yield the batches, after a trial with a few entries that shows how much each takes."""
    size = max(1, len(entries))
    if len(entries) > PROBED:
        probe = np.linspace(0, len(entries) - 1, PROBED).astype(int)
        peak = _Replay(capture, path, outputs, leaf, entries[probe], steps[probe]).peak
        size = max(1, WORKING_SET * PROBED // peak)
    for start in range(0, len(entries), size):
        yield slice(start, start + size)


class _Replay:
    """One batch, run."""

    def __init__(
        self,
        capture: Capture,
        path: list[Node],
        outputs: Sequence[AnyNode],
        leaf: Leaf,
        entries: np.ndarray,
        steps: np.ndarray,
    ) -> None:
        self.findings = Findings(len(entries))
        self.peak = 1
        """How many bytes the patches took at most."""
        self._values = capture.values
        self._patches: dict[AnyNode, Patch] = {leaf: self._of_leaf(leaf, entries, steps)}
        uses = Counter[AnyNode](parent for node in path for parent in set(node.inputs) if parent is not None)
        uses.update(outputs)
        for node in path:
            self._run(node)
            self.peak = max(self.peak, sum(patched.values.nbytes for patched in self._patches.values()))
            for parent in set(node.inputs):
                if parent is not None:
                    uses[parent] -= 1
                    if not uses[parent]:
                        self._patches.pop(parent, None)
        self.outputs = np.array([self._output(node) for node in outputs]).reshape(len(outputs), len(entries))

    def _of_leaf(self, leaf: Leaf, entries: np.ndarray, steps: np.ndarray) -> Patch:
        x = np.asarray(self._values[leaf])
        values = (x.reshape(-1)[entries] + steps).astype(x.dtype).reshape((1,) * x.ndim + (-1,))
        return patch(np.unravel_index(entries, x.shape) if x.ndim else (), values, x.shape)

    def _run(self, node: Node) -> None:
        patches = [None if parent is None else self._patches.get(parent) for parent in node.inputs]
        output = np.asarray(self._values[node])
        if not any(patches) or not output.size or node.primitive is p.stop_gradient:
            return  # what `stop_gradient` gave is held, as in `Capture.run`
        operands = operands_of(node, self._values)
        operation = Operation(node.primitive, node.static, operands, patches, output, self.findings)
        rule = RULES.get(node.primitive, elementwise if node.primitive.is_elementwise else Operation.run_plainly)
        self._patches[node] = rule(operation)

    def _output(self, node: AnyNode) -> Any:
        patched = self._patches.get(node)
        value = np.asarray(self._values[node]).reshape(1)
        return np.repeat(value, len(self.findings.crosses)) if patched is None else patched.values.reshape(-1)
