"""A function with its arguments in float64 copies: what a gradient check evaluates, moves and differentiates."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.check.capture import Capture, captured
from tinygrad_lite.errors import ArgumentError, DetachError, DtypeError, ShapeError
from tinygrad_lite.mode import no_grad
from tinygrad_lite.nested import has_parameters, leaves_of, map_leaves, matching, paths_of, substituted
from tinygrad_lite.tensor import Tensor, carries_gradient
from tinygrad_lite.transforms.recording import Recording, recorded, transient


class Problem:
    """A function and its parameters, one by one.

    `values[i]` is the float64 array of the parameter called `names[i]`; the caller's arrays and modules are left alone.
    With a `cotangent`, which belongs to a result of several values, the function is ⟨cotangent, f⟩.
    """

    def __init__(self, f: Callable[..., Any], args: Sequence[Any], names: Sequence[str] | None = None) -> None:
        if not callable(f):
            raise ArgumentError(f"the first argument is the function to be checked, got {f!r}")
        self.f = f
        self.args = [map_leaves(_in_float64, argument) for argument in args]
        self.names: list[str] = []
        self.values: list[np.ndarray] = []
        self.cotangent: np.ndarray | None = None
        for name, argument in zip(_argument_names(f, len(args)), self.args, strict=True):
            for path, leaf in zip(paths_of(argument, name), leaves_of(argument), strict=True):
                if has_parameters(leaf):
                    prefix = "" if len(args) == 1 and leaf is argument else f"{path}."
                    self.names += [prefix + parameter_name for parameter_name, _ in leaf.named_parameters()]
                    self.values += [parameter.numpy() for parameter in leaf.parameters()]
                else:
                    self.names.append(path)
                    self.values.append(leaf)
        if not self.values:
            raise ArgumentError("there is nothing to differentiate with respect to; give arrays or a module")
        if names is not None:
            if not isinstance(names, Sequence):
                raise ArgumentError(f"names is a list of texts, got {names!r}")
            if len(names) != len(self.values):
                raise ArgumentError(f"got {len(names)} names for {len(self.values)} parameters")
            if len(set(names)) != len(names) or not all(isinstance(name, str) for name in names):
                raise ArgumentError(f"names are texts, each another, got {list(names)}")
            self.names = list(names)
        for name, value in zip(self.names, self.values, strict=True):
            if not np.isfinite(value).all():
                raise ArgumentError(f"{name} holds {np.count_nonzero(~np.isfinite(value))} values that are not finite")

    # ----- The function -----

    def result(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Return what the function gives for other values of the parameters, without recording."""
        tensors_for_modules = self._in_place_of_parameters(values)
        with no_grad():
            given = self.f(*substituted(self.args, tensors_for_modules))
        if isinstance(given, list | tuple | dict):
            raise ArgumentError(f"a gradient check needs one number or array, but the function gave {given!r}")
        array = given.numpy() if isinstance(given, Tensor) else np.asarray(given)
        if array.dtype.kind not in "fiub":
            raise ArgumentError(f"a gradient check needs a result of numbers, but the function gave {given!r}")
        return array

    def value(self, values: Sequence[np.ndarray]) -> float:
        """Return the function as one number."""
        result = self.result(values)
        return float(result.reshape(()) if self.cotangent is None else np.sum(self.cotangent * result))

    def moved(self, i: int, to: np.ndarray) -> float:
        """Return the function as one number, with parameter `i` elsewhere."""
        return self.elsewhere([to if j == i else _read_only(value) for j, value in enumerate(self.values)])

    def elsewhere(self, values: Sequence[np.ndarray]) -> float:
        """Return the function at other parameters, nan where it refuses them, whatever NumPy warns of."""
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return self.value(values)
            except Exception:  # the function may check its domain, and here it is we who left it
                return float("nan")

    def evaluated_twice(self) -> np.ndarray:
        """Return the result of the function; raises ArgumentError if it draws random numbers or writes to arguments."""
        results = []
        for _ in range(2):
            given = [value.copy() for value in self.values]
            results.append(self.result(given))
            for name, value, before in zip(self.names, given, self.values, strict=True):
                if not _same(value, before):
                    raise ArgumentError(
                        f"f wrote into its argument {name}; a function whose gradient is checked gives the same for "
                        "the same arguments: let it work on a copy"
                    )
        first, second = results
        if not _same(first, second):
            shown = [repr(result.item()) if result.size == 1 else "other values" for result in results]
            raise ArgumentError(
                f"f gave {shown[0]} and then {shown[1]} for the same arguments; fix its seed, or its state"
            )
        return first

    def recorded(self) -> Capture | None:
        """Return the recording of a call, whole if it can be; None if the result depends on no parameter."""
        parameters = [transient(value, name) for value, name in zip(self.values, self.names, strict=True)]
        capture = captured(lambda: self._contracted(self.f(*substituted(self.args, parameters))), parameters)
        if capture is None:
            recording = self._recorded_as_far_as_it_goes()
            if carries_gradient(recording.result):
                return Capture.of(recording.result, recording.targets, whole=False)
        return capture

    def _recorded_as_far_as_it_goes(self) -> Recording:
        try:
            return recorded(lambda *args: self._contracted(self.f(*args)), self.args, range(len(self.args)))
        except ValueError as problem:
            if isinstance(problem.__cause__, DetachError):  # of array[0] = t NumPy tells otherwise
                raise problem.__cause__ from None
            raise

    def of_values(self) -> Callable[..., Any]:
        """Return the function of the values of its parameters alone."""
        return lambda *values: self.f(*substituted(self.args, values))

    def _contracted(self, result: Any) -> Any:
        return result if self.cotangent is None else np.sum(self.cotangent * result)

    def _in_place_of_parameters(self, values: Sequence[np.ndarray]) -> list[Any]:
        """Return what stands for each parameter: a Tensor in a module, which knows it by that, elsewhere the array."""
        is_in_module = [
            has_parameters(leaf)
            for leaf in leaves_of(self.args)
            for _ in (leaf.parameters() if has_parameters(leaf) else [leaf])
        ]
        return [transient(v) if inside else v for v, inside in zip(values, is_in_module, strict=True)]

    # ----- What is claimed -----

    def by_hand(self, derivation: Callable[..., Any], what: str, *before: Any) -> list[np.ndarray]:
        """Return what a derivation gives for each parameter; `before` precedes the arguments, which are in float64."""
        if not callable(derivation):
            raise ArgumentError(f"{what} is the function that computes what was derived, got {derivation!r}")
        with no_grad():
            claimed = derivation(*before, *map_leaves(_copied, self.args))
        arguments = self.args[0] if len(self.args) == 1 else self.args
        return [_array(claim, what) for claim in matching(arguments, claimed, f"{what} must return")]


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether two arrays hold the same, nan for nan; the slower look for nan only where they do not."""
    return np.array_equal(first, second) or np.array_equal(first, second, equal_nan=True)


def _read_only(value: np.ndarray) -> np.ndarray:
    view = value.view()
    view.flags.writeable = False
    return view


def _in_float64(leaf: Any) -> Any:
    if has_parameters(leaf):
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


def _copied(leaf: Any) -> Any:
    return leaf if has_parameters(leaf) else leaf.copy()


def _argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """Return what the function calls its arguments, or their numbers where it does not say."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        parameters = {}.values()
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names[:count] + [f"argument {i}" for i in range(len(names), count)]


def _array(claim: Any, what: str) -> np.ndarray:
    try:
        gradient = claim.numpy() if isinstance(claim, Tensor) else np.asarray(claim)
    except ValueError as problem:
        raise ArgumentError(f"{what} must return arrays, got {claim!r}: {problem}") from problem
    if gradient.dtype.kind not in "fiub":
        kind = f"{gradient.dtype} values" if isinstance(claim, np.ndarray) else type(claim).__name__
        raise ArgumentError(f"{what} must return arrays of real numbers, got {kind}")
    return gradient


def refuse_shape(shape: tuple[int, ...]) -> None:
    """Raise ShapeError for a result of several values where one was needed."""
    raise ShapeError(
        f"a gradient check needs a scalar result, but the function gave shape {shape}; "
        "give vjp= or jacobian= for a function of several values"
    )
