"""The derivation by hand of a case, right or with edits planted in its source."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tests.check.planting.handwritten import by_bias_columns, by_columns, by_rows
from tests.check.planting.networks import Array, Case, in_structure, out_of_structure, parameters
from tinygrad_lite import nn

SOURCES = {
    "rows": inspect.getsource(by_rows),
    "bias columns": inspect.getsource(by_bias_columns),
    "columns": inspect.getsource(by_columns),
}


class Edit(NamedTuple):
    """A piece of the source that stands there once, and what was written in its place."""

    old: str
    new: str
    in_one_layer: bool = False
    """Whether both are expressions inside the loop over the layers, so that one layer alone can have the mistake."""


Edits = tuple[Edit, ...]


def fits(edits: Edits, convention: str) -> bool:
    """Whether the source of a convention has the pieces that the edits replace, once each."""
    return all(SOURCES[convention].count(edit.old) == 1 for edit in edits)


@functools.cache
def gradient_function(convention: str, edits: Edits = (), layer: int | None = None) -> Callable[..., Any]:
    """Return the backward pass with the edits made: in one layer, or wherever the code comes by."""
    source = SOURCES[convention]
    for edit in edits:
        new = edit.new
        if layer is not None and edit.in_one_layer:
            new = f"(({edit.new}) if layer == {layer} else ({edit.old}))"
        source = source.replace(edit.old, new)
    namespace: dict[str, Any] = {}
    exec(compile(source, f"<{convention}>", "exec"), namespace)
    function: Callable[..., Any] = namespace["gradient"]
    return function


def derivation(case: Case, edits: Edits = (), layer: int | None = None) -> Callable[..., Any]:
    """Return what is given to the check as `analytic`."""
    by_hand = gradient_function(case.convention, edits, layer)

    def analytic(*args: Any) -> Any:
        if case.style == "module":
            arrays = [parameter.numpy() for _, parameter in args[0].named_parameters()]
            weights, biases = arrays[::2], arrays[1::2]
        else:
            weights, biases = out_of_structure(case, args)
        if case.precision == "float32":
            weights, biases = [_single(W) for W in weights], [_single(b) for b in biases]
        if case.convention == "bias columns":
            return _returned(case, by_hand(weights, case.problem), [])
        return _returned(case, *by_hand(weights, biases, case.problem))

    return analytic


def gradients(case: Case, edits: Edits = (), layer: int | None = None) -> list[Array]:
    """Return what the derivation gives for the parameters in float64, in the order of the report's rows."""
    by_hand = gradient_function(case.convention, edits, layer)
    dtype = np.float32 if case.precision == "float32" else np.float64
    weights = [W.astype(dtype) for W in case.weights]
    if case.convention == "bias columns":
        return [np.asarray(G) for G in by_hand(weights, case.problem)]
    dWs, dbs = by_hand(weights, [b.astype(dtype) for b in case.biases], case.problem)
    if case.structure == "lists" and case.style != "module":
        return [np.asarray(G) for G in (*dWs, *dbs)]
    return [np.asarray(G) for pair in zip(dWs, dbs, strict=True) for G in pair]


def _single(array: Any) -> Array:
    return np.asarray(array, np.float32)


def _returned(case: Case, dWs: list[Any], dbs: list[Any]) -> Any:
    if case.style == "module":
        net = nn.MLP(case.sizes, case.activation)
        names = [name for name, _ in net.named_parameters()]
        return dict(zip(names, [G for pair in zip(dWs, dbs, strict=True) for G in pair], strict=True))
    structured = in_structure(case, dWs, dbs)
    return structured if len(structured) > 1 else structured[0]


def shapes_fit(case: Case, given: list[Array]) -> bool:
    return all(G.shape == P.shape for G, P in zip(given, parameters(case), strict=True))
