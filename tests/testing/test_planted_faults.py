"""The conformance kit is itself held against planted faults: each is caught, and said to be what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import ArgumentError, ConformanceError, DtypeError, TinygradLiteError
from tinygrad_lite.primitives import PRIMITIVES, Primitive
from tinygrad_lite.testing import check_primitive

RNG = np.random.default_rng(0)
X, Y, A, B = (RNG.uniform(0.5, 1.5, size=shape) for shape in ((2, 3), (2, 3), (3, 3), (3, 3)))


def planted(forward: Callable[..., Any], *rules: Any, **options: Any) -> Primitive:
    """Return a primitive as the tables make them, without the guard that `tg.primitive` puts around rules."""
    return Primitive("planted", forward, *rules, **options)


def caught(primitive: Primitive, *operands: np.ndarray, **options: Any) -> str:
    with pytest.raises(ConformanceError) as error:
        check_primitive(primitive, *operands, **options)
    return str(error.value)


def square(x: Any) -> Any:
    return x * x


def product(a: Any, b: Any) -> Any:
    return a @ b


def times(a: Any, b: Any) -> Any:
    return a * b


def softmax(x: Any) -> Any:
    shares = np.exp(x - x.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def summed(x: Any, *, axis: int) -> Any:
    return x.sum(axis=axis)


def spread(g: Any, _y: Any, _x: Any, *, axis: int) -> Any:
    return np.broadcast_to(np.expand_dims(g, axis), _x.shape)


# ----- What is right passes -----


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


# ----- Values of derivatives -----


@pytest.mark.parametrize("factor", [1.001, 0.999, -1, 2, 0.5, 1 + 1e-6])
def test_a_scaled_rule_is_caught_with_the_place_and_both_values(factor: float) -> None:
    told = caught(planted(square, lambda g, _y, x: factor * 2 * g * x), X)
    assert "planted does not conform" in told
    assert "as given, first derivative: the derivative by operand 0" in told
    assert "at [" in told
    assert "instead of" in told


def test_a_rule_that_forgets_the_cotangent_is_caught() -> None:
    assert "first derivative" in caught(planted(square, lambda _g, _y, x: 2 * x), X)


@pytest.mark.parametrize(
    "rule",
    [lambda g, _y, _a, b: g @ b, lambda g, _y, _a, b: b @ g.T, lambda g, _y, _a, b: (g @ b.T).T],
    ids=["operand not transposed", "order swapped", "result transposed"],
)
def test_a_transposed_matrix_product_is_caught(rule: Callable[..., Any]) -> None:
    told = caught(planted(product, rule, lambda g, _y, a, _b: a.T @ g), A, B)
    assert "first derivative: the derivative by operand 0" in told
    assert "the derivative by operand 1" not in told


def test_a_softmax_whose_gradient_is_always_zero_is_caught() -> None:
    assert "first derivative" in caught(planted(softmax, lambda g, *_: np.zeros_like(g)), X)


def test_a_softmax_with_the_diagonal_of_its_jacobian_alone_is_caught() -> None:
    assert "first derivative" in caught(planted(softmax, lambda g, y, _x: g * y * (1 - y)), X)


def test_a_gradient_of_nan_is_caught() -> None:
    assert "nan instead of" in caught(planted(square, lambda g, _y, x: np.nan * g * x), X)


def test_a_rule_whose_derivative_alone_is_wrong_is_caught_in_second_order() -> None:
    """The operand is taken out of the graph, so that the second derivative is zero."""
    told = caught(planted(square, lambda g, _y, x: 2 * g * tg.stop_gradient(x)), X)
    assert "as given, second derivative" in told
    assert "first derivative:" not in told


def test_a_rule_that_cannot_be_recorded_is_caught_in_second_order() -> None:
    told = caught(planted(square, lambda g, _y, x: g * np.interp(x, [0, 9], [0, 18])), X)
    assert "second derivative: UnsupportedError: np.interp does not record" in told


def test_a_rule_that_is_not_linear_in_its_cotangent_is_caught() -> None:
    told = caught(planted(square, lambda g, _y, x: 2 * np.abs(g) * x), X)
    assert "both products" in told


# ----- Shapes, axes and layouts -----


def test_a_cotangent_that_is_not_summed_back_over_a_row_alone_is_caught() -> None:
    """The engine sums broadcasting back; a rule that sums once too often has another shape."""
    told = caught(planted(times, lambda g, _y, _a, b: (g * b).sum(axis=0), lambda g, _y, a, _b: g * a), X, Y)
    assert "DefinitionError" in told


def test_a_cotangent_broadcast_by_a_rule_itself_is_caught_where_operands_are_stretched() -> None:
    wrong = planted(times, lambda g, _y, _a, b: g * b, lambda g, _y, a, _b: np.mean(g, axis=0) * a, elementwise=True)
    assert "derivative by operand 1" in caught(wrong, X, Y)


def test_a_fault_for_a_negative_axis_alone_is_caught() -> None:
    def rule(g: Any, _y: Any, _x: Any, *, axis: int) -> Any:
        return spread(g, _y, _x, axis=axis) if axis >= 0 else spread(g[..., ::-1], _y, _x, axis=axis)

    told = caught(planted(summed, rule), X, static={"axis": 1})
    assert "axes from the other end, first derivative" in told
    assert "as given, first" not in told


@pytest.mark.parametrize(
    ("rule", "variant"),
    [
        (lambda g, _y, x: 2 * g * x * (1 if x.flags.c_contiguous else 1.001), "in Fortran order"),
        (lambda g, _y, x: 2 * g * x * (1.001 if x.ndim == 0 else 1), "0-d"),
        (lambda g, _y, x: 2 * g * x * (1.001 if x.dtype == np.float32 else 1), "as given, float32"),
    ],
    ids=["Fortran order", "0-d", "float32"],
)
def test_a_fault_in_one_variant_alone_is_caught(rule: Callable[..., Any], variant: str) -> None:
    def of_arrays(g: Any, y: Any, x: Any) -> Any:
        return rule(g, y, x) if isinstance(x, np.ndarray) else 2 * g * x

    told = caught(planted(square, lambda g, _y, x: of_arrays(g, _y, x), elementwise=True), X)
    assert f"  {variant}" in told
    assert "as given, first derivative:" not in told


def test_a_forward_that_writes_into_its_operand_is_caught() -> None:
    def forward(a: Any, b: Any) -> Any:
        total = a * b
        a += 0 * b
        a *= 1.5
        return total

    assert "the forward wrote into operand 0" in caught(planted(forward, lambda g, _y, _a, b: g * b, None), X, Y)


# ----- Dtypes and memory -----


def test_a_float64_leak_in_a_rule_is_caught() -> None:
    told = caught(planted(square, lambda g, _y, x: g * x * np.float64(2)), X)
    assert "the rule of operand 0 widens float32 to float64" in told


def test_a_float64_leak_in_a_forward_is_caught() -> None:
    told = caught(planted(lambda x: x * np.ones(3), lambda g, *_: g * np.ones(3)), X)
    assert "float32 operands gave a value of float64" in told


@pytest.mark.parametrize(
    "rule",
    [lambda _g, _y, x: x, lambda _g, y, _x: y],
    ids=["operand", "output"],
)
def test_a_rule_that_returns_an_operand_or_the_output_is_caught(rule: Callable[..., Any]) -> None:
    assert "returns an operand or the output itself" in caught(planted(lambda x: np.exp(x), rule), X)


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


# ----- Values, kinks, lowerings, extremes -----


def test_a_forward_that_is_not_the_same_twice_is_caught() -> None:
    rng = np.random.default_rng(0)
    told = caught(planted(lambda x: x * rng.normal(), lambda g, *_: g), X)
    assert "value" in told


def test_a_lowering_that_is_not_the_forward_is_caught() -> None:
    right = lambda g, _y, x: 2 * g * x
    assert "lowering: the lowering at" in caught(planted(square, right, lowering=lambda x: x * x * 1.001), X)
    constant = planted(square, right, lowering=lambda x: x * tg.stop_gradient(x))
    assert "lowering: the gradient of the lowering by operand 0" in caught(constant, X)
    assert check_primitive(planted(square, right, lowering=lambda x: x * x), X)


def test_entries_beside_a_kink_are_left_out_and_only_they() -> None:
    x = np.array([1e-4, 1.0, -1.0])
    ramp = lambda x: np.maximum(x, 0)
    told = caught(planted(ramp, lambda g, _y, x: g * (x > 0), elementwise=True), x)
    assert "at [0]" in told
    assert check_primitive(planted(ramp, lambda g, _y, x: g * (x > 0), elementwise=True, kinks=lambda _y, x: x > 0), x)
    wrong = planted(ramp, lambda g, _y, x: g * (x > 0) * 1.001, elementwise=True, kinks=lambda _y, x: x > 0)
    assert "at [1]" in caught(wrong, x)


def test_a_forward_that_warns_at_extreme_values_is_caught() -> None:
    told = caught(planted(lambda x: np.exp(x), lambda g, y, _x: g * y), X)
    assert "silence: a warning escapes: overflow encountered in exp" in told
    assert check_primitive(planted(lambda x: np.exp(x), lambda g, y, _x: g * y, poles=True), X)


def test_a_reference_that_differs_is_caught() -> None:
    jnp = pytest.importorskip("jax.numpy", reason="jax is not installed")
    right = planted(square, lambda g, _y, x: 2 * g * x)
    assert check_primitive(right, X, reference=jnp.square)
    assert "as given, JAX: the value" in caught(right, X, reference=jnp.abs)


# ----- What cannot be checked -----


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
