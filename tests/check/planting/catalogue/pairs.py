"""Two mistakes in one derivation."""

from __future__ import annotations

from tests.check.planting.catalogue.conditions import averaged, both, decayed, summed, unit
from tests.check.planting.catalogue.derivatives import HALF_OF_THE_CHAIN, WRONG_DERIVATIVES
from tests.check.planting.catalogue.mistake import Mistake
from tests.check.planting.editing import biases, derivative, error, penalty, returned, together, weights

NO_PENALTY = penalty("0 * W")

PAIRS = (
    Mistake("target minus output, mean forgotten", "sign + batch-mean", error("-E"), averaged),
    Mistake("target minus output, mean for a sum", "sign + batch-mean", error("-E / m_"), summed),
    Mistake(
        "the biases' mean, with a minus",
        "sign + batch-mean",
        biases("-delta.mean(axis=0)", "-delta.mean(axis=1, keepdims=True)"),
    ),
    Mistake(
        "penalty and mean forgotten",
        "regulariser-missing + batch-mean",
        together(NO_PENALTY, error("E")),
        both(decayed, averaged),
    ),
    Mistake(
        "penalty forgotten, mean for a sum",
        "regulariser-missing + batch-mean",
        together(NO_PENALTY, error("E / m_")),
        both(decayed, summed),
    ),
    Mistake(
        "activations times errors, doubled",
        "transposed + scale",
        weights("2 * H[layer].T @ delta", "2 * H[layer] @ delta.T"),
    ),
    Mistake("returned transposed and halved", "transposed + scale", returned("0.5 * G.T", also_biases=False)),
    Mistake(
        "unit's derivative and penalty forgotten",
        "activation-derivative-missing + regulariser-missing",
        together(derivative("1.0"), NO_PENALTY),
        decayed,
    ),
    Mistake(
        "target minus output, mask of a relu forgotten",
        "activation-derivative-missing + sign",
        together(derivative("1.0"), error("-E / p.divisor")),
        unit("relu"),
    ),
    *(
        Mistake(
            f"target minus output, {name}",
            "activation-derivative-wrong + sign | activation-derivative-missing + sign",
            together(derivative(formula), error("-E / p.divisor")),
            unit("softplus"),
        )
        for name, formula in HALF_OF_THE_CHAIN
    ),
    *(
        Mistake(
            f"target minus output, {activation}: {name}",
            "activation-derivative-wrong + sign",
            together(derivative(formula), error("-E / p.divisor")),
            unit(activation),
        )
        for activation, formulas in WRONG_DERIVATIVES.items()
        for name, formula in formulas
    ),
    Mistake(
        "target minus output, derivative at the output",
        "activation-derivative-wrong + sign",
        together(derivative("p.derivative(H_, H_)"), error("-E / p.divisor")),
    ),
)
