"""Products with the Jacobian of a function, without forming it: from the left (vjp) and from the right (jvp)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.mode import ModeChange
from tinygrad_lite.nested import arranged, map_leaves, matching, values_in
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.tensor import Tensor
from tinygrad_lite.transforms.recording import (
    Function,
    fitting,
    handed_out,
    name_of,
    pulled_back,
    recorded,
    roots_of,
    transient,
)


def vjp(f: Function, *args: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Return `f(*args)` and the function that pulls a cotangent of it back to the arguments.

    The function takes a cotangent in the structure of the result and gives a tuple with one gradient per argument,
    in its structure: gᵀ ∂f/∂xᵢ. It can be called any number of times.

    >>> import numpy as np, tinygrad_lite as tg
    >>> value, pull_back = tg.vjp(lambda x, y: x * y, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    >>> pull_back(np.array([1.0, 10.0]))
    (array([ 3., 40.]), array([ 1., 20.]))
    """
    recording = recorded(f, args, range(len(args)))
    roots = roots_of(recording.result, f)

    def pull_back(cotangent: Any) -> tuple[Any, ...]:
        given = matching(recording.result, cotangent, f"the cotangent of {name_of(f)} must be")
        seeds = [fitting(g, root, "a cotangent") for g, root in zip(given, roots, strict=True)]
        return arranged(args, pulled_back(roots, seeds, recording.targets, recording.since))  # type: ignore[no-any-return]  # the structure of args, a tuple

    return map_leaves(lambda leaf: handed_out(leaf, recording), recording.result), pull_back


def jvp(f: Function, args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Return `f(*args)` and its derivative along `tangents`: Σᵢ ∂f/∂xᵢ · tangentᵢ, in the structure of the result.

    `args` and `tangents` are tuples, a tangent in the structure of each argument. The reverse sweep is linear in its
    cotangent; sweeping back through the sweep itself gives the derivative forward.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 10.0))
    (np.float64(6.0), np.float64(23.0))
    """
    args, moved = directions(f, args, tangents)
    recording = recorded(f, args, range(len(args)))
    roots = roots_of(recording.result, f)
    with ModeChange(record=True):
        cotangents = [transient(np.ones(root.shape, root.dtype)) for root in roots]
        gradients = pulled_back(roots, cotangents, recording.targets, recording.since)
    forward = pulled_back(gradients, moved, cotangents, recording.since)
    value = map_leaves(lambda leaf: handed_out(leaf, recording), recording.result)
    return value, arranged(recording.result, forward)


def directions(f: Function, args: Sequence[Any], tangents: Sequence[Any]) -> tuple[tuple[Any, ...], list[Value]]:
    """Return the arguments, and the tangent that belongs to each value in them; raises if they do not fit."""
    if not isinstance(args, tuple | list) or not isinstance(tangents, tuple | list):
        raise ArgumentError("arguments and their tangents are given as two tuples, for one argument (x,) and (v,)")
    given = matching(tuple(args), tuple(tangents), f"the tangents of {name_of(f)} must be")
    values = [value if isinstance(value, Tensor) else np.asarray(value) for value in values_in(args)]
    return tuple(args), [fitting(t, value, "a tangent") for t, value in zip(given, values, strict=True)]
