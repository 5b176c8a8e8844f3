"""How a Tensor stands in for a NumPy array: operators, an array's methods, and NumPy's own functions.

Whatever NumPy code does with an array is either recorded or refused with a remedy; nothing cuts the graph unnoticed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lite import primitives as p
from tinygrad_lite.errors import DetachError, DtypeError, ShapeError, UnsupportedError
from tinygrad_lite.primitives.reductions import Axis

if TYPE_CHECKING:
    from tinygrad_lite.tensor import Operand, Tensor

NUMPY_FUNCTIONS: Final[dict[Callable[..., Any], tuple[Callable[..., Any], frozenset[str]]]] = {
    primitive.ufunc: (primitive, frozenset()) for primitive in p.PRIMITIVES.values() if primitive.ufunc is not None
}
"""What answers for each NumPy function when it meets a Tensor, and the options it takes; `functional` adds its own."""

SUPPORTED_DTYPES: Final = "fd?bBhHiIlLqQ"
"""The type codes that can be computed with: float32, float64, bool and the integers."""


def supported_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return `dtype`, or raise DtypeError if Tensors cannot hold it."""
    found = np.dtype(dtype)
    if found.char not in SUPPORTED_DTYPES:
        raise DtypeError(f"Tensors hold float32, float64, integers or booleans, not {found}; convert to one of them")
    return found


REDUCTIONS: Final[dict[np.ufunc, Callable[..., Any]]] = {np.add: p.sum, np.maximum: p.max, np.minimum: p.min}
"""What answers for the `reduce` method of a NumPy ufunc."""


