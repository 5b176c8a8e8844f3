"""`Tensor`: an array that remembers how it was computed.

A Tensor is a value and, where a gradient is wanted, a node of the tape. Its values never change under a recorded
graph: `Tensor(array)` copies, `.data` is read-only, and `assign` rebinds. How it stands in for a NumPy array is told
in `array_interface`.
"""

from __future__ import annotations

import threading
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from tinygrad_lite.anomaly import examine_result, user_place
from tinygrad_lite.array_interface import ArrayInterface, supported_dtype
from tinygrad_lite.errors import (
    ArgumentError,
    DefinitionError,
    DtypeError,
    GraphError,
    IndexingError,
    ShapeError,
    TinygradLiteError,
    UnsupportedError,
)
from tinygrad_lite.mode import MODE
from tinygrad_lite.primitives import Primitive
from tinygrad_lite.primitives.primitive import Plan, silent
from tinygrad_lite.tape import Absent, AnyNode, Leaf, Node, sweep, tape

Array: TypeAlias = NDArray[Any]
Operand: TypeAlias = "Tensor | ArrayLike"

# ----- Recording -----


def record(primitive: Primitive, operands: tuple[Any, ...], static: dict[str, Any]) -> Tensor:
    """Compute `primitive` on `operands`, at least one a Tensor, and leave a node behind if a gradient is wanted."""
    values: list[Any] = []
    inputs: list[AnyNode | None] = []
    wanted, bit, foreign, weak = 0, 1, False, False
    for operand in operands:
        if type(operand) is Tensor:
            value, node = operand._array, operand._node
            if node is not None:
                wanted |= bit
            elif not value.ndim and primitive.is_elementwise:
                value, weak = value.item(), True
        else:
            value, node = operand, None
            if type(operand) is not float and type(operand) is not int:
                value, foreign = constant(operand), True
                if not value.ndim and primitive.is_elementwise:
                    value, weak = value.item(), True
        values.append(value)
        inputs.append(node)
        bit <<= 1
    recording, scope, places, anomaly, _, whole, capture = MODE.get()
    if weak:
        beside = operands if capture is None else capture.beside_tensors(operands)
        values = list(map(_numpy_value, operands)) if beside is None else _strong_without_floats(values, beside)
    forward = primitive.forward
    if anomaly is not None:
        forward = silent(forward)  # for we tell more than NumPy's warning
    try:
        result = forward(*values, **static)
    except (ValueError, TypeError, IndexError, OverflowError) as problem:
        raise explained(problem, primitive, values, static) from problem
    if type(result) is not ndarray:
        result = np.asarray(result)
    if foreign and (result.base is not None or any(result is operand for operand in operands)):
        result = result.copy()  # it may lie in an array of the user's own
    if capture is not None:
        values, result = capture.computed(primitive, operands, values, static, result, recording)
        foreign = False
    tensor = _new(Tensor)
    tensor._array = result
    tensor._node = tensor._name = None
    if anomaly is not None:
        examine_result(anomaly, primitive.name, values, inputs, result, scope)
    if wanted and recording:
        key = wanted | bit
        plan = primitive.plans[key] if key in primitive.plans else primitive.make_plan(key)
        if whole:
            plan = Plan(() if plan is None else plan.rules, (), True)
        if plan is not None:
            for i in plan.unread:
                values[i] = inputs[i] or _absent(values[i])
            if foreign:
                values = [_own(value, operand) for value, operand in zip(values, operands)]
            tensor._node = Node(primitive, static, plan, tuple(inputs), tuple(values), result, scope)
            if places:
                tensor._node.place = user_place()
            if capture is not None:
                capture.recorded(tensor)
    return tensor


def _strong_without_floats(values: list[Any], operands: tuple[Any, ...]) -> list[Any]:
    """Return the values with constants without axes in their own dtype again, if there is no array of floats.

    Beside one they are weak, as Python numbers are. Among themselves, and beside masks and integers, Tensors keep their
    dtypes, and so does what is no Tensor if there is no Tensor of floats.
    """
    arrays = [value for value in values if type(value) is ndarray]
    if any(value.dtype.kind == "f" for value in arrays):
        return values
    tensors = [type(x) is Tensor and type(value) is not ndarray for x, value in zip(operands, values)]
    if not arrays:
        return [x._array if is_tensor else value for x, value, is_tensor in zip(operands, values, tensors)]
    kept = [is_tensor and type(value) is float for value, is_tensor in zip(values, tensors)]
    if not any(kept):
        kept = [type(value) is float and type(x) is not float for x, value in zip(operands, values)]
    return [(x._array if type(x) is Tensor else constant(x)) if keep else value
            for x, value, keep in zip(operands, values, kept)]  # fmt: skip


