"""The library's gradient of a program, asked for in one of the ways that a user has, and what must hold of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

import tinygrad_lite as tg
from tests.fuzzing.comparing import MismatchError
from tests.fuzzing.program import Array, Constant, Environment, Program
from tinygrad_lite.primitives import PRIMITIVES

Gradients = dict[str, Array]

EXACT = frozenset(
    {
        "positive",
        "negative",
        "stop_gradient",
        "named",
        "astype",
        "reshape",
        "transpose",
        "swapaxes",
        "expand_dims",
        "broadcast_to",
        "concatenate",
        "stack",
        "getitem",
        "set_at",
        "one_hot",
        "class_labels",
    }
)
"""Primitives without a kink that do not round."""


def environment(program: Program, is_double: bool) -> Environment:
    """Return the names of a program in float64, or in the dtypes it is written in."""
    if is_double:
        return program.environment(Constant.in_double)
    return program.environment(Constant.as_written, f32=np.float32)


def leaves_of(program: Program, is_double: bool) -> dict[str, Array]:
    return {name: x.astype(np.float64 if is_double else program.dtypes[name]) for name, x in program.leaves.items()}


def loss(program: Program, names: Environment, leaves: Mapping[str, Any], after: Any = None) -> Any:
    """Return Σ ⟨output, its cotangent⟩."""
    outputs = program.run(names, leaves, after)
    terms = [np.sum(y * _like(g, y)) for y, g in zip(outputs, program.outputs.values(), strict=True)]
    return sum(terms[1:], terms[0])


def _like(g: Array, y: Any) -> Array:
    return g.astype(y.dtype)


def gradient(program: Program, is_double: bool) -> Gradients:
    """Return the gradient by the program's own method; checks what can be checked on the way."""
    names, leaves = environment(program, is_double), leaves_of(program, is_double)
    kept = {name: x.copy() for name, x in leaves.items()}
    raw = {name: (names[name], names[name].copy()) for name in program.constants if type(names[name]) is np.ndarray}
    found = METHODS[program.method](program, names, leaves)
    for name, x in kept.items():
        _hold(np.array_equal(x, leaves[name]), f"the leaf {name} was written to")
    if not program.method.startswith("backward"):  # there the constants are overwritten on purpose
        for name, (array, before) in raw.items():
            _hold(np.array_equal(array, before), f"the constant {name} was written to")
    for name, g in found.items():
        _hold(g.dtype == leaves[name].dtype, f"the gradient of {name} is {g.dtype}, the leaf {leaves[name].dtype}")
        _hold(g.shape == leaves[name].shape, f"the gradient of {name} has shape {g.shape}")
    return found


def _hold(condition: Any, what: str) -> None:
    if not condition:
        raise MismatchError(what)


# ----- By backward -----


def _by_backward(program: Program, names: Environment, arrays: Mapping[str, Array]) -> Gradients:
    """Call `backward` of a sum, twice; raw constants are overwritten before, as their owner may."""
    leaves = _tracked(arrays)
    result = loss(program, names, leaves)
    _overwrite(program, names)
    if not _has_history(result):
        return _gradients(leaves)
    result.backward()
    once = {name: g.copy() for name, g in _gradients(leaves).items()}
    result.backward()
    for name, twice in _gradients(leaves).items():
        _hold(np.array_equal(twice, 2 * once[name]), f"the second backward did not add the same to {name}.grad")
    _check_ownership(leaves, [names[name] for name in program.constants])
    return once


def _by_backward_of_each(program: Program, names: Environment, arrays: Mapping[str, Array]) -> Gradients:
    """Call `backward` of each output with its cotangent; the gradients add up."""
    leaves = _tracked(arrays)
    outputs = program.run(names, leaves)
    _overwrite(program, names)
    cotangents = [_like(g, y) for y, g in zip(outputs, program.outputs.values(), strict=True)]
    for y, g in zip(outputs, cotangents, strict=True):
        if _has_history(y):
            y.backward(g)
    _check_ownership(leaves, [*cotangents, *(names[name] for name in program.constants)])
    return _gradients(leaves)


def _tracked(arrays: Mapping[str, Array]) -> dict[str, tg.Tensor]:
    return {name: tg.Tensor(x, requires_grad=True, name=name) for name, x in arrays.items()}


def _has_history(value: Any) -> bool:
    return isinstance(value, tg.Tensor) and value.requires_grad


def _overwrite(program: Program, names: Environment) -> None:
    """Write to every raw array that the program was given, after it was computed and before it is differentiated."""
    for name in program.constants:
        value = names[name]
        for part in value if isinstance(value, tuple) else (value,):
            if type(part) is np.ndarray:
                part[...] = 77 if part.dtype.kind in "iuf" else ~part
            elif isinstance(part, list):
                part[:] = [77] * len(part)