def answers_for(*numpy_functions: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare that the decorated function is what these NumPy functions do when they meet a Tensor."""

    def register(ours: Callable[..., Any]) -> Callable[..., Any]:
        options = frozenset(inspect.signature(ours).parameters)
        NUMPY_FUNCTIONS.update(dict.fromkeys(numpy_functions, (ours, options)))
        return ours

    return register


_NO_STATIC: Final[dict[str, Any]] = {}


class ArrayInterface:
    """The part of a Tensor that looks like an array."""

    __slots__ = ()
    _data: np.ndarray
    __record__: Callable[..., Tensor]
    __hash__ = object.__hash__

    # ----- Shape and dtype -----

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    @property
    def ndim(self) -> int:
        return self._data.ndim

    @property
    def size(self) -> int:
        return self._data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._data.dtype

    @property
    def strides(self) -> tuple[int, ...]:
        return self._data.strides

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
        return self.__record__(p.sum, (self,), {"axis": axis, "keepdims": keepdims})

    def mean(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        return self.__record__(p.mean, (self,), {"axis": axis, "keepdims": keepdims})

    def max(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        return self.__record__(p.max, (self,), {"axis": axis, "keepdims": keepdims})

    def min(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        return self.__record__(p.min, (self,), {"axis": axis, "keepdims": keepdims})

    def reshape(self, *shape: int | tuple[int, ...]) -> Tensor:
        return self.__record__(p.reshape, (self,), {"shape": _unpacked(shape)})

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
        return len(self._data)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise UnsupportedError("a Tensor without axes cannot be iterated over")
        return (self[i] for i in range(len(self)))

    # ----- Conversions: allowed only where no gradient is lost -----

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        self._refuse_to_detach("converting to an array")
        if copy or (dtype is not None and np.dtype(dtype) != self.dtype):
            return np.array(self._data, dtype=dtype)
        view = self._data.view()
        view.flags.writeable = False
        return view

    def __float__(self) -> float:
        self._refuse_to_detach("float()")
        return float(self._data)

    def __int__(self) -> int:
        self._refuse_to_detach("int()")
        return int(self._data)

    def __index__(self) -> int:
        return self._data.__index__()

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ShapeError(f"the truth of {self.size} values is ambiguous; use .numpy().any() or .numpy().all()")
        return bool(self._data)

    def _refuse_to_detach(self, conversion: str) -> None:
        if self.requires_grad:  # type: ignore[attr-defined]  # Tensor is the only subclass
            raise DetachError(
                f"{conversion} would cut this Tensor of shape {self.shape} off its graph; keep computing with the "
                "Tensor itself, or, where no gradient is to flow, use .item() or .numpy() for its values or .detach()"
            )

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise UnsupportedError(
            "a Tensor's values do not change in place; build the result with np.where or np.concatenate, "
            "or replace all values of a leaf with .assign()"
        )

    # ----- NumPy's functions -----

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "reduce" and ufunc in REDUCTIONS:
            _refuse_options(f"{ufunc.__name__}.reduce", options.keys() - {"axis", "keepdims"})
            return REDUCTIONS[ufunc](*inputs, **{"axis": 0, "keepdims": False, **options})
        if method != "__call__" or ufunc not in NUMPY_FUNCTIONS:
            raise _unsupported(ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}")
        if options:
            _refuse_options(ufunc.__name__, options.keys())
        return NUMPY_FUNCTIONS[ufunc][0](*inputs)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        if function not in NUMPY_FUNCTIONS:
            raise _unsupported(function.__name__)
        ours, known = NUMPY_FUNCTIONS[function]
        if options:
            _refuse_options(function.__name__, options.keys() - known)
        return ours(*arguments, **options)


def _refuse_options(name: str, options: Iterable[str]) -> None:
    """Raise UnsupportedError if NumPy was given options that Tensors have no answer for."""
    for option in options:
        raise UnsupportedError(
            f"np.{name} on a Tensor does not take {option}=; use the result that is returned, "
            "for Tensors are never written to, with .astype() or np.where if needed"
        )


INSTEAD: Final = {
    "dot": "np.matmul",
    "inner": "np.matmul",
    "vdot": "np.sum(x * y)",
    "outer": "x[:, None] * y",
    "ravel": "np.reshape(x, -1)",
    "squeeze": "np.reshape",
    "norm": "np.sqrt(np.sum(x**2))",
    "var": "np.mean((x - np.mean(x)) ** 2)",
    "std": "np.sqrt(np.mean((x - np.mean(x)) ** 2))",
    "reciprocal": "1 / x",
    "hypot": "np.sqrt(x**2 + y**2)",
    "log2": "np.log(x) / np.log(2)",
    "log10": "np.log(x) / np.log(10)",
    "exp2": "2**x",
    "tan": "np.sin(x) / np.cos(x)",
    "sinh": "(np.exp(x) - np.exp(-x)) / 2",
    "cosh": "(np.exp(x) + np.exp(-x)) / 2",
    "fmax": "np.maximum",
    "fmin": "np.minimum",
    "vstack": "np.concatenate",
    "hstack": "np.concatenate",
    "moveaxis": "np.transpose",
    "take": "x[indices]",
    "trace": "np.sum(x[np.arange(n), np.arange(n)])",
}
"""What says the same with functions that record, for functions of NumPy that do not."""


def _unsupported(name: str) -> UnsupportedError:
    instead = f"write {INSTEAD[name]} instead, or " if name in INSTEAD else ""
    return UnsupportedError(
        f"np.{name} does not record on Tensors; {instead}take the values with .numpy() where no gradient is to flow"
    )


def _unpacked(numbers: tuple[Any, ...]) -> tuple[int, ...]:
    """Return `(2, 3)` for both `f(2, 3)` and `f((2, 3))`."""
    return tuple(numbers[0]) if len(numbers) == 1 and not isinstance(numbers[0], int | np.integer) else numbers


def fixed_index(index: Any) -> Any:
    """Return `index` with its arrays copied and its Tensors taken as arrays, so that it cannot change afterwards."""
    return tuple(_fixed_part(part) for part in index) if isinstance(index, tuple) else _fixed_part(index)


def _fixed_part(part: Any) -> Any:
    if not isinstance(part, list | tuple | np.ndarray | ArrayInterface):
        return part
    array = np.array(part)
    return array if array.size or isinstance(part, np.ndarray) else array.astype(np.intp)  # [] picks nothing
