"""What the names of a rule's parameters promise: an underscore means that the values are not read."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.operations.case import Case
from tests.operations.cases import DIFFERENTIABLE
from tests.operations.derivative_checks import random_like
from tinygrad_lite.primitives import PRIMITIVES

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def names_given_by(rule: Callable[..., Any], count: int) -> list[str]:
    """Return the name that `rule` gives to each of its `count` positional arguments."""
    parameters = inspect.signature(rule).parameters.values()
    names = [p.name for p in parameters if p.kind in POSITIONAL]
    rest = [p.name for p in parameters if p.kind is inspect.Parameter.VAR_POSITIONAL]
    return names + rest * (count - len(names))


def poisoned(value: Any) -> Any:
    """Return an array of the same shape, dtype and memory order that would spoil whatever read it."""
    if not isinstance(value, np.ndarray):
        return value  # a Python number given in the call
    return np.full_like(value, np.nan if value.dtype.kind == "f" else 101)


def broken_promises(rule: Callable[..., Any], g: np.ndarray, values: list[Any], static: dict[str, Any]) -> list[str]:
    """Return the names that promise not to be read, poisoned one by one, for which the result of `rule` changes."""
    honest = rule(g, *values, **static)
    broken = []
    for i, name in enumerate(names_given_by(rule, 1 + len(values))[1:]):
        if name.startswith("_"):
            spoiled = rule(g, *values[:i], poisoned(values[i]), *values[i + 1 :], **static)
            if not np.array_equal(honest, spoiled):
                broken.append(f"{name} at {i}")
    return broken


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=lambda case: case.name)
def test_a_rule_does_not_read_what_it_names_with_an_underscore(case: Case) -> None:
    operands = list(case.arguments(*case.operands()))
    primitive, static = PRIMITIVES[case.primitive], dict(case.static)
    y = np.asarray(primitive(*operands, **static))
    (g,) = random_like(case.rng("poison"), [y])
    with np.errstate(all="ignore"):  # a rule for an operand that this case does not want may meet a pole
        for rule in primitive.rules_for(len(operands)):
            if rule is not None and not np.isnan(rule(g, y, *operands, **static)).any():
                assert broken_promises(rule, g, [y, *operands], static) == []


def test_a_rule_that_reads_what_it_hides_is_found() -> None:
    x = np.array([1.0, 2.0])
    assert broken_promises(lambda g, _y, x: g * _y * x, x, [x, x], {}) == ["_y at 0"]
    assert broken_promises(lambda g, *_: g * _[1], x, [x, x], {}) == ["_ at 1"]
    assert broken_promises(lambda g, y, x: g * y * x, x, [x, x], {}) == []


def test_no_rule_names_something_that_it_never_reads() -> None:
    """A name without an underscore keeps an array alive, so each must matter in at least one case."""
    matters: dict[tuple[str, int, str], bool] = {}
    for case in DIFFERENTIABLE:
        operands = list(case.arguments(*case.operands()))
        primitive, static = PRIMITIVES[case.primitive], dict(case.static)
        y = np.asarray(primitive(*operands, **static))
        if not y.size:
            continue
        (g,) = random_like(case.rng("poison"), [y])
        with np.errstate(all="ignore"):
            for position, rule in enumerate(primitive.rules_for(len(operands))):
                values = [y, *operands]
                for i, name in enumerate(names_given_by(rule, 1 + len(values))[1:] if rule else []):
                    if not name.startswith("_") and isinstance(values[i], np.ndarray) and values[i].dtype.kind == "f":
                        key = (case.primitive, 0 if name == "xs" else position, name)
                        honest = rule(g, *values, **static)
                        spoiled = rule(g, *values[:i], poisoned(values[i]), *values[i + 1 :], **static)
                        matters[key] = matters.get(key, False) or not np.array_equal(honest, spoiled)
    assert [key for key, read in matters.items() if not read] == []
