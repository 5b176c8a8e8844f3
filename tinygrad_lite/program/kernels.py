"""How a program writes each operation: lines of NumPy that leave the result in an array that is there already.

A kernel is given a `Line`, which knows the names of the result and of the operands, and says what to do. An operation
without one is called as it is, and its result is a new array.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

import numpy as np

from tinygrad_lite import primitives as p
from tinygrad_lite.graphs.source.lowered import CoreValue
from tinygrad_lite.primitives import Primitive
from tinygrad_lite.primitives.shaping import may_repeat
from tinygrad_lite.program.blas import AS_IS, BY_ROWS, LETTERS, TRANSPOSED
from tinygrad_lite.program.entries import (
    UnusualValuesError,
    finite,
    label_places,
    minus_one_at,
    picked,
    plus_decayed_product,
    plus_multiple,
    plus_product,
)


class Line(Protocol):
    """One operation as it is being written."""

    value: CoreValue
    is_exact: bool
    """Whether the bits of the forward are to be kept."""

    @property
    def out(self) -> str:
        """The name of the array that the result goes to."""

    def operand(self, i: int) -> str:
        """Return the name of an operand as an array."""

    def is_overwritten(self, i: int) -> bool:
        """Return whether the result takes the place of an operand."""

    def array(self, i: int) -> Any:
        """Return what has the shape, dtype and strides of an operand, or is its number."""

    def known(self, i: int) -> Any:
        """Return the number that an operand is in every run, None if it may be another or is an array."""

    def call(self, function: str, *arguments: str) -> None:
        """Write a call of a function of NumPy's, or of one that is bound."""

    def say(self, text: str) -> None:
        """Write any other line."""

    def bound(self, value: Any) -> str:
        """Return a name for a value that is made once."""

    def flat(self, i: int | None) -> str:
        """Return a name for all of an operand, or of the result, as they lie in memory, in one axis."""

    def number(self, i: int) -> str:
        """Return an operand without axes as it stands among numbers."""

    def rounded(self, i: int) -> str:
        """Return a name for an operand without axes as a number of Python's that the dtype of the result can hold."""

    def address(self, i: int | None) -> str:
        """Return where the values of an operand, or of the result, begin in memory."""

    def transposed(self, i: int | None) -> str:
        """Return a name for an operand, or for the result, with its axes reversed."""


Kernel = Callable[[Line], None]

# ----- Elementwise -----

SMALL = 1_000
"""How many values an array must have for a pass over it to cost more than its call."""


def _elementwise(line: Line) -> None:
    operation, count = line.value.operation, len(line.value.inputs)
    assert operation is not None
    assert operation.ufunc is not None
    line.call(operation.ufunc.__name__, *map(line.operand, range(count)), line.out)


def _extreme(line: Line) -> None:
    """Against one number NumPy is several times slower than against an array of it."""
    assert line.value.operation is not None
    operands = []
    for i in range(2):
        number = line.known(i) if line.value.array.size > SMALL else None
        array = None if number is None else np.full_like(line.value.array, number)
        operands.append(line.operand(i) if array is None else line.bound(array))
    line.call(line.value.operation.name, *operands, f"out={line.out}")


def _where(line: Line) -> None:
    condition, a, b = map(line.operand, range(3))
    if not line.is_overwritten(2):
        line.call("copyto", line.out, b)
    line.call("copyto", line.out, a, f"where={condition}")


def _zero_kept_zero(line: Line) -> None:
    g, gx = line.operand(0), line.operand(1)
    is_finite = line.bound(np.empty(line.value.array.shape, np.bool))
    if not line.is_overwritten(1):
        line.call("copyto", line.out, gx)
    line.call("isfinite", line.out, is_finite)
    line.say(f"if not {is_finite}.all():")
    line.say(f"    copyto({line.out}, 0, where=({g} == 0) & ~{is_finite})")


def _copied(line: Line) -> None:
    line.call("copyto", line.out, line.operand(0), 'casting="unsafe"')


# ----- Sums and products -----


def _reduced(name: str) -> Kernel:
    def kernel(line: Line) -> None:
        axis, keepdims = line.value.static["axis"], line.value.static["keepdims"]
        line.call(f"{name}_reduce", line.operand(0), plain_axis(axis), "None", line.out, repr(keepdims))

    return kernel


def plain_axis(axis: Any) -> str:
    """Return the axes of a reduction as they are written."""
    if isinstance(axis, tuple):
        return str(tuple(map(int, axis)))
    return "None" if axis is None else str(int(axis))


LONGEST_SUM = 10_000
"""How many values BLAS may add up one after the other; NumPy adds by pairs."""