def _numpy_value(operand: Any) -> Any:
    """Return an operand as NumPy alone takes it, to which only Python numbers are weak."""
    if type(operand) is Tensor:
        return operand._array
    return operand if type(operand) is float or type(operand) is int else constant(operand)


def _own(value: Any, operand: Any) -> Any:
    """Return what a rule may read later: the user's own array is copied, for the user may write to it."""
    return value.copy("K") if type(value) is np.ndarray and type(operand) is not Tensor else value


def _absent(value: Any) -> Any:
    return Absent(value.shape, value.dtype, value.strides) if type(value) is np.ndarray else value


def wrap(data: Array, node: AnyNode | None) -> Tensor:
    """Make a Tensor of an array that nobody else will write to, without a copy."""
    tensor = _new(Tensor)
    tensor._array = data
    tensor._node = node
    tensor._name = None
    return tensor


_new = object.__new__
_adding_up = threading.Lock()  # two threads may arrive at one leaf
ndarray = np.ndarray


def constant(value: Any) -> Any:
    """Return an operand that is not a Tensor as an array; raises DtypeError if it cannot be computed with."""
    array = value if type(value) is ndarray else plain_array(value)
    supported_dtype(array.dtype)
    return array


def plain_array(value: Any) -> Array:
    """Return what is not a Tensor as an array; raises for what a plain array would not say in full."""
    if isinstance(value, ndarray) and type(value) is not ndarray:
        if isinstance(value, np.ma.MaskedArray):
            raise UnsupportedError("Tensors know no masked values; give array.filled(value), and its mask to np.where")
        if isinstance(value, np.matrix):
            raise UnsupportedError("to Tensors * is not @, as it is to np.matrix; give np.asarray(matrix)")
    try:
        return np.asarray(value)
    except ValueError as problem:
        raise ShapeError(f"{value!r} does not make an array: {problem}") from problem


def as_operand(value: Operand) -> Tensor | Array:
    """Return a Tensor as it is and anything else as an array."""
    return value if isinstance(value, Tensor) else plain_array(value)


def as_floats(value: Operand) -> Tensor | Array:
    """Return an operand of floats: integers and booleans become float64."""
    operand = as_operand(value)
    return operand if operand.dtype.kind == "f" else operand.astype(np.float64)


def carries_gradient(value: Any) -> bool:
    """Return whether `value` is a Tensor that a gradient flows to or through."""
    return isinstance(value, Tensor) and value._node is not None


def values_of(operand: Tensor | Array) -> Array:
    """Return the values of a Tensor, not to be written to, or the array itself."""
    return operand._array if isinstance(operand, Tensor) else operand


def without_history(array: Array) -> Tensor:
    """Make a Tensor of an array that nobody else will write to; to a capture it is a constant if it is new."""
    tensor, capture = wrap(array, None), MODE.get().capture
    if capture is not None:
        capture.made(tensor)
    return tensor


def explained(problem: Exception, primitive: Primitive, values: list[Any], static: dict[str, Any]) -> Exception:
    """Return an error of our own that adds to NumPy's message what the operation was given."""
    if isinstance(problem, TinygradLiteError):
        return problem
    given = ", ".join(f"{v.dtype}{list(v.shape)}" if isinstance(v, np.ndarray) else repr(v) for v in values)
    options = "".join(f", {name}={value!r}" for name, value in static.items())
    message = f"{primitive.name}({given}{options}): {problem}"
    if isinstance(problem, ValueError):
        return ShapeError(message)
    if isinstance(problem, OverflowError):
        return ArgumentError(message)
    return IndexingError(message) if isinstance(problem, IndexError) else DtypeError(message)


# ----- The Tensor -----


