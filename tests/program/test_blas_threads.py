"""How many threads BLAS uses is changed inside of a program's own calls only."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import ArgumentError, MissingDependencyError
from tinygrad_lite.program import blas

pytest.importorskip("threadpoolctl")


def threads_of_blas() -> list[int]:
    """Return the threads of the libraries that are known; others, such as SciPy's, may be loaded later."""
    return [library.get_num_threads() for library in blas._controllers() or ()]


def test_a_program_leaves_the_threads_of_blas_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    before, inside = threads_of_blas(), list[int]()
    program = tg.compile(lambda x: x @ x, threads=1)
    program(np.ones((2, 2)))
    replay = program._latest
    monkeypatch.setattr(replay, "_run", lambda *_: inside.extend(threads_of_blas()) or (np.ones((2, 2)),))
    program(np.ones((2, 2)))
    assert set(inside) == {1}
    assert threads_of_blas() == before


def test_threads_are_given_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    before = threads_of_blas()
    with pytest.raises(ZeroDivisionError), blas.limited_threads(1):
        raise ZeroDivisionError
    assert threads_of_blas() == before


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_threads_are_a_whole_number(threads: object) -> None:
    with pytest.raises(ArgumentError, match="threads must be"):
        tg.compile(lambda x: x, threads=threads)  # type: ignore[call-overload]


def test_without_threadpoolctl_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_controllers", lambda: None)
    with pytest.raises(MissingDependencyError, match="train"), blas.limited_threads(1):
        pass
