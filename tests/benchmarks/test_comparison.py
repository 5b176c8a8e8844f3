import math
from pathlib import Path

import pytest

from benchmarks.comparison import report
from benchmarks.comparison.conductor import Measurement, measure
from benchmarks.comparison.contenders import CONTENDERS
from benchmarks.comparison.machine import description
from benchmarks.comparison.results import Results, kept
from benchmarks.comparison.statistics import machine_states, paired
from benchmarks.comparison.workloads import SMALL, Workload

QUICK_TO_START = [name for name in CONTENDERS if name != "torch_compile"]


@pytest.fixture(scope="module")
def found() -> Measurement:
    return measure(SMALL, QUICK_TO_START, rounds=1, say=lambda _line: None)


@pytest.mark.parametrize("name", QUICK_TO_START)
def test_every_contender_computes_the_same_losses_and_is_timed(found: Measurement, name: str) -> None:
    if "ModuleNotFoundError" in found.absent.get(name, "") or "clang" in found.absent.get(name, ""):
        pytest.skip(found.absent[name])
    assert name not in found.absent, found.absent
    assert len(found.prepared[name]["values"]) == 50
    assert found.deviations[name] <= SMALL.tolerance
    assert found.step[name][0] > 0


def test_a_contender_without_the_kind_of_work_is_listed_with_the_reason() -> None:
    products = Workload(4, (3, 2), kind="hessian_vector_product")
    found = measure(products, ["handwritten"], rounds=1, say=lambda _line: None)
    assert found.contenders == []
    assert found.absent == {"handwritten": "none is written here"}


def test_the_operations_of_micrograd_are_counted_right(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("micrograd", reason="micrograd is not installed")
    from benchmarks.comparison.contenders import micrograd_scaled
    from benchmarks.comparison.workloads import Problem

    workload = Workload(3, (4, 5, 2), "tanh")
    network, recorded = micrograd_scaled.ScalarNetwork(Problem(workload)), []
    make = micrograd_scaled.Value.__init__
    monkeypatch.setattr(
        micrograd_scaled.Value, "__init__", lambda self, *given: (recorded.append(self), make(self, *given))[1]
    )
    network.loss()
    assert len(recorded) == micrograd_scaled.operations(workload)


def test_two_speeds_of_a_machine_are_told_apart() -> None:
    assert machine_states([1.0, 1.5, 1.02, 1.52, 0.99, 1.45]) == ["fast", "slow", "fast", "slow", "fast", "slow"]


def test_a_machine_that_only_trembles_is_steady() -> None:
    assert set(machine_states([1.0, 1.1, 1.02, 1.08, 0.99, 1.05])) == {"steady"}


def test_an_outlier_among_many_rounds_is_no_state_of_its_own() -> None:
    assert set(machine_states([1.0, 1.01] * 20 + [3.0])) == {"steady"}


def test_ratios_are_taken_round_by_round() -> None:
    assert paired([1.0, 20.0, 300.0], [2.0, 40.0, 600.0])[:3] == (0.5, 0.5, 0.5)


def test_results_are_read_back_as_they_were_kept(found: Measurement, tmp_path: Path) -> None:
    results = Results("2026-11-21", description({"numpy"}), [found])
    results.keep(tmp_path)
    again = kept(tmp_path)
    assert again == results
    page = "\n".join(report.page(again))
    assert all(reason in page for reason in found.absent.values())
    assert SMALL.name in page
    assert not math.isnan(again.measurements[0].reference[0])
