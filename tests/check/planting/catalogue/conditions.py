"""Where a mistake can be made."""

from __future__ import annotations

import numpy as np

from tests.check.planting.catalogue.mistake import When
from tests.check.planting.networks import Case


def summed(case: Case) -> bool:
    return case.problem.divisor == 1


def averaged(case: Case) -> bool:
    return case.problem.divisor == case.examples > 1


def by_entries(case: Case) -> bool:
    return case.problem.divisor == case.problem.T.size != case.examples


def decayed(case: Case) -> bool:
    return case.problem.decay > 0


def not_decayed(case: Case) -> bool:
    return case.problem.decay == 0


def biases_decayed(case: Case) -> bool:
    return case.problem.bias_decay > 0


def only_weights_decayed(case: Case) -> bool:
    return case.problem.decay > 0 == case.problem.bias_decay


def cross_entropy(case: Case) -> bool:
    return case.problem.cost == "cross-entropy"


def binary(case: Case) -> bool:
    return case.problem.cost == "binary cross-entropy"


def likelihood(case: Case) -> bool:
    return case.problem.cost != "squared error"


def squared(case: Case) -> bool:
    return case.problem.cost == "squared error"


def squared_of(output: str) -> When:
    return lambda case: squared(case) and case.problem.output == output


def softmax(case: Case) -> bool:
    return case.problem.output == "softmax"


def unit(*activations: str) -> When:
    return lambda case: case.activation in activations


def bias_columns(case: Case) -> bool:
    return case.convention == "bias columns"


def composed(case: Case) -> bool:
    return case.style == "composed"


def in_one_piece(case: Case) -> bool:
    return case.style != "composed"


def writes_products(case: Case) -> bool:
    """Whether squares of errors or of weights may be written x · x."""
    return case.style != "module" and case.spelling % 3 > 0


def skips(case: Case) -> bool:
    return any(case.problem.skips)


def drops(case: Case) -> bool:
    return any(np.ndim(mask) > 0 for mask in case.problem.masks)


def two_layers_without_penalty(case: Case) -> bool:
    return case.layers == 2 and not_decayed(case)


def first_two_of_one_shape(case: Case) -> bool:
    return case.layers > 1 and case.weights[0].shape == case.weights[1].shape


def both(*conditions: When) -> When:
    return lambda case: all(condition(case) for condition in conditions)


def always(case: Case) -> bool:
    return True


def not_columns(case: Case) -> bool:
    return case.convention != "columns"


def separate_biases(case: Case) -> bool:
    return len(case.biases) > 0


def no_skips(case: Case) -> bool:
    return not skips(case)
