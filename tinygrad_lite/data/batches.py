"""An epoch cut into mini-batches, in an order that can be replayed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import SupportsIndex

import numpy as np

from tinygrad_lite.errors import ArgumentError, ShapeError


def mini_batches(
    x: np.ndarray,
    t: np.ndarray,
    batch_size: int,
    *,
    seed: int,
    epoch: int = 0,
    shuffle: bool = True,
    drop_last: bool = False,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Return an iterator over one epoch: pairs of `batch_size` rows of `x` and the same rows of `t`, each row once.

    `x` is (n, …); `t` is labels (n,) or rows (n, …). The order is that of `default_rng([seed, epoch])` and of nothing
    else, so any epoch can be replayed, and NumPy's global random state is left alone. Each batch is a copy, also
    without `shuffle`. The last batch is smaller if `batch_size` does not divide n, unless `drop_last` leaves it out.
    Raises, on the call, ShapeError if `x` and `t` differ in rows or have none, and ArgumentError for a `batch_size`
    that is not a positive integer or leaves no batch, or a `seed` or `epoch` that is not an integer from 0.

    >>> import numpy as np
    >>> x = np.arange(10.0).reshape(5, 2)
    >>> [labels.tolist() for _, labels in mini_batches(x, np.arange(5), 2, seed=0, shuffle=False)]
    [[0, 1], [2, 3], [4]]
    """
    x, t = np.asarray(x), np.asarray(t)
    rows = _common_rows(x, t)
    batch_size = whole_number("batch_size", batch_size, at_least=1)
    entropy = [whole_number("seed", seed, at_least=0), whole_number("epoch", epoch, at_least=0)]
    if drop_last and batch_size > rows:
        raise ArgumentError(f"drop_last leaves no batch: batch_size is {batch_size} and there are {rows} rows")
    order = np.random.default_rng(entropy).permutation(rows) if shuffle else np.arange(rows)
    stop = rows - rows % batch_size if drop_last else rows
    # A generator expression, because a generator function would put off the checks above to the first batch.
    # Indexing by an array copies, so that no batch shares memory with `x`, `t` or another batch.
    return ((x[part], t[part]) for part in (order[i : i + batch_size] for i in range(0, stop, batch_size)))


def _common_rows(x: np.ndarray, t: np.ndarray) -> int:
    if x.ndim == 0 or t.ndim == 0 or len(x) != len(t) or len(x) == 0:
        raise ShapeError(f"x and t need the same positive number of rows, got shapes {x.shape} and {t.shape}")
    return len(x)


def whole_number(name: str, value: SupportsIndex, *, at_least: int) -> int:
    """Return an integer, also one of NumPy's, as Python's; raises ArgumentError if it is none or too small.

    >>> import numpy as np
    >>> whole_number("epochs", np.int64(3), at_least=1)
    3
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < at_least:
        raise ArgumentError(f"{name} must be an integer of at least {at_least}, got {value!r}")
    return int(value)