def _gradients(leaves: Mapping[str, tg.Tensor]) -> Gradients:
    """Return the gradients that arrived; none is zeros, which the numeric derivative has to confirm."""
    return {name: np.zeros(x.shape, x.dtype) if x.grad is None else x.grad for name, x in leaves.items()}


def _check_ownership(leaves: Mapping[str, tg.Tensor], given: list[Any]) -> None:
    """Hold that gradients are plain arrays that may be written to and share memory with nothing."""
    found = [(name, x.grad) for name, x in leaves.items() if x.grad is not None]
    others = [x.data for x in leaves.values()] + [x for x in given if isinstance(x, np.ndarray)]
    for i, (name, g) in enumerate(found):
        _hold(type(g) is np.ndarray and g.flags.writeable, f"{name}.grad is no array of the user's own")
        for other in [*others, *(g for _, g in found[i + 1 :])]:
            _hold(not np.may_share_memory(g, other) or not np.shares_memory(g, other), f"{name}.grad shares memory")


# ----- By the transforms -----


def as_function(program: Program, names: Environment) -> Callable[..., Any]:
    """Return Σ ⟨output, its cotangent⟩ as a function of the leaves."""

    def f(*leaves: Any) -> Any:
        return loss(program, names, dict(zip(program.leaves, leaves, strict=True)))

    return f


def _by_grad(program: Program, names: Environment, arrays: Mapping[str, Array]) -> Gradients:
    everything = tuple(range(len(arrays)))
    return _named(program, tg.grad(as_function(program, names), argnums=everything)(*arrays.values()))


def _by_grad_of_checkpoint(program: Program, names: Environment, arrays: Mapping[str, Array]) -> Gradients:
    everything = tuple(range(len(arrays)))
    f = tg.checkpoint(as_function(program, names))
    return _named(program, tg.grad(f, argnums=everything)(*arrays.values()))


def _by_vjp(program: Program, names: Environment, arrays: Mapping[str, Array]) -> Gradients:
    def outputs(*leaves: Any) -> tuple[Any, ...]:
        return tuple(program.run(names, dict(zip(program.leaves, leaves, strict=True))))

    values, pull_back = tg.vjp(outputs, *arrays.values())
    cotangents = tuple(_like(g, y) for y, g in zip(values, program.outputs.values(), strict=True))
    once, again = pull_back(cotangents), pull_back(cotangents)
    for first, second in zip(once, again, strict=True):
        _hold(np.array_equal(first, second), "pulling a cotangent back a second time gives something else")
    return _named(program, once)


def _named(program: Program, gradients: tuple[Any, ...]) -> Gradients:
    return {name: np.asarray(g) for name, g in zip(program.leaves, gradients, strict=True)}


METHODS: dict[str, Callable[[Program, Environment, Mapping[str, Array]], Gradients]] = {
    "backward of a sum": _by_backward,
    "backward of each output": _by_backward_of_each,
    "grad": _by_grad,
    "vjp": _by_vjp,
    "grad of a checkpoint": _by_grad_of_checkpoint,
}


# ----- Of second order, and with rounding made larger -----


def hessian_product(program: Program, direction: Mapping[str, Array]) -> Gradients:
    """Return the product of the Hessian, in float64, with `direction`."""
    f = as_function(program, environment(program, True))
    vectors = tuple(direction[name] for name in program.leaves)
    return _named(program, tg.hvp(f, tuple(leaves_of(program, True).values()), vectors))


def gradient_with_noise(program: Program, epsilon: float, rng: np.random.Generator) -> Gradients:
    """Return the gradient in float64 with every value, as later steps and rules read it, off by about `epsilon`."""

    def disturbed(value: Any) -> Any:
        if getattr(value, "dtype", np.dtype(bool)).kind != "f":
            return value
        return value * (1 + epsilon * rng.uniform(-1, 1, np.shape(value)))

    leaves = _tracked(leaves_of(program, True))
    with _forwards(lambda forward: lambda *operands, **static: disturbed(forward(*operands, **static))):
        moved = {name: disturbed(x) for name, x in leaves.items()}
        result = loss(program, environment(program, True), moved, disturbed)
        if _has_history(result):
            result.backward()
    return _gradients(leaves)


@contextmanager
def _forwards(changed: Callable[[Any], Any]) -> Iterator[None]:
    """Change the forward of every primitive that rounds; those that choose or move values are exact."""
    usual = {p: p.forward for p in PRIMITIVES.values() if p.kinks is None and p.name not in EXACT}
    for primitive, forward in usual.items():
        primitive.forward = changed(forward)
    try:
        yield
    finally:
        for primitive, forward in usual.items():
            primitive.forward = forward
