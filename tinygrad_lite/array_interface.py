"""How a Tensor stands in for a NumPy array: operators, an array's methods, and NumPy's own functions.

Whatever NumPy code does with an array is either recorded or refused with a remedy; nothing cuts the graph unnoticed.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lite import primitives as p
from tinygrad_lite import refusals
from tinygrad_lite.errors import ArgumentError, DetachError, DtypeError, IndexingError, ShapeError, UnsupportedError
from tinygrad_lite.mode import MODE
from tinygrad_lite.primitives.reductions import Axis, plain_axis

if TYPE_CHECKING:
    from tinygrad_lite.tensor import Operand, Tensor

NUMPY_FUNCTIONS: Final[dict[Callable[..., Any], tuple[Callable[..., Any], frozenset[str], int]]] = {
    entry.ufunc: (entry, frozenset(), entry.ufunc.nin) for entry in p.PRIMITIVES.values() if entry.ufunc is not None
}
"""What answers for each NumPy function when it meets a Tensor, the names of the arguments that it takes, and how many
it takes by position; `functional` adds its own."""

SUPPORTED_DTYPES: Final = "fd?bBhHiIlLqQ"
"""The type codes that can be computed with: float32, float64, bool and the integers."""


def supported_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return `dtype`, or raise DtypeError if Tensors cannot hold it."""
    found = np.dtype(dtype)
    if found.char not in SUPPORTED_DTYPES:
        kind = f"{found}, as None, mixed values and foreign numbers are" if found.kind == "O" else found
        raise DtypeError(f"Tensors hold float32, float64, integers or booleans, not {kind}; convert to one of them")
    return found


REDUCTIONS: Final[dict[np.ufunc, Callable[..., Any]]] = {
    np.add: p.sum,
    np.multiply: p.prod,
    np.maximum: p.max,
    np.minimum: p.min,
}
"""What answers for the `reduce` method of a NumPy ufunc."""


