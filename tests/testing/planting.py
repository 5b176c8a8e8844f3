"""Right and wrong primitives to be held against the conformance kit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinygrad_lite.errors import ConformanceError
from tinygrad_lite.primitives import Primitive
from tinygrad_lite.testing import check_primitive

RNG = np.random.default_rng(0)
X, Y, A, B = (RNG.uniform(0.5, 1.5, size=shape) for shape in ((2, 3), (2, 3), (3, 3), (3, 3)))


def planted(forward: Callable[..., Any], *rules: Any, **options: Any) -> Primitive:
    """Return a primitive as the tables make them, without the guard that `tg.primitive` puts around rules."""
    return Primitive("planted", forward, *rules, **options)


def caught(primitive: Primitive, *operands: np.ndarray, **options: Any) -> str:
    """Return what the kit says of a primitive that it must not pass."""
    with pytest.raises(ConformanceError) as error:
        check_primitive(primitive, *operands, **options)
    return str(error.value)


def square(x: Any) -> Any:
    return x * x


def product(a: Any, b: Any) -> Any:
    return a @ b


def times(a: Any, b: Any) -> Any:
    return a * b


def softmax(x: Any) -> Any:
    shares = np.exp(x - x.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def summed(x: Any, *, axis: int) -> Any:
    return x.sum(axis=axis)


def spread(g: Any, _y: Any, _x: Any, *, axis: int) -> Any:
    return np.broadcast_to(np.expand_dims(g, axis), _x.shape)
