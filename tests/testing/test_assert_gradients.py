"""`assert_gradients`: the gradient check as one line of a test."""

from __future__ import annotations

import inspect
import os
import pathlib
import subprocess
import sys
import traceback
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.check import GradientReport
from tinygrad_lite.check.asserting import listening
from tinygrad_lite.check.report import Cause, Row
from tinygrad_lite.errors import ArgumentError, GradientMismatchError
from tinygrad_lite.testing import assert_gradients

W = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.5]])


def loss(w: Any) -> Any:
    return np.sum(w**2)


def test_a_right_gradient_passes_and_gives_its_report() -> None:
    report = assert_gradients(loss, W, analytic=lambda w: 2 * w)
    assert isinstance(report, GradientReport)
    assert report


def test_a_wrong_gradient_fails_with_the_causes_in_the_first_line_and_the_table_below() -> None:
    with pytest.raises(GradientMismatchError) as caught:
        assert_gradients(loss, W, analytic=lambda w: -2 * w, names=["weight"])
    first, table = str(caught.value).split("\n", 1)
    assert first == "weight (sign)"
    assert table == str(tg.check_gradients(loss, W, analytic=lambda w: -2 * w, names=["weight"]))
    assert isinstance(caught.value, AssertionError)


def test_it_takes_what_check_gradients_takes() -> None:
    mine, its = inspect.signature(assert_gradients), inspect.signature(tg.check_gradients)
    assert mine == its


def test_every_argument_reaches_the_check() -> None:
    """Each of these arguments turns what would pass into something else, or the other way round."""

    def slightly_wrong(w: Any) -> Any:
        return 2 * w * 1.01

    with pytest.raises(GradientMismatchError):
        assert_gradients(loss, W, analytic=slightly_wrong)
    assert assert_gradients(loss, W, analytic=slightly_wrong, rtol=0.1)
    assert assert_gradients(loss, W, analytic=slightly_wrong, atol=1.0)
    assert assert_gradients(np.tanh, W, vjp=lambda g, w: g * (1 - np.tanh(w) ** 2))
    with pytest.raises(GradientMismatchError):
        assert_gradients(np.tanh, W, vjp=lambda g, w: g * (1 - np.tanh(w)))
    diagonal = np.eye(W.size).reshape(W.shape + W.shape)
    assert assert_gradients(lambda w: 3 * w, W, jacobian=lambda _w: 3 * diagonal)
    with pytest.raises(GradientMismatchError):
        assert_gradients(lambda w: 3 * w, W, jacobian=lambda _w: diagonal)
    many = np.ones(200)
    assert assert_gradients(loss, many, every_element=True).rows[0].entries_checked == 200
    assert assert_gradients(loss, W, names=["weight"]).rows[0].name == "weight"
    drawn = [tg.check_gradients(np.prod, np.linspace(0.9, 1.1, 200), rng=seed) for seed in (0, 1)]
    assert drawn[0] != drawn[1] == assert_gradients(np.prod, np.linspace(0.9, 1.1, 200), rng=1)
    with pytest.raises(ArgumentError):
        assert_gradients(loss, W, analytic=lambda w: 2 * w, vjp=lambda g, w: 2 * g * w)


def test_a_gradient_of_a_value_inside_that_is_wrong_fails_too() -> None:
    def through(w: Any) -> Any:
        return np.sum(tg.named(w**2, "delta") ** 2)

    assert assert_gradients(through, W, deltas={"delta": 2 * W**2})
    with pytest.raises(GradientMismatchError, match=r"departs at delta"):
        assert_gradients(through, W, deltas={"delta": W})


def test_the_first_line_names_every_row_that_does_not_agree() -> None:
    def row(name: str, status: Any, *slugs: str) -> Row:
        causes = tuple(Cause(slug, None, 0.0, name, "mend it") for slug in slugs)
        return Row(name, status, 2, 2, 1.0, 1.0, 0.0, (0,), (1.0, 2.0, 2.0), 0.0, causes)

    rows = (row("w1", "differs", "sign", "batch-mean"), row("b1", "agrees"), row("w2", "kink"), row("b2", "vacuous"))
    report = GradientReport(rows, "exactly", (row("w1", "differs", "unknown"),))
    assert report.headline == "w1 (sign + batch-mean), b2 (vacuous), w1 (unknown)"


def test_an_error_of_the_function_itself_comes_out_as_it_is() -> None:
    def broken(_w: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        assert_gradients(loss, W, analytic=broken)
    assert traceback.extract_tb(caught.tb)[-1].name == "broken"


def test_who_listens_hears_of_every_report_until_the_end_of_the_block() -> None:
    heard: list[GradientReport] = []
    with listening(heard.append):
        right = assert_gradients(loss, W)
        with pytest.raises(GradientMismatchError):
            assert_gradients(loss, W, analytic=lambda w: w)
    assert_gradients(loss, W)
    assert heard[0] is right
    assert list(map(bool, heard)) == [True, False]


def test_the_module_for_test_suites_does_not_load_pytest() -> None:
    code = "import sys, tinygrad_lite.testing; print(sorted({'pytest', '_pytest'} & set(sys.modules)))"
    root = pathlib.Path(tg.__file__).parents[1]
    finished = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert finished.stdout == "[]\n"
