"""The scripts of document 002: what they train, write and draw, and that their READMEs tell it as it came out."""

from __future__ import annotations

import importlib
import pathlib
import re
import sys
from types import ModuleType

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.experiments import Experiment, read_experiment, run_experiment, runs_of, with_settings
from tinygrad_lite.experiments.loading import Rows, load_rows

DOCUMENTS = pathlib.Path(__file__).parents[2] / "examples" / "documents"
CLASSIFIER = DOCUMENTS / "002_mse_classifier"
RANDOM = DOCUMENTS / "002_random_labels"
DIVERGED = [("sum", "relu, softmax", 0.05), ("sum", "relu, softmax", 0.1)]
FLOOR = np.log(1 + np.exp(-1))


def text(file: pathlib.Path) -> str:
    return file.read_text(encoding="utf-8")


def module_in(folder: pathlib.Path, module: str = "compare") -> ModuleType:
    """Import a module with what stands beside it, and forget the names: the other folder has a compare.py too."""
    known = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        found = importlib.import_module(module)
    for name in set(sys.modules) - known:
        if (folder / f"{name}.py").exists():
            del sys.modules[name]
    return found


# ----- The classifier -----


@pytest.fixture(scope="module")
def classifier() -> ModuleType:
    return module_in(CLASSIFIER)


@pytest.fixture(scope="module")
def small() -> Experiment:
    """Two runs of the sweep, relu and sigmoid, on a few of the embedded digits."""
    whole = read_experiment(CLASSIFIER / "sweep.toml")
    settings = {"data.name": "mnist-subset", "data.train_rows": 640, "data.test_rows": 100, "train.epochs": 2}
    return with_settings(whole, settings | {"sweep.list": whole.sweep.list[:4:3]})


@pytest.fixture(scope="module")
def small_rows(small) -> Rows:
    return load_rows(small)


@pytest.fixture(scope="module")
def kept(classifier) -> list[dict]:
    """The points of the curves that are kept."""
    return classifier.read_csv(CLASSIFIER / "curves.csv")


def curve(*points: tuple[float, float]) -> list[dict[str, float]]:
    return [{"epoch": epoch, "test_accuracy": accuracy} for epoch, accuracy in points]


def test_epochs_until_an_accuracy_are_those_of_its_first_crossing_on_straight_lines(classifier):
    rising = curve((1, 0.5), (2, 0.7), (3, 0.6), (4, 0.9))
    assert classifier.epochs_until(rising, 0.6) == pytest.approx(1.5)  # not the second crossing, at 3
    assert classifier.epochs_until(rising, 0.8) == pytest.approx(3 + 2 / 3)
    assert classifier.epochs_until(rising, 0.4) == 1
    assert classifier.epochs_until(rising, 0.95) is None


def test_what_is_averaged_over_is_a_factor_on_the_learning_rate(small, small_rows):
    """The sum at a rate is the mean over all 320 values at 320 times that rate, so the readings are one axis."""
    few = with_settings(small, {"data.train_rows": 128, "train.epochs": 1, "train.dtype": "float64", "sweep": None})
    for activation in ("relu", "sigmoid"):
        runs = [
            run_experiment(
                with_settings(few, {"net.activation": activation, "objective.reduction": how, "optimizer.lr": rate}),
                progress=False,
            )
            for how, rate in (("sum", 0.01), ("mean", 3.2))
        ]
        for one, other in zip(*(run.net.parameters() for run in runs), strict=True):
            np.testing.assert_allclose(one.data, other.data, rtol=1e-9, atol=1e-12)


def test_a_rate_is_told_under_every_reading_that_it_stands_for(classifier):
    assert classifier.reading("sum", 0.05) == {"summed": 0.05}
    assert classifier.reading("mean", 0.01) == {"over all values": 0.01}
    assert classifier.reading("mean", 0.1) == {"over all values": 0.1, "over the rows": 0.01}
    assert classifier.reading("mean", 1.0) == {"over the rows": 0.1}


def test_the_first_epoch_in_parts_is_the_first_epoch_of_the_run(classifier, small, small_rows):
    run = runs_of(small)[0]
    points = classifier.first_epoch(run, small_rows, parts=4)
    assert [point["epoch"] for point in points] == [0.25, 0.5, 0.75, 1]
    history = run_experiment(with_settings(run.experiment, {"train.epochs": 1}), progress=False).history
    assert points[-1]["test_accuracy"] == pytest.approx(history.last["validation_accuracy"], abs=0.011)
    assert points[-1]["test_accuracy"] > points[0]["test_accuracy"]


