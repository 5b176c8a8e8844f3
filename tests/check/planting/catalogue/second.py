"""Mistakes written after the hypotheses had met all others: they tell what the figures of those do not."""

from __future__ import annotations

from tests.check.planting.catalogue.conditions import (
    always,
    averaged,
    biases_decayed,
    binary,
    both,
    cross_entropy,
    decayed,
    no_skips,
    not_columns,
    only_weights_decayed,
    separate_biases,
    skips,
    squared_of,
    unit,
)
from tests.check.planting.catalogue.mistake import Mistake
from tests.check.planting.editing import back, derivative, error, penalty, returned, together, weights, wherever

WRONG, INVENTED = "activation-derivative-wrong", "activation-derivative-wrong | unknown"
"""Derivatives of some known unit, and formulas that are the derivative of nothing that anyone uses."""

WRONG_DERIVATIVES = (
    ("sigmoid", "h²", "H_**2", INVENTED),
    ("sigmoid", "(1 − h)²", "(1 - H_) ** 2", INVENTED),
    ("sigmoid", "tanh's of a", "1 - np.tanh(A_) ** 2", WRONG),
    ("sigmoid", "of its slope", "H_ * (1 - H_) * (1 - 2 * H_)", INVENTED),
    ("tanh", "h", "H_", WRONG),
    ("tanh", "1 − |h|", "1 - np.abs(H_)", INVENTED),
    ("tanh", "sigmoid's of a", "np.exp(-A_) / (1 + np.exp(-A_)) ** 2", WRONG),
    ("tanh", "of its slope", "-2 * H_ * (1 - H_**2)", INVENTED),
    ("softplus", "tanh(a)", "np.tanh(A_)", INVENTED),
    ("softplus", "σ(a)²", "(1 / (1 + np.exp(-A_))) ** 2", INVENTED),
    ("softplus", "1 − e^h", "1 - np.exp(H_)", INVENTED),
    ("cos", "−cos(h)", "-np.cos(H_)", INVENTED),
    ("cos", "cos(h)", "np.cos(H_)", INVENTED),
    ("cos", "1 − cos²(h)", "1 - np.cos(H_) ** 2", INVENTED),
    ("cos", "sin(h)", "np.sin(H_)", WRONG),
    ("relu", "ELU's", "np.where(A_ > 0, 1.0, np.exp(np.minimum(A_, 0)))", WRONG),
    ("relu", "a > 1", "1.0 * (A_ > 1)", INVENTED),
    ("relu", "leaky's slope of 0.1", "np.where(A_ > 0, 1.0, 0.1)", WRONG),
    ("relu", "½ everywhere", "0.5", "activation-derivative-wrong | activation-derivative-missing + scale"),
)

SINGLE = (
    Mistake("divided by √m", "scale", error("E / p.divisor / np.sqrt(m_)"), lambda case: case.examples > 1),
    Mistake("everything divided by m once more", "batch-mean", returned("G / len(p.X)"), both(averaged, not_columns)),
    Mistake("everything times m", "batch-mean", returned("G * len(p.X)"), both(lambda c: c.examples > 1, not_columns)),
    Mistake(
        "mean over the inputs",
        "scale",
        weights("delta.T @ H[layer] / H[layer].shape[1]", "delta @ H[layer].T / H[layer].shape[0]"),
    ),
    Mistake(
        "doubled in every layer going back",
        "scale",
        back("2 * (delta @ Ws[layer])", "2 * delta @ Ws[layer][:, 1:]", "2 * Ws[layer].T @ delta"),
        no_skips,
    ),
    Mistake("λ ten times too large", "regulariser-scale", penalty("10 * p.sense * p.decay * W"), decayed),
    Mistake("λ divided by the layers", "regulariser-scale", penalty("p.sense * p.decay / len(Ws) * W"), decayed),
    Mistake("norm not squared", "regulariser-scale", penalty("p.sense * p.decay * W / np.linalg.norm(W)"), decayed),
    Mistake(
        "λ doubled for the biases",
        "regulariser-scale | regulariser-on-bias",
        wherever("p.sense * p.bias_decay * bs[layer]", "2 * p.sense * p.bias_decay * bs[layer]"),
        biases_decayed,
    ),
    Mistake(
        "half of λ for the biases",
        "regulariser-on-bias",
        wherever("p.sense * p.bias_decay * bs[layer]", "p.sense * p.decay / 2 * bs[layer]"),
        only_weights_decayed,
    ),
    *(
        Mistake(f"{activation}: {name}", called, derivative(formula), unit(activation))
        for activation, name, formula, called in WRONG_DERIVATIVES
    ),
    Mistake(
        "derivative before the bias is added",
        "activation-derivative-wrong",
        derivative("p.derivative(A_ - bs[layer - 1], p.unit(A_ - bs[layer - 1]))"),
        separate_biases,
    ),
    Mistake(
        "derivative at the layer's input",
        "activation-derivative-wrong",
        derivative("p.derivative(H[layer - 1], p.unit(H[layer - 1]))"),
        separate_biases,
    ),
    Mistake(
        "derivatives averaged",
        "activation-derivative-missing + scale | activation-derivative-wrong | unknown",
        derivative("p.derivative(A_, H_).mean()"),
    ),
    Mistake(
        "threshold in place of the sigmoid",
        "activation-derivative-wrong | unknown",
        wherever("return sigmoid(S) - p.T", "return 1.0 * (S > 0) - p.T"),
        binary,
    ),
    Mistake("derivative squared", "activation-derivative-wrong | unknown", derivative("p.derivative(A_, H_) ** 2")),
    Mistake(
        "softmax's diagonal on top of p − t",
        "softmax-diagonal-only | activation-derivative-wrong | unknown",
        wherever("return softmax(S) - p.T", "return (softmax(S) - p.T) * softmax(S) * (1 - softmax(S))"),
        cross_entropy,
    ),
    Mistake(
        "product of sums for the sum of products",
        "wrong-axis | unknown",
        weights(
            "np.outer(delta.sum(axis=0), H[layer].sum(axis=0))", "np.outer(delta.sum(axis=1), H[layer].sum(axis=1))"
        ),
    ),
    Mistake(
        "path through a layer forgotten",
        "term-missing",
        back("(through if p.skips[layer] else delta @ Ws[layer] + through)", "_", "_"),
        skips,
    ),
    Mistake(
        "only what t times its logarithm gives",
        "term-missing | unknown",
        wherever("return sigmoid(S) - p.T", "return -p.T * (1 - sigmoid(S))"),
        binary,
    ),
    Mistake(
        "only what 1 − t times its logarithm gives",
        "term-missing | unknown",
        wherever("return sigmoid(S) - p.T", "return (1 - p.T) * sigmoid(S)"),
        binary,
    ),
)

