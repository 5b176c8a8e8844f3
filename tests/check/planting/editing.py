"""How a mistake edits the source of a derivation: the pieces that are replaced, in each of the conventions."""

from __future__ import annotations

import re

from tests.check.planting.derivations import Edit, Edits

Alternatives = tuple[Edits, ...]
"""The edits of one mistake for one convention and another; those are made whose pieces the source has."""

DERIVATIVE = "p.derivative(A[layer - 1], Z[layer - 1])"
ERROR = "p.sense * output_error(A[-1], p) / p.divisor"
BY_ROWS, BY_COLUMNS = "delta.T @ H[layer]", "delta @ H[layer].T"
BIASES_BY_ROWS, BIASES_BY_COLUMNS = "delta.sum(axis=0)", "delta.sum(axis=1, keepdims=True)"
BIAS_PENALTY = "p.sense * p.bias_decay * bs[layer]"


def wherever(old: str, new: str) -> Alternatives:
    """Replace a piece that is an expression of no layer, or a statement."""
    return ((Edit(old, new),),)


def error(new: str) -> Alternatives:
    """Replace the gradient by the last pre-activations; `E` stands for the right error, `m` for the number of rows."""
    new = new.replace("E", "p.sense * output_error(A[-1], p)")
    return tuple(
        (Edit(ERROR, new.replace("m_", m)), Edit(there, there))
        for m, there in (("len(p.X)", BY_ROWS), ("p.X.shape[1]", BY_COLUMNS))
    )


def weights(rows: str, columns: str) -> Alternatives:
    """Replace the gradient of the data term by the weights."""
    return ((Edit(BY_ROWS, rows, True),), (Edit(BY_COLUMNS, columns, True),))


def biases(rows: str, columns: str) -> Alternatives:
    """Replace the gradient of the data term by the biases."""
    return ((Edit(BIASES_BY_ROWS, rows, True),), (Edit(BIASES_BY_COLUMNS, columns, True),))


def whole_biases(rows: str, columns: str) -> Alternatives:
    """Replace the gradient by the biases, their penalty with it."""
    return tuple(
        (Edit(f"{there} + {BIAS_PENALTY}", new, True),)
        for there, new in ((BIASES_BY_ROWS, rows), (BIASES_BY_COLUMNS, columns))
    )


def penalty(new: str) -> Alternatives:
    """Replace the gradient of the penalty by the weights, which are `W` in the new one."""
    return tuple(
        (Edit(f"p.sense * p.decay * {W}", re.sub(r"\bW\b", W, new), True),)
        for W in ("Ws[layer]", "penalised(Ws[layer], p)")
    )


def back(rows: str, bias_columns: str, columns: str) -> Alternatives:
    """Replace what goes back through the weights."""
    return (
        (Edit("delta @ Ws[layer] + through", rows, True),),
        (Edit("delta @ Ws[layer][:, 1:]", bias_columns, True),),
        (Edit("Ws[layer].T @ delta", columns, True),),
    )


def derivative(new: str) -> Alternatives:
    """Replace the derivative of a unit, from its pre-activation `a` and its output `h`."""
    for name, there in (("A_", "A[layer - 1]"), ("H_", "Z[layer - 1]")):
        new = new.replace(name, there)
    return ((Edit(DERIVATIVE, f"({new})", True),),)


def returned(new: str, also_biases: bool = True) -> Alternatives:
    """Replace every gradient G that is returned."""
    dWs = f"[{new} for G in dWs]"
    dbs = f"[{new} for G in dbs]" if also_biases else "dbs"
    return ((Edit("return dWs, dbs", f"return {dWs}, {dbs}"),), (Edit("return dWs\n", f"return {dWs}\n"),))


def together(*mistakes: Alternatives) -> Alternatives:
    """Make the edits of several mistakes in one derivation."""
    made: Alternatives = ((),)
    for mistake in mistakes:
        made = tuple(edits + more for edits in made for more in mistake)
    return made
