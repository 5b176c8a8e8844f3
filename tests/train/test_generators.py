"""The states of random generators as text, and what is no state of a generator."""

from __future__ import annotations

import copy
import itertools
import json

import numpy as np
import pytest

from tinygrad_lite.errors import StateError
from tinygrad_lite.train.generators import put_state, state_of

KINDS = [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]


def generator(kind: type, seed: int = 0) -> np.random.Generator:
    return np.random.Generator(kind(seed))


def draws(rng: np.random.Generator) -> list[object]:
    """Draw in several ways; 32-bit integers use half of what a 64-bit generator gives and keep the rest."""
    return [
        rng.integers(2**32, size=3, dtype=np.uint32).tolist(),
        rng.random(5).tolist(),
        rng.random(3, dtype=np.float32).tolist(),
        rng.normal(size=7).tolist(),
        rng.permutation(11).tolist(),
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", [0, 1, 2, 3, 313, 623, 624, 625, 2000])
def test_a_state_comes_back_through_json_and_the_draws_go_on_as_they_would(kind, before):
    rng, other = generator(kind), generator(kind, seed=1)
    rng.integers(2**32, size=before, dtype=np.uint32)
    draws(other)
    state = json.loads(json.dumps(state_of(rng)))
    put_state(other, state)
    assert state_of(other) == state
    assert draws(other) == draws(rng)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_is_made_of_text_and_stays_as_it_was_when_the_generator_goes_on(kind):
    def only_text(value):
        if isinstance(value, dict):
            return all(isinstance(name, str) and only_text(part) for name, part in value.items())
        return all(map(only_text, value)) if isinstance(value, list) else isinstance(value, str)

    rng = generator(kind)
    state = state_of(rng)
    kept = copy.deepcopy(state)
    assert only_text(state)
    draws(rng)
    assert state == kept != state_of(rng)


def test_the_largest_state_there_is_comes_back():
    rng, other = generator(np.random.PCG64), generator(np.random.PCG64, 1)
    state = rng.bit_generator.state
    rng.bit_generator.state = state | {"state": {"state": 2**128 - 1, "inc": 2**128 - 1}}
    put_state(other, state_of(rng))
    assert other.bit_generator.state == rng.bit_generator.state
    assert draws(other) == draws(rng)


@pytest.mark.parametrize(("own", "given"), [*itertools.permutations(KINDS, 2)])
def test_the_state_of_another_kind_is_refused_and_the_generator_goes_on_as_it_was(own, given):
    rng = generator(own)
    with pytest.raises(StateError, match=own.__name__):
        put_state(rng, state_of(generator(given)))
    assert draws(rng) == draws(generator(own))


def leaves(state: dict, path: tuple = ()):
    """Yield the path to every value in a state."""
    for name, value in state.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from leaves(value, (*path, name))


def changed(state: dict, path: tuple, value: object) -> dict:
    state = copy.deepcopy(state)
    part = state
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return state


WRONG = [None, "", "x", "1.5", "-1", str(2**200), "9" * 5000, [], ["1"], ["x"] * 4, [None] * 624, {}, {"x": "1"}, True]


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_stands_in_a_state_it_is_refused_as_such_or_can_be_drawn_from(kind):
    rng, good = generator(kind), state_of(generator(kind))
    for path in leaves(good):
        for value in WRONG:
            try:
                put_state(rng, changed(good, path, value))
            except StateError:
                assert state_of(rng) == good
            else:
                draws(rng)
                put_state(rng, good)


@pytest.mark.parametrize("state", [None, 5, "x", [], {}, {"bit_generator": "PCG64"}, [{}], 1.5, True])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_state_is_refused(kind, state):
    rng = generator(kind)
    with pytest.raises(StateError, match=f"does not fit a {kind.__name__}"):
        put_state(rng, state)
    assert draws(rng) == draws(generator(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_too_few_or_too_many_is_refused(kind):
    rng, good = generator(kind), state_of(generator(kind))
    for name in good:
        with pytest.raises(StateError):
            put_state(rng, {key: value for key, value in good.items() if key != name})
    with pytest.raises(StateError):
        put_state(rng, good | {"more": "1"})


@pytest.mark.parametrize(
    ("kind", "path", "most"),
    [(np.random.MT19937, ("state", "pos"), 624), (np.random.Philox, ("buffer_pos",), 4)],
)
@pytest.mark.parametrize("beyond", [1, 2, 1000, 10**9, 2**31 - 1])
def test_a_position_outside_the_numbers_it_counts_is_refused(kind, path, most, beyond):
    """NumPy would take what lies in memory beside them."""
    rng, good = generator(kind), state_of(generator(kind))
    for position in (most + beyond, -beyond):
        with pytest.raises(StateError, match="position"):
            put_state(rng, changed(good, path, str(position)))
    assert draws(rng) == draws(generator(kind))