@pytest.fixture(scope="module")
def compared(classifier, small, tmp_path_factory) -> list[pathlib.Path]:
    """The folders that a small comparison has written, and written again from the same runs."""
    runs = tmp_path_factory.mktemp("runs")
    folders = [tmp_path_factory.mktemp("compared") for _ in range(2)]
    for folder in folders:
        classifier.compare(small, runs, folder, jobs=1)
    return folders


def test_the_comparison_writes_the_same_bytes_when_it_is_called_again(compared):
    once, again = compared
    names = sorted(file.name for file in once.iterdir())
    assert names == sorted(file.name for file in CLASSIFIER.iterdir() if file.suffix in (".csv", ".png", ".svg"))
    assert [name for name in names if (once / name).read_bytes() != (again / name).read_bytes()] == []


def declared_runs(classifier: ModuleType) -> list[tuple[str, str, float]]:
    points = [classifier.point_of(run, 1, 0.0, 0.0) for run in runs_of(read_experiment(CLASSIFIER / "sweep.toml"))]
    return [(point["reduction"], point["activation"], point["rate"]) for point in points]


def test_the_curves_that_are_kept_are_those_of_all_runs_of_the_sweep_but_those_that_diverged(
    classifier, compared, kept
):
    assert text(compared[0] / "curves.csv").splitlines()[0] == text(CLASSIFIER / "curves.csv").splitlines()[0]
    curves = classifier.by_run(kept)
    assert list(curves) == [run for run in declared_runs(classifier) if run not in DIVERGED]
    for points in curves.values():
        whole = [point["epoch"] for point in points if point["training_accuracy"] is not None]
        assert whole == list(range(1, read_experiment(CLASSIFIER / "sweep.toml").train.epochs + 1))


def test_the_readme_has_the_tables_of_the_curves_that_are_kept(classifier, kept):
    readme = text(CLASSIFIER / "README.md")
    assert classifier.markdown(kept) in readme
    assert classifier.ratios(kept) in readme


def test_every_run_that_is_drawn_is_one_of_the_sweep(classifier):
    drawn = {run for panel in module_in(CLASSIFIER, "accuracy_pictures").PANELS.values() for run in panel}
    assert drawn - set(declared_runs(classifier)) == set()


def test_the_readme_compares_the_accuracies_and_ratios_that_are_kept_with_the_document(classifier, kept):
    curves = classifier.by_run(kept)
    stated = [("sum", "relu", 0.01), ("mean", "relu", 0.1), ("mean", "relu", 0.01), ("sum", "relu, softmax", 0.01)]
    last = [f"{curves[run][-1]['test_accuracy']:.2%}".replace("%", " %") for run in stated]
    readme = text(CLASSIFIER / "README.md")
    (line,) = (line for line in readme.splitlines() if line.startswith("| test accuracy about 89 %"))
    assert re.findall(r"[\d.]+ %", line)[1:] == last
    until = [classifier.epochs_until(curves["sum", name, 0.01], 0.89) for name in ("sigmoid", "relu")]
    assert f"| {until[0] / until[1]:.1f} times, until 89 % |" in readme
    assert classifier.epochs_until(curves["mean", "sigmoid", 0.1], 0.89) is None


def test_the_kept_curves_bear_out_which_rate_is_fastest(classifier, kept):
    curves = classifier.by_run(kept)
    summed = {rate: curves["sum", "relu", rate] for rate in (0.01, 0.05, 0.1)}
    averaged = {rate: curves["mean", "relu", rate] for rate in (0.01, 0.05, 0.1, 0.5, 1.0)}
    assert [curve[-1]["test_accuracy"] > 0.11 for curve in summed.values()] == [True, False, False]
    last = [curve[-1]["test_accuracy"] for curve in averaged.values()]
    assert last == sorted(last)


# ----- Random labels -----


@pytest.fixture(scope="module")
def random_labels() -> ModuleType:
    return module_in(RANDOM)


@pytest.fixture(scope="module")
def few() -> Experiment:
    settings = {"data.train_rows": 60, "data.test_rows": 40, "train.epochs": 3}
    return with_settings(read_experiment(RANDOM / "experiment.toml"), settings)


@pytest.fixture(scope="module")
def losses(random_labels) -> list[dict[str, str]]:
    return random_labels.read_csv(RANDOM / "losses.csv")


def at_the_end(losses: list[dict[str, str]], name: str, column: str) -> list[float]:
    last = {point["seed"]: float(point[column]) for point in losses if point["case"] == name}
    assert len(last) == 3
    return list(last.values())


