"""Mistakes that are made at the very end, with the array of one parameter: transposed, summed wrongly, a column off."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from tinygrad_lite.check.diagnosis.fitting import Parts
from tinygrad_lite.check.diagnosis.mistake import Mistake
from tinygrad_lite.check.diagnosis.penalties import Penalty

BIAS_COLUMN = "bias-column"


def reshaped(
    claim: np.ndarray, data: np.ndarray, penalty: Penalty, name: str, bias_columns: Collection[int]
) -> Iterator[tuple[Mistake | None, np.ndarray, Parts]]:
    """Yield the claim and the parts that it may be made of, in each way in which they fit together.

    `bias_columns` are the columns of the parameter that may hold a bias.
    """
    parts = Parts(data, penalty.gradient, penalty.unpenalised)
    if claim.shape == data.shape:
        yield None, claim, parts
    if data.ndim == 2:
        yield from _transposed(claim, parts, name)
        for column in bias_columns:
            yield from _without_a_column(claim, parts, column, name)
        yield from _with_a_row_too_many(claim, parts, name)
    if claim.shape != data.shape and claim.size == data.size and 1 in (*claim.shape, *data.shape):
        text = f"give it the shape {data.shape} of the parameter, not {claim.shape}"
        yield Mistake("wrong-axis", name, text, 1.0, ()), claim.reshape(data.shape), parts


def _transposed(claim: np.ndarray, parts: Parts, name: str) -> Iterator[tuple[Mistake, np.ndarray, Parts]]:
    text = "it is the transpose of the gradient; swap the factors of the outer product, δᵀx for xᵀδ"
    mistake = Mistake("transposed", name, text, 1.0, ())
    if claim.shape == parts.data.T.shape:
        yield mistake, claim, Parts(*(part.T for part in parts))
        if claim.shape == parts.data.shape:
            yield mistake, claim, parts._replace(data=parts.data.T)


def _without_a_column(
    claim: np.ndarray, parts: Parts, column: int, name: str
) -> Iterator[tuple[Mistake, np.ndarray, Parts]]:
    """Yield what may have happened to the column of a bias: left out, dropped, moved, not penalised, or summed up."""
    shape = parts.data.shape
    others = np.delete(np.arange(shape[1]), column)
    what = f"column {column}, that of the bias,"
    if claim.shape == parts.data[:, others].shape:
        text = f"{what} is dropped; keep it"
        yield Mistake(BIAS_COLUMN, name, text, 1.0, ()), claim, Parts(*(part[:, others] for part in parts))
    if claim.shape != shape or not others.size:
        return
    kept = np.ones(shape, bool)
    kept[:, column] = False
    text = f"{what} is left out; keep it"
    yield Mistake(BIAS_COLUMN, name, text, 1.3, ()), claim, Parts(*(np.where(kept, part, 0) for part in parts))
    at_the_end = [*others, column] if column == 0 else [column, *others]
    text = f"{what} stands at the other end"
    yield Mistake(BIAS_COLUMN, name, text, 1.4, ()), claim, Parts(*(part[:, at_the_end] for part in parts))
    summed = np.where(kept, parts.data, parts.data[:, column].sum())
    text = f"{what} is one number; sum over the examples and over nothing else"
    yield Mistake("wrong-axis", name, text, 1.2, ()), claim, parts._replace(data=summed)
    if parts.penalty[:, column].any():
        alone = parts._replace(penalty=np.where(kept, parts.penalty, 0), unpenalised=np.zeros(shape))
        text = f"the penalty counts {what} too; add λ times it"
        yield Mistake("regulariser-missing", name, text, 1.2, ()), claim, alone


def _with_a_row_too_many(claim: np.ndarray, parts: Parts, name: str) -> Iterator[tuple[Mistake, np.ndarray, Parts]]:
    """Yield what is left if the column of the next layer's bias, which no unit stands behind, is dropped."""
    rows, columns = parts.data.shape
    if claim.shape == (rows + 1, columns):
        for which, rest in (("first", claim[1:]), ("last", claim[:-1])):
            text = f"drop the {which} column of the next layer, that of its bias, on the way back; no unit is behind it"
            yield Mistake(BIAS_COLUMN, name, text, 1.0, ()), rest, parts