def _sum(line: Line) -> None:
    """Of a matrix of floats, BLAS is faster than NumPy: a product with ones; over long axes NumPy is more exact."""
    x, axis = line.array(0), line.value.static["axis"]
    axes = axis if isinstance(axis, tuple) else (axis,)
    if line.is_exact or x.ndim != 2 or x.dtype.kind != "f" or len(axes) != 1 or axis is None or not x.size:
        _reduced("add")(line)
        return
    gone = axes[0] % 2
    if x.shape[gone] > LONGEST_SUM:
        _reduced("add")(line)
        return
    ones = line.bound(np.ones(x.shape[gone], x.dtype))
    out = line.flat(None) if line.value.static["keepdims"] else line.out
    line.call("dot", *((ones, line.operand(0)) if gone == 0 else (line.operand(0), ones)), out)


def _matmul(line: Line) -> None:
    if line.is_exact or not line.array(0).ndim == line.array(1).ndim == 2:
        line.call("matmul", line.operand(0), line.operand(1), line.out)
    elif line.value.array.flags.c_contiguous:
        line.call("dot", line.operand(0), line.operand(1), line.out)
    else:
        line.call("dot", line.transposed(1), line.transposed(0), line.transposed(None))


SMALLEST_DECAY = 1e-4
"""From which size on the rounding of 1 + β in float32 changes β by less than a thousandth."""


def _plus_product(line: Line) -> None:
    """C ← A B + β C, with C in the place of the result."""
    if not line.is_overwritten(0):
        line.call("copyto", line.out, line.operand(0))
    beta = line.rounded(1)
    _unless_zero(line, [beta], _gemm(line, beta, line.address(None)), f"dot({line.operand(2)}, {line.operand(3)})")


def _plus_decayed_product(line: Line) -> None:
    """C ← C + (β C + A B), which is A B + (1 + β) C as long as 1 + β keeps what β is."""
    if not line.is_overwritten(0):
        line.call("copyto", line.out, line.operand(0))
    beta, change = line.rounded(1), line.bound(np.empty_like(line.value.array))
    at_once, apart = _gemm(line, f"1.0 + {beta}", line.address(None)), _gemm(line, "1.0", f"{change}.ctypes.data")
    line.say(f"if abs({beta}) >= {SMALLEST_DECAY} and {beta} != -1.0:")
    line.say(f"    {at_once}")
    line.say("else:")
    line.say(f"    multiply({line.out}, {beta}, {change})")
    line.say(f"    {apart}")
    line.say(f"    add({line.out}, {change}, {line.out})")


def _gemm(line: Line, beta: str, result: str) -> str:
    """Return the call that adds the product of the operands 2 and 3 to β times what is at an address."""
    (rows, columns), inner = line.value.array.shape, line.array(2).shape[1]
    orders, factors = [], []
    for i in (2, 3):
        is_by_rows = line.array(i).flags.c_contiguous
        orders.append(str(AS_IS if is_by_rows else TRANSPOSED))
        factors += [line.address(i), str(line.array(i).shape[1 if is_by_rows else 0])]
    sizes = [str(length) for length in (rows, columns, inner)]
    arguments = [str(BY_ROWS), *orders, *sizes, "1.0", *factors, beta, result, str(columns)]
    return f"{LETTERS[line.value.array.dtype][0]}gemm({', '.join(arguments)})"


def _plus_multiple(line: Line) -> None:
    """Y ← α X + β Y, with Y in the place of the result."""
    if not line.is_overwritten(0):
        line.call("copyto", line.out, line.operand(0))
    name = f"{LETTERS[line.value.array.dtype][0]}axpby"
    beta, alpha = line.rounded(1), line.rounded(3)
    call = [str(line.value.array.size), alpha, line.address(2), "1", beta, line.address(None), "1"]
    _unless_zero(line, [beta, alpha], f"{name}({', '.join(call)})", f"{alpha} * {line.operand(2)}")


def _unless_zero(line: Line, factors: list[str], call: str, summand: str) -> None:
    """Call BLAS, but where a factor is 0, for which it does not look at what that multiplies, and 0 · nan is nan."""
    line.say(f"if {' and '.join(factors)}:")
    line.say(f"    {call}")
    line.say("else:")
    line.say(f"    multiply({line.out}, {factors[0]}, {line.out})")
    line.say(f"    add({line.out}, {summand}, {line.out})")


# ----- Shaping -----


def _reshaped(line: Line) -> None:
    """Of what is not laid out for a view of another shape."""
    line.call("copyto", line.out, f"{line.operand(0)}.reshape({line.value.array.shape})")


def _joined(name: str) -> Kernel:
    def kernel(line: Line) -> None:
        parts = ", ".join(map(line.operand, range(len(line.value.inputs))))
        line.call(name, f"({parts},)", str(line.value.static["axis"]), line.out)

    return kernel


def _getitem(line: Line) -> None:
    line.call("copyto", line.out, f"{line.operand(0)}[{line.bound(line.value.static['index'])}]")


def _scatter_add(line: Line) -> None:
    index = line.value.static["index"]
    name = line.bound(index)
    line.say(f"{line.out}.fill(0)")
    if may_repeat(index):
        line.call("add_at", line.out, name, line.operand(0))
    else:
        line.say(f"{line.out}[{name}] = {line.operand(0)}")


