"""Mistakes that no slug is for."""

from __future__ import annotations

from tests.check.planting.catalogue.conditions import (
    binary,
    both,
    cross_entropy,
    decayed,
    drops,
    first_two_of_one_shape,
    not_columns,
    softmax,
)
from tests.check.planting.catalogue.mistake import Mistake
from tests.check.planting.editing import back, derivative, error, penalty, returned, weights, wherever

OUTSIDE = (
    *(
        Mistake(
            "values of a forward pass with older weights",
            "unknown",
            wherever(f"forward(Ws, {bs}p)\n    delta", f"forward([0.9 * W for W in Ws], {bs}p)\n    delta"),
        )
        for bs in ("bs, ", "")
    ),
    Mistake(
        "weights updated before the error goes back",
        "unknown",
        back(
            "delta @ (Ws[layer] - 0.1 * dWs[layer]) + through",
            "delta @ (Ws[layer] - 0.1 * dWs[layer])[:, 1:]",
            "(Ws[layer] - 0.1 * dWs[layer]).T @ delta",
        ),
    ),
    *(
        Mistake(
            "softmax not normalised",
            "unknown",
            wherever(f"return E / E.sum(axis={axis}, keepdims=True)", "return E"),
            softmax,
        )
        for axis in (0, 1)
    ),
    *(
        Mistake(
            "softmax at a temperature of 2",
            "unknown",
            wherever(
                f"np.exp(S - S.max(axis={axis}, keepdims=True))",
                f"np.exp(0.5 * (S - S.max(axis={axis}, keepdims=True)))",
            ),
            softmax,
        )
        for axis in (0, 1)
    ),
    Mistake(
        "the predicted class for its probability",
        "unknown",
        wherever("return softmax(S) - p.T", "return (S == S.max(axis=1, keepdims=True)) - p.T"),
        both(cross_entropy, not_columns),
    ),
    Mistake("squared", "unknown", returned("G**2")),
    Mistake("without signs", "unknown", returned("np.abs(G)")),
    Mistake("clipped entry by entry", "unknown", returned("np.clip(G, -np.abs(G).max() / 2, np.abs(G).max() / 2)")),
    Mistake(
        "with noise", "unknown", returned("G + 0.05 * np.abs(G).max() * np.random.default_rng(0).normal(size=G.shape)")
    ),
    Mistake("rounded to two decimals", "unknown", returned("np.round(G, 2)")),
    Mistake("kept in half precision", "unknown", returned("G.astype(np.float16).astype(G.dtype)")),
    Mistake(
        "times the parameter",
        "unknown",
        wherever("return dWs, dbs", "return [G * W for G, W in zip(dWs, Ws)], [G * b for G, b in zip(dbs, bs)]"),
    ),
    Mistake(
        "the first entry wrong",
        "unknown",
        returned("G + (np.arange(G.size).reshape(G.shape) == 0) * (0.1 * np.abs(G).max() + 1e-3)"),
    ),
    Mistake("units in reverse order", "unknown", returned("G[::-1]")),
    *(
        Mistake(
            "labels in another order",
            "unknown",
            wherever(f"return {output}(S) - p.T", f"return {output}(S) - p.T{turned}"),
            kind,
        )
        for output, kind in (("softmax", cross_entropy), ("sigmoid", binary))
        for turned in ("[::-1]",)
    ),
    Mistake(
        "classes shifted by one",
        "unknown",
        wherever("return softmax(S) - p.T", "return softmax(S) - np.roll(p.T, 1, axis=1)"),
        both(cross_entropy, not_columns),
    ),
    Mistake("examples paired wrongly", "unknown", weights("delta[::-1].T @ H[layer]", "delta[:, ::-1] @ H[layer].T")),
    Mistake(
        "the last example left out",
        "unknown",
        weights("delta[:-1].T @ H[layer][:-1]", "delta[:, :-1] @ H[layer][:, :-1].T"),
        lambda case: case.examples > 1,
    ),
    Mistake(
        "the first example alone",
        "unknown",
        error("E / p.divisor * (np.arange(p.T.size).reshape(p.T.shape) < p.T.shape[1])"),
        not_columns,
    ),
    Mistake("dropout forgotten going back", "unknown", wherever("back * p.masks[layer - 1]", "back"), drops),
    Mistake(
        "pre-activations for activations",
        "unknown",
        weights("delta.T @ (A[layer - 1] if layer > 0 else H[0])", "delta @ (A[layer - 1] if layer > 0 else H[0]).T"),
        lambda case: case.convention != "bias columns",
    ),
    Mistake(
        "inputs of the layer below",
        "unknown",
        weights("delta.T @ H[max(layer - 1, 0)]", "delta @ H[max(layer - 1, 0)].T"),
    ),
    Mistake("inputs of the layer above", "unknown", weights("delta.T @ H[layer + 1]", "delta @ H[layer + 1].T")),
    Mistake("not through the weights", "unknown", back("delta + through", "delta", "delta")),
    Mistake("only what comes back positive", "unknown", derivative("p.derivative(A_, H_) * (back > 0)")),
    Mistake(
        "layers exchanged",
        "unknown",
        wherever("return dWs, dbs", "return [dWs[1], dWs[0], *dWs[2:]], dbs"),
        first_two_of_one_shape,
    ),
    Mistake(
        "inputs not centred and scaled",
        "unknown",
        wherever("A, Z, H = [], [], [p.X]", "A, Z, H = [], [], [p.unscaled]"),
    ),
    Mistake(
        "inputs not centred and scaled",
        "unknown",
        wherever("A, Z, H = [], [], [with_ones(p.X)]", "A, Z, H = [], [], [with_ones(p.unscaled)]"),
    ),
    Mistake("|W| penalised, not W²", "unknown", penalty("p.sense * p.decay * np.sign(W)"), decayed),
)
