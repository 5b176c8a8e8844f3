"""`Module`: a part of a network, its parameters named by the attributes that hold them."""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
from collections.abc import Iterable, Iterator, Mapping
from types import MethodType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lite.errors import ArgumentError, DefinitionError, DtypeError, ShapeError
from tinygrad_lite.mode import MODE, Mode
from tinygrad_lite.nested import matching
from tinygrad_lite.states import load_state
from tinygrad_lite.tape import Node
from tinygrad_lite.tensor import Array, Tensor

_structure_changes = itertools.count(1)
_structure = [0]  # the number of the last assignment to any module: what was found by walking one holds until the next

_FIXED = -2
"""What stands for that number in a module made by `with_parameters`, whose parameters may be computed Tensors."""


class Module:
    """A network or a part of one: attributes that are Tensors or Modules are its own.

    Subclasses say in `forward` what a call computes. A Tensor that requires a gradient is a parameter, one that does
    not is a buffer; both are named by the path of attributes to them, such as `layers.0.weight`. A list of modules
    becomes a tuple, because structure changes by assignment only. Calls record the path as the scope of their nodes.

    >>> import numpy as np
    >>> from tinygrad_lite import Tensor, nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         self.factor = Tensor(2.0, requires_grad=True)
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> net = Scale()
    >>> [(name, parameter.item()) for name, parameter in net.named_parameters()]
    [('factor', 2.0)]
    >>> net(np.ones(2)).numpy()
    array([2., 2.])
    """

    _scope = ""
    _found: tuple[int, list[tuple[str, Tensor]]] = (-1, [])

    def forward(self, *inputs: Any) -> Any:  # Any: a subclass narrows it to what it takes and gives
        """Compute the output of this module; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} must define forward()")

    def __call__(self, *inputs: Any) -> Any:
        if not self._scope:
            return self.forward(*inputs)
        mode = MODE.get()
        scope = f"{mode.scope}.{self._scope}" if mode.scope else self._scope
        token = MODE.set(tuple.__new__(Mode, (mode.record, scope, *mode[2:])))  # faster than Mode(...)
        try:
            return self.forward(*inputs)
        finally:
            MODE.reset(token)

    def __setattr__(self, name: str, value: Any) -> None:
        replaced = vars(self).get(name)
        if _holds_parts(value):
            if isinstance(value, dict):
                raise DefinitionError(
                    f"{name}: a module keeps its parts in attributes, lists and tuples, not in a dict"
                )
            value = _as_tuples(value)
        elif isinstance(replaced, Tensor) and _is_part(replaced) and value is not None:
            raise DefinitionError(
                f"{name} is a parameter or buffer of this {type(self).__name__}, and {type(value).__name__} is "
                f"neither; write .{name}.assign(values) for other values, or .{name} = None to take it away"
            )
        object.__setattr__(self, name, value)
        if _holds_parts(value) or _holds_parts(replaced):
            _structure[0] = next(_structure_changes)
            self._give_names(name)

    def _give_names(self, attribute: str) -> None:
        """Tell the parts that an attribute holds what they are called, for scopes, pictures and errors."""
        for path, part in _parts(attribute, vars(self)[attribute]):
            if isinstance(part, Module):
                object.__setattr__(part, "_scope", path)
                for below, tensor in part._named_tensors():
                    tensor.name = f"{path}.{below}"
            else:
                part.name = path

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        _structure[0] = next(_structure_changes)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_found"}

    # ----- Parameters -----

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """Return every parameter with its name, once each, in order of assignment: layer by layer, weight then bias."""
        return [(name, tensor) for name, tensor in self._named_tensors() if tensor._node is not None]

    def parameters(self) -> list[Tensor]:
        """Return every parameter, in the order of `named_parameters`."""
        return [tensor for _, tensor in self.named_parameters()]

    def with_parameters(self, parameters: Iterable[Tensor] | Mapping[str, Tensor]) -> Self:
        """Return a module of the same structure that computes with other Tensors in the place of its parameters.

        They are given in the order of `parameters()` or by name, and have the same shapes. Buffers and other
        attributes are shared with this module, methods kept in attributes are bound to the new one, and Tensors that
        were computed and kept are left behind. Raises ArgumentError for other names or another number of parameters,
        ShapeError for another shape.

        >>> import numpy as np
        >>> from tinygrad_lite import Tensor, nn
        >>> net = nn.Linear(2, 1, weight=nn.Constant(3.0))
        >>> net.with_parameters([Tensor([[1.0, 0.0]]), Tensor([5.0])])(np.array([[7.0, 8.0]])).numpy()
        array([[12.]])
        """
        old = self.parameters()
        if isinstance(parameters, Mapping):
            new = matching(dict(self.named_parameters()), dict(parameters), "with_parameters() takes")
        else:
            new = list(parameters)
        if len(new) != len(old):
            raise ArgumentError(f"with_parameters() got {len(new)} Tensors for {len(old)} parameters")
        for (name, mine), other in zip(self.named_parameters(), new, strict=True):
            if other.shape != mine.shape:
                raise ShapeError(f"with_parameters() got shape {other.shape} for {name} of shape {mine.shape}")
        exchanged: Self = _exchanged(self, dict(zip(old, new, strict=True)), {})
        return exchanged

    def named_generators(self) -> list[tuple[str, np.random.Generator]]:
        """Return the random generators that this module and those below keep in attributes, once each.

        Checkpoints hold their states, so that a module which draws random numbers resumes where it was.
        """
        first: dict[int, tuple[str, np.random.Generator]] = {}
        for path, module in [("", self), *_modules_below("", self)]:
            for name, value in vars(module).items():
                if isinstance(value, np.random.Generator):
                    first.setdefault(id(value), (f"{path}.{name}" if path else name, value))
        return list(first.values())

    def zero_grad(self) -> None:
        """Forget the gradients that `backward` has left on the parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def _named_tensors(self) -> list[tuple[str, Tensor]]:
        """Return parameters and buffers with their names."""
        structure = _structure[0]
        if self._found[0] not in (structure, _FIXED):
            first: dict[Tensor, str] = {}
            for path, tensor in _tensors_below("", self):
                first.setdefault(tensor, path)
            object.__setattr__(self, "_found", (structure, [(path, tensor) for tensor, path in first.items()]))
        return self._found[1]

    def astype(self, dtype: DTypeLike) -> Self:
        """Return a copy of the module whose parameters and buffers of floats are of `dtype`, float32 or float64."""
        dtype = float_dtype(dtype)
        copied = copy.deepcopy(self)
        for _, tensor in copied._named_tensors():
            if tensor.dtype.kind == "f":
                requires_grad = tensor.requires_grad
                tensor.requires_grad = False
                tensor._array = tensor._array.astype(dtype)
                tensor.requires_grad = requires_grad
        return copied

    # ----- State -----

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of every parameter and buffer by name."""
        return {name: tensor.numpy() for name, tensor in self._named_tensors()}

    def load_state_dict(self, state: Mapping[str, Array], strict: bool = True) -> None:
        """Take over the values in `state`, all of them or, if anything does not fit, none.

        Floats of another precision are converted. Raises StateError that lists the names that are missing, unexpected
        (both forgiven with `strict=False`), of another shape, of another kind of number, or out of range.
        """
        load_state(dict(self._named_tensors()), state, type(self).__name__, strict=strict)

    # ----- What it looks like -----

    def _facts(self) -> str:
        """Return what `repr` says of this module beside its class and parameters."""
        return ""

    def __repr__(self) -> str:
        """Show the layers, the shapes of their parameters, and how many numbers are learned."""
        count = sum(parameter.size for parameter in self.parameters())
        first, *others = [self._line(), *(f"  {path}: {module._line()}" for path, module in _modules_below("", self))]
        return "\n".join([f"{first}: {count:,} parameter{'' if count == 1 else 's'}", *others])

    def _line(self) -> str:
        """Return the class, what it says of itself, and the shapes of the Tensors that are directly its own."""
        shapes = ", ".join(f"{name} {part.shape}" for name, part in _children(self) if isinstance(part, Tensor))
        return f"{type(self).__name__}({self._facts()})" + (f" {shapes}" if shapes else "")


def _exchanged(part: Any, tensors: dict[Tensor, Tensor], done: dict[Module, Module]) -> Any:
    """Return a part of a module with the Tensors that are keys replaced, all else being shared."""
    if isinstance(part, Tensor):
        return tensors.get(part, part)
    if isinstance(part, MethodType) and isinstance(part.__self__, Module):
        return MethodType(part.__func__, _exchanged(part.__self__, tensors, done))
    if isinstance(part, tuple) and _holds_parts(part):
        return tuple(_exchanged(below, tensors, done) for below in part)
    if not isinstance(part, Module):
        return part
    if part not in done:
        done[part] = copied = copy.copy(part)
        exchanged = {name: _exchanged(value, tensors, done) for name, value in vars(part).items()}
        for name in [name for name, value in exchanged.items() if _was_computed(part, name, value, tensors)]:
            del exchanged[name], vars(copied)[name]
        found = [(name, tensors.get(tensor, tensor)) for name, tensor in part._named_tensors()]
        vars(copied).update(exchanged, _found=(_FIXED, found))
    return done[part]


def _was_computed(module: Module, name: str, value: Any, tensors: dict[Tensor, Tensor]) -> bool:
    """Return whether an attribute keeps what was computed from the parameters, which others would compute anew."""
    if isinstance(inspect.getattr_static(type(module), name, None), functools.cached_property):
        return True
    return isinstance(value, Tensor) and isinstance(value._node, Node) and vars(module)[name] not in tensors


def float_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return the dtype of a module's parameters, or raise DtypeError unless it is float32 or float64."""
    found = np.dtype(dtype)
    if found not in (np.float32, np.float64):
        raise DtypeError(f"a module has dtype float32 or float64, got {found}")
    return found