@final
class Tensor(ArrayInterface):
    """An array of float32, float64, integers or booleans that can remember how it was computed.

    `data` is copied; Python floats become float64, and `dtype` converts. With `requires_grad=True` (floats only),
    `backward()` on a scalar computed from it leaves the gradient in `.grad`, an array of the same shape and dtype.
    `name` is what pictures, reports and errors call a Tensor that requires a gradient.

    >>> import numpy as np, tinygrad_lite as tg
    >>> w = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> loss = (np.tanh(w) ** 2).sum()
    >>> loss.backward()
    >>> bool(np.allclose(w.grad, 2 * np.tanh(w.data) * (1 - np.tanh(w.data) ** 2)))
    True
    """

    __slots__ = ("__weakref__", "_array", "_name", "_node")
    _array: Array
    _node: AnyNode | None
    _name: str | None

    __record__ = staticmethod(record)

    def __init_subclass__(cls) -> None:
        raise DefinitionError(
            f"{cls.__name__}: Tensor is final; keep a Tensor in an attribute, or write functions of it"
        )

    def __init__(
        self, data: ArrayLike, requires_grad: bool = False, dtype: DTypeLike | None = None, name: str | None = None
    ) -> None:
        capture = MODE.get().capture
        if isinstance(data, Tensor):
            data._refuse_to_cut("Tensor()")
        if capture is not None and (isinstance(data, Tensor) or capture.knows(data)):
            array = capture.copied(data, None if dtype is None else np.dtype(dtype))
        else:
            values = data._array if isinstance(data, Tensor) else plain_array(data)
            array = np.array(values, dtype=dtype, order="C")
        supported_dtype(array.dtype)
        self._array = array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
        self._name = name
        self._node = None
        if capture is not None:
            capture.made(self)
        self.requires_grad = requires_grad

    # ----- What it holds -----

    @property
    def data(self) -> Array:
        """The values, as a read-only view; `assign` replaces them."""
        self._refuse_to_fix(".data")
        view = self._array.view()
        view.flags.writeable = False
        return view

    @property
    def name(self) -> str | None:
        """What pictures, reports and errors call this Tensor."""
        return self._name

    @name.setter
    def name(self, name: str | None) -> None:
        self._name = name
        if isinstance(self._node, Leaf):
            self._node.name = name

    def numpy(self) -> Array:
        """Return a copy of the values that is the caller's own."""
        self._refuse_to_fix(".numpy()")
        return self._array.copy()

    def item(self) -> float:
        """Return the only value as a Python number."""
        self._refuse_to_fix(".item()")
        if self.size != 1:
            raise ShapeError(f"item() needs exactly one value, this Tensor has shape {self.shape}")
        return self._array.item()  # type: ignore[no-any-return]  # NumPy's stubs lose the type

    def detach(self) -> Tensor:
        """Return a Tensor of the same values that carries no gradient."""
        capture = MODE.get().capture
        if capture is None:
            tensor = wrap(self._array.view(), None)  # an array of its own, by which a capture tells Tensors apart
        else:
            tensor = wrap(self._array, None)
            capture.detached(self, tensor)
        tensor._name = self._name
        return tensor

    def assign(self, value: Operand) -> None:
        """Replace the values by others of the same shape; a graph recorded earlier keeps the ones it was recorded with.

        This is the only way a Tensor changes; optimizers and `load_state_dict` use it.
        """
        node, old, capture = self._node, self._array, MODE.get().capture
        if type(node) is Node:
            raise GraphError(f"assign() is for leaves; this Tensor was computed by {node.primitive.name}")
        new = value._array if type(value) is Tensor else np.array(plain_array(value))
        is_alike = new.dtype is old.dtype
        if not is_alike and not np.can_cast(supported_dtype(new.dtype), old.dtype, "same_kind"):
            raise DtypeError(f"assign() to {self.name or 'a Tensor'} of dtype {old.dtype} got dtype {new.dtype}")
        if new.shape != old.shape:
            raise ShapeError(f"assign() to {self.name or 'a Tensor'} of shape {old.shape} got shape {new.shape}")
        if capture is None:
            self._array = new.view() if is_alike else new.astype(old.dtype)
        else:
            source = value if isinstance(value, Tensor | ndarray) else new
            self._array = capture.assigned(self, source if new.dtype == old.dtype else source.astype(old.dtype))

    # ----- Gradients -----

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this Tensor are recorded, so that gradients flow to or through it."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if isinstance(self._node, Node):
            raise GraphError(
                f"requires_grad belongs to leaves; this Tensor was computed by {self._node.primitive.name}, "
                "use .detach() for one that carries no gradient"
            )
        if not wanted:
            self._node = None
        elif self._node is None:
            if self.dtype.kind != "f":
                raise DtypeError(
                    f"a Tensor of dtype {self.dtype} cannot require a gradient; "
                    "give floats, for example Tensor(data, requires_grad=True, dtype=np.float64)"
                )
            self._node = Leaf(self._array, self._name)
            capture = MODE.get().capture
            if capture is not None:
                capture.begins(self)

    @property
    def grad(self) -> Array | None:
        """The gradient that `backward` has added up here so far, None before the first."""
        leaf = self._node
        if type(leaf) is not Leaf or leaf.grad is None:
            return None
        capture = MODE.get().capture
        return leaf.grad if capture is None else capture.gradient_of(leaf)  # then a Tensor

    @grad.setter
    def grad(self, gradient: ArrayLike | None) -> None:
        leaf, capture = self._node, MODE.get().capture
        if type(leaf) is not Leaf:
            raise GraphError("only a leaf Tensor that requires a gradient has a .grad")
        given: Any = gradient
        if gradient is not None and capture is not None:
            given = Tensor(gradient, dtype=self.dtype)
        elif gradient is not None:
            supported_dtype(np.asarray(gradient).dtype)
            given = np.array(gradient, dtype=self.dtype)
        if given is not None and given.shape != self.shape:
            raise ShapeError(f"a gradient of shape {given.shape} does not fit a Tensor of shape {self.shape}")
        if capture is None:
            leaf.grad = given
        else:
            capture.position_of(self)
            capture.leave(leaf, given)

    def backward(self, cotangent: Operand | None = None) -> None:
        """Add the gradient of this Tensor to the `.grad` of every leaf it was computed from.

        `cotangent` is ∂(what you want)/∂(this Tensor), of the same shape; a scalar needs none. Calling it again adds
        the same once more. Raises GraphError without a history, or for a non-scalar without a cotangent.
        """
        root = self._node
        if root is None:
            raise GraphError(
                "backward() from a Tensor without history: none of its operands requires a gradient, "
                "or it was computed under no_grad() or after .detach() or .numpy()"
            )
        if cotangent is not None:
            given = values_of(as_operand(cotangent))
            supported_dtype(given.dtype)
            cotangent = np.asarray(given, dtype=self.dtype)
            if cotangent.shape != self.shape:
                raise ShapeError(f"a cotangent of shape {cotangent.shape} does not fit a result of shape {self.shape}")
        elif self._array.size != 1:
            raise GraphError(
                f"backward() from a result of shape {self.shape} needs a cotangent of that shape; "
                "reduce it to a scalar first, for example with .sum()"
            )
        else:
            cotangent = root.dtype.type(1) if not root.shape else np.ones_like(self._array)
        arrived, capture = sweep(tape(root), {root: cotangent}), MODE.get().capture
        with _adding_up:
            for leaf, gradient in arrived.items():
                assert type(leaf) is Leaf
                if capture is not None:
                    capture.add_gradient(leaf, gradient)
                else:
                    leaf.grad = gradient if leaf.grad is None else np.asarray(leaf.grad + gradient)

    def __repr__(self) -> str:
        values = np.array2string(self._array, threshold=20, precision=6, separator=", ", prefix="Tensor(")
        facts = [values, f"shape={self.shape}", f"dtype={self.dtype}"]
        if isinstance(self._node, Node):
            facts.append(f"from={self._node.primitive.name}")
        elif self._node is not None:
            facts.append("requires_grad=True")
        if self._name:
            facts.append(f"name={self._name!r}")
        return f"Tensor({', '.join(facts)})"

    def __format__(self, specification: str) -> str:
        return format(self.item() if specification else str(self), specification)

    def __reduce__(self) -> tuple[Any, ...]:
        if isinstance(self._node, Node):
            raise GraphError(
                f"a Tensor computed by {self._node.primitive.name} cannot be copied or pickled with its graph; "
                "use .detach() to take its values along"
            )
        self._refuse_to_fix("copying or pickling")
        return _restored, (self._array, self._name, self.requires_grad, self.grad)


def _restored(data: Array, name: str | None, requires_grad: bool, grad: Array | None) -> Tensor:
    """Rebuild a leaf from what its copy or pickle holds."""
    tensor = Tensor(data, requires_grad, name=name)
    if grad is not None:
        tensor.grad = grad
    return tensor
