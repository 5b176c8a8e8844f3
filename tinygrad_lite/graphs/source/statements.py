"""The lines of NumPy that compute a graph: which value gets a name, which stands inside of another's line.

A value of the forward pass, a cotangent, a result and what several lines read are variables. What only one line of the
same step reads stands inside of it, as it does in the rule or the forward that was recorded, as long as that stays
readable. It also keeps the bits: NumPy computes in the place of a large temporary, whose memory order the result has.
All random numbers are drawn, in lines of their own, for a draw moves the generator on for those after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from tinygrad_lite.graphs.recorded import Graph, GraphNode
from tinygrad_lite.graphs.source.identifiers import Identifiers, comment
from tinygrad_lite.graphs.source.literals import literal, number
from tinygrad_lite.graphs.source.lowered import CoreValue, lowered
from tinygrad_lite.graphs.source.remarks import LONGEST_LINE, Remarks
from tinygrad_lite.graphs.source.spelling import SUPPORT, Term, spelled
from tinygrad_lite.primitives.lowering import lowering_of

FUNCTIONS = ("forward", "forward_and_gradient", "step")
LEAVES = ("input", "parameter", "state")


class Argument(NamedTuple):
    """An argument of the function that is written."""

    value: Any
    """Its recorded values, or a stand-in where they were not kept; or a random generator."""
    node: GraphNode | None
    """The leaf that it is, None for an index or a generator."""


class Statements:
    """The body of a function that computes a graph."""

    def __init__(self, graph: Graph, results: Sequence[int], targets: Sequence[int]) -> None:
        """Write what leads to `results`; the leaves `targets` are arguments in any case."""
        self.graph = graph
        self.values, self.places = lowered(graph)
        self.lines: list[str] = []
        self.arguments: dict[str, Argument] = {}
        self._remarks = Remarks(graph)
        self._names = Identifiers((*SUPPORT, *FUNCTIONS, "gradients", "updates"))
        self._terms: dict[int, Term] = {}
        self._results = {self.places[i] for i in results}
        self._cotangents = {self.places[c]: self.places[v] for v, c in reversed(graph.cotangents)}
        self._whole: dict[int | None, int] = {v: self.places[c] for v, c in reversed(graph.cotangents)}
        self._updated = {self.places[u.source]: self.places[u.target] for u in graph.updates if u.what == "value"}
        swept = [node.id for node in graph.nodes if node.back_through is not None]
        self._update_from = max(swept) if swept and self._updated else len(graph)
        self._readers = self._found_readers()
        self._at: tuple[str, str, int | None] = ("", "", None)
        self._shared: dict[tuple[int | None, int], Term] = {}
        self._index_arrays: dict[int, Term] = {}
        self._generators: dict[int, Term] = {}
        self._take_leaves(targets)
        self._take_generators()
        for place, value in enumerate(self.values):
            if place in self._readers and place not in self._terms and not self._stays_inside(place, value):
                self._write(place, value)

    def text_of(self, node: int) -> str:
        """Return the expression for the value of a node that is a result or a leaf."""
        return self._terms[self.places[node]].text

    # ----- What is needed, and where it is written -----

    def _found_readers(self) -> dict[int, list[int]]:
        """Return, for each value that leads to a result or is drawn, what reads it."""
        draws = [place for place, value in enumerate(self.values) if value.operation and value.operation.draws]
        readers: dict[int, list[int]] = {place: [] for place in (*self._results, *draws)}
        for place in reversed(range(len(self.values))):
            if place in readers:
                for source in self.values[place].inputs:
                    readers.setdefault(source, []).append(place)
        return readers

    def _stays_inside(self, place: int, value: CoreValue) -> bool:
        """Return whether a value is written inside of the line that reads it, for which it is short enough."""
        if not self._may_stand_inside(place):
            return False
        term = self._written(value)
        return term is not None and len(term.text) <= LONGEST_LINE

    def _may_stand_inside(self, place: int) -> bool:
        value, readers = self.values[place], self._readers[place]
        if place in self._results or place in self._cotangents:
            return False
        if value.operation is None:
            return value.is_number or len(readers) == 1
        if len(readers) != 1 or value.name is not None or value.operation.draws:
            return False
        if self._part(place) == "Forward":
            return value.node == self.values[readers[0]].node
        return self._step(place) == self._step(readers[0])

    def _part(self, place: int) -> Literal["Forward", "Backward", "Update"]:
        """Return which part of the function a value belongs to."""
        node = self.graph.nodes[self.values[place].node]
        if node.back_through is not None or place in self._cotangents:
            return "Backward"
        return "Update" if node.id > self._update_from else "Forward"

    def _step(self, place: int) -> tuple[str, int | None]:
        """Return what is written together: an operation, the way back through one, all updates."""
        node, part = self.graph.nodes[self.values[place].node], self._part(place)
        return part, {"Forward": node.id, "Backward": node.back_through, "Update": None}[part]

    # ----- Leaves -----

    def _take_leaves(self, targets: Sequence[int]) -> None:
        for kind in LEAVES:
            for node in self.graph.nodes:
                place = self.places[node.id]
                if node.kind == kind and (kind == "input" or place in self._readers or node.id in targets):
                    self._terms[place] = self._argument(self.values[place].array, node)

    def _argument(self, array: Any, node: GraphNode | None) -> Term:
        kind = "index" if node is None else node.kind
        given = None if node is None else node.name
        name = self._names.named(given, kind) if given else self._names.numbered(kind)
        self.arguments[name] = Argument(array, node)
        return Term(name, array=array)

    def _take_generators(self) -> None:
        """Make an argument of each generator, as it was before it was drawn from for the first time."""
        for value in self.values:
            if value.operation is not None and value.operation.draws:
                rng = value.static["rng"]
                if id(rng.bit_generator) not in self._generators:
                    name = self._names.named("rng", "rng")
                    self.arguments[name] = Argument(self.graph.nodes[value.node].drawn_from or rng, None)
                    self._generators[id(rng.bit_generator)] = Term(name)

    def _static(self, argument: np.ndarray | np.random.Generator) -> Term:
        """Return the expression for an array of indices, or for a generator."""
        if isinstance(argument, np.random.Generator):
            return self._generators[id(argument.bit_generator)]
        array = argument
        if id(array) not in self._index_arrays:
            self._index_arrays[id(array)] = literal(array) or self._argument(array, None)
        return self._index_arrays[id(array)]

    # ----- Expressions -----

    def _operand(self, place: int, is_weak: bool = False, step: int | None = None) -> Term:
        """Return what stands for a value on the way back through `step`, or elsewhere.

        One that is weak is a Python number there, which does not widen the dtype.
        """
        value = self.values[place]
        term = self._shared.get((step, place)) or self._terms.get(place) or self._written(value)
        assert term is not None, "what cannot be written in place is an argument"
        if not is_weak or term.array is None or term.array.dtype == np.bool:
            return term
        if self._is_known(value):
            return number(value.array.item())
        return Term(f"{'float' if term.array.dtype.kind == 'f' else 'int'}({term.text})")

    def _is_known(self, value: CoreValue) -> bool:
        """Return whether a value is the same in every run."""
        is_constant = value.operation is None and self.graph.nodes[value.node].kind not in LEAVES
        return is_constant and isinstance(value.array, np.ndarray)

    def _written(self, value: CoreValue) -> Term | None:
        """Return the expression for an operation or a constant, None for a constant that is too large for one."""
        if value.operation is None:
            return number(value.array) if value.is_number else literal(value.array)
        step = self.graph.nodes[value.node].back_through
        operands = [self._operand(place, i in value.weak, step) for i, place in enumerate(value.inputs)]
        return spelled(value.operation, operands, value.static, self._static)._replace(array=value.array)

    # ----- Lines -----

    def _write(self, place: int, value: CoreValue) -> None:
        """Give a value a variable, and what stands inside of its line too where that is too long."""
        term = self._written(value)
        if term is None:
            self._terms[place] = self._argument(value.array, self.graph.nodes[value.node])
            return
        self._remark(place, value)
        term = self._written(value) or term
        wanted, is_new = self._wanted_name(place, value)
        length = len(wanted) + len("_12 = ")
        while length + len(term.text) > LONGEST_LINE:
            part = self._half(value, length + len(term.text))
            if part is None:
                break
            self._write(part, self.values[part])
            term = self._written(value) or term
        name = self._names.named(wanted, self._stem(place)) if is_new else self._names.numbered(wanted)
        self._terms[place] = Term(name, array=term.array)
        self.lines += _wrapped(f"{name} = {term.text}")

    def _half(self, value: CoreValue, length: int) -> int | None:
        """Return which part of a line of `length` characters leaves two most alike if it is taken out, None if none."""
        parts = {i: len(self._operand(i).text) for i in self._inside(value)}
        return min(parts, key=lambda i: (max(parts[i], length - parts[i]), i), default=None)

    def _inside(self, value: CoreValue) -> Iterator[int]:
        """Yield the values that are written inside of the line of `value`."""
        for i in value.inputs:
            if i not in self._terms and self.values[i].operation is not None:
                yield i
                yield from self._inside(self.values[i])

    def _wanted_name(self, place: int, value: CoreValue) -> tuple[str, bool]:
        """Return what a value is to be called, and whether that is a name, not an operation to be numbered."""
        if place in self._cotangents:
            of = self._cotangents[place]
            return f"d_{self._terms[of].text if of in self._terms else self._stem(of)}", True
        if place in self._updated:
            return f"new_{self._terms[self._updated[place]].text}", True
        return value.name or self._stem(place), value.name is not None

    def _stem(self, place: int) -> str:
        value = self.values[place]
        operation = value.result_of or value.operation
        return "constant" if operation is None else operation.name

    # ----- Comments -----

    def _remark(self, place: int, value: CoreValue) -> None:
        """Say where the next line belongs, if that is not where the last one does."""
        node, (part, step) = self.graph.nodes[value.node], self._step(place)
        at = (part, "" if part == "Update" else node.scope, step)
        if at == self._at:
            return
        lines = self.lines
        if part != self._at[0] and self.graph.cotangents:
            lines += ["", f"# ----- {part} -----"]
        if part == "Backward":
            said = [] if step is None else self._remarks.backward(self.graph.nodes[step], self._name_of)
            lines += ["", *(f"# {line}" for line in said)]
            self._share_cotangent(step)
        else:
            if at[:2] != self._at[:2]:
                lines += ["", f"# {comment(node.scope)}"] if node.scope else [""]
            if node.operation is not None and lowering_of(node.operation) is not None:
                lines.append(f"# {self._remarks.forward(node)}")
        self._at = at

    def _share_cotangent(self, step: int | None) -> None:
        """Give the cotangent of the operation that is gone back through its own name, if it bears that of another."""
        place = self._whole.get(step, -1)
        term = self._terms.get(place)
        if step is None or term is None or self._cotangents[place] == self.places[step]:
            return
        name = self._names.named(f"d_{self._name_of(step)}", "d")
        self.lines.append(f"{name} = {term.text}")
        self._shared[step, place] = Term(name, array=term.array)

    def _name_of(self, node: int) -> str:
        place = self.places[node]
        is_written = place in self._readers or place in self._terms
        return self._operand(place).text if is_written else self._stem(place)


def _wrapped(line: str) -> list[str]:
    """Return a line as several that are short enough, broken at commas, which all stand in brackets."""
    lines = []
    while len(line) > LONGEST_LINE and (cut := line.rfind(", ", 5, LONGEST_LINE)) > 0:
        lines.append(line[: cut + 1])
        line = f"    {line[cut + 2 :]}"
    return [*lines, line]
