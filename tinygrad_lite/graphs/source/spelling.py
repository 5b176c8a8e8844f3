"""How each core entry is written in NumPy: an expression with the bits of the entry's forward.

spelled(PRIMITIVES["multiply"], [Term("a + b", SUM), Term("c")], {})      # (a + b) * c
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np

from tinygrad_lite import primitives as p
from tinygrad_lite.errors import UnsupportedError
from tinygrad_lite.primitives import Primitive
from tinygrad_lite.primitives.reductions import reduced_axes
from tinygrad_lite.primitives.shaping import WIDEST_IDENTITY, may_repeat

COMPARISON, SUM, PRODUCT, SIGN, ATOM = range(5)
"""How tightly an expression holds together, the loosest first."""


class Term(NamedTuple):
    """An expression, with what is known of its value."""

    text: str
    binding: int = ATOM
    array: Any = None
    """What has its shape, dtype and strides; None for a Python number."""

    def within(self, binding: int) -> str:
        """Return the text as it stands where an expression of at least `binding` is needed."""
        return self.text if self.binding >= binding else f"({self.text})"

    @property
    def ndim(self) -> int:
        return 0 if self.array is None else len(self.array.shape)


Arrays = Callable[[Any], Term]
"""Gives the expression for an array or a random generator that is a static argument: in place, or an argument of what
is written."""

Spelling = Callable[..., tuple[str, int] | str]
"""From the operands, the static arguments by name, and `arrays`, to the text and, unless it is an atom, its binding."""


def spelled(primitive: Primitive, operands: Sequence[Term], static: Mapping[str, Any], arrays: Arrays) -> Term:
    """Return the expression for a core operation; raises UnsupportedError for a primitive that has none."""
    spelling = SPELLINGS.get(primitive)
    if spelling is None:
        raise UnsupportedError(
            f"{primitive.name} is a primitive of your own that has no lowering, so it cannot be written in NumPy; "
            "give @tg.primitive(..., lowering=f), where f is the same function in terms of others"
        )
    written = spelling(operands, arrays, **static)
    return Term(written) if isinstance(written, str) else Term(*written)


# ----- Operators and functions -----


def _infix(sign: str, binding: int) -> Spelling:
    def spelling(operands: Sequence[Term], _arrays: Arrays) -> tuple[str, int]:
        a, b = operands
        left = a.within(binding + (binding == COMPARISON))  # comparisons do not chain
        return f"{left} {sign} {b.within(binding + 1)}", binding

    return spelling


def _prefix(sign: str) -> Spelling:
    return lambda operands, _arrays: (sign + operands[0].within(SIGN), SIGN)


def _function(name: str) -> Spelling:
    return lambda operands, _arrays: f"{name}({', '.join(operand.text for operand in operands)})"


def _power(operands: Sequence[Term], _arrays: Arrays) -> tuple[str, int] | str:
    """Without axes it is the power of NumPy's scalars, whose bits are not those of `np.power`."""
    base, exponent = operands
    if base.ndim or exponent.ndim:
        return f"np.power({base.text}, {exponent.text})"
    left, right = (term.text if term.array is None else f"{term.within(ATOM)}[()]" for term in operands)
    if base.array is None and exponent.ndim == 0 and getattr(exponent.array, "dtype", np.dtype(float)).kind in "iu":
        left = f"np.asarray({left})[()]"  # a number of Python's leaves the power of an integer to `np.power`
    return f"{left if base.binding == ATOM else base.within(ATOM)} ** {right}", SIGN


# ----- Reductions -----


def _reduction(method: str) -> Spelling:
    def spelling(operands: Sequence[Term], _arrays: Arrays, *, axis: Any, keepdims: bool) -> str:
        options = [] if axis is None else [f"axis={_axis(axis)}"]
        options += ["keepdims=True"] if keepdims else []
        return f"{operands[0].within(ATOM)}.{method}({', '.join(options)})"

    return spelling


def _axis(axis: Any) -> str:
    return str(axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis)


def _prod_of_others(operands: Sequence[Term], _arrays: Arrays, *, axis: Any) -> str:
    return f"prod_of_others({operands[0].text}, {reduced_axes(axis, operands[0].ndim)})"


