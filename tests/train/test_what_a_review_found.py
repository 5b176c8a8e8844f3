"""What a hostile review of trainings that go on found, each held by a test."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.train.runs import classifier, clusters, line, train_classifier
from tinygrad_lite import nn, optim, train
from tinygrad_lite.errors import ArgumentError, DivergenceError, StateError


def test_a_resumed_training_that_diverges_keeps_what_it_resumed_from_and_not_its_first_weights(tmp_path):
    def fitted(net: nn.Module, epochs: int) -> None:
        rule = optim.SGD(lr=20.0)
        tg.fit(
            net,
            nn.MSE(),
            rule,
            train=line(),
            epochs=epochs,
            batch_size=40,
            checkpoints=tmp_path,
            resume=True,
            progress=False,
        )

    first = nn.Linear(1, 1, rng=0, dtype=np.float32)
    with pytest.raises(DivergenceError):
        fitted(first, 100)
    begun, again = nn.Linear(1, 1, rng=0), nn.Linear(1, 1, rng=0)
    train.load_weights(begun, tmp_path / "last.safetensors")
    with pytest.raises(DivergenceError):
        fitted(again, 100)
    assert again.weight.item() != nn.Linear(1, 1, rng=0).weight.item()
    assert again.weight.item() == begun.weight.item()


def test_data_that_changed_far_from_both_ends_are_other_data(tmp_path):
    x, t = clusters(rows=5000)
    train_classifier(train=(x, t), epochs=1, batch_size=500, checkpoints=tmp_path)
    changed = t.copy()
    changed[2500] = (changed[2500] + 1) % 3
    with pytest.raises(StateError, match="training rows"):
        train_classifier(train=(x, changed), epochs=2, batch_size=500, checkpoints=tmp_path, resume=True)


@pytest.mark.parametrize("factor", [1e-25, 1e21])
def test_norms_of_gradients_whose_squares_float32_cannot_hold_are_right(factor):
    history = tg.fit(
        nn.Linear(1, 1, weight=nn.Constant(1.0)),
        factor * nn.MSE(),
        optim.SGD(lr=1e-30),
        train=(np.ones((4, 1)), np.zeros((4, 1))),
        epochs=1,
        gradient_norms=True,
        progress=False,
    )
    assert history.last["gradient_norm.weight"] == pytest.approx(2 * factor, rel=1e-6)


def test_a_weight_that_is_shared_between_two_places_is_clipped_once():
    w = tg.Tensor([6.0, 8.0], requires_grad=True)
    (w * w).sum().backward()
    assert optim.clip_by_norm([w, w], 1.0) == pytest.approx(20.0)
    assert np.linalg.norm(w.grad) == pytest.approx(1.0)


def test_an_empty_list_of_initialisers_is_not_taken_for_none():
    with pytest.raises(ArgumentError, match="weight"):
        nn.MLP([2, 2], weight=[])


def test_two_trainings_do_not_write_into_one_folder_at_a_time(tmp_path, capfd):

    def other() -> None:
        train_classifier(classifier(1), epochs=1, checkpoints=tmp_path, resume=True)

    waiting = threading.Thread(target=other)

    def begin_another(training: train.Training) -> None:
        if training.epoch == 1:
            waiting.start()
            waiting.join(0.3)
            assert waiting.is_alive(), "it waits"

    train_classifier(classifier(1), epochs=2, checkpoints=tmp_path, callbacks=[begin_another])
    waiting.join(30)
    assert not waiting.is_alive()
    assert "another process is at work" in capfd.readouterr().err