def answers_for(*numpy_functions: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare that the decorated function is what these NumPy functions do when they meet a Tensor."""

    def register(ours: Callable[..., Any]) -> Callable[..., Any]:
        parameters = inspect.signature(ours).parameters
        by_position = sum(parameter.kind is not parameter.KEYWORD_ONLY for parameter in parameters.values())
        NUMPY_FUNCTIONS.update(dict.fromkeys(numpy_functions, (ours, frozenset(parameters), by_position)))
        return ours

    return register


def _answer_for_masks(bitwise: np.ufunc, logical: p.Primitive) -> None:
    """Declare that `logical` is what `bitwise` does on Tensors of booleans, where the two say the same."""

    def answer(*masks: Any) -> Any:
        for mask in masks:
            dtype = mask.dtype if isinstance(mask, ArrayInterface) else np.asarray(mask).dtype
            if dtype.kind != "b":
                raise refusals.mask_needed(bitwise, dtype)
        return logical(*masks)

    NUMPY_FUNCTIONS[bitwise] = (answer, frozenset(), bitwise.nin)


_answer_for_masks(np.bitwise_and, p.logical_and)
_answer_for_masks(np.bitwise_or, p.logical_or)
_answer_for_masks(np.bitwise_xor, p.not_equal)
_answer_for_masks(np.invert, p.logical_not)

_NO_STATIC: Final[dict[str, Any]] = {}


class ArrayInterface(refusals.Refusals):
    """The part of a Tensor that looks like an array."""

    __slots__ = ()
    _array: np.ndarray
    __record__: Callable[..., Tensor]
    __hash__ = object.__hash__

    # ----- Shape and dtype -----

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def size(self) -> int:
        return self._array.size

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._array.dtype

    @property
    def strides(self) -> tuple[int, ...]:
        return self._array.strides

    # ----- Operators -----

    def __add__(self, other: Operand) -> Tensor:
        return self.__record__(p.add, (self, other), _NO_STATIC)

    def __radd__(self, other: Operand) -> Tensor:
        return self.__record__(p.add, (other, self), _NO_STATIC)

    def __sub__(self, other: Operand) -> Tensor:
        return self.__record__(p.subtract, (self, other), _NO_STATIC)

    def __rsub__(self, other: Operand) -> Tensor:
        return self.__record__(p.subtract, (other, self), _NO_STATIC)

    def __mul__(self, other: Operand) -> Tensor:
        return self.__record__(p.multiply, (self, other), _NO_STATIC)

    def __rmul__(self, other: Operand) -> Tensor:
        return self.__record__(p.multiply, (other, self), _NO_STATIC)

    def __truediv__(self, other: Operand) -> Tensor:
        return self.__record__(p.divide, (self, other), _NO_STATIC)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return self.__record__(p.divide, (other, self), _NO_STATIC)

    def __pow__(self, other: Operand) -> Tensor:
        return self.__record__(p.power, (self, other), _NO_STATIC)

    def __rpow__(self, other: Operand) -> Tensor:
        return self.__record__(p.power, (other, self), _NO_STATIC)

    def __matmul__(self, other: Operand) -> Tensor:
        return self.__record__(p.matmul, (self, other), _NO_STATIC)

    def __rmatmul__(self, other: Operand) -> Tensor:
        return self.__record__(p.matmul, (other, self), _NO_STATIC)

    def __neg__(self) -> Tensor:
        return self.__record__(p.negative, (self,), _NO_STATIC)

    def __pos__(self) -> Tensor:
        return self  # type: ignore[return-value]  # Tensor is the only subclass

    def __abs__(self) -> Tensor:
        return self.__record__(p.absolute, (self,), _NO_STATIC)

    def __eq__(self, other: Operand) -> Tensor:  # type: ignore[override]  # elementwise, as in NumPy
        return self.__record__(p.equal, (self, other), _NO_STATIC)

    def __ne__(self, other: Operand) -> Tensor:  # type: ignore[override]  # elementwise, as in NumPy
        return self.__record__(p.not_equal, (self, other), _NO_STATIC)

    def __lt__(self, other: Operand) -> Tensor:
        return self.__record__(p.less, (self, other), _NO_STATIC)

    def __le__(self, other: Operand) -> Tensor:
        return self.__record__(p.less_equal, (self, other), _NO_STATIC)

    def __gt__(self, other: Operand) -> Tensor:
        return self.__record__(p.greater, (self, other), _NO_STATIC)

    def __ge__(self, other: Operand) -> Tensor:
        return self.__record__(p.greater_equal, (self, other), _NO_STATIC)

    __and__, __rand__ = refusals.operators_of(np.bitwise_and)
    __or__, __ror__ = refusals.operators_of(np.bitwise_or)
    __xor__, __rxor__ = refusals.operators_of(np.bitwise_xor)

    def __invert__(self) -> Any:
        return np.invert(self)  # it comes back through __array_ufunc__

    # ----- An array's methods -----

    @property
    def T(self) -> Tensor:  # noqa: N802 - NumPy's name
        """All axes in reverse order."""
        return self.__record__(p.transpose, (self,), {"axes": None})

    @property
    def mT(self) -> Tensor:  # noqa: N802 - NumPy's name
        """The last two axes swapped."""
        return self.swapaxes(-1, -2)

    def sum(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        return self.__record__(p.sum, (self,), {"axis": plain_axis(axis), "keepdims": keepdims})

    def mean(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        return self.__record__(p.mean, (self,), {"axis": plain_axis(axis), "keepdims": keepdims})

    def prod(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        return self.__record__(p.prod, (self,), {"axis": plain_axis(axis), "keepdims": keepdims})

    def var(self, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
        return np.var(self, axis, ddof=ddof, keepdims=keepdims)  # it comes back through __array_function__

    def std(self, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
        return np.std(self, axis, ddof=ddof, keepdims=keepdims)  # it comes back through __array_function__

    def max(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        return self.__record__(p.max, (self,), {"axis": plain_axis(axis), "keepdims": keepdims})

    def min(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        return self.__record__(p.min, (self,), {"axis": plain_axis(axis), "keepdims": keepdims})

    def clip(self, min: Operand | None = None, max: Operand | None = None) -> Any:
        return np.clip(self, min, max)  # it comes back through __array_function__

    def reshape(self, *shape: int | tuple[int, ...]) -> Tensor:
        return self.__record__(p.reshape, (self,), {"shape": _unpacked(shape)})

    def ravel(self) -> Tensor:
        return self.reshape(-1)

    def flatten(self) -> Tensor:
        return self.reshape(-1)

    def transpose(self, *axes: int | tuple[int, ...] | None) -> Tensor:
        order = None if axes in ((), (None,)) else _unpacked(axes)
        return self.__record__(p.transpose, (self,), {"axes": order})

    def swapaxes(self, axis1: int, axis2: int) -> Tensor:
        return self.__record__(p.swapaxes, (self,), {"axis1": axis1, "axis2": axis2})

    def astype(self, dtype: DTypeLike) -> Tensor:
        """Return the values as `dtype`: floats pass the gradient on, in this Tensor's own dtype; integers do not."""
        converted = supported_dtype(dtype)
        source = self if converted.kind == "f" else self.detach()  # type: ignore[attr-defined]  # Tensor has it
        return self.__record__(p.astype, (source,), {"dtype": converted})

    def __getitem__(self, index: Any) -> Tensor:
        return self.__record__(p.getitem, (self,), {"index": fixed_index(index)})

    def __len__(self) -> int:
        if not self.ndim:
            raise UnsupportedError("a Tensor without axes has no length")
        return len(self._array)

    def __contains__(self, value: Operand) -> bool:
        self._refuse_to_fix("`in`")
        return bool((self == value)._array.any())

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise UnsupportedError("a Tensor without axes cannot be iterated over")
        return (self[i] for i in range(len(self)))

    # ----- Conversions: allowed only where no gradient is lost -----

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        self._refuse_to_detach("converting to an array")
        converts = dtype is not None and np.dtype(dtype) != self.dtype
        if converts and copy is False:
            raise ArgumentError(f"a Tensor of dtype {self.dtype} does not become {np.dtype(dtype)} without a copy")
        if copy or converts:
            return np.array(self._array, dtype=dtype)
        view = self._array.view()
        view.flags.writeable = False
        return view

    def __float__(self) -> float:
        return float(self._only_value("float()"))

    def __int__(self) -> int:
        return int(self._only_value("int()"))

    def __index__(self) -> int:
        self._refuse_to_detach("taking it for an index")
        if self.ndim or self.dtype.kind not in "iu":
            raise DtypeError(f"an index is an integer without axes, not a Tensor of {self.dtype}{list(self.shape)}")
        return self._array.__index__()

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ShapeError(
                f"the truth of {self.size} values is ambiguous; use .numpy().any() or .numpy().all(), "
                "and find a Tensor in a list by its identity, with `is`"
            )
        self._refuse_to_fix("bool()")
        return bool(self._array)

    def _only_value(self, conversion: str) -> Any:
        self._refuse_to_detach(conversion)
        if self.ndim:
            raise ShapeError(f"{conversion} takes a Tensor without axes, not one of shape {self.shape}; use .item()")
        return self._array

    def _refuse_to_detach(self, conversion: str) -> None:
        self._refuse_to_cut(conversion)
        self._refuse_to_fix(conversion)

    def _refuse_to_fix(self, conversion: str) -> None:
        capture = MODE.get().capture
        if capture is not None:
            capture.refusal = (
                f"{conversion} of a Tensor of shape {self.shape} while its computation is traced: the number would be "
                "a constant of the graph; keep computing with the Tensor itself, choose with np.where instead of by a "
                "branch, and return what is to be looked at"
            )
            raise DetachError(capture.refusal)

    def _refuse_to_cut(self, conversion: str) -> None:
        if self.requires_grad:  # type: ignore[attr-defined]  # Tensor is the only subclass
            raise DetachError(
                f"{conversion} would cut this Tensor of shape {self.shape} off its graph; keep computing with the "
                "Tensor itself (np.stack joins several, tg.set_at writes into an array), or, where no gradient is to "
                "flow, use .item() or .numpy() for its values or .detach()"
            )

    # ----- NumPy's functions -----

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "__call__" and ufunc in NUMPY_FUNCTIONS:
            if options:
                refusals.accepted(ufunc, method, options, ())
            return NUMPY_FUNCTIONS[ufunc][0](*inputs)
        if method == "reduce" and ufunc in REDUCTIONS:
            if not options.keys() <= {"axis", "keepdims"}:
                options = refusals.accepted(ufunc, method, options, ("axis", "keepdims"))
            return REDUCTIONS[ufunc](*inputs, **{"axis": 0, "keepdims": False, **options})
        raise refusals.no_ufunc_method(ufunc, method) if ufunc in NUMPY_FUNCTIONS else refusals.no_function(ufunc)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        if function not in NUMPY_FUNCTIONS:
            raise refusals.no_function(function)
        ours, known, by_position = NUMPY_FUNCTIONS[function]
        if len(arguments) > by_position:
            options = options | refusals.named(function, arguments[by_position:], by_position)
            arguments = arguments[:by_position]
        if options and not options.keys() <= known:
            options = refusals.accepted(function, "__call__", options, known)
        return ours(*arguments, **options)


def _unpacked(numbers: tuple[Any, ...]) -> tuple[int, ...]:
    """Return `(2, 3)` for both `f(2, 3)` and `f((2, 3))`."""
    return tuple(numbers[0]) if len(numbers) == 1 and not isinstance(numbers[0], int | np.integer) else numbers


def fixed_index(index: Any) -> Any:
    """Return `index` as integers, slices and arrays of its own, so that it cannot change afterwards."""
    return tuple(_fixed_part(part) for part in index) if isinstance(index, tuple) else _fixed_part(index)


_FIXED = (int, np.integer, np.bool, type(None), type(...))
_BOUNDS = (int, type(None))


def _fixed_part(part: Any) -> Any:
    if isinstance(part, _FIXED):
        return part
    if isinstance(part, slice):
        if type(part.start) in _BOUNDS and type(part.stop) in _BOUNDS and type(part.step) in _BOUNDS:
            return part
        return slice(*(None if x is None else _integer(x) for x in (part.start, part.stop, part.step)))
    if isinstance(part, ArrayInterface) and part.dtype.kind not in "biu":
        raise IndexingError(
            f"an index is made of integers or booleans, not of a Tensor of {part.dtype}; convert it with .astype(int), "
            "through which no gradient flows"
        )
    if isinstance(part, ArrayInterface) and MODE.get().capture is not None:
        raise DetachError(
            "an index that is computed or given while a computation is traced would be a constant of the graph; pick "
            "by tg.one_hot(labels, width), tg.softmax_cross_entropy or np.where, or take the index from outside"
        )
    try:
        array = np.array(part)
    except ValueError as problem:
        raise IndexingError(f"{part!r} is not an index: {problem}") from problem
    if array.dtype.kind == "O" and hasattr(part, "__index__"):
        return _integer(part)
    return array.astype(np.intp) if isinstance(part, list) and not array.size else array  # [] picks nothing


def _integer(value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError as problem:
        raise IndexingError(f"an index is made of integers, not of {value!r}") from problem