# ----- Shaping -----


def _reshape(operands: Sequence[Term], _arrays: Arrays, *, shape: Any) -> str:
    lengths = shape if isinstance(shape, tuple | list) else (shape,)
    return f"{operands[0].within(ATOM)}.reshape({', '.join(map(str, lengths)) or '()'})"


def _transpose(operands: Sequence[Term], _arrays: Arrays, *, axes: Any) -> str:
    x = operands[0].within(ATOM)
    return f"{x}.T" if axes is None else f"{x}.transpose({tuple(map(int, axes))})"


def _swapaxes(operands: Sequence[Term], _arrays: Arrays, *, axis1: int, axis2: int) -> str:
    return f"{operands[0].within(ATOM)}.swapaxes({axis1}, {axis2})"


def _broadcast_to(operands: Sequence[Term], _arrays: Arrays, *, shape: Any) -> str:
    return f"np.broadcast_to({operands[0].text}, {tuple(map(int, shape))})"


def _contiguous(operands: Sequence[Term], _arrays: Arrays) -> str:
    return f'np.asarray({operands[0].text}, order="C")'


def _joined(function: str) -> Spelling:
    def spelling(operands: Sequence[Term], _arrays: Arrays, *, axis: int) -> str:
        return f"{function}([{', '.join(operand.text for operand in operands)}], axis={axis})"

    return spelling


def _astype(operands: Sequence[Term], _arrays: Arrays, *, dtype: Any) -> str:
    return f"{operands[0].within(ATOM)}.astype({dtype_text(dtype)})"


def dtype_text(dtype: Any) -> str:
    """Return how NumPy calls a dtype.

    >>> dtype_text(np.dtype("f4"))
    'np.float32'
    """
    return f"np.{np.dtype(dtype).name}"


# ----- Picking -----


def _getitem(operands: Sequence[Term], arrays: Arrays, *, index: Any) -> str:
    return f"{operands[0].within(ATOM)}[{_index(index, arrays)}]"


def _index(index: Any, arrays: Arrays) -> str:
    """Return an index as it stands between brackets."""
    if not isinstance(index, tuple):
        return _part(index, arrays)
    return ", ".join(_part(part, arrays) for part in index) if index else "()"


def _part(part: Any, arrays: Arrays) -> str:
    if isinstance(part, slice):
        bounds = ["" if bound is None else str(int(bound)) for bound in (part.start, part.stop)]
        return ":".join(bounds if part.step is None else [*bounds, str(int(part.step))])
    if isinstance(part, np.ndarray):
        return arrays(part).text
    if isinstance(part, list | tuple):
        return f"[{', '.join(_part(inner, arrays) for inner in part)}]"
    return "..." if part is Ellipsis else str(part)


def _scatter_add(operands: Sequence[Term], arrays: Arrays, *, index: Any, shape: Any) -> str:
    values = operands[0]
    place, lengths = f"np.s_[{_index(index, arrays)}]", tuple(map(int, shape))
    if may_repeat(index):
        return f"scatter_add({values.text}, {place}, {lengths})"
    return f"set_at({_zeros(lengths, values.array.dtype)}, {place}, {values.text})"


def _zeros(shape: tuple[int, ...], dtype: Any) -> str:
    return f"np.zeros({shape})" if dtype == np.float64 else f"np.zeros({shape}, {dtype_text(dtype)})"


def _set_at(operands: Sequence[Term], arrays: Arrays, *, index: Any) -> str:
    x, values = operands
    return f"set_at({x.text}, np.s_[{_index(index, arrays)}], {values.text})"


def _one_hot(operands: Sequence[Term], _arrays: Arrays, *, width: int, dtype: Any) -> str:
    labels = operands[0]
    if width > WIDEST_IDENTITY:
        return f"({labels.within(ATOM)}[..., None] == np.arange({width})).astype({dtype_text(dtype)})"
    identity = f"np.eye({width})" if dtype == np.float64 else f"np.eye({width}, dtype={dtype_text(dtype)})"
    if labels.ndim < 2:
        return f"{identity}[{labels.text}]"
    return f"{identity}.take({labels.within(ATOM)}.astype(np.intp), axis=0)"


