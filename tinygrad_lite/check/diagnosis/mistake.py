"""A mistake on the way back, and the words for where it is made."""

from __future__ import annotations

from typing import NamedTuple

from tinygrad_lite.check.diagnosis.mutation import Jump
from tinygrad_lite.tape import AnyNode, Leaf, Node, tape


class Mistake(NamedTuple):
    """One thing done wrong on the way back."""

    slug: str
    where: str
    correction: str
    cost: float
    """How far-fetched it is: of two mistakes that explain the same, the cheaper one is named."""
    jumps: tuple[Jump, ...]


def place_of(node: AnyNode, names: dict[Leaf, str]) -> str:
    """Return how to find a step of the derivation: by the last parameter that it was computed from."""
    before = set(tape(node))
    last = [name for leaf, name in names.items() if leaf in before][-1:]
    what = node.primitive.name if isinstance(node, Node) else "the parameter"
    return " after ".join([what, *last])
