"""Scopes that are no boxes: `layers` holds `layers.0` and `layers.1`, while what connects the two stands outside.

A box around all of them would have to be left and entered again, and what is between would stand beside it. So a scope
that holds nothing itself, and that the computation comes back to, is not drawn; the boxes inside say its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from tinygrad_lite.graphs.scopes import enclosing, path_to

JOINED: Final = "\x1f"
"""Stands for the dot after a scope that is not drawn."""


class Standing(Protocol):
    """What stands in a scope: a mark."""

    @property
    def scope(self) -> str: ...
    @property
    def inputs(self) -> tuple[int, ...]: ...
    @property
    def rises(self) -> bool: ...


def boxes_of(marks: Sequence[Standing]) -> dict[str, str]:
    """Return for each scope of `marks` the path of its box, in which a scope that is not drawn ends in no dot."""
    own = {mark.scope for mark in marks}
    dissolved = {scope for scope in enclosing(own) if scope not in own and _is_come_back_to(scope, marks)}
    boxes = {"": ""}
    for scope in enclosing(own):
        *around, _ = path_to(scope)
        outer = around[-1] if around else ""
        joint = JOINED if outer in dissolved else "." if outer else ""
        boxes[scope] = f"{boxes[outer]}{joint}{scope[len(outer) + bool(outer) :]}"
    return boxes


def title_of(box: str) -> str:
    """Return the words on a box: its own part of the path, after those of scopes that are not drawn.

    >>> title_of(f"net.layers{JOINED}0")
    'layers.0'
    """
    return path_of(box.rpartition(".")[2])


def path_of(box: str) -> str:
    """Return the scope that a box is drawn for."""
    return box.replace(JOINED, ".")


def _is_come_back_to(scope: str, marks: Sequence[Standing]) -> bool:
    """Return whether the computation leaves `scope` for another operation and then enters it again."""
    left: list[bool] = []
    for mark in marks:
        is_inside = f"{mark.scope}.".startswith(f"{scope}.")
        came_from_outside = any(left[source] for source in mark.inputs)
        if is_inside and came_from_outside and not mark.rises:
            return True
        from_inside = any(f"{marks[source].scope}.".startswith(f"{scope}.") for source in mark.inputs)
        left.append(not is_inside and not mark.rises and (came_from_outside or from_inside))
    return False
