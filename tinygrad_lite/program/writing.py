"""The function that a program is: one line of NumPy or more for each value, into arrays that are there already.

    def run(x, lr, v5, v6):
        matmul(x, v5, v6)

What the function is given comes first: arguments, and cells that it only reads. Arrays that are made once follow, bound
as defaults: buffers and views of them, constants, and the cells that it assigns to. Values without axes are variables.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite import primitives as p
from tinygrad_lite.graphs.source.identifiers import Identifiers, comment
from tinygrad_lite.graphs.source.literals import literal
from tinygrad_lite.graphs.source.lowered import CoreValue
from tinygrad_lite.graphs.source.spelling import Term, spelled
from tinygrad_lite.program.blas import LETTERS, multiples_added, product_added
from tinygrad_lite.program.kernels import FUNCTIONS, kernel_of, plain_axis
from tinygrad_lite.program.listing import Listing, is_scalar
from tinygrad_lite.program.memory import Memory, without_values

_ENTRIES = [entry for entry in vars(p).values() if isinstance(entry, p.Primitive)]
UFUNCS = {entry.ufunc.__name__: entry.ufunc for entry in _ENTRIES if entry.ufunc is not None}
"""What lines call by the names of NumPy."""

INFIX = {p.add: "+", p.subtract: "-", p.multiply: "*", p.divide: "/"}
"""Operators, which are faster between numbers than functions are."""

LONGEST_DOT = 1_000
"""How long a vector may be for a product with ones to add it up as NumPy does: sooner, and as exactly."""

REDUCTIONS = {p.sum: "add_reduce", p.prod: "multiply_reduce", p.max: "maximum_reduce", p.min: "minimum_reduce"}


class Written(NamedTuple):
    """A program that is written, to be bound to arrays."""

    source: str
    code: CodeType
    names: dict[str, Any]
    """What it calls."""
    given: tuple[int, ...]
    """The values that the function is given, in this order."""
    bound: tuple[Callable[[dict[int, Any]], Any], ...]
    """What makes its other arguments, of the arrays of all values that have one before it runs."""

    def bind(self, arrays: dict[int, Any]) -> Callable[..., Any]:
        """Return the function that runs on these arrays."""
        return FunctionType(self.code, self.names, "run", tuple(make(arrays) for make in self.bound))


def written(listing: Listing, memory: Memory, is_exact: bool) -> Written:
    """Write a listing as a function."""
    return _Writer(listing, memory, is_exact).finished()


class _Writer:
    """The lines so far; for a kernel it is the `Line` to write."""

    def __init__(self, listing: Listing, memory: Memory, is_exact: bool) -> None:
        self.listing, self.memory, self.values, self.is_exact = listing, memory, listing.values, is_exact
        self.lines: list[str] = []
        self.position = 0
        self.value: CoreValue
        self._names: dict[str, Any] = {**UFUNCS, **FUNCTIONS, "np": np}
        for dtype, (letter, _) in LETTERS.items() if not is_exact else ():
            self._names |= {f"{letter}gemm": product_added(dtype), f"{letter}axpby": multiples_added(dtype)}
        self._identifiers = Identifiers((*self._names, "run"))
        self._text: dict[int, str] = {}
        self._given: dict[str, int] = {}
        self._bound: dict[str, Callable[[dict[int, Any]], Any]] = {}
        self._cells: dict[int, str] = {}
        self._numbers: dict[Any, str] = {}
        self._node: int | None = None
        self._assigned = {target for target, _ in listing.assignments}
        for position, value in enumerate(listing.values):
            self.position, self.value = position, value
            self._write()
        self._hand_out()

    def finished(self) -> Written:
        arguments = ", ".join((*self._given, *self._bound))
        source = "\n".join([f"def run({arguments}):", *(f"    {line}" for line in self.lines), ""])
        names: dict[str, Any] = dict(self._names)
        exec(compile(source, "<program>", "exec"), names)
        code = names.pop("run").__code__
        return Written(source, code, names, tuple(self._given.values()), tuple(self._bound.values()))

    # ----- One value -----

    def _write(self) -> None:
        position, value = self.position, self.value
        if value.operation is None:
            self._text[position] = self._leaf()
            return
        if position in self.memory.views:
            if not self._is_made_once(position):
                self.say(f"v{position} = {self._spelled_view()}")
            return
        self._remark()
        kernel = kernel_of(value, self.values)
        if is_scalar(value):
            self.say(f"v{position} = {self._scalar()}")
        elif kernel is None:
            self.say(f"v{position} = {self._called()}")
        else:
            kernel(self)

    def _leaf(self) -> str:
        position, value = self.position, self.value
        if not self.listing.is_cell(position):
            return f"v{position}" if not is_scalar(value) else self._constant(value)
        name = self._identifiers.named(value.name or "", "x")
        self._cells[position] = name
        if position in self._assigned:
            self._bound[name] = lambda arrays: arrays[position]
        else:
            self._given[name] = position
        if not is_scalar(value):
            return name
        self.say(f"v{position} = {name}[()]")
        return f"v{position}"

    def _constant(self, value: CoreValue) -> str:
        """Return what stands for a number among numbers."""
        number = value.array if value.is_number else value.array[()]
        return repr(number) if value.is_number and np.isfinite(number) else self.bound(number)

    def _remark(self) -> None:
        """Say which operation of the user's the next lines compute."""
        if self.value.node == self._node:
            return
        self._node = self.value.node
        node = self.listing.graph.nodes[self._node]
        through = node if node.back_through is None else self.listing.graph.nodes[node.back_through]
        said = through.primitive or "constant"
        where = f"{through.scope}: " if through.scope else ""
        self.say(f"# {comment(where + said)}{' ←' if node.back_through is not None else ''}")

    def _is_made_once(self, position: int) -> bool:
        """Return whether the array of a value is there before the program runs."""
        position = self.memory.roots[position]
        if self.listing.is_constant(position):
            return True
        return position in self._assigned or position in self.memory.buffers or position in self.memory.in_cells

    def _name(self, position: int) -> str:
        """Return the name of an array, bound if it is made once."""
        name = self._text.get(position, f"v{position}")
        if name == f"v{position}" and name not in self._bound and self._is_made_once(position):
            self._bound[name] = lambda arrays: arrays[position]
        return name

    # ----- Expressions -----

    def _spelled_view(self) -> str:
        assert self.value.operation is not None
        source = self.value.inputs[0]
        term = Term(self._name(source), array=self.values[source].array)
        return spelled(self.value.operation, [term], self.value.static, self._index).text

    def _index(self, array: np.ndarray) -> Term:
        return literal(array) or Term(self.bound(array), array=array)

    def _scalar(self) -> str:
        operation, inputs = self.value.operation, self.value.inputs
        assert operation is not None
        if all(is_scalar(self.values[i]) for i in inputs):
            operands = [self.number(i) for i in range(len(inputs))]
            if operation in INFIX:
                return f" {INFIX[operation]} ".join(operands)
            if operation.ufunc is not None and operation is not p.power:  # numbers have a power of their own
                return f"{operation.ufunc.__name__}({', '.join(operands)})"
        elif operation is p.sum and not self.is_exact and self._is_vector_of_floats(inputs[0]):
            array = self.values[inputs[0]].array
            return f"dot({self._name(inputs[0])}, {self.bound(np.ones(array.shape, array.dtype))})"
        elif operation in REDUCTIONS:
            return f"{REDUCTIONS[operation]}({self._name(inputs[0])}, {plain_axis(self.value.static['axis'])})"
        elif operation is p.matmul:
            return f"dot({self._name(inputs[0])}, {self._name(inputs[1])})"
        return f"asarray({self._called()})[()]"

    def _is_vector_of_floats(self, position: int) -> bool:
        array = self.values[position].array
        return bool(array.ndim == 1 and array.dtype.kind == "f" and 0 < array.size <= LONGEST_DOT)

    def _called(self) -> str:
        """Return a call of the forward itself."""
        operation = self.value.operation
        assert operation is not None
        function = functools.partial(operation.forward, **self.value.static) if self.value.static else operation.forward
        name = self._identifiers.named(operation.name, "operation")
        self._names[name] = function
        operands = [
            self.number(i) if is_scalar(self.values[source]) else self._name(source)
            for i, source in enumerate(self.value.inputs)
        ]
        return f"{name}({', '.join(operands)})"

    def number(self, i: int) -> str:
        """Return an operand without axes as it stands among numbers: one that is weak as Python's."""
        source = self.value.inputs[i]
        value, is_weak = self.values[source], i in self.value.weak
        if is_weak and self.listing.is_constant(source) and not value.is_number:
            number = value.array.item()
            return repr(number) if np.isfinite(number) else self.bound(number)
        text = self._text.get(source, f"v{source}")
        return f"{text}.item()" if is_weak and not value.is_number else f"({text})" if text.startswith("-") else text

    # ----- The results -----

    def _hand_out(self) -> None:
        """Return copies of the outputs, after the cells whose new values lie elsewhere have taken them over."""
        outputs = [self._handed_out(i) for i in self.listing.outputs]
        moves = [(t, s) for t, s in self.listing.assignments if self.memory.in_cells.get(s) != t]
        if moves:
            self.say(f"results = {_tuple(outputs)}")
            held = [self._held(source) for _, source in moves]  # all are read before the first is written
            for (target, _), source in zip(moves, held, strict=True):
                self.say(f"{self._cells[target]}[...] = {source}")
        self.say(f"return {'results' if moves else _tuple(outputs)}")

    def _handed_out(self, position: int) -> str:
        if is_scalar(self.values[position]):
            return self._text.get(position, f"v{position}")
        return f'{self._name(position)}.copy("K")'

    def _held(self, source: int) -> str:
        """Return the name of a new value, of its own if it lies in the array of a cell."""
        if is_scalar(self.values[source]):
            return self._text.get(source, f"v{source}")
        root = self.memory.roots[source]
        if not self.listing.is_cell(root) and root in self.memory.buffers:
            return self._name(source)
        self.say(f"held{source} = {self._name(source)}.copy()")
        return f"held{source}"

    # ----- What kernels ask for -----

    @property
    def out(self) -> str:
        return self._name(self.position)

    def operand(self, i: int) -> str:
        source = self.value.inputs[i]
        if not is_scalar(self.values[source]):
            return self._name(source)
        dtype = self._dtype_among_arrays(i)
        number = self.known(i)
        if number is not None:
            return self._number_as_array((repr(number), dtype), np.array(number, dtype))
        key = source, dtype
        is_new = key not in self._numbers
        name = self._number_as_array(key, np.empty((), dtype))
        if is_new:
            self.say(f"{name}[()] = v{source}")
        return name

    def is_overwritten(self, i: int) -> bool:
        return self.memory.is_in_place(self.position, self.value.inputs[i])

    def _number_as_array(self, key: Any, array: np.ndarray) -> str:
        """Return the name of an array without axes, with which NumPy computes faster than with a number."""
        if key not in self._numbers:
            self._numbers[key] = self.bound(array)
        return self._numbers[key]

    def _dtype_among_arrays(self, i: int) -> np.dtype[Any]:
        """Return the dtype that an operand without axes takes part with: one that is weak takes that of the others."""
        value = self.values[self.value.inputs[i]]
        found: np.dtype[Any]
        if self.value.operation is p.where:
            found = self.value.array.dtype if i else np.dtype(np.bool)
        elif i not in self.value.weak and not value.is_number:
            found = value.array.dtype
        else:
            number = value.array if value.is_number else value.array.item()
            arrays = [self.values[j].array for j in self.value.inputs if not is_scalar(self.values[j])]
            found = np.result_type(*(array.dtype for array in arrays), type(number)(0))
        return found

    def array(self, i: int) -> Any:
        return self.values[self.value.inputs[i]].array

    def known(self, i: int) -> Any:
        source = self.value.inputs[i]
        value = self.values[source]
        if not is_scalar(value) or not self.listing.is_constant(source):
            return None
        return value.array if value.is_number else value.array.item()

    def call(self, function: str, *arguments: str) -> None:
        self.say(f"{function}({', '.join(arguments)})")

    def say(self, text: str) -> None:
        self.lines.append(text)

    def bound(self, value: Any) -> str:
        name = self._identifiers.numbered("c")
        self._bound[name] = lambda _arrays: value
        return name

    def flat(self, i: int | None) -> str:
        position = self.position if i is None else self.value.inputs[i]
        name = f"{self._name(position)}_flat"
        if not self._is_made_once(position):
            self.say(f'{name} = {self._as_captured(position)}.ravel("K")')
        elif name not in self._bound:
            self._bound[name] = lambda arrays: arrays[position].ravel("K")
        return name

    def rounded(self, i: int) -> str:
        number, kind = self.known(i), self.value.array.dtype.type
        if number is not None:
            return repr(float(kind(number)))
        key = "rounded", self.value.inputs[i], kind
        if key not in self._numbers:
            self._numbers[key] = self._identifiers.numbered("factor")
            self.say(f"{self._numbers[key]} = float(np.{kind.__name__}({self.number(i)}))")
        return self._numbers[key]

    def _as_captured(self, position: int) -> str:
        """Return the name of an array that is given at each call, laid out as it was when the call was captured."""
        name, array = self._name(position), self.values[position].array
        held, like = f"{name}_as_captured", self.bound(without_values(array))
        self.say(f"{held} = {name} if {name}.strides == {array.strides} else laid_out({name}, {like})")
        return held

    def address(self, i: int | None) -> str:
        position = self.position if i is None else self.value.inputs[i]
        name = self._name(position)
        if not self._is_made_once(position):
            return f"{self._as_captured(position)}.ctypes.data"
        self._bound.setdefault(f"{name}_at", lambda arrays: arrays[position].ctypes.data)
        return f"{name}_at"

    def transposed(self, i: int | None) -> str:
        position = self.position if i is None else self.value.inputs[i]
        name = self._name(position)
        if not self._is_made_once(position):
            return f"{name}.T"
        self._bound.setdefault(f"{name}_T", lambda arrays: arrays[position].T)
        return f"{name}_T"


def _tuple(parts: list[str]) -> str:
    return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
