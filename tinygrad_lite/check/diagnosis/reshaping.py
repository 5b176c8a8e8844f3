"""Mistakes that are made at the very end, with the array of one parameter: transposed, summed wrongly, a column off."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinygrad_lite.check.diagnosis.fitting import Parts
from tinygrad_lite.check.diagnosis.mistakes import Mistake
from tinygrad_lite.check.diagnosis.penalties import Penalty

BIAS_COLUMN = "bias-column"


def reshaped(
    claim: np.ndarray, data: np.ndarray, penalty: Penalty, name: str, has_bias_column: bool
) -> Iterator[tuple[Mistake | None, np.ndarray, Parts]]:
    """Yield the claim and the parts that it may be made of, in each way in which they fit together."""
    parts = Parts(data, penalty.gradient, penalty.unpenalised)
    if claim.shape == data.shape:
        yield None, claim, parts
    if data.ndim == 2:
        yield from _transposed(claim, parts, name)
        if has_bias_column or claim.shape != data.shape:
            yield from _columns(claim, parts, name)
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


def _columns(claim: np.ndarray, parts: Parts, name: str) -> Iterator[tuple[Mistake, np.ndarray, Parts]]:
    """Yield what may have happened to the column, or in the column convention the row, of a bias."""
    shape = parts.data.shape
    for axis, end in ((1, 0), (1, -1), (0, 0), (0, -1)):
        what = f"{'first' if end == 0 else 'last'} {'column' if axis else 'row'}"
        if claim.shape == shape and shape[axis] > 1:
            kept = np.ones(shape, bool)
            np.moveaxis(kept, axis, 0)[end] = False
            text = f"the {what}, that of the bias, is left out; keep it"
            yield Mistake(BIAS_COLUMN, name, text, 1.3, ()), claim, Parts(*(np.where(kept, part, 0) for part in parts))
            if parts.penalty.any() and (parts.penalty[~kept]).any():
                alone = parts._replace(penalty=np.where(kept, parts.penalty, 0), unpenalised=np.zeros(shape))
                text = f"the penalty counts the {what} too; add λ times it"
                yield Mistake("regulariser-missing", name, text, 1.2, ()), claim, alone
            wrong = np.where(kept, parts.data, parts.data[~kept].sum())
            text = f"the {what}, that of the bias, is one number; sum over the examples and over nothing else"
            yield Mistake("wrong-axis", name, text, 1.2, ()), claim, parts._replace(data=wrong)
            if axis == 1:
                moved = Parts(*(np.roll(part, -1 if end == 0 else 1, axis=1) for part in parts))
                text = f"the column of the bias is to be the {what.split()[0]}"
                yield Mistake(BIAS_COLUMN, name, text, 1.4, ()), claim, moved
        index = [slice(None), slice(None)]
        index[axis] = slice(1, None) if end == 0 else slice(0, -1)
        if claim.shape == parts.data[tuple(index)].shape:
            text = f"the {what}, that of the bias, is dropped; keep it"
            yield Mistake(BIAS_COLUMN, name, text, 1.0, ()), claim, Parts(*(part[tuple(index)] for part in parts))
        longer = list(shape)
        longer[axis] += 1
        if claim.shape == tuple(longer):
            text = f"the {what}, that of the bias, is kept on the way back; drop it, for no unit stands behind it"
            yield Mistake(BIAS_COLUMN, name, text, 1.0, ()), claim[tuple(index)], parts