def _set_at(line: Line) -> None:
    if not line.is_overwritten(0):
        line.call("copyto", line.out, line.operand(0))
    line.say(f"{line.out}[{line.bound(line.value.static['index'])}] = {line.operand(1)}")


# ----- Checks -----


def _finite(line: Line) -> None:
    flat = line.flat(0)
    line.say(f"if not dot({flat}, {flat}) < inf:")
    line.say("    raise UnusualValuesError")


# ----- Labels -----


def _label_places(line: Line) -> None:
    labels, (width, by_columns) = line.array(0), (line.value.static["width"], line.value.static["by_columns"])
    unsigned = f"{line.operand(0)}.view({line.bound(np.dtype(f'u{labels.itemsize}'))})"
    if labels.size:
        line.say(f"if maximum_reduce({unsigned}, None) >= {width}:")
        line.say(f"    checked_labels({line.operand(0)}, {width})")
    flat = line.operand(0) if labels.ndim == 1 else f"{line.operand(0)}.reshape(-1)"
    if labels.dtype == np.uint64:  # which beside signed integers would become floats
        flat = f"{flat}.view({line.bound(np.dtype(np.int64))})"
    rows = np.arange(labels.size) if by_columns else np.arange(labels.size) * width
    if by_columns:
        line.call("multiply", flat, line.bound(np.array(labels.size)), line.out)
        flat = line.out
    line.call("add", flat, line.bound(rows), line.out)


def _picked(line: Line) -> None:
    line.say(f"{line.flat(0)}.take({line.operand(1)}, None, {line.out}, 'clip')")


def _minus_one_at(line: Line) -> None:
    if not line.is_overwritten(0):
        line.call("copyto", line.out, line.operand(0))
    places, dtype = line.operand(1), line.value.array.dtype
    chosen = line.bound(np.empty(line.array(1).shape, dtype))
    line.say(f"{line.flat(None)}.take({places}, None, {chosen}, 'clip')")
    line.call("subtract", chosen, line.bound(np.ones((), dtype)), chosen)
    line.say(f"{line.flat(None)}.put({places}, {chosen})")


KERNELS: Final[Mapping[Primitive, Kernel]] = MappingProxyType(
    {
        p.maximum: _extreme,
        p.minimum: _extreme,
        p.where: _where,
        p.zero_kept_zero: _zero_kept_zero,
        p.astype: _copied,
        p.contiguous: _copied,
        p.broadcast_to: _copied,
        p.sum: _sum,
        p.prod: _reduced("multiply"),
        p.max: _reduced("maximum"),
        p.min: _reduced("minimum"),
        p.matmul: _matmul,
        plus_decayed_product: _plus_decayed_product,
        plus_multiple: _plus_multiple,
        plus_product: _plus_product,
        p.reshape: _reshaped,
        p.concatenate: _joined("concatenate"),
        p.stack: _joined("stack"),
        p.getitem: _getitem,
        p.scatter_add: _scatter_add,
        p.set_at: _set_at,
        finite: _finite,
        label_places: _label_places,
        picked: _picked,
        minus_one_at: _minus_one_at,
    }
)
"""The kernels of what is no ufunc, or is faster otherwise."""


def kernel_of(value: CoreValue, values: Sequence[CoreValue]) -> Kernel | None:
    """Return how the result of an operation is computed into an array that is there, None if it cannot be."""
    operation = value.operation
    if operation is None:
        return None
    if operation is p.where and getattr(values[value.inputs[0]].array, "dtype", np.bool) != np.bool:
        return None
    is_elementwise = operation.is_elementwise and isinstance(operation.ufunc, np.ufunc)
    return KERNELS.get(operation, _elementwise if is_elementwise else None)


def overwritable(value: CoreValue) -> Iterator[int]:
    """Yield the operands in whose place a kernel can leave its result, if they are shaped alike."""
    operation = value.operation
    if operation is None or operation is p.sign:  # of its own place NumPy takes the sign ten times slower
        return
    if operation.is_elementwise and operation.ufunc is not None:
        yield from dict.fromkeys(value.inputs)
    elif operation is p.where:
        yield value.inputs[2]
    elif operation is p.zero_kept_zero:
        yield value.inputs[1]
    elif operation in (minus_one_at, plus_decayed_product, plus_multiple, plus_product, p.set_at):
        yield value.inputs[0]


def _laid_out(x: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return a copy of an array in the memory order of another one of its shape."""
    copy = np.empty_like(like)
    np.copyto(copy, x)
    return copy


FUNCTIONS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        **{f"{name}_reduce": getattr(np, name).reduce for name in ("add", "multiply", "maximum", "minimum")},
        **{name: getattr(np, name) for name in ("copyto", "dot", "matmul", "concatenate", "stack", "asarray")},
        "UnusualValuesError": UnusualValuesError,
        "inf": math.inf,
        "add_at": np.add.at,
        "laid_out": _laid_out,
        "checked_labels": p.shaping.checked_labels,
    }
)
"""What lines call beside ufuncs, by the names that they give it."""
