"""Factors that are wrong: signs, means, constants, and those of the penalty."""

from __future__ import annotations

from tests.check.planting.catalogue.conditions import (
    averaged,
    biases_decayed,
    binary,
    both,
    by_entries,
    cross_entropy,
    decayed,
    drops,
    likelihood,
    no_skips,
    not_decayed,
    only_weights_decayed,
    squared,
    summed,
)
from tests.check.planting.catalogue.mistake import Mistake
from tests.check.planting.editing import back, biases, error, penalty, returned, weights, wherever

SIGN = (
    Mistake("target minus output", "sign", error("-E / p.divisor")),
    Mistake(
        "target minus output", "sign", wherever("return softmax(S) - p.T", "return p.T - softmax(S)"), cross_entropy
    ),
    Mistake("target minus output", "sign", wherever("return sigmoid(S) - p.T", "return p.T - sigmoid(S)"), binary),
    Mistake("descended where the other climbs", "sign", returned("-G")),
    Mistake("a minus in the weights' gradient", "sign", weights("-(delta.T @ H[layer])", "-(delta @ H[layer].T)")),
    Mistake(
        "a minus in the biases' gradient", "sign", biases("-delta.sum(axis=0)", "-delta.sum(axis=1, keepdims=True)")
    ),
    Mistake(
        "a minus going back", "sign", back("-(delta @ Ws[layer])", "-delta @ Ws[layer][:, 1:]", "-Ws[layer].T @ delta")
    ),
)

BATCH_MEAN = (
    Mistake("mean forgotten", "batch-mean", error("E"), averaged),
    Mistake("mean over all entries forgotten", "batch-mean | scale", error("E"), by_entries),
    Mistake("mean over the outputs too forgotten", "scale", error("E / m_"), by_entries),
    Mistake("mean where a sum is", "batch-mean", error("E / m_"), summed),
    Mistake("mean taken twice", "batch-mean", error("E / p.divisor / m_"), averaged),
    Mistake(
        "mean taken in every layer's weights",
        "batch-mean",
        weights("delta.T @ H[layer] / len(p.X)", "delta @ H[layer].T / p.X.shape[1]"),
    ),
    Mistake(
        "mean over the examples for the biases",
        "batch-mean",
        biases("delta.mean(axis=0)", "delta.mean(axis=1, keepdims=True)"),
    ),
    Mistake("m − 1 for m", "scale", error("E / (m_ - 1)"), both(averaged, lambda case: case.examples > 2)),
)

SCALE = (
    Mistake("2 of the square forgotten", "scale", error("E / p.divisor / 2"), lambda case: case.problem.factor == 2),
    Mistake("2 where ½ had cancelled it", "scale", error("2 * E / p.divisor"), squared),
    Mistake("averaged over the outputs", "scale", error("E / p.divisor / p.T.size * m_"), likelihood),
    Mistake("learning rate in the gradient", "scale", returned("0.1 * G")),
    Mistake("the step for the gradient", "scale | sign + scale", returned("-0.01 * G")),
    Mistake("clipped by its norm", "scale", returned("G / np.linalg.norm(G)")),
    Mistake("a factor 2 in one product", "scale", weights("2 * delta.T @ H[layer]", "2 * delta @ H[layer].T")),
    Mistake(
        "halved going back",
        "scale",
        back("0.5 * (delta @ Ws[layer])", "0.5 * delta @ Ws[layer][:, 1:]", "0.5 * Ws[layer].T @ delta"),
        no_skips,
    ),
    Mistake(
        "dropout not scaled up going back",
        "scale",
        wherever("back * p.masks[layer - 1]", "back * np.sign(p.masks[layer - 1])"),
        both(drops, no_skips),
    ),
)

REGULARISER = (
    Mistake("penalty forgotten", "regulariser-missing", penalty("0 * W"), decayed),
    Mistake(
        "penalty of the biases forgotten",
        "regulariser-missing",
        wherever("p.sense * p.bias_decay * bs[layer]", "0 * bs[layer]"),
        biases_decayed,
    ),
    Mistake(
        "penalty of the bias column forgotten",
        "regulariser-missing | regulariser-on-bias",
        wherever("if p.bias_decay == 0:", "if True:"),
        biases_decayed,
    ),
    Mistake("2 of the penalty kept", "regulariser-scale", penalty("2 * p.sense * p.decay * W"), decayed),
    Mistake("2 of the penalty forgotten", "regulariser-scale", penalty("0.5 * p.sense * p.decay * W"), decayed),
    Mistake("λ forgotten", "regulariser-scale", penalty("p.sense * W"), decayed),
    Mistake("λ squared", "regulariser-scale", penalty("p.sense * p.decay**2 * W"), decayed),
    Mistake(
        "penalty averaged over the batch", "regulariser-scale", penalty("p.sense * p.decay / len(p.X) * W"), decayed
    ),
    Mistake("penalty of the wrong sign", "regulariser-scale", penalty("-p.sense * p.decay * W"), decayed),
    Mistake(
        "a penalty that nobody asked for", "regulariser-scale | unknown", penalty("p.sense * 0.01 * W"), not_decayed
    ),
    Mistake(
        "biases decayed",
        "regulariser-on-bias",
        wherever("p.sense * p.bias_decay * bs[layer]", "p.sense * p.decay * bs[layer]"),
        only_weights_decayed,
    ),
    Mistake(
        "bias column decayed",
        "regulariser-on-bias",
        wherever("if p.bias_decay == 0:", "if False:"),
        only_weights_decayed,
    ),
)