def test_cross_entropy_after_a_softmax_is_refused_in_the_words_that_the_readme_quotes(random_labels):
    assert random_labels.refusal()
    assert random_labels.refusal() in " ".join(text(RANDOM / "README.md").replace("> ", "").split())


def test_softmax_twice_costs_at_least_the_floor_however_sure_the_network_is(random_labels):
    sure = nn.Softmax()
    loss = random_labels.SoftmaxTwice()
    right = loss(sure, np.array([[1000.0, 0.0], [0.0, 1000.0]]), np.array([0, 1]))
    np.testing.assert_allclose(right.item(), FLOOR, rtol=1e-12)
    logits = np.random.default_rng(0).normal(size=(200, 2)) * 5
    for row, label in zip(logits, np.arange(200) % 2, strict=True):
        assert loss(sure, row[None], np.array([label])).item() >= FLOOR


def test_random_pixels_leave_the_labels_as_they_are(random_labels, few):
    (digits, labels), (test_digits, test_labels) = random_labels.rows_of(few, noise=False)
    (noise, same), (test_noise, same_test) = random_labels.rows_of(few, noise=True)
    np.testing.assert_array_equal(labels, same)
    np.testing.assert_array_equal(test_labels, same_test)
    assert (noise.shape, test_noise.shape) == (digits.shape, test_digits.shape)
    assert abs(noise.mean()) < 0.05
    assert set(labels) == {0, 1}


def test_the_case_as_stated_is_the_experiment_that_is_declared(random_labels, few):
    points = random_labels.learn(few, random_labels.Case({}), seed=0)
    run = run_experiment(few, progress=False)
    assert [point["while_training"] for point in points] == run.history["loss"]
    assert [point["test_loss"] for point in points] == run.history["validation_loss"]
    measured = tg.train.measure(run.net, nn.CrossEntropy(), *load_rows(few).train)
    assert points[-1]["training_loss"] == pytest.approx(measured["loss"])


def test_the_comparison_of_losses_writes_the_same_bytes_each_time(random_labels, few, tmp_path, capsys):
    cases = {name: random_labels.CASES[name] for name in ("as stated", "softmax twice, random pixels")}
    for folder in (tmp_path / "once", tmp_path / "again"):
        random_labels.compare(folder, few, cases, seeds=(0, 1))
    names = sorted(file.name for file in (tmp_path / "once").iterdir())
    assert names == sorted(file.name for file in RANDOM.iterdir() if file.suffix in (".csv", ".png", ".svg"))
    for name in names:
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert text(tmp_path / "once" / "losses.csv").splitlines()[0] == text(RANDOM / "losses.csv").splitlines()[0]
    assert random_labels.refusal() in capsys.readouterr().out


def test_the_readme_has_the_table_of_the_losses_that_are_kept(random_labels, losses):
    assert random_labels.markdown(losses) in text(RANDOM / "README.md")


def test_every_case_was_trained_with_every_seed_for_all_its_epochs(random_labels, losses):
    experiment = read_experiment(RANDOM / "experiment.toml")
    expected = [
        (name, str(seed), str(epoch))
        for name, case in random_labels.CASES.items()
        for seed in random_labels.SEEDS
        for epoch in range(1, with_settings(experiment, case.settings).train.epochs + 1)
    ]
    assert [(point["case"], point["seed"], point["epoch"]) for point in losses] == expected


def test_the_kept_losses_bear_out_what_the_readme_says_of_them(random_labels, losses):
    assert min(at_the_end(losses, "as stated", "training_loss")) > 0.3
    for name in ("100 rows, batches of 1", "standardised, momentum, cosine, batches of 20", "random pixels"):
        assert max(at_the_end(losses, name, "training_loss")) < 0.06
        assert min(at_the_end(losses, name, "training_accuracy")) > 0.99
    twice = "softmax twice, random pixels"
    assert min(at_the_end(losses, twice, "training_loss")) > FLOOR
    for name in random_labels.CASES:
        if name != twice:
            assert min(at_the_end(losses, name, "test_loss")) > np.log(2)
        assert all(0.43 < accuracy < 0.57 for accuracy in at_the_end(losses, name, "test_accuracy"))


@pytest.mark.parametrize("folder", [CLASSIFIER, RANDOM], ids=lambda folder: folder.name)
def test_the_readme_has_the_command_and_its_links_lead_to_files(folder):
    readme = text(folder / "README.md")
    assert f"python examples/documents/{folder.name}/compare.py" in readme
    targets = re.findall(r"\]\(([^)]+)\)", readme)
    assert targets
    assert [target for target in targets if not (folder / target).exists()] == []