# ----- Random numbers -----


def _drawn(method: str) -> Spelling:
    def spelling(_operands: Sequence[Term], arrays: Arrays, *, rng: Any, shape: Any, dtype: Any) -> str:
        size = shape[0] if len(shape) == 1 else shape
        return f"{arrays(rng).text}.{method}({size}{'' if dtype == np.float64 else f', {dtype_text(dtype)}'})"

    return spelling


SPELLINGS: Final[Mapping[Primitive, Spelling]] = MappingProxyType(
    {
        p.add: _infix("+", SUM),
        p.subtract: _infix("-", SUM),
        p.multiply: _infix("*", PRODUCT),
        p.divide: _infix("/", PRODUCT),
        p.matmul: _infix("@", PRODUCT),
        p.equal: _infix("==", COMPARISON),
        p.not_equal: _infix("!=", COMPARISON),
        p.less: _infix("<", COMPARISON),
        p.less_equal: _infix("<=", COMPARISON),
        p.greater: _infix(">", COMPARISON),
        p.greater_equal: _infix(">=", COMPARISON),
        p.positive: _prefix("+"),
        p.negative: _prefix("-"),
        p.power: _power,
        **{
            entry: _function(f"np.{entry.name}")
            for entry in (
                p.square,
                p.absolute,
                p.sign,
                p.exp,
                p.expm1,
                p.log,
                p.log1p,
                p.sqrt,
                p.logaddexp,
                p.sin,
                p.cos,
                p.tanh,
                p.maximum,
                p.minimum,
                p.where,
                p.isfinite,
                p.logical_and,
                p.logical_or,
                p.logical_not,
            )
        },
        p.zero_kept_zero: _function("zero_kept_zero"),
        p.sum: _reduction("sum"),
        p.prod: _reduction("prod"),
        p.max: _reduction("max"),
        p.min: _reduction("min"),
        p.prod_of_others: _prod_of_others,
        p.reshape: _reshape,
        p.transpose: _transpose,
        p.swapaxes: _swapaxes,
        p.broadcast_to: _broadcast_to,
        p.contiguous: _contiguous,
        p.concatenate: _joined("np.concatenate"),
        p.stack: _joined("np.stack"),
        p.astype: _astype,
        p.getitem: _getitem,
        p.scatter_add: _scatter_add,
        p.set_at: _set_at,
        p.one_hot: _one_hot,
        p.standard_uniform: _drawn("random"),
        p.standard_normal: _drawn("standard_normal"),
    }
)
"""The expression of each core entry."""

# ----- What NumPy has only in place, or in several steps -----

SUPPORT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "scatter_add": '''
def scatter_add(values, index, shape):
    """Return zeros of `shape` to which `values` have been added at `index`, repeated places too."""
    result = np.zeros(shape, values.dtype)
    np.add.at(result, index, values)
    return result
''',
        "set_at": '''
def set_at(x, index, values):
    """Return a copy of `x` with `values` at `index`."""
    result = np.array(x, dtype=np.result_type(x, values))
    result[index] = values
    return result
''',
        "prod_of_others": '''
def prod_of_others(x, axes):
    """Return, for each value, the product of all others over `axes`, without dividing by it."""
    order = [i for i in range(x.ndim) if i not in axes] + list(axes)
    moved = x.transpose(order)
    flat = moved.reshape(*moved.shape[: x.ndim - len(axes)], int(np.prod([x.shape[i] for i in axes])))
    before, after = np.ones_like(flat), np.ones_like(flat)
    np.cumprod(flat[..., :-1], axis=-1, out=before[..., 1:])
    np.cumprod(flat[..., :0:-1], axis=-1, out=after[..., -2::-1])
    return (before * after).reshape(moved.shape).transpose([order.index(i) for i in range(x.ndim)])
''',
        "zero_kept_zero": '''
def zero_kept_zero(g, gx):
    """Return `gx` with 0 where a cotangent `g` of zero met a pole: there 0 · ∞ = 0."""
    finite = np.isfinite(gx)
    return gx if finite.all() else np.where((g == 0) & ~finite, 0, gx)
''',
    }
)
"""Functions that stand beside the one that is written, where it calls them."""
