"""A program at work: bound to the arrays of its cells, and run again for each call of its kind."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.graphs.recorded import Graph
from tinygrad_lite.nested import map_leaves
from tinygrad_lite.program.binding import Binding
from tinygrad_lite.program.captured import Captured, Given, Result
from tinygrad_lite.program.cells import CellArray, Hold, cell_array
from tinygrad_lite.program.contents import Contents
from tinygrad_lite.program.optimizing import Optimized
from tinygrad_lite.program.surroundings import COMPARED, Surroundings
from tinygrad_lite.tensor import Tensor, wrap


class Replay:
    """The program of one captured call."""

    def __init__(self, captured: Captured, optimized: Optimized, surroundings: Surroundings) -> None:
        self.captured, self.optimized = captured, optimized
        listing, written = optimized.listing, optimized.written
        self._given = [captured.given[listing.values[position].node] for position in written.given]
        self._assigned = [
            (target, captured.given[listing.values[target].node].source) for target, _ in listing.assignments
        ]
        self._binding = Binding(listing, optimized.memory, written)
        self._run: Callable[..., tuple[Any, ...]]
        self._cells: list[tuple[Tensor, CellArray]] = []
        self._release: Callable[[], object] = bool
        self.tensors = [given.source for given in captured.given.values() if given.what == "tensor"]
        """The Tensors that the program reads or assigns to, which are not arguments."""
        self.generators = list(dict.fromkeys(_generators(captured.graph)))
        self._nodes = [(tensor, tensor._node, captured.had_gradient.get(tensor._node)) for tensor in self.tensors]
        self.calls_checked = 0
        self._changed = {id(tensor) for _, tensor in self._assigned}
        self._arguments = [source for what, source in self._given if what == "argument"]
        self._themselves = list(captured.as_themselves.items())
        self._gradients = [(leaf, output) for leaf, output in optimized.gradients.items()]
        self._slots = _slots(self._given, surroundings)
        self._kept = _slots([Given("tensor", tensor) for _, tensor in self._assigned], surroundings)
        self.surroundings = surroundings
        self.contents = Contents(surroundings.found(), COMPARED)
        self._bind()

    def fits(self, leaves: Sequence[Any]) -> bool:
        """Return whether all that the captured call relied on is as it was."""
        for tensor, node, had_gradient in self._nodes:
            if tensor._node is not node or (had_gradient is not None and (node.grad is not None) is not had_gradient):
                return False
        for number, tensor in self._themselves:
            if leaves[number] is not tensor:
                return False
        return not self._assigned or not any(id(leaves[number]) in self._changed for number in self._arguments)

    def __call__(self, leaves: Sequence[Any]) -> Any:
        """Run the program, and return what the function would."""
        for tensor, cell in self._cells:
            if tensor._array is not cell.array or sys.getrefcount(cell.array) > cell.references:
                self._bind()
                break
        given = []
        for what, source in self._given:
            if what == "argument":
                leaf = leaves[source]
                given.append(leaf._array if type(leaf) is Tensor else leaf)
            elif what == "tensor":
                given.append(source._array)
            else:
                given.append(source.grad if what == "gradient" else source)
        with np.errstate(all="ignore"):
            outputs = self._run(*given)
        for leaf, output in self._gradients:
            leaf.grad = None if output is None else np.asarray(outputs[output])
        returned = self.captured.returned
        return (
            _made(returned, outputs)
            if type(returned) is Result
            else map_leaves(lambda leaf: _made(leaf, outputs), returned)
        )

    def still_right(self) -> None:
        """Take note that the constants of the program are right for the values that outside arrays have now."""
        self.contents.accept({id(source) for what, source in self._given if what == "array"})

    def rebase(self, surroundings: Surroundings) -> bool:
        """Read arrays and Tensors that were exchanged for others of their kind from where they are now.

        Return False if one was exchanged that the program assigns to, which it cannot do without.
        """
        found = list(surroundings.found())
        if any(found[slot] is not self._assigned[i][1] for i, slot in self._kept.items()):
            return False
        for i, slot in self._slots.items():
            self._given[i] = Given(self._given[i].what, found[slot])
        self.surroundings = surroundings
        self.contents.exchange(found)
        return True

    def _bind(self) -> None:
        """Bind the program to arrays of its cells that it may change."""
        self._release()
        values = self.optimized.listing.values
        cells = [cell_array(tensor, values[target].array) for target, tensor in self._assigned]
        hold = Hold(cells)
        self._run = self._binding.to(
            {target: cell.array for (target, _), cell in zip(self._assigned, cells, strict=True)}
        )
        hold.count()
        self._release = weakref.finalize(self, hold.release)
        self._cells = [(tensor, cell) for (_, tensor), cell in zip(self._assigned, cells, strict=True)]


def _generators(graph: Graph) -> Iterator[np.random.BitGenerator]:
    """Yield what the random numbers of a graph are drawn from."""
    for node in graph.nodes:
        if node.operation is not None and node.operation.draws:
            yield node.static["rng"].bit_generator


def _made(leaf: Any, outputs: tuple[Any, ...]) -> Any:
    """Return what the function returns in one place."""
    if type(leaf) is not Result:
        return leaf
    output = outputs[leaf.output]
    return wrap(np.asarray(output), leaf.node) if leaf.is_tensor else output


def _slots(given: Sequence[Given], surroundings: Surroundings) -> dict[int, int]:
    """Return, for what is given from the surroundings, in which of their places it was found."""
    places: dict[int, int] = {}
    for i, thing in enumerate(surroundings.found()):
        places.setdefault(id(thing), i)
    return {
        i: places[id(source)] for i, (what, source) in enumerate(given) if what != "argument" and id(source) in places
    }
