"""The objective of a case: composed of NumPy's functions, of the library's, or a module's with a declared objective."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tinygrad_lite as tg
from tests.check.planting.networks import Case, in_structure, out_of_structure, parameters
from tinygrad_lite import nn

COMPOSED: dict[str, tuple[Callable[[Any], Any], ...]] = {
    "softplus": (
        lambda a: np.log(1 + np.exp(a)),
        lambda a: np.log1p(np.exp(a)),
        lambda a: np.logaddexp(0.0, a),
        lambda a: np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a))),
        lambda a: -np.log(1 / (1 + np.exp(a))),
    ),
    "tanh": (
        np.tanh,
        lambda a: (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a)),
        lambda a: 2 / (1 + np.exp(-2 * a)) - 1,
    ),
    "cos": (np.cos, lambda a: np.sin(a + np.pi / 2)),
    "relu": (
        lambda a: np.maximum(a, 0),
        lambda a: np.maximum(0, a),
        lambda a: np.where(a > 0, a, 0),
        lambda a: a * (a > 0),
        lambda a: (a + np.abs(a)) / 2,
    ),
    "sigmoid": (
        lambda a: 1 / (1 + np.exp(-a)),
        lambda a: np.exp(a) / (1 + np.exp(a)),
        lambda a: (1 + np.tanh(a / 2)) / 2,
        lambda a: (1 + np.exp(-a)) ** -1.0,
    ),
    "identity": (lambda a: a,),
}
"""Ways to write a unit in NumPy."""

LIBRARY: dict[str, tuple[Callable[[Any], Any], ...]] = {
    "softplus": (tg.softplus,),
    "tanh": (tg.tanh, np.tanh),
    "cos": (tg.cos, np.cos),
    "relu": (tg.relu,),
    "sigmoid": (tg.sigmoid,),
    "identity": (lambda a: a,),
}

SQUARED: tuple[Callable[[Any], Any], ...] = (
    lambda W: np.sum(W**2),
    lambda W: (W * W).sum(),
    lambda W: np.sum(np.square(W)),
)


def arguments(case: Case) -> tuple[Any, ...]:
    """Return what the objective of a case takes: its parameters in their structure, or a module that has them."""
    if case.style != "module":
        return in_structure(case, case.weights, case.biases)
    output = "identity" if case.problem.cost != "squared error" else case.problem.output
    net = nn.MLP(case.sizes, case.activation, output, dtype=case.weights[0].dtype)
    for parameter, value in zip(net.parameters(), parameters(case), strict=True):
        parameter.assign(value)
    return (net,)


def objective(case: Case) -> Callable[..., Any]:
    """Return the function that the derivation is of."""
    if case.style == "module":
        return _of_a_module(case)
    return lambda *args: value(case, *out_of_structure(case, args))


def value(case: Case, weights: Sequence[Any], biases: Sequence[Any]) -> Any:
    """Return the objective for weights and biases."""
    p = case.problem
    return p.sense * (_data_term(case, _logits(case, weights, biases)) + _penalty(case, weights, biases))


def _spelled(case: Case, unit: str) -> Callable[[Any], Any]:
    ways = (COMPOSED if case.style == "composed" else LIBRARY)[unit]
    return ways[case.spelling % len(ways)]


def _logits(case: Case, weights: Sequence[Any], biases: Sequence[Any]) -> Any:
    p = case.problem
    unit = _spelled(case, case.activation)
    H: Any = p.X
    A: Any = None
    for layer, W in enumerate(weights):
        if case.convention == "rows":
            A = H @ W.T + biases[layer]
        elif case.convention == "columns":
            A = W @ H + biases[layer]
        else:
            ones = np.ones((case.examples, 1), p.X.dtype)
            A = np.concatenate([ones, H], axis=1) @ W.T
        if layer < case.layers - 1:
            Z = unit(A)
            if np.ndim(p.masks[layer]):
                Z = Z * p.masks[layer]
            H = Z + H if p.skips[layer] else Z
    return A


def _data_term(case: Case, S: Any) -> Any:
    p = case.problem
    if p.cost == "cross-entropy":
        return _cross_entropy(case, S)
    if p.cost == "binary cross-entropy":
        return np.sum(_binary_losses(case, S)) / p.divisor
    Y = _softmax(case, S) if p.output == "softmax" else _spelled(case, p.output)(S)
    error = Y - p.T
    if p.divisor == error.size and p.factor == 2 and case.spelling % 2:
        return np.mean(error**2)
    return (p.factor / 2) * np.sum(error * error if case.spelling % 3 else error**2) / p.divisor


def _softmax(case: Case, S: Any) -> Any:
    axis = 0 if case.convention == "columns" else 1
    if case.style == "library":
        return tg.softmax(S, axis=axis)
    E = np.exp(S - np.max(S, axis=axis, keepdims=True)) if case.spelling % 2 else np.exp(S)
    return E / np.sum(E, axis=axis, keepdims=True)


def _cross_entropy(case: Case, S: Any) -> Any:
    p, axis = case.problem, 0 if case.convention == "columns" else 1
    way = case.spelling % 4
    if case.style == "library":
        if way < 2:
            targets = case.labels if way == 0 and case.labels is not None else p.T.T if axis == 0 else p.T
            mean = p.divisor > 1
            return tg.softmax_cross_entropy(S.T if axis == 0 else S, targets, reduction="mean" if mean else "sum")
        if way == 2:
            return -np.sum(p.T * tg.log_softmax(S, axis=axis)) / p.divisor
        return (np.sum(tg.logsumexp(S, axis=axis)) - np.sum(p.T * S)) / p.divisor
    if way == 0:
        return (np.sum(np.log(np.sum(np.exp(S), axis=axis))) - np.sum(p.T * S)) / p.divisor
    if way == 1:
        return -np.sum(p.T * np.log(_softmax(case, S))) / p.divisor
    shifted = S - np.max(S, axis=axis, keepdims=True)
    logs = shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))
    if way == 2 and case.labels is not None:
        examples = np.arange(case.examples)
        return -np.sum(logs[case.labels, examples] if axis == 0 else logs[examples, case.labels]) / p.divisor
    return -np.sum(p.T * logs) / p.divisor


def _binary_losses(case: Case, S: Any) -> Any:
    T = case.problem.T
    if case.style == "library":
        return tg.softplus(S) - T * S
    if case.spelling % 3 == 0:
        return np.log(1 + np.exp(S)) - T * S
    Y = _spelled(case, "sigmoid")(S)
    return -T * np.log(Y) - (1 - T) * np.log(1 - Y)


def _penalty(case: Case, weights: Sequence[Any], biases: Sequence[Any]) -> Any:
    p, square = case.problem, SQUARED[case.spelling % len(SQUARED)]
    if p.decay == 0:
        return 0.0
    if case.convention == "bias columns" and p.bias_decay == 0:
        counted = [W[:, 1:] for W in weights]
    else:
        counted = [*weights, *biases] if p.bias_decay else list(weights)
    total = square(counted[0])
    for array in counted[1:]:
        total = total + square(array)
    return p.decay / 2 * total


def _of_a_module(case: Case) -> Callable[..., Any]:
    p = case.problem
    mean = p.divisor > 1
    loss: Any
    if p.cost == "cross-entropy":
        loss = nn.LogLikelihood() if p.sense < 0 else nn.CrossEntropy("mean" if mean else "sum")
    elif p.cost == "binary cross-entropy":
        loss = nn.BinaryCrossEntropy("mean" if mean else "sum")
    else:
        loss = nn.MSE("mean" if mean else "half_sum" if p.factor == 1 else "sum")
    if p.decay:
        penalty = nn.L2(biases=p.bias_decay > 0)
        loss = loss - p.decay * penalty if p.sense < 0 else loss + p.decay * penalty
    targets = case.labels if p.cost == "cross-entropy" and case.labels is not None and case.spelling % 2 else p.T
    return lambda net: loss(net, p.X, targets)
