"""What a program does and takes, to be read: `print(program.plan())`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinygrad_lite.graphs.labels import extent, shortened, shown
from tinygrad_lite.graphs.recorded import Graph
from tinygrad_lite.graphs.source.lowered import CoreValue
from tinygrad_lite.program.listing import Listing, is_scalar
from tinygrad_lite.program.memory import Memory
from tinygrad_lite.program.optimizing import Optimized


@dataclass(frozen=True)
class PlannedStep:
    """A value that a program computes."""

    scope: str
    operation: str
    result: str
    """Its shape and dtype."""
    place: str
    """Where it lies: a buffer, a cell, a view of another value, a variable."""


@dataclass(frozen=True)
class Plan:
    """The plan of a program; `str` shows it as a table."""

    steps: tuple[PlannedStep, ...]
    buffers: tuple[int, ...]
    """The bytes of each buffer."""
    buffer_values: int
    """How many values lie in them, one after the other."""
    assigned: tuple[str, ...]
    """The cells that are changed in place."""
    given: tuple[str, ...]
    """What is read at each call: arguments and other cells."""
    constants: tuple[str, ...]
    """The arrays that were captured as they were."""
    rewrites: dict[str, int]
    """What was rewritten, and how often."""
    cell_bytes: int
    """The bytes of the cells that are changed."""

    @property
    def peak_bytes(self) -> int:
        """The bytes that a run takes at most: buffers and cells; results and arguments are the caller's."""
        return sum(self.buffers) + self.cell_bytes

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{len(self.steps)} steps; {self._size(self.peak_bytes)} at most"
        yield f"  {len(self.buffers)} buffers, {self._size(sum(self.buffers))}, for {self.buffer_values} values"
        yield f"  cells changed in place, {self._size(self.cell_bytes)}: {_listed(self.assigned)}"
        yield f"  read at each call: {_listed(self.given)}"
        yield f"  constants captured: {_listed(self.constants)}"
        yield f"  rewritten: {_listed(tuple(f'{what} ×{times}' for what, times in self.rewrites.items()))}"
        widths = [
            max((len(getattr(step, name)) for step in self.steps), default=0)
            for name in ("scope", "operation", "result")
        ]
        for i, step in enumerate(self.steps):
            scope, operation, result = (
                text.ljust(width) for text, width in zip((step.scope, step.operation, step.result), widths, strict=True)
            )
            yield f"  {i:>4}  {scope}  {operation}  {result}  {step.place}".rstrip()

    @staticmethod
    def _size(count: int) -> str:
        return f"{count:,} B" if count < 10_000 else f"{count / 1000:,.0f} kB"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"


def plan_of(optimized: Optimized) -> Plan:
    """Return the plan of a program."""
    listing, memory = optimized.listing, optimized.memory
    values = listing.values
    steps = [_step(i, value, listing, memory) for i, value in enumerate(values) if value.operation is not None]
    assigned = dict.fromkeys(target for target, _ in listing.assignments)
    constants = [value for i, value in enumerate(values) if listing.is_constant(i) and not is_scalar(value)]
    return Plan(
        tuple(steps),
        tuple(memory.sizes),
        len(memory.buffers),
        tuple(_named(values[i]) for i in assigned),
        tuple(_named(values[i]) for i in optimized.written.given),
        tuple(_named(value) for value in constants),
        dict(listing.notes),
        sum(values[i].array.nbytes for i in assigned),
    )


def _named(value: CoreValue) -> str:
    return f"{shortened(shown(value.name or 'array'))} {_kind(value)}"


def _kind(value: CoreValue) -> str:
    return f"{extent(value.array.shape)} {value.array.dtype}"


def _step(position: int, value: CoreValue, listing: Listing, memory: Memory) -> PlannedStep:
    node = listing.graph.nodes[value.node]
    through = node if node.back_through is None else listing.graph.nodes[node.back_through]
    assert value.operation is not None
    scope = f"{through.scope or through.primitive}{' ←' if node.back_through is not None else ''}"
    return PlannedStep(scope, value.operation.name, _kind(value), _place(position, value, listing, memory))


def _place(position: int, value: CoreValue, listing: Listing, memory: Memory) -> str:
    if position in memory.views:
        return "view"
    if is_scalar(value):
        return "variable"
    if position in memory.in_cells:
        return f"in {shown(listing.values[memory.in_cells[position]].name or 'its cell')}"
    if position in memory.buffers:
        return f"buffer {memory.buffers[position]}{', in place' if position in memory.in_place else ''}"
    return "a new array"


def notes_of(optimized: Optimized) -> dict[int, str]:
    """Return, by the ids of the nodes that were captured, where their values lie and what became of them."""
    listing, memory = optimized.listing, optimized.memory
    graph, needed = listing.graph, _needed(listing.graph)
    notes = {
        node.id: "folded" if node.id in needed else "not needed" for node in graph.nodes if node.operation is not None
    }
    assigned = {target for target, _ in listing.assignments}
    for position, value in enumerate(listing.values):
        note = notes.get(value.node)
        if value.operation is not None:
            if note == "folded" or getattr(value.array, "shape", ()) == graph.nodes[value.node].shape:
                notes[value.node] = _place(position, value, listing, memory)  # of several, the last of its shape
        elif listing.is_cell(position):
            notes[value.node] = "changed in place" if position in assigned else "read at each call"
        elif not value.is_number:
            notes[value.node] = "constant"
    return notes


def _needed(graph: Graph) -> set[int]:
    """Return the nodes that a result, an assignment or a gradient is computed from."""
    needed = {*graph.outputs, *(update.source for update in graph.updates)}
    for node in reversed(graph.nodes):
        if node.id in needed:
            needed.update(node.inputs)
    return needed
