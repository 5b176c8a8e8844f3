"""Networks drawn at random, and the derivation by hand that belongs to each: a case is its seed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, Any]
Convention = Literal["rows", "bias columns", "columns"]

EXAMPLES = (1, 5, 32)


@dataclass(frozen=True)
class Problem:
    """What the derivation by hand is given beside the parameters."""

    X: Array
    unscaled: Array
    """The inputs before they were centred and scaled."""
    T: Array
    unit: Callable[[Any], Any]
    derivative: Callable[[Any, Any], Any]
    """Of the unit, from its pre-activation and its output."""
    skips: tuple[bool, ...]
    """Whether a layer adds its input to its output."""
    masks: tuple[Any, ...]
    """What dropout has multiplied the output of a layer with."""
    cost: str
    output: str
    factor: float
    """Of the error in the squared error: 1 if it was halved, else 2."""
    divisor: float
    """What the sum over the examples is divided by."""
    sense: float
    """−1 where the objective is maximised."""
    decay: float
    bias_decay: float


@dataclass(frozen=True)
class Case:
    seed: int
    convention: Convention
    style: Literal["composed", "library", "module"]
    structure: Literal["separate", "lists", "dict", "layers"]
    precision: Literal["float64", "float32", "float32 data"]
    activation: str
    spelling: int
    """Which of several ways to write the unit, the cost and the penalty the objective uses."""
    sizes: tuple[int, ...]
    labels: Array | None
    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    """Empty where they are columns of the weights."""
    problem: Problem

    @property
    def examples(self) -> int:
        return self.problem.X.shape[1 if self.convention == "columns" else 0]

    @property
    def layers(self) -> int:
        return len(self.weights)

    def __str__(self) -> str:
        p = self.problem
        return (
            f"{'-'.join(map(str, self.sizes))} {self.activation}, {p.output} with {p.cost}, m = {self.examples}, "
            f"÷ {p.divisor:g}, L2 {p.decay:.1e} and {p.bias_decay:.1e}, {'maximised, ' if p.sense < 0 else ''}"
            f"{self.convention}, {self.style} ({self.spelling}), {self.structure}, {self.precision}"
            f"{', skips' if any(p.skips) else ''}{', dropout' if any(np.ndim(mask) for mask in p.masks) else ''}"
        )


UNITS: dict[str, tuple[Callable[[Any], Any], tuple[Callable[[Any, Any], Any], ...]]] = {
    "softplus": (
        lambda a: np.log(1 + np.exp(a)),
        (lambda a, h: 1 / (1 + np.exp(-a)), lambda a, h: 1 - np.exp(-h)),
    ),
    "tanh": (np.tanh, (lambda a, h: 1 - np.tanh(a) ** 2, lambda a, h: 1 - h**2)),
    "cos": (np.cos, (lambda a, h: -np.sin(a),)),
    "relu": (lambda a: np.maximum(a, 0), (lambda a, h: (a > 0).astype(a.dtype), lambda a, h: (h > 0).astype(h.dtype))),
    "sigmoid": (
        lambda a: 1 / (1 + np.exp(-a)),
        (lambda a, h: np.exp(-a) / (1 + np.exp(-a)) ** 2, lambda a, h: h * (1 - h)),
    ),
}
"""Each activation, and its derivative as people write it."""


def random_case(seed: int) -> Case:
    """Draw a network, its data, its objective and the derivation that belongs to it."""
    rng = np.random.default_rng([seed, 4])
    convention: Any = rng.choice(["rows", "bias columns", "columns"])
    style: Any = rng.choice(["composed", "library", "module"] if convention == "rows" else ["composed", "library"])
    precision: Any = rng.choice(["float64", "float32", "float32 data"], p=[0.5, 0.25, 0.25])
    dtype = np.float64 if precision == "float64" else np.float32
    layers = int(rng.integers(1, 5))
    width = int(rng.integers(2, 10))
    sizes = tuple(width if rng.random() < 0.4 else int(rng.integers(2, 10)) for _ in range(layers + 1))
    m = int(rng.choice(EXAMPLES, p=[0.35, 0.2, 0.45]))
    activation = str(rng.choice(list(UNITS)))
    cost, output = _cost_and_output(rng, style)
    half = style == "module" or bool(rng.random() < 0.5)
    sense = -1.0 if rng.random() < 0.3 else 1.0
    reduction = str(rng.choice(["sum", "mean"]))
    if style == "module" and sense < 0:  # a log-likelihood, which is summed
        cost, output, reduction = "cross-entropy", "softmax", "sum"
    factor, divisor = _reduced(rng, cost, reduction, m, sizes[-1], style)
    decay = 0.0 if rng.random() < 0.2 else float(10 ** rng.uniform(-4, -1)) * (1 if half else 2)
    labels, targets = _targets(rng, cost, output, m, sizes[-1])

    X = rng.normal(size=(m, sizes[0]))
    weights = [
        rng.normal(size=(out, into)) * rng.uniform(0.6, 1.4) / np.sqrt(into) for into, out in itertools.pairwise(sizes)
    ]
    biases = [0.3 * rng.normal(size=out) for out in sizes[1:]]
    apart = convention == "rows" and style != "module"  # only here do layers skip or drop
    skips = tuple(
        apart and layer < layers - 1 and sizes[layer] == sizes[layer + 1] and bool(rng.random() < 0.5)
        for layer in range(layers)
    )
    drops = apart and bool(rng.random() < 0.2)
    masks = tuple(
        np.asarray((rng.random((m, out)) < 0.7) / 0.7, dtype) if drops and layer < layers - 1 else 1.0
        for layer, out in enumerate(sizes[1:])
    )
    if convention == "bias columns":
        weights = [np.column_stack([b, W]) for W, b in zip(weights, biases, strict=True)]
        biases = []
    if convention == "columns":
        X, targets, biases = X.T, targets.T, [b[:, None] for b in biases]
    unit, derivatives = UNITS[activation]
    return Case(
        seed=seed,
        convention=convention,
        style=style,
        structure=rng.choice(["separate", "lists", "dict", "layers"]),
        precision=precision,
        activation=activation,
        spelling=int(rng.integers(0, 1000)),
        sizes=sizes,
        labels=labels,
        weights=tuple(W.astype(dtype) for W in weights),
        biases=tuple(b.astype(dtype) for b in biases),
        problem=Problem(
            X=X.astype(dtype),
            unscaled=(2.5 * X + 1).astype(dtype),
            T=targets.astype(dtype),
            unit=unit,
            derivative=derivatives[int(rng.integers(len(derivatives)))],
            skips=skips,
            masks=masks,
            cost=cost,
            output=output,
            factor=factor,
            divisor=divisor,
            sense=sense,
            decay=decay,
            bias_decay=decay * bool(rng.random() < 0.4),
        ),
    )


def _cost_and_output(rng: np.random.Generator, style: str) -> tuple[str, str]:
    cost = str(rng.choice(["cross-entropy", "squared error", "binary cross-entropy"], p=[0.55, 0.3, 0.15]))
    if cost == "cross-entropy":
        return cost, "softmax"
    if cost == "binary cross-entropy":
        return cost, "sigmoid"
    return cost, str(rng.choice(["identity", "sigmoid", "tanh", "softmax"]))


def _reduced(
    rng: np.random.Generator, cost: str, reduction: str, m: int, outputs: int, style: str
) -> tuple[float, float]:
    """Return the factor of the error and the divisor of the sum."""
    entries = float(m * outputs)
    if cost == "squared error" and style == "module":
        return (2.0, entries) if reduction == "mean" else (float(rng.choice([1.0, 2.0])), 1.0)
    if reduction == "sum":
        divisor = 1.0
    elif cost == "binary cross-entropy" and style == "module":
        divisor = entries
    elif cost == "cross-entropy":
        divisor = float(m)
    else:
        divisor = float(rng.choice([m, entries]))
    return (float(rng.choice([1.0, 2.0])) if cost == "squared error" else 1.0), divisor


def _targets(rng: np.random.Generator, cost: str, output: str, m: int, outputs: int) -> tuple[Array | None, Array]:
    """Return labels, where there are some, and the targets as an array of the shape of the outputs.

    Soft ones are multiples of 1/64: what is taken for granted of them, Σt = 1 or (1 − t) + t = 1, holds in float32 too.
    """
    if cost == "binary cross-entropy":
        hard = rng.random() < 0.7
        return None, rng.integers(0, 2, (m, outputs)) * 1.0 if hard else rng.integers(0, 65, (m, outputs)) / 64
    if cost == "cross-entropy" or output == "softmax":
        if rng.random() < 0.3:
            return None, rng.multinomial(64, rng.dirichlet(np.ones(outputs), m)) / 64
        labels = rng.integers(0, outputs, m)
        return labels, np.eye(outputs)[labels]
    return None, rng.normal(size=(m, outputs))


def parameters(case: Case) -> list[Array]:
    """Return the parameters in the order of the report's rows: layer by layer, or as `lists` first all weights."""
    if case.structure == "lists" and case.style != "module":
        return [*case.weights, *case.biases]
    if not case.biases:
        return list(case.weights)
    return [array for pair in zip(case.weights, case.biases, strict=True) for array in pair]


def in_structure(case: Case, weights: Any, biases: Any) -> tuple[Any, ...]:
    """Return parameters, or their gradients, as the arguments of the objective."""
    if case.structure == "lists":
        return (list(weights), list(biases)) if len(case.biases) else (list(weights),)
    if case.structure == "dict":
        found = {}
        for layer, W in enumerate(weights, 1):
            found[f"W{layer}"] = W
            if len(case.biases):
                found[f"b{layer}"] = biases[layer - 1]
        return (found,)
    layers = list(zip(weights, biases, strict=True)) if len(case.biases) else [(W,) for W in weights]
    if case.structure == "layers":
        return (layers,)
    return tuple(array for layer in layers for array in layer)


def out_of_structure(case: Case, args: tuple[Any, ...]) -> tuple[list[Any], list[Any]]:
    """Return the weights and the biases from the arguments of the objective."""
    if case.structure == "lists":
        return list(args[0]), list(args[1]) if case.biases else []
    if case.structure == "dict":
        flat = list(args[0].values())
    elif case.structure == "layers":
        flat = [array for layer in args[0] for array in layer]
    else:
        flat = list(args)
    return (flat[::2], flat[1::2]) if case.biases else (flat, [])
