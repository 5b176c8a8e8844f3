"""Rules that break what the engine relies on: each is caught, and said to be what it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.testing.planting import A, B, X, Y, caught, planted, product, square


def test_a_float64_leak_in_a_rule_is_caught() -> None:
    told = caught(planted(square, lambda g, _y, x: g * x * np.float64(2)), X)
    assert "the rule of operand 0 widens float32 to float64" in told


def test_a_float64_leak_in_a_forward_is_caught() -> None:
    told = caught(planted(lambda x: x * np.ones(3), lambda g, *_: g * np.ones(3)), X)
    assert "float32 operands gave a value of float64" in told


@pytest.mark.parametrize(
    "rule",
    [lambda _g, _y, x: x, lambda _g, y, _x: y, lambda _g, _y, x: x[:]],
    ids=["operand", "output", "view of an operand"],
)
def test_a_rule_that_returns_an_operand_or_the_output_is_caught(rule: Callable[..., Any]) -> None:
    assert "or a view of it" in caught(planted(lambda x: np.exp(x), rule), X)


def test_an_aliased_cotangent_is_caught() -> None:
    """Two operands that receive one array would be added up in each other's gradient."""
    last: list[Any] = [None, None]

    def shared(g: Any, _y: Any, _a: Any, _b: Any) -> Any:
        if last[0] is not g:
            last[:] = g, g * 1.0
        return last[1]

    told = caught(planted(lambda a, b: a + b, shared, shared), X, Y)
    assert "memory: the gradient by operand 0 shares memory" in told


def test_a_rule_that_writes_into_the_cotangent_is_caught() -> None:
    def rule(g: Any, _y: Any, x: Any) -> Any:
        if isinstance(g, np.ndarray) and g.flags.writeable:
            g *= 2
            return g * x
        return 2 * g * x

    assert "wrote into the cotangent" in caught(planted(square, rule), X)


def test_a_rule_that_reads_what_it_names_with_an_underscore_is_caught() -> None:
    told = caught(planted(square, lambda g, _y, _x: 2 * g * _x), X)
    assert "reads operand 0, which it names _x" in told
    told = caught(planted(lambda x: np.exp(x), lambda g, _y, x: g * np.exp(x) + 0 * _y), X)
    assert "reads the output, which it names _y" in told


def test_a_rule_of_zeros_for_one_operand_is_caught() -> None:
    wrong = planted(product, lambda g, _y, _a, b: g @ b.T, lambda g, _y, a, _b: 0 * (a.T @ g))
    assert "first derivative: the derivative by operand 1" in caught(wrong, A, B)


def test_a_rule_that_writes_into_an_operand_or_the_output_is_caught() -> None:
    def spoiling(which: int) -> Callable[..., Any]:
        def rule(g: Any, y: Any, x: Any) -> Any:
            gx = 2 * g * x
            value = (y, x)[which]
            if isinstance(value, np.ndarray) and value.flags.writeable:
                value += 1
            return gx

        return rule

    assert "the rule of operand 0 wrote into the output" in caught(planted(square, spoiling(0)), X)
    assert "the rule of operand 0 wrote into operand 0" in caught(planted(square, spoiling(1)), X)


def test_a_rule_that_returns_the_same_memory_each_time_is_caught() -> None:
    """The gradient of yesterday would change with that of today."""
    buffer = np.empty_like(X)

    def rule(g: Any, _y: Any, x: Any) -> Any:
        if isinstance(g, np.ndarray) and g.dtype == buffer.dtype and g.shape == buffer.shape:
            return np.multiply(2 * g, x, out=buffer)
        return 2 * g * x

    assert "memory: the rule of operand 0 returns the same memory each time" in caught(planted(square, rule), X)


def test_a_rule_that_reads_only_the_sign_of_what_it_hides_is_caught() -> None:
    """A comparison with nan is false, as it is with every value below."""

    def rule(g: Any, _y: Any, _x: Any) -> Any:
        return g * np.where(_x > 0, 1.0, 0.0) if isinstance(_x, np.ndarray) else g * 0.0

    ramp = planted(lambda x: np.maximum(x, 0), rule, kinks=lambda _y, x: x > 0)
    assert "unread: the rule of operand 0 reads operand 0, which it names _x" in caught(ramp, -X)


def test_a_rule_that_reads_a_mask_that_it_hides_is_caught() -> None:
    def rule(g: Any, _y: Any, _c: Any, _x: Any) -> Any:
        return np.where(_c, g, 0) if isinstance(_c, np.ndarray) else g

    chosen = planted(lambda c, x: np.where(c, x, 0), None, rule)
    assert "reads operand 0, which it names _c" in caught(chosen, np.ones((2, 3), bool), X)


def test_a_rule_that_is_not_linear_is_said_to_be_that_with_the_place() -> None:
    told = caught(planted(square, lambda g, _y, x: 2 * x * (g + 1e-4 * g * g)), X)
    assert re.search(r"the rule of operand 0 is not linear: .* at \[\d, \d\]: \S+ instead of \S+", told)
