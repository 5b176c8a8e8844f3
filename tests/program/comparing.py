"""What a compiled function gives, held against what the function itself gives: bit for bit, or to a tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite.nested import leaves_of, paths_of

TOLERANCES = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-12}
"""How far a tensor may be from the one of eager execution where bits are not kept, as a part of its norm."""


def values_of(leaf: Any) -> np.ndarray:
    """Return the values of a Tensor, an array or a number."""
    return leaf.detach().numpy() if isinstance(leaf, tg.Tensor) else np.asarray(leaf)


def kind_of(leaf: Any) -> str:
    """Return what a user takes a result for: a Tensor with or without a history, or an array, or something else."""
    if isinstance(leaf, tg.Tensor):
        return "Tensor with a gradient" if leaf.requires_grad else "Tensor"
    return "array" if isinstance(leaf, np.ndarray | np.generic) else type(leaf).__name__


def same_numbers(found: np.ndarray, expected: np.ndarray) -> bool:
    """Return whether two arrays hold the same numbers in one dtype and shape, signs of zero included."""
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return False
    if found.dtype.kind != "f":
        return found.tobytes() == expected.tobytes()
    numbers = ~np.isnan(expected)  # the bits of a nan tell nothing
    same_nan = np.array_equal(np.isnan(found), ~numbers)
    return same_nan and found[numbers].tobytes() == expected[numbers].tobytes()


def distance(found: np.ndarray, expected: np.ndarray) -> float:
    """Return ‖found − expected‖ as a part of ‖expected‖; what is not finite has to be the same."""
    finite = np.isfinite(expected)
    if not np.array_equal(found[~finite], expected[~finite], equal_nan=True):
        return np.inf
    a, b = found[finite].astype(np.float64), expected[finite].astype(np.float64)
    off, norm = float(np.linalg.norm(a - b)), float(np.linalg.norm(b))
    return off / norm if norm else off


def assert_same(found: Any, expected: Any, told: str = "") -> None:
    """Hold that two nested results are the same, bit for bit."""
    for path, a, b in _pairs(found, expected, told):
        assert same_numbers(a, b), f"{told} {path}: {a!r} of {a.dtype}, eagerly {b!r} of {b.dtype}"


def assert_near(found: Any, expected: Any, told: str = "", tolerance: float | None = None) -> None:
    """Hold that the tensors of two nested results lie within a part of their norms of one another."""
    for path, a, b in _pairs(found, expected, told):
        assert (a.dtype, a.shape) == (b.dtype, b.shape), f"{told} {path}"
        if b.dtype.kind != "f":
            assert np.array_equal(a, b), f"{told} {path}"
            continue
        off = distance(a, b)
        limit = TOLERANCES[b.dtype] if tolerance is None else tolerance
        assert off <= limit, f"{told} {path}: off by {off:.3g} of its norm\n{a!r}\neagerly\n{b!r}"


def _pairs(found: Any, expected: Any, told: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return the values of two nested results side by side, after their structures and kinds were compared."""
    assert _structure(found) == _structure(expected), told
    ours, theirs = leaves_of(found), leaves_of(expected)
    kinds = [kind_of(leaf) for leaf in ours], [kind_of(leaf) for leaf in theirs]
    assert kinds[0] == kinds[1], f"{told} {kinds[0]}, eagerly {kinds[1]}"
    pairs = zip(paths_of(expected, "result"), ours, theirs, strict=True)
    return [(path, values_of(a), values_of(b)) for path, a, b in pairs]


def _structure(tree: Any) -> Any:
    if isinstance(tree, tuple | list):
        return type(tree), [_structure(branch) for branch in tree]
    if isinstance(tree, dict):
        return dict, [(key, _structure(branch)) for key, branch in tree.items()]
    return None
