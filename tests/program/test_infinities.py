"""Values that a program does not handle make the function itself run, before anything is changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg

LABELS = np.array([0, 1, 2])
FUNCTIONS = {
    "softmax": lambda x: tg.softmax(x, axis=-1),
    "softmax of columns": lambda x: tg.softmax(x, axis=0),
    "log_softmax": lambda x: tg.log_softmax(x, axis=-1),
    "logsumexp": lambda x: tg.logsumexp(x),
    "cross-entropy": lambda x: tg.softmax_cross_entropy(x, LABELS),
}
ROWS = {
    "a masked row": np.array([[0.0, 1.0, 2.0], [-np.inf] * 3, [1.0, 0.0, 1.0]]),
    "shares of infinity": np.where(np.eye(3) > 0, np.inf, 0.0),
    "a masked value": np.where(np.eye(3) > 0, -np.inf, 1.0),
}


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_softmax_family_is_that_of_eager_execution_at_infinity(name: str, rows: str) -> None:
    function = FUNCTIONS[name]
    program = tg.compile(function)
    for x in (np.eye(3), ROWS[rows], 2 * np.eye(3)):
        np.testing.assert_array_equal(np.asarray(program(x)), np.asarray(function(x)))


def test_what_was_drawn_before_is_drawn_again_and_cells_are_changed_once() -> None:
    def make() -> tuple[Any, tg.Tensor, np.random.Generator]:
        state, rng = tg.Tensor(np.zeros(3)), np.random.default_rng(0)

        def step(x: Any) -> Any:
            noise = tg.uniform(3, rng=rng)
            state.assign(state + noise)
            return tg.softmax(x + state, axis=-1)

        return step, state, rng

    (step, state, rng), (twin, twin_state, twin_rng) = make(), make()
    program = tg.compile(step)
    for x in (np.zeros(3), np.full(3, -np.inf), np.ones(3)):
        np.testing.assert_allclose(program(x).numpy(), twin(x).numpy(), rtol=1e-12)
        np.testing.assert_array_equal(state.numpy(), twin_state.numpy())
        assert rng.bit_generator.state == twin_rng.bit_generator.state


def test_tensors_that_shared_an_array_are_told_apart_later() -> None:
    w = tg.Tensor(np.ones(3), requires_grad=True)
    anchor = w.detach()

    def step() -> Any:
        w.assign(w.detach() * 2)
        return np.sum((w - anchor) ** 2).detach()

    program = tg.compile(step)
    assert [program().item() for _ in range(3)] == [3.0, 27.0, 147.0]
