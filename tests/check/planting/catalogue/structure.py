"""Products, sums and paths that are wrong."""

from __future__ import annotations

from tests.check.planting.catalogue.conditions import (
    bias_columns,
    biases_decayed,
    binary,
    both,
    composed,
    cross_entropy,
    in_one_piece,
    skips,
    softmax,
    squared,
    squared_of,
    two_layers_without_penalty,
    writes_products,
)
from tests.check.planting.catalogue.mistake import Mistake
from tests.check.planting.editing import (
    back,
    biases,
    derivative,
    error,
    penalty,
    returned,
    together,
    weights,
    wherever,
    whole_biases,
)

TRANSPOSED = (
    Mistake("activations times errors", "transposed", weights("H[layer].T @ delta", "H[layer] @ delta.T")),
    Mistake("everything returned transposed", "transposed", returned("G.T", also_biases=False)),
    Mistake(
        "reshaped instead of transposed", "transposed | unknown", returned("G.T.reshape(G.shape)", also_biases=False)
    ),
    Mistake(
        "back through the weights, not their transpose",
        "transposed",
        back("delta @ Ws[layer].T + through", "delta @ Ws[layer][:, 1:].T", "Ws[layer] @ delta"),
    ),
)

SOFTMAX = (
    Mistake(
        "cross-entropy through the diagonal",
        "softmax-diagonal-only",
        wherever("return softmax(S) - p.T", "return -p.T * (1 - softmax(S))"),
        cross_entropy,
    ),
    *(
        Mistake(
            "squared error through the diagonal",
            "softmax-diagonal-only",
            wherever(f"Y * (D - (D * Y).sum(axis={axis}, keepdims=True))", "D * Y * (1 - Y)"),
            squared_of("softmax"),
        )
        for axis in (0, 1)
    ),
)

WRONG_AXIS = (
    Mistake(
        "biases summed over the units",
        "wrong-axis",
        whole_biases("delta.sum(axis=1)", "delta.sum(axis=0, keepdims=True)"),
        lambda case: not biases_decayed(case),
    ),
    Mistake("biases summed over all", "wrong-axis", biases("delta.sum()", "delta.sum()")),
    Mistake(
        "biases one number",
        "wrong-axis",
        whole_biases("delta.sum()", "delta.sum()"),
        lambda case: not biases_decayed(case),
    ),
    Mistake(
        "bias column summed over all",
        "wrong-axis",
        weights("np.column_stack([np.full(delta.shape[1], delta.sum()), (delta.T @ H[layer])[:, 1:]])", "_"),
        bias_columns,
    ),
    *(
        Mistake(
            "softmax's products summed over the examples",
            "wrong-axis",
            wherever(f"(D * Y).sum(axis={right}, keepdims=True)", f"(D * Y).sum(axis={1 - right}, keepdims=True)"),
            squared_of("softmax"),
        )
        for right in (0, 1)
    ),
    *(
        Mistake(
            "softmax over the examples",
            "wrong-axis | unknown",
            wherever(
                f"return E / E.sum(axis={right}, keepdims=True)", f"return E / E.sum(axis={1 - right}, keepdims=True)"
            ),
            softmax,
        )
        for right in (0, 1)
    ),
    *(
        Mistake(
            "softmax over everything",
            "wrong-axis | unknown",
            wherever(f"return E / E.sum(axis={right}, keepdims=True)", "return E / E.sum()"),
            softmax,
        )
        for right in (0, 1)
    ),
)

TERM_MISSING = (
    Mistake("path around a layer forgotten", "term-missing", back("delta @ Ws[layer]", "_", "_"), skips),
    Mistake(
        "only the targets' part",
        "term-missing | unknown",
        wherever("return softmax(S) - p.T", "return 0 * S - p.T"),
        cross_entropy,
    ),
    Mistake(
        "only the softmax's part",
        "term-missing | unknown",
        wherever("return softmax(S) - p.T", "return softmax(S)"),
        cross_entropy,
    ),
    Mistake(
        "only the targets' part",
        "term-missing | unknown",
        wherever("return sigmoid(S) - p.T", "return 0 * S - p.T"),
        binary,
    ),
    Mistake(
        "only the sigmoid's part",
        "term-missing | unknown",
        wherever("return sigmoid(S) - p.T", "return sigmoid(S)"),
        binary,
    ),
    *(
        Mistake(
            "softmax's normaliser held constant",
            called,
            wherever(f"Y * (D - (D * Y).sum(axis={axis}, keepdims=True))", "Y * D"),
            both(squared_of("softmax"), kind),
        )
        for axis in (0, 1)
        for called, kind in (
            ("term-missing | softmax-diagonal-only", composed),
            ("term-missing | softmax-diagonal-only | unknown", in_one_piece),
        )
    ),
    Mistake(
        "one factor of the error's product",
        "term-missing | scale",
        error("E / p.divisor / 2"),
        both(squared, writes_products),
    ),
    Mistake(
        "one factor of the penalty's product",
        "term-missing | regulariser-scale",
        penalty("0.5 * p.sense * p.decay * W"),
        writes_products,
    ),
    Mistake(
        "the first layer left at zero",
        "term-missing | unknown",
        wherever("return dWs, dbs", "return [0 * dWs[0], *dWs[1:]], [0 * dbs[0], *dbs[1:]]"),
    ),
)

BIAS_COLUMN = (
    Mistake("bias column cut off", "bias-column", wherever("return dWs\n", "return [G[:, 1:] for G in dWs]\n")),
    Mistake(
        "bias column left at zero",
        "bias-column",
        wherever("return dWs\n", "return [np.column_stack([0 * G[:, 0], G[:, 1:]]) for G in dWs]\n"),
    ),
    Mistake(
        "last column dropped, not the bias", "bias-column", back("_", "delta @ Ws[layer][:, :-1]", "_"), bias_columns
    ),
    Mistake(
        "bias column last",
        "bias-column | unknown",
        wherever("return dWs\n", "return [np.roll(G, -1, axis=1) for G in dWs]\n"),
    ),
    Mistake(
        "bias column kept going back",
        "bias-column",
        together(
            wherever("delta @ Ws[layer][:, 1:]", "delta @ Ws[layer]"),
            derivative("p.derivative(with_ones(A_), H[layer])"),
            wherever("delta.T @ H[layer] + p.sense * p.decay * penalised(Ws[layer], p)", "delta.T @ H[layer]"),
        ),
        two_layers_without_penalty,
    ),
)
