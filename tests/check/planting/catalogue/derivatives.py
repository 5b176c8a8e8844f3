"""Derivatives of units that are missing or wrong."""

from __future__ import annotations

from tests.check.planting.catalogue.conditions import squared_of, unit
from tests.check.planting.catalogue.mistake import Mistake
from tests.check.planting.editing import derivative, wherever

DERIVATIVE_MISSING = (
    Mistake("unit's derivative forgotten", "activation-derivative-missing", derivative("1.0")),
    Mistake(
        "output's derivative forgotten",
        "activation-derivative-missing",
        wherever(" * (Y * (1 - Y))", ""),
        squared_of("sigmoid"),
    ),
    Mistake(
        "output's derivative forgotten",
        "activation-derivative-missing",
        wherever(" * (1 - Y**2)", ""),
        squared_of("tanh"),
    ),
    *(
        Mistake(
            "softmax's Jacobian forgotten",
            "activation-derivative-missing | term-missing | unknown",
            wherever(f"Y * (D - (D * Y).sum(axis={axis}, keepdims=True))", "D"),
            squared_of("softmax"),
        )
        for axis in (0, 1)
    ),
)

WRONG_DERIVATIVES: dict[str, tuple[tuple[str, str], ...]] = {
    "sigmoid": (
        ("a(1 − a)", "A_ * (1 - A_)"),
        ("h, 1 − h forgotten", "H_"),
        ("1 − h, h forgotten", "1 - H_"),
        ("tanh's 1 − h²", "1 - H_**2"),
        ("σ(h)(1 − σ(h)), of the output once more", "1 / (1 + np.exp(-H_)) * (1 - 1 / (1 + np.exp(-H_)))"),
        ("h(1 + h)", "H_ * (1 + H_)"),
        ("e^a/(1 + e^a), the square forgotten", "np.exp(A_) / (1 + np.exp(A_))"),
        ("relu's mask", "1.0 * (A_ > 0)"),
    ),
    "tanh": (
        ("1 − h, the square forgotten", "1 - H_"),
        ("1 − a²", "1 - A_**2"),
        ("1 − tanh²(h), of the output once more", "1 - np.tanh(H_) ** 2"),
        ("sigmoid's h(1 − h)", "H_ * (1 - H_)"),
        ("1 + h²", "1 + H_**2"),
        ("1/cosh(a), the square forgotten", "1 / np.cosh(A_)"),
        ("h² − 1", "H_**2 - 1"),
    ),
    "softplus": (
        ("σ(h), of the output", "1 / (1 + np.exp(-H_))"),
        ("1 − e^(−a)", "1 - np.exp(-A_)"),
        ("σ(1 − σ), once too often", "1 / (1 + np.exp(-A_)) * (1 - 1 / (1 + np.exp(-A_)))"),
        ("relu's mask", "1.0 * (A_ > 0)"),
        ("h itself", "H_"),
        ("sigmoid's h(1 − h)", "H_ * (1 - H_)"),
        ("1 − h²", "1 - H_**2"),
    ),
    "cos": (
        ("sin(a), the minus forgotten", "np.sin(A_)"),
        ("−sin(h), of the output", "-np.sin(H_)"),
        ("cos(a)", "np.cos(A_)"),
        ("−cos(a)", "-np.cos(A_)"),
        ("−√(1 − h²)", "-np.sqrt(1 - np.minimum(H_**2, 1))"),
        ("1 − h²", "1 - H_**2"),
    ),
    "relu": (
        ("leaky's slope", "np.where(A_ > 0, 1.0, 0.01)"),
        ("h itself", "H_"),
        ("sign of a", "np.sign(A_)"),
        ("mask the wrong way round", "1.0 * (A_ < 0)"),
        ("h ≥ 0, which is always", "1.0 * (H_ >= 0)"),
        ("σ(a)", "1 / (1 + np.exp(-A_))"),
        ("mask times a", "(A_ > 0) * A_"),
    ),
}

HALF_OF_THE_CHAIN = (("softplus: σ(−a)", "1 / (1 + np.exp(A_))"), ("softplus: e^a", "np.exp(A_)"))
"""The derivative of log(1 + eᵃ) without that of the exponential, or without that of the logarithm."""

DERIVATIVE_WRONG = (
    *(
        Mistake(
            name, "activation-derivative-wrong | activation-derivative-missing", derivative(formula), unit("softplus")
        )
        for name, formula in HALF_OF_THE_CHAIN
    ),
    *(
        Mistake(f"{activation}: {name}", "activation-derivative-wrong", derivative(formula), unit(activation))
        for activation, formulas in WRONG_DERIVATIVES.items()
        for name, formula in formulas
    ),
    Mistake("derivative at the output", "activation-derivative-wrong", derivative("p.derivative(H_, H_)")),
    Mistake(
        "derivative of the layer above", "activation-derivative-wrong", derivative("p.derivative(A[layer], Z[layer])")
    ),
    Mistake(
        "output: Y for Y(1 − Y)", "activation-derivative-wrong", wherever("(Y * (1 - Y))", "Y"), squared_of("sigmoid")
    ),
    Mistake(
        "output: S(1 − S)",
        "activation-derivative-wrong",
        wherever("(Y * (1 - Y))", "(S * (1 - S))"),
        squared_of("sigmoid"),
    ),
    Mistake("output: 1 − Y", "activation-derivative-wrong", wherever("(1 - Y**2)", "(1 - Y)"), squared_of("tanh")),
    Mistake(
        "output: sigmoid's", "activation-derivative-wrong", wherever("(1 - Y**2)", "(Y * (1 - Y))"), squared_of("tanh")
    ),
)