PAIRS = (
    Mistake(
        "everything negative and divided by m",
        "sign + batch-mean",
        returned("-G / len(p.X)"),
        both(lambda c: c.examples > 1, not_columns),
    ),
    Mistake("transposed, with the learning rate", "transposed + scale", returned("0.1 * G.T", also_biases=False)),
    Mistake(
        "output's derivative and penalty forgotten",
        "activation-derivative-missing + regulariser-missing",
        together(wherever(" * (Y * (1 - Y))", ""), penalty("0 * W")),
        both(decayed, squared_of("sigmoid")),
    ),
    *(
        Mistake(
            f"target minus output, {activation}: {name}",
            called.replace("wrong", "wrong + sign"),
            together(derivative(formula), error("-E / p.divisor")),
            unit(activation),
        )
        for activation, name, formula, called in WRONG_DERIVATIVES
    ),
)

OUTSIDE = tuple(
    Mistake(name, "unknown", alternatives, when)
    for name, alternatives, when in (
        ("only the signs", returned("np.sign(G)"), always),
        ("rows brought to length 1", returned("G / (np.sqrt((G**2).sum(axis=-1, keepdims=True)) + 1e-8)"), always),
        ("square roots", returned("np.sign(G) * np.sqrt(np.abs(G))"), always),
        ("small entries dropped", returned("G * (np.abs(G) > np.median(np.abs(G)))"), always),
        ("only what is positive", returned("np.maximum(G, 0)"), always),
        ("less its mean", returned("G - G.mean()"), always),
        (
            "the first unit forgotten",
            returned("G * (np.arange(len(G)) > 0).reshape((-1,) + (1,) * (G.ndim - 1))"),
            always,
        ),
        (
            "the last input forgotten",
            returned("G * (np.arange(G.shape[1]) < G.shape[1] - 1)", also_biases=False),
            always,
        ),
        ("with noise in proportion", returned("G * (1 + 0.1 * np.random.default_rng(0).normal(size=G.shape))"), always),
        (
            "examples shifted by one",
            weights("np.roll(delta, 1, axis=0).T @ H[layer]", "np.roll(delta, 1, axis=1) @ H[layer].T"),
            always,
        ),
        (
            "the first example counted twice",
            weights(
                "delta.T @ H[layer] + delta[:1].T @ H[layer][:1]",
                "delta @ H[layer].T + delta[:, :1] @ H[layer][:, :1].T",
            ),
            lambda case: case.examples > 1,
        ),
        ("another unit going forward", wherever("p.unit(A[layer])", "np.sin(A[layer])"), lambda case: case.layers > 1),
        (
            "biases forgotten going forward",
            wherever("H[layer] @ Ws[layer].T + bs[layer]", "H[layer] @ Ws[layer].T"),
            always,
        ),
        (
            "biases forgotten going forward",
            wherever("Ws[layer] @ H[layer] + bs[layer]", "Ws[layer] @ H[layer]"),
            always,
        ),
        ("error squared", wherever("return softmax(S) - p.T", "return (softmax(S) - p.T) ** 2"), cross_entropy),
        ("sign of the error", wherever("return softmax(S) - p.T", "return np.sign(softmax(S) - p.T)"), cross_entropy),
        (
            "labels smoothed",
            wherever("return softmax(S) - p.T", "return softmax(S) - 0.9 * p.T - 0.1 / p.T.shape[1]"),
            both(cross_entropy, not_columns),
        ),
        (
            "only the wrong classes",
            wherever("return softmax(S) - p.T", "return (softmax(S) - p.T) * (1 - p.T)"),
            cross_entropy,
        ),
        (
            "back through the weights below",
            back("delta @ Ws[layer - 1] + through", "delta @ Ws[layer - 1][:, 1:]", "Ws[layer - 1].T @ delta"),
            always,
        ),
        (
            "penalty of the first layer's weights",
            penalty("p.sense * p.decay * Ws[0]"),
            lambda case: case.layers > 1 and decayed(case),
        ),
        ("derivatives of the first example", derivative("p.derivative(A_[:1], H_[:1])"), not_columns),
        ("added up along the units", returned("np.cumsum(G, axis=0)"), always),
    )
)
