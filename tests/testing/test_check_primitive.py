"""What `check_primitive` passes, reports and refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.testing.planting import A, B, X, Y, caught, planted, softmax, spread, square, summed, times
from tinygrad_lite.errors import ArgumentError, ConformanceError, DtypeError, TinygradLiteError
from tinygrad_lite.primitives import PRIMITIVES, Primitive
from tinygrad_lite.testing import check_primitive


@pytest.mark.parametrize(
    ("primitive", "operands", "static"),
    [
        (planted(square, lambda g, _y, x: 2 * g * x, elementwise=True), (X,), {}),
        (planted(times, lambda g, _y, _a, b: g * b, lambda g, _y, a, _b: g * a, elementwise=True), (X, Y), {}),
        (PRIMITIVES["matmul"], (A, B), {}),
        (planted(softmax, lambda g, y, _x: g * y - y * np.sum(g * y, axis=-1, keepdims=True)), (X,), {}),
        (planted(summed, spread), (X,), {"axis": 1}),
        (PRIMITIVES["maximum"], (X, X + 0.3), {}),
        (PRIMITIVES["softmax_cross_entropy"], (X, np.array([0, 2])), {"reduction": "mean"}),
    ],
    ids=["square", "times", "matmul", "softmax", "sum", "maximum", "cross-entropy"],
)
def test_what_is_right_passes(primitive: Primitive, operands: tuple[np.ndarray, ...], static: dict[str, Any]) -> None:
    report = check_primitive(primitive, *operands, static=static)
    assert report
    assert "conforms:" in str(report)


def test_the_report_says_what_was_looked_at_and_what_was_left_out() -> None:
    report = check_primitive(planted(times, lambda g, _y, _a, b: g * b, None, elementwise=True), X, Y)
    looked_at = {(finding.variant, finding.property) for finding in report.findings}
    for variant in ("as given", "in Fortran order", "with gaps", "backwards", "0-d", "empty", "operand 0 stretched"):
        assert (variant, "first derivative") in looked_at
        assert (variant, "both products") in looked_at
    assert ("extreme values 1 in float32", "silence") in looked_at
    picky = planted(lambda x: square(x.reshape(2, 3)), lambda g, _y, x: 2 * g * x, elementwise=True)
    assert any(reason.startswith("0-d: ValueError") for reason in check_primitive(picky, X).left_out)


def test_what_is_no_primitive_or_cannot_be_called_is_refused() -> None:
    with pytest.raises(ArgumentError, match="takes a primitive"):
        check_primitive(np.tanh, X)
    with pytest.raises(ArgumentError, match=r"matmul.* cannot be called on float64\[2, 3\], float64\[2, 3\]"):
        check_primitive(tg.matmul, X, Y)
    with pytest.raises(DtypeError, match="operand 0 must be an array of numbers"):
        check_primitive(tg.exp, np.array(["a"]))
    assert issubclass(ConformanceError, AssertionError)
    assert issubclass(ConformanceError, TinygradLiteError)


def test_what_tg_primitive_makes_is_taken_and_the_operands_are_left_alone() -> None:
    @tg.primitive(lambda g, y, _x: g * y, poles=True, elementwise=True)
    def exponential(x: Any) -> Any:
        return np.exp(x)

    single = X.astype(np.float32)
    before = single.copy()
    assert check_primitive(exponential, single)
    assert np.array_equal(single, before)


@pytest.mark.parametrize(
    ("operand", "message"),
    [
        (np.array([1, 2]), "has derivative rules; give floats"),
        (np.zeros((0, 3)), "takes operands with values"),
        (np.array([1.0, np.nan]), "operand 0 must be finite"),
        (1e-12 * X, "too close to 0"),
    ],
    ids=["integers", "nothing", "nan", "tiny"],
)
def test_operands_at_which_a_wrong_rule_would_go_unnoticed_are_refused(operand: np.ndarray, message: str) -> None:
    wrong = planted(square, lambda g, _y, x: 7 * g * x)
    with pytest.raises((ArgumentError, DtypeError), match=message):
        check_primitive(wrong, operand)


def test_operands_at_a_pole_are_refused() -> None:
    with pytest.raises(ArgumentError, match="log is not finite at the operands"):
        check_primitive(PRIMITIVES["log"], -X)


def test_the_report_says_what_was_left_out_and_why() -> None:
    report = check_primitive(PRIMITIVES["softmax_cross_entropy"], X, np.array([0, 2]), static={"reduction": "mean"})
    assert "derivatives by operand 1: it has dtype int64" in report.left_out
    assert "0-d, broadcast: softmax_cross_entropy is not elementwise" in report.left_out
    stopped = check_primitive(PRIMITIVES["at_least"], X, Y + 2)
    assert "derivatives by operand 1: it has no rule" in stopped.left_out
    spread_out = check_primitive(PRIMITIVES["add"], X, Y[0])
    assert "0-d, empty, broadcast: the operands given differ in shape" in spread_out.left_out
    assert "left out: 0-d, empty" in str(spread_out)


def test_a_reference_is_not_said_to_agree_where_jax_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    report = check_primitive(planted(square, lambda g, _y, x: 2 * g * x), X, reference=lambda x: x)
    assert "as given, JAX: JAX is not installed" in report.left_out
    assert not any(finding.property == "JAX" for finding in report.findings)


def test_the_same_rng_gives_the_same_report() -> None:
    wrong = planted(square, lambda g, _y, x: 2.002 * g * x)
    assert caught(wrong, X, rng=3) == caught(wrong, X, rng=3) != caught(wrong, X, rng=4)


RIGHT = {
    "beside poles": (
        planted(lambda p: np.log(p / (1 - p)), lambda g, _y, p: g / (p * (1 - p)), poles=True),
        lambda rng: rng.uniform(0.05, 0.95, size=(2, 3)),
    ),
    "beside the tip of a cone": (
        planted(lambda x: np.sqrt((x * x).sum(axis=-1)), lambda g, y, x: (g / y)[..., None] * x),
        lambda rng: 0.03 * rng.normal(size=(4, 2)),
    ),
    "large values": (planted(lambda x: 2 * x, lambda g, *_: 2 * g), lambda rng: 1e6 * rng.normal(size=(2, 3))),
    "0-d": (planted(lambda x: x**3, lambda g, _y, x: 3 * g * x**2, elementwise=True), lambda rng: rng.normal() + 3),
    "many values": (planted(np.sin, lambda g, _y, x: g * np.cos(x)), lambda rng: rng.normal(size=(30, 20))),
    "orthogonal to its output": (
        planted(
            lambda x: x / np.sqrt((x * x).sum(axis=-1, keepdims=True)),
            lambda g, y, x: (
                (g - y * np.sum(g * y, axis=-1, keepdims=True)) / np.sqrt(np.sum(x * x, axis=-1, keepdims=True))
            ),
            poles=True,
        ),
        lambda rng: rng.normal(size=(2, 3)),
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_raises_no_alarm_whatever_is_drawn(name: str) -> None:
    primitive, draw = RIGHT[name]
    for seed in range(10):
        assert check_primitive(primitive, draw(np.random.default_rng(seed)), rng=seed)


def test_operands_and_cotangents_drawn_with_one_seed_are_not_the_same_numbers() -> None:
    """A cotangent that equals the operand is along it, where x/‖x‖ does not change: any multiple of 0 is right."""
    right, _ = RIGHT["orthogonal to its output"]
    wrong = planted(right.forward, lambda g, y, x: 1.5 * right.rules_for(1)[0](g, y, x), poles=True)
    assert "as given, first derivative" in caught(wrong, np.random.default_rng(0).normal(size=(1, 3)), rng=0)
