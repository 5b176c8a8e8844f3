"""One recorded operation about to be run again for a batch of moved entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_lite.check.moving.patches import Patch, Places, Shape, gathered, patch, whole_of_member
from tinygrad_lite.primitives import Primitive


class Findings:
    """What is noticed on the way: which members cross a kink, and what had to be run one member at a time."""

    def __init__(self, members: int) -> None:
        self.crosses = np.zeros(members, bool)
        self.plainly: set[str] = set()


class Operation(NamedTuple):
    """A primitive, what it was computed from, and which of these operands have been moved."""

    primitive: Primitive
    static: dict[str, Any]
    operands: Sequence[Any]
    patches: Sequence[Patch | None]
    output: np.ndarray
    findings: Findings

    @property
    def shape(self) -> Shape:
        """The shape of the output."""
        return self.output.shape

    @property
    def moved(self) -> list[tuple[Any, Patch]]:
        """The operands that have been moved, each with its patch."""
        return [(x, p) for x, p in zip(self.operands, self.patches, strict=True) if p is not None]

    def run(self, places: Places, new: Sequence[Any], old: Sequence[Any], **static: Any) -> Patch:
        """Run the forward on what has been moved, and note which members cross a kink on the way from the old."""
        y = self.primitive.forward(*new, **static)
        if self.primitive.kinks is not None:
            before = self.primitive.kinks(gathered(self.output, places), *old, **static)
            self.findings.crosses |= members_unlike(self.primitive.kinks(y, *new, **static), before)
        return patch(places, y, self.shape)

    def run_plainly(self) -> Patch:
        """Run the forward on whole operands, one member at a time."""
        self.findings.plainly.add(self.primitive.name)
        kinks = self.primitive.kinks
        before = None if kinks is None else kinks(self.output, *self.operands, **self.static)
        outputs = []
        for member in range(len(self.findings.crosses)):
            operands = [
                x if p is None else whole_of_member(x, p, member)
                for x, p in zip(self.operands, self.patches, strict=True)
            ]
            y = self.primitive.forward(*operands, **self.static)
            if kinks is not None:
                differs = unlike(kinks(y, *operands, **self.static), before)
                self.findings.crosses[member] |= bool(np.any(differs))
            outputs.append(y)
        return Patch((None,) * self.output.ndim, np.stack(outputs, axis=-1))


Rule: TypeAlias = Callable[[Operation], Patch]
"""How an operation is run again on patches."""


def unlike(first: Any, second: Any) -> np.ndarray:
    """Return where two signatures differ; nan is like nan."""
    a, b = np.asarray(first), np.asarray(second)
    return np.asarray((a != b) & ~((a != a) & (b != b)))


def members_unlike(first: Any, second: Any) -> np.ndarray:
    """Return for which members two signatures, with the batch as last axis, differ anywhere."""
    differs = np.atleast_1d(unlike(first, second))
    return np.asarray(differs.any(axis=tuple(range(differs.ndim - 1))))
