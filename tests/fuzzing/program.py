"""A program: leaves, constants and lines of Python that a user could have written.

The lines are kept as text and compiled once, so the same program runs on Tensors, on plain arrays, in extended
precision and in jax.numpy: what differs is the environment of its names. What a failure prints is what ran.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import numpy as np

import tinygrad_lite as tg

Array = np.ndarray
Environment = dict[str, Any]


@dataclass(frozen=True)
class Constant:
    """Something that is not differentiated: numbers, labels, a mask or an index; raw or a Tensor."""

    value: Any
    kind: str  # "array", "tensor", "integers", "exponents", "mask" or "index"
    dtype: Any = None
    """The dtype of a float constant in the program as it is written."""

    def as_written(self) -> Any:
        """Return it in the dtype it is written in."""
        return self._held(self.dtype)

    def in_double(self) -> Any:
        """Return it in float64."""
        return self._held(None if self.dtype is None else np.float64)

    def plain(self) -> Any:
        """Return it in float64 as NumPy alone would hold it."""
        return _copied(self.value)

    def _held(self, dtype: Any) -> Any:
        value = _copied(self.value) if dtype is None else np.array(self.value, dtype)
        return tg.Tensor(value) if self.kind == "tensor" else value

    def source(self) -> str:
        """Return it as Python."""
        text = as_python(self.value, self.dtype)
        return f"tg.Tensor({text})" if self.kind == "tensor" else text


@dataclass(frozen=True)
class Step:
    """One line, `name = expression`."""

    name: str
    expression: str
    code: CodeType

    def __str__(self) -> str:
        return f"{self.name} = {self.expression}"


@dataclass
class Program:
    """Steps from leaves to outputs; what is differentiated is Σ ⟨output, its cotangent⟩."""

    seed: int
    method: str = "backward of a sum"
    """How the library is asked for the gradient."""
    leaves: dict[str, Array] = field(default_factory=dict)
    """Values in float64 that float32 holds exactly."""
    dtypes: dict[str, type] = field(default_factory=dict)
    """The dtype of each leaf in the program as it is written."""
    constants: dict[str, Constant] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    values: dict[str, Array] = field(default_factory=dict)
    """What NumPy computed for each step, in float64."""
    outputs: dict[str, Array] = field(default_factory=dict)
    """The name of each output, with its cotangent."""
    for_jax: bool = True
    """Whether JAX computes the same derivative: it does not keep a cotangent of zero at zero behind a pole."""

    @property
    def dtype(self) -> str:
        """The dtype of the leaves, "mixed" if there are two."""
        names = {np.dtype(dtype).name for dtype in self.dtypes.values()}
        return names.pop() if len(names) == 1 else "mixed"

    @property
    def is_double(self) -> bool:
        """Whether the program as it is written is in float64 throughout."""
        return self.dtype == "float64" and not self.mentions("f32") and np.float32 not in self.dtypes_of_constants

    @property
    def is_single(self) -> bool:
        """Whether no value of the program as it is written may be in float64."""
        exponents = any(constant.kind == "exponents" for constant in self.constants.values())  # integers widen
        widened = self.mentions("f64") or exponents or np.float64 in self.dtypes_of_constants
        return self.dtype == "float32" and not widened

    @property
    def dtypes_of_constants(self) -> set[Any]:
        return {constant.dtype for constant in self.constants.values()}

    def mentions(self, name: str) -> bool:
        """Return whether a step uses a name."""
        return any(re.search(rf"\b{name}\b", step.expression) for step in self.steps)

    def environment(self, constants: Callable[[Constant], Any], **names: Any) -> Environment:
        """Return the names that the steps use, all but the leaves."""
        values = {name: constants(constant) for name, constant in self.constants.items()}
        return {"np": np, "tg": tg, "f32": np.float64, "f64": np.float64, **names, **values}

    def run(
        self, environment: Environment, leaves: Mapping[str, Any], after: Callable[[Any], Any] | None = None
    ) -> list[Any]:
        """Run the steps and return the outputs; `after` replaces the value of each step, if it is given."""
        names = environment
        names.update(leaves)
        for step in self.steps:
            value = eval(step.code, names)
            names[step.name] = value if after is None else after(value)
        return [names[name] for name in self.outputs]

    def __str__(self) -> str:
        """Return the program as Python that can be pasted."""
        lines = ["import numpy as np", "import tinygrad_lite as tg", "", "f32, f64 = np.float32, np.float64"]
        lines += [f"{name} = {constant.source()}" for name, constant in self.constants.items()]
        lines += [f"def f({', '.join(self.leaves)}):", *(f"    {step}" for step in self.steps)]
        lines += [f"    return {', '.join(self.outputs)}", ""]
        lines += [f"{name} = {as_python(x, self.dtypes[name])}" for name, x in self.leaves.items()]
        lines += [f"cotangent_of_{name} = {as_python(g, np.float64)}" for name, g in self.outputs.items()]
        return "\n".join(lines) + f"\n# the gradient is asked for by: {self.method}"


def compiled(name: str, expression: str) -> Step:
    """Return the step `name = expression`."""
    return Step(name, expression, compile(expression, f"<{name} = {expression}>", "eval"))


def as_python(value: Any, dtype: Any = None) -> str:
    """Return an array, an index or a number as Python that makes it again."""
    if isinstance(value, tuple):
        return "(" + "".join(f"{as_python(part)}, " for part in value) + ")"
    if isinstance(value, np.ndarray):
        kind = f"np.{np.dtype(dtype or value.dtype).name}"
        text = f"np.array({value.tolist()!r}, {kind if kind != 'np.bool' else 'bool'})"
        return text if value.size or value.ndim < 2 else f"{text}.reshape({value.shape})"
    return "..." if value is ... else repr(value)


def _copied(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_copied, value))
    return value.copy() if isinstance(value, np.ndarray | list) else value
