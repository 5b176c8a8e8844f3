"""The state of NumPy's random generators as plain text and numbers, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.errors import StateError


def state_of(rng: np.random.Generator) -> Any:  # Any: what JSON holds, nested as the kind of generator has it
    """Return the state of `rng` in strings, lists and dicts that JSON keeps without loss.

    >>> rng, other = np.random.default_rng(0), np.random.default_rng(1)
    >>> put_state(other, state_of(rng))
    >>> other.random() == rng.random()
    True
    """
    return _plain(rng.bit_generator.state)


def put_state(rng: np.random.Generator, state: Any) -> None:
    """Give `rng` a state that `state_of` gave, or raise StateError and leave it as it is if that does not fit."""
    try:
        rng.bit_generator.state = _in_bounds(_like(rng.bit_generator.state, state))
    except (KeyError, TypeError, ValueError, OverflowError) as problem:
        kind = type(rng.bit_generator).__name__
        raise StateError(f"the state of a random generator does not fit a {kind}: {problem}") from problem


def _in_bounds(state: Any) -> Any:
    """Return a state whose positions lie within its arrays, or raise ValueError: NumPy would read beyond them."""
    inner = state["state"]
    for position, numbers in (
        (inner.get("pos"), inner.get("key")),  # of MT19937
        (state.get("buffer_pos"), state.get("buffer")),  # of Philox
    ):
        if position is not None and not 0 <= position <= len(numbers):
            raise ValueError(f"its position is {position} of {len(numbers)} numbers")
    return state


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        return [str(number) for number in value.tolist()]
    return str(value)  # 128 bits are more than JSON's readers keep


def _like(own: Any, given: Any) -> Any:
    """Return `given` with the types of `own`, or raise one of the built-in errors."""
    if isinstance(own, dict):
        if not isinstance(given, dict) or given.keys() != own.keys():
            raise ValueError(f"expected {', '.join(own)}")
        return {name: _like(part, given[name]) for name, part in own.items()}
    if isinstance(own, np.ndarray):
        if len(given) != len(own):
            raise ValueError(f"expected {len(own)} numbers")
        return np.array([int(number) for number in given], own.dtype)
    if isinstance(own, str) and given != own:
        raise ValueError(f"it is that of {given}")
    return type(own)(given)
