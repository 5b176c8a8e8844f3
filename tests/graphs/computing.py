"""An explanation computed as it stands: each line of its text, from top to bottom, with NumPy and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.operations.evaluating import evaluated
from tinygrad_lite.graphs.explaining.explained import Equation, Explanation

LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


def computed(explanation: Explanation, given: dict[str, Any]) -> dict[str, Any]:
    """Return every value and derivative, by what the explanation calls it; `given` are the values that begin."""
    values = {spelled(name): value for name, value in given.items()}
    equations = [value.equation for value in explanation.values]
    for equation in (*equations, explanation.beginning, *(e for step in explanation.steps for e in step.equations)):
        if equation.right is not None:
            values[spelled(equation.left.text)] = value_of(equation, values)
    return values


def value_of(equation: Equation, values: dict[str, Any]) -> Any:
    assert equation.right is not None
    shape = () if equation.shape in ("", "scalar") else tuple(map(int, equation.shape.split("×")))
    value = np.asarray(evaluated(spelled(equation.right.text), values, functions_for(shape), 0))
    return np.broadcast_to(value, shape) if value.ndim == 0 else value.reshape(shape)


def spelled(text: str) -> str:
    """Return derivatives as names, and exponents as the evaluator knows them."""
    text = re.sub(r"∂L/∂(\w+)(?:\|(\w+)(?:,(\d))?)?", r"d_\1_\2_\3", text).translate(LOWERED)
    return re.sub(r"\^\(([^()]*)\)|\^(\w+)", lambda power: f" ** ({power[1] or power[2]})", text)


def functions_for(shape: tuple[int, ...]) -> dict[str, Callable[..., Any]]:
    """Return what the words of an explanation mean, where a value of `shape` is to come out."""

    def over(where: str | None) -> tuple[int, ...] | None:
        return None if where is None else tuple(map(int, where.split(" ", 1)[1].split(",")))

    def kept(reduce: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x, where=None: reduce(x, axis=over(where), keepdims=True)

    def repeat(x: Any, where: str | None = None) -> Any:
        axes = over(where)
        gone = range(len(shape)) if axes is None else axes
        return np.broadcast_to(np.reshape(x, [1 if i in gone else n for i, n in enumerate(shape)]), shape)

    def joined(*parts: Any, where: str) -> Any:
        return np.concatenate(parts, axis=int(where.split()[1]))

    def largest(*x: Any, where: str | None = None) -> Any:
        return np.maximum(*x) if len(x) == 2 else kept(np.max)(*x, where)

    return {
        "Σ": kept(np.sum), "mean": kept(np.mean), "max": largest, "repeat": repeat, "log": np.log, "tanh": np.tanh,
        "softmax": lambda x, where=None: np.exp(x) / kept(np.sum)(np.exp(x), where), "matrix product": np.matmul,
        "ᵀ": lambda x: np.swapaxes(x, -1, -2), "swapaxes": lambda x, i, j: np.swapaxes(x, int(i), int(j)),
        "permute": lambda x, where: np.transpose(x, over(where)), "reshape": lambda x: np.reshape(x, shape),
        "one_hot": lambda labels: np.eye(10)[labels], "concatenate": joined,
    }  # fmt: skip
