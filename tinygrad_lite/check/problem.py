"""A function with its arguments in float64 copies: what a gradient check evaluates, moves and differentiates."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_lite.mode import no_grad
from tinygrad_lite.nested import leaves_of, map_leaves, matching, paths_of
from tinygrad_lite.nn import Module
from tinygrad_lite.tensor import Tensor, carries_gradient


class Problem:
    """A scalar function and its parameters, one by one.

    `values[i]` is the float64 array of the parameter called `names[i]`; moving an entry of it moves what `value()`
    evaluates. The caller's arrays and modules are left alone.
    """

    def __init__(self, f: Callable[..., Any], args: Sequence[Any]) -> None:
        self.f = f
        self.args = [map_leaves(_in_float64, argument) for argument in args]
        self.names: list[str] = []
        self.values: list[np.ndarray] = []
        for name, argument in zip(_argument_names(f, len(args)), self.args, strict=True):
            for path, leaf in zip(paths_of(argument, name), leaves_of(argument), strict=True):
                if isinstance(leaf, Module):
                    prefix = "" if len(args) == 1 and leaf is argument else f"{path}."
                    self.names += [prefix + parameter_name for parameter_name, _ in leaf.named_parameters()]
                    self.values += [parameter._array for parameter in leaf.parameters()]
                else:
                    self.names.append(path)
                    self.values.append(leaf)
        if not self.values:
            raise ArgumentError("there is nothing to differentiate with respect to; give arrays or a module")

    def value(self) -> float:
        """Return the function of the parameters as they stand, computed without recording."""
        with no_grad():
            result = self.f(*self.args)
        array = result.numpy() if isinstance(result, Tensor) else np.asarray(result)
        if array.dtype.kind not in "fiub":
            raise ArgumentError(f"a gradient check needs a scalar result, but the function gave {result!r}")
        if array.size != 1:
            raise ShapeError(f"a gradient check needs a scalar result, but the function gave shape {array.shape}")
        return float(array.reshape(()))

    def automatic(self) -> list[np.ndarray]:
        """Return the automatic gradient of each parameter; zeros where the function does not depend on it."""
        tracked = [map_leaves(_tracked, argument) for argument in self.args]
        tensors = [tensor for leaf in leaves_of(tracked) for tensor in _parameters(leaf)]
        result = self.f(*tracked)
        if carries_gradient(result):
            result.backward()
        gradients = [np.zeros(tensor.shape) if tensor.grad is None else tensor.grad for tensor in tensors]
        for tensor in tensors:
            tensor.grad = None
        return gradients

    def by_hand(self, analytic: Callable[..., Any]) -> list[np.ndarray]:
        """Return what `analytic` gives for each parameter, its structure checked against that of the arguments."""
        with no_grad():
            claimed = analytic(*map_leaves(_copied, self.args))
        arguments = self.args[0] if len(self.args) == 1 else self.args
        gradients = [_array(claim) for claim in matching(arguments, claimed, "analytic must return")]
        for name, gradient, value in zip(self.names, gradients, self.values, strict=True):
            if gradient.shape != value.shape:
                hint = "; its transpose would fit" if gradient.T.shape == value.shape else ""
                raise ShapeError(
                    f"the gradient by hand of {name} has shape {gradient.shape}, but the parameter {value.shape}{hint}"
                )
        return gradients


def _in_float64(leaf: Any) -> Any:
    if isinstance(leaf, Module):
        return leaf.astype(np.float64)
    if callable(leaf):
        raise ArgumentError(f"{leaf!r} is no array to differentiate with respect to; pass a derivation as analytic=")
    array = leaf.numpy() if isinstance(leaf, Tensor) else np.asarray(leaf)
    if array.dtype.kind != "f":
        raise DtypeError(
            f"cannot differentiate with respect to {array.dtype} values; give floats, and let the function take "
            "labels and other data from outside, as in lambda w: loss(w, labels)"
        )
    return np.array(array, dtype=np.float64, order="C")


def _tracked(leaf: Any) -> Any:
    return leaf if isinstance(leaf, Module) else Tensor(leaf, requires_grad=True)


def _copied(leaf: Any) -> Any:
    return leaf if isinstance(leaf, Module) else leaf.copy()


def _parameters(leaf: Any) -> list[Tensor]:
    return leaf.parameters() if isinstance(leaf, Module) else [leaf]


def _argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """Return what the function calls its arguments, or their numbers where it does not say."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        parameters = {}.values()
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names[:count] + [f"argument {i}" for i in range(len(names), count)]


def _array(claim: Any) -> np.ndarray:
    gradient = np.asarray(claim)
    if gradient.dtype.kind not in "fiub":
        raise ArgumentError(f"analytic must return arrays of numbers, got {type(claim).__name__}")
    return gradient