def _is_part(value: Any) -> bool:
    """Return whether `value` belongs to the module that holds it: a module, or a Tensor that was not computed."""
    return isinstance(value, Module) or (isinstance(value, Tensor) and not isinstance(value._node, Node))


def _holds_parts(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds_parts(part) for part in value)
    return any(map(_holds_parts, value.values())) if isinstance(value, dict) else _is_part(value)


def _as_tuples(value: Any) -> Any:
    return tuple(_as_tuples(part) for part in value) if isinstance(value, list | tuple) else value


def _parts(path: str, value: Any) -> Iterator[tuple[str, Module | Tensor]]:
    """Yield the modules and Tensors that an attribute holds, directly or in tuples, each with its path."""
    if _is_part(value):
        yield path, value
    elif isinstance(value, tuple):
        for i, part in enumerate(value):
            yield from _parts(f"{path}.{i}", part)


def _children(module: Module) -> Iterator[tuple[str, Module | Tensor]]:
    for name, value in vars(module).items():
        if isinstance(value, list | dict) and _holds_parts(value):
            raise DefinitionError(
                f"{name} was filled after it was assigned, so its parts have no names; assign the whole list at once"
            )
        yield from _parts(name, value)


def _tensors_below(path: str, module: Module) -> Iterator[tuple[str, Tensor]]:
    for name, part in _children(module):
        below = f"{path}.{name}" if path else name
        if isinstance(part, Tensor):
            yield below, part
        else:
            yield from _tensors_below(below, part)


def _modules_below(path: str, module: Module) -> Iterator[tuple[str, Module]]:
    for name, part in _children(module):
        if isinstance(part, Module):
            below = f"{path}.{name}" if path else name
            yield below, part
            yield from _modules_below(below, part)
