"""An experiment run: what is measured, what the folder keeps, and how a run goes on, or is refused."""

from __future__ import annotations

import csv
import io
import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from tinygrad_lite.errors import ArgumentError, DataError, DivergenceError, ExperimentError, StateError
from tinygrad_lite.experiments import Experiment, Run, build_net, experiment_from, run_experiment, with_settings
from tinygrad_lite.experiments import running as running_room
from tinygrad_lite.experiments.loading import load_rows
from tinygrad_lite.train import fit, load_weights

TINY = {
    "data": {"train_rows": 60, "test_rows": 20},
    "net": {"hidden": [5]},
    "train": {"epochs": 2, "batch_size": 20},
}
OVERFITTING = {
    "data": {"train_rows": 80, "test_rows": 40, "validation": 30},
    "net": {"hidden": [6]},
    "optimizer": {"name": "adam", "lr": 0.05},
    "train": {"epochs": 8, "batch_size": 10},
}
PLOTS = ["confusion", "curves", "first_layer", "gradient_norms", "misclassified"]


def tiny(**settings) -> Experiment:
    return with_settings(experiment_from(TINY), settings)


def run(experiment: Experiment, folder: Path | None = None, **options) -> Run:
    return run_experiment(experiment, folder, **{"progress": False, "pictures": False, **options})


def weights(run: Run) -> dict[str, np.ndarray]:
    return run.net.state_dict()


def alike(left: Run, right: Run) -> bool:
    same = all(np.array_equal(array, weights(right)[name]) for name, array in weights(left).items())
    return same and left.history == right.history and left.test == right.test


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def state_of(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return all that would show that a file was written again, even with the same content."""
    stats = {name: (folder / name).stat() for name in files_in(folder)}
    return {name: (content, stats[name].st_ino, stats[name].st_mtime_ns) for name, content in files_in(folder).items()}


def strictly(content: bytes) -> object:
    def refuse(constant: str):
        raise ValueError(f"{constant} is not JSON")

    return json.loads(content, parse_constant=refuse)


def softmax_by_hand(net: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """Return the log-probabilities of a network with one hidden layer of relu, in float64 and by NumPy alone."""
    hidden = np.maximum(x.astype(np.float64) @ net["layers.0.weight"].T + net["layers.0.bias"], 0)
    logits = hidden @ net["layers.1.weight"].T + net["layers.1.bias"]
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def measured_by_hand(net: dict[str, np.ndarray], x: np.ndarray, labels: np.ndarray) -> tuple[float, int]:
    """Return the cross-entropy and the number of faults."""
    logs = softmax_by_hand(net, x)
    return -logs[np.arange(len(x)), labels].mean(), int(np.count_nonzero(logs.argmax(1) != labels))


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> tuple[Run, Path]:
    """A run with everything that is kept, made once for all tests that look at it."""
    folder = tmp_path_factory.mktemp("kept") / "not" / "there yet"
    return run(experiment_from(OVERFITTING), folder, pictures=True), folder


# ----- What is kept -----


def test_exactly_these_files_are_kept(kept):
    plots = [f"plots/{name}{suffix}" for name in PLOTS for suffix in (".png", ".svg")]
    checkpoints = ["checkpoints/best.safetensors", "checkpoints/last.safetensors"]
    assert sorted(files_in(kept[1])) == [
        *checkpoints, "experiment.json", "history.csv", "history.json", *plots, "result.json"
    ]  # fmt: skip


def test_the_declaration_gives_the_experiment_back(kept):
    result, folder = kept
    assert experiment_from((folder / "experiment.json").read_bytes()) == result.experiment


def test_both_histories_have_all_digits_of_every_epoch(kept):
    result, folder = kept
    lines = list(csv.DictReader(io.StringIO((folder / "history.csv").read_text(), newline="")))
    assert [{name: float(value) for name, value in line.items()} for line in lines] == result.history.rows
    assert strictly((folder / "history.json").read_bytes()) == result.history.rows
    assert [row["epoch"] for row in result.history.rows] == list(range(1, 9))


def test_the_pictures_are_well_formed(kept):
    for name in PLOTS:
        assert ET.parse(kept[1] / "plots" / f"{name}.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
        content = (kept[1] / "plots" / f"{name}.png").read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert content.endswith(b"IEND\xaeB`\x82")


@pytest.mark.parametrize("which", ["last", "best"])
def test_the_result_agrees_with_what_the_kept_weights_give_by_hand(kept, which):
    result, folder = kept
    file = folder / "checkpoints" / f"{which}.safetensors"
    net = build_net(result.experiment, 784, 10)
    load_weights(net, file)
    raw = safetensors.numpy.load_file(file)
    assert all(np.array_equal(raw[f"net.{name}"], array) for name, array in net.state_dict().items())
    rows = load_rows(result.experiment)
    loss, faults = measured_by_hand(net.state_dict(), *rows.test)
    told = strictly((folder / "result.json").read_bytes())
    test = told["test" if which == "last" else "test_of_best"]
    assert test["loss"] == pytest.approx(loss, rel=1e-5)
    assert test["accuracy"] == (40 - faults) / 40


def test_the_best_weights_are_those_of_the_epoch_with_the_least_validation_loss(kept):
    result, folder = kept
    losses = result.history["validation_loss"]
    assert losses.index(min(losses)) < 7, "the last epoch must not be the best, or this test sees nothing"
    net = build_net(result.experiment, 784, 10)
    load_weights(net, folder / "checkpoints" / "best.safetensors")
    loss, _ = measured_by_hand(net.state_dict(), *load_rows(result.experiment).validation)
    assert loss == pytest.approx(min(losses), rel=1e-5)


def test_the_result_tells_every_class_as_the_weights_confuse_them(kept):
    result, folder = kept
    x, labels = load_rows(result.experiment).test
    guesses = softmax_by_hand(weights(result), x).argmax(1)
    table = [[int(np.sum((labels == t) & (guesses == g))) for g in range(10)] for t in range(10)]
    test = strictly((folder / "result.json").read_bytes())["test"]
    assert test["confusion"] == table
    assert test["faults"] == 40 - sum(table[i][i] for i in range(10))
    assert test["recall"][7] == pytest.approx(table[7][7] / sum(table[7]))
    guessed = [sum(row[k] for row in table) for k in range(10)]
    assert test["precision"][7] == pytest.approx(table[7][7] / guessed[7] if guessed[7] else 0)
    assert strictly((folder / "result.json").read_bytes())["epochs"] == 8


def test_the_headline_is_the_accuracy_in_percent(kept):
    assert kept[0].headline == f"test accuracy: {100 * kept[0].test['accuracy']:.2f} %"


def test_the_same_experiment_gives_the_same_bytes_in_every_file_wherever_it_is_kept(kept, tmp_path):
    run(kept[0].experiment, tmp_path / "again", pictures=True)
    assert files_in(tmp_path / "again") == files_in(kept[1])


def test_a_run_that_is_kept_is_the_run_that_is_not(tmp_path):
    assert alike(run(tiny()), run(tiny(), tmp_path))


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(tiny())
    assert list(tmp_path.iterdir()) == []


def test_another_seed_gives_other_weights(tmp_path):
    assert not alike(run(tiny()), run(tiny(**{"train.seed": 1})))


@pytest.mark.parametrize("validation", [0, "test"])
def test_without_rows_held_out_from_training_nothing_is_said_of_the_best(tmp_path, validation):
    """The best by the test rows would be chosen by what it is then judged on."""
    run(tiny(**{"data.validation": validation}), tmp_path)
    assert "test_of_best" not in strictly((tmp_path / "result.json").read_bytes())


# ----- What is trained on -----


def archive(path: Path, last_rows: float) -> str:
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(40, 3)).astype(np.float32), rng.integers(3, size=40)
    x[20:30] = last_rows * x[20:30]
    np.savez(path, x_train=x[:30], t_train=t[:30], x_test=x[30:], t_test=t[30:])
    return str(path)


def test_rows_that_are_held_out_are_measured_and_never_trained_on(tmp_path):
    settings = {"data": {"name": "npz", "validation": 10}, "train": {"epochs": 3, "batch_size": 7}}
    runs = []
    for name, last_rows in (("one", 1.0), ("other", -5.0)):
        path = archive(tmp_path / f"{name}.npz", last_rows)
        runs.append(run(with_settings(experiment_from(settings | {"data": settings["data"] | {"path": path}}), {})))
    one, other = runs
    assert all(np.array_equal(array, weights(other)[name]) for name, array in weights(one).items())
    assert one.history["loss"] == other.history["loss"]
    assert one.history["validation_loss"] != other.history["validation_loss"]


def test_measuring_the_test_rows_every_epoch_ends_with_what_the_test_gives():
    result = run(tiny(**{"data.validation": "test"}))
    assert result.history.last["validation_loss"] == result.test["loss"]
    assert result.history.last["validation_accuracy"] == result.test["accuracy"]


def test_random_labels_can_be_learnt_and_do_not_generalise():
    result = run(
        tiny(**{
            "data.train_rows": 100, "data.test_rows": 1000, "data.random_labels": 10, "net.hidden": [50],
            "optimizer.name": "adam", "optimizer.lr": 0.01, "train.epochs": 40,
        })
    )  # fmt: skip
    assert result.history.last["accuracy"] > 0.95
    assert 0.05 < result.test["accuracy"] < 0.15


RULES = ["sgd", "momentum", "heavy_ball", "nesterov", "rmsprop", "adam", "adamw"]
SCHEDULES = {
    "constant": {},
    "step": {"every": 0.5, "factor": 0.5},
    "exponential": {"factor": 0.9},
    "cosine": {"final": 0.1},
}
LOSSES = ["cross_entropy", "log_likelihood", "mse", "binary_cross_entropy"]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_improves_every_loss(loss, rule):
    result = run(
        tiny(**{"objective.loss": loss, "optimizer.name": rule, "optimizer.lr": 0.002, "train.epochs": 6}),
    )
    first, last = result.history["loss"][0], result.history["loss"][-1]
    assert last > first if loss == "log_likelihood" else last < first
    assert math.isfinite(result.test["loss"])
    assert result.headline.startswith("test accuracy: ")


@pytest.mark.parametrize("warm_up", [0, 0.5])
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_runs_with_and_without_a_warm_up(name, warm_up):
    schedule = {"schedule.name": name, "schedule.warm_up": warm_up}
    schedule |= {f"schedule.{key}": value for key, value in SCHEDULES[name].items()}
    result = run(tiny(**schedule, **{"train.epochs": 1}))
    assert math.isfinite(result.test["loss"])
    has_rate = name != "constant" or warm_up > 0
    assert ("learning_rate" in result.history.last) == has_rate


@pytest.mark.parametrize("initialiser", ["xavier", "he", "fan_in", "zeros"])
@pytest.mark.parametrize("activation", ["softplus", "tanh", "cos", "relu", "sigmoid", "identity", "softmax"])
def test_every_activation_runs_from_every_first_weight(activation, initialiser):
    result = run(tiny(**{"net.activation": activation, "net.weight": initialiser, "train.epochs": 1}))
    assert math.isfinite(result.test["loss"])


def test_a_network_of_sigmoids_learns_by_binary_cross_entropy():
    result = run(
        tiny(**{
            "net.hidden": [30], "net.activation": "sigmoid", "objective.loss": "binary_cross_entropy",
            "train.epochs": 60, "optimizer.name": "adam", "optimizer.lr": 0.02,
        })
    )  # fmt: skip
    assert result.history.last["accuracy"] > 0.8


def test_a_linear_map_in_float64_with_penalties_and_clipping_runs():
    result = run(
        tiny(**{
            "net.hidden": [], "train.dtype": "float64", "objective.l1": 1e-4, "objective.l2": 1e-3,
            "train.clip_norm": 0.5, "train.clip_value": 0.1,
        })
    )  # fmt: skip
    assert {array.dtype for array in weights(result).values()} == {np.dtype(np.float64)}
    assert {"loss", "cross_entropy", "l1", "l2", "accuracy"} <= result.test.keys()


def test_targets_that_are_numbers_have_a_loss_and_no_accuracy(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3)).astype(np.float32)
    t = (x @ np.array([1.0, -2.0, 3.0])).astype(np.float32)
    np.savez(tmp_path / "own.npz", x_train=x[:40], t_train=t[:40], x_test=x[40:], t_test=t[40:])
    data = {"data.name": "npz", "data.path": str(tmp_path / "own.npz"), "data.train_rows": None, "data.test_rows": None}
    rest = {"net.hidden": [], "objective.loss": "mse", "optimizer.lr": 0.1, "train.epochs": 30, "train.batch_size": 10}
    result = run(tiny(**data, **rest), tmp_path / "out")
    assert result.test["loss"] < 1e-6, "a linear map is found exactly"
    np.testing.assert_allclose(weights(result)["layers.0.weight"], [[1, -2, 3]], atol=1e-3)
    assert result.headline == f"test loss: {result.test['loss']:.6g}"
    assert (result.metrics, set(result.test)) == (None, {"loss"})
    assert strictly((tmp_path / "out" / "result.json").read_bytes())["test"] == result.test


def test_pictures_of_numbers_are_those_that_have_something_to_show(tmp_path):
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(12, 3)).astype(np.float32), rng.normal(size=12).astype(np.float32)
    np.savez(tmp_path / "own.npz", x_train=x, t_train=t, x_test=x, t_test=t)
    experiment = experiment_from({
        "data": {"name": "npz", "path": str(tmp_path / "own.npz")},
        "objective": {"loss": "mse", "l2": 0.1},
        "train": {"epochs": 1, "gradient_norms": False},
    })  # fmt: skip
    run(experiment, tmp_path / "out", pictures=True)
    assert sorted(path.stem for path in (tmp_path / "out" / "plots").glob("*.svg")) == ["curves", "terms"]


def test_images_that_cannot_be_drawn_do_not_cost_the_result(tmp_path):
    rng = np.random.default_rng(0)
    x, t = rng.integers(0, 256, (12, 3, 2, 2, 2), np.uint8), np.arange(12) % 3
    np.savez(tmp_path / "own.npz", x_train=x, t_train=t, x_test=x, t_test=t)
    experiment = experiment_from({"data": {"name": "npz", "path": str(tmp_path / "own.npz")}, "train": {"epochs": 1}})
    run(experiment, tmp_path / "out", pictures=True)
    assert (tmp_path / "out" / "result.json").exists()


def test_early_stopping_ends_the_run_and_the_result_says_after_how_many_epochs(tmp_path):
    stopping = {"train.early_stopping.patience": 2, "train.epochs": 30, "data.validation": 30}
    result = run(with_settings(experiment_from(OVERFITTING), stopping), tmp_path)
    losses = result.history["validation_loss"]
    assert len(losses) == losses.index(min(losses)) + 3 < 30
    assert strictly((tmp_path / "result.json").read_bytes())["epochs"] == len(losses)


# ----- Going on -----


def interrupted(experiment: Experiment, folder: Path, monkeypatch, after: int = 1) -> None:
    """Run the experiment, interrupted as by Ctrl-C at the end of an epoch, before its checkpoint is written."""

    def stop(training) -> None:
        if training.epoch > after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(running_room, "fit", lambda *a, **k: fit(*a, **(k | {"callbacks": [*k["callbacks"], stop]})))
        with pytest.raises(KeyboardInterrupt):
            run(experiment, folder)


@pytest.mark.parametrize("every_batches", [None, 1, 2])
@pytest.mark.parametrize("after", [0, 2])
def test_an_interrupted_run_goes_on_to_the_same_bytes(tmp_path, monkeypatch, every_batches, after):
    experiment = with_settings(experiment_from(OVERFITTING), {"train.checkpoints.every_batches": every_batches})
    interrupted(experiment, tmp_path / "cut", monkeypatch, after)
    assert not (tmp_path / "cut" / "result.json").exists()
    resumed, whole = run(experiment, tmp_path / "cut", resume=True), run(experiment, tmp_path / "whole")
    assert alike(resumed, whole)
    assert files_in(tmp_path / "cut") == files_in(tmp_path / "whole")


def test_resuming_where_there_is_nothing_starts(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "new", tmp_path / "empty"):
        assert alike(run(tiny(), folder, resume=True), run(tiny()))


def test_resuming_a_finished_run_trains_nothing_and_changes_no_byte(tmp_path):
    first = run(tiny(**{"data.validation": 20}), tmp_path)
    before = state_of(tmp_path)
    again = run(first.experiment, tmp_path, resume=True)
    after = state_of(tmp_path)
    assert alike(first, again)
    assert {name: state[0] for name, state in after.items()} == {name: state[0] for name, state in before.items()}
    for name in ("checkpoints/last.safetensors", "checkpoints/best.safetensors", "experiment.json"):
        assert after[name] == before[name], "not written again"


def test_a_finished_run_goes_on_when_the_number_of_epochs_is_raised_as_if_it_had_never_ended(tmp_path):
    experiment = with_settings(experiment_from(OVERFITTING), {"train.epochs": 3, "optimizer.name": "nesterov"})
    longer = with_settings(experiment, {"train.epochs": 7})
    run(experiment, tmp_path / "raised")
    raised, whole = run(longer, tmp_path / "raised", resume=True), run(longer, tmp_path / "whole")
    assert alike(raised, whole)
    assert files_in(tmp_path / "raised") == files_in(tmp_path / "whole")


def test_a_step_schedule_goes_on_when_the_number_of_epochs_is_raised(tmp_path):
    experiment = tiny(**{"schedule.name": "step", "schedule.every": 1, "schedule.factor": 0.5})
    longer = with_settings(experiment, {"train.epochs": 4})
    run(experiment, tmp_path)
    raised = run(longer, tmp_path, resume=True)
    assert alike(raised, run(longer))
    assert raised.history["learning_rate"] == pytest.approx([0.01, 0.005, 0.0025, 0.00125], rel=1e-6)


@pytest.mark.parametrize("is_finished", [True, False], ids=["finished", "unfinished"])
def test_a_folder_with_a_run_is_refused_without_resume_and_left_as_it_is(tmp_path, monkeypatch, is_finished):
    if is_finished:
        run(tiny(), tmp_path)
    else:
        interrupted(tiny(), tmp_path, monkeypatch)
    before = state_of(tmp_path)
    kind = "a finished run" if is_finished else "a run that is not finished"
    with pytest.raises(ExperimentError, match=rf"{kind}; go on with --resume, or choose another folder") as problem:
        run(tiny(), tmp_path)
    assert str(tmp_path) in str(problem.value)
    assert state_of(tmp_path) == before


def test_the_run_of_another_experiment_is_refused_naming_every_setting_and_left_as_it_is(tmp_path):
    run(tiny(), tmp_path)
    before = state_of(tmp_path)
    other = tiny(**{"optimizer.lr": 0.5, "net.hidden": [5, 4], "train.epochs": 9})
    with pytest.raises(ExperimentError) as problem:
        run(other, tmp_path, resume=True)
    lines = str(problem.value).splitlines()
    assert lines[1:] == ["  net.hidden: there [5], here [5, 4]", "  optimizer.lr: there null, here 0.5"]
    assert state_of(tmp_path) == before


def test_a_cosine_that_would_end_elsewhere_is_refused_and_the_finished_run_is_left_as_it_is(tmp_path):
    run(tiny(**{"schedule.name": "cosine"}), tmp_path)
    before = state_of(tmp_path)
    with pytest.raises(ExperimentError, match=r"schedule\.epochs"):
        run(tiny(**{"schedule.name": "cosine", "train.epochs": 4}), tmp_path, resume=True)
    assert state_of(tmp_path) == before


def test_a_run_does_not_go_back_to_fewer_epochs(tmp_path):
    run(tiny(), tmp_path)
    before = state_of(tmp_path)
    with pytest.raises(ExperimentError, match=r"train\.epochs: there 2, here 1"):
        run(tiny(**{"train.epochs": 1}), tmp_path, resume=True)
    assert state_of(tmp_path) == before


def test_data_that_are_not_there_leave_no_folder_and_no_finished_run_without_its_result(tmp_path):
    path = archive(tmp_path / "own.npz", 1.0)
    experiment = experiment_from({"data": {"name": "npz", "path": path}, "train": {"epochs": 1}})
    run(experiment, tmp_path / "there")
    before = state_of(tmp_path / "there")
    Path(path).unlink()
    with pytest.raises(DataError):
        run(with_settings(experiment, {"train.epochs": 2}), tmp_path / "there", resume=True)
    assert state_of(tmp_path / "there") == before
    with pytest.raises(DataError):
        run(experiment, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_data_that_have_changed_since_are_refused_and_the_finished_run_is_left_as_it_is(tmp_path):
    path = archive(tmp_path / "own.npz", 1.0)
    experiment = experiment_from({"data": {"name": "npz", "path": path}, "train": {"epochs": 1}})
    run(experiment, tmp_path / "out")
    before = state_of(tmp_path / "out")
    archive(tmp_path / "own.npz", -5.0)
    for epochs in (1, 2):
        with pytest.raises(StateError, match="training rows"):
            run(with_settings(experiment, {"train.epochs": epochs}), tmp_path / "out", resume=True)
        assert state_of(tmp_path / "out") == before


def test_divergence_is_told_and_leaves_a_run_that_is_not_finished(tmp_path):
    with pytest.raises(DivergenceError, match="learning rate"):
        run(tiny(**{"optimizer.lr": 1e30}), tmp_path)
    assert not (tmp_path / "result.json").exists()


def test_a_folder_below_a_file_is_refused_and_the_file_stays(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for place in (file, file / "below"):
        with pytest.raises((OSError, ArgumentError), match="file"):
            run(tiny(), place)
    assert file.read_text() == "mine"


def test_a_damaged_declaration_is_named(tmp_path):
    run(tiny(), tmp_path)
    (tmp_path / "experiment.json").write_text("{")
    with pytest.raises(ExperimentError, match=r"experiment\.json"):
        run(tiny(), tmp_path, resume=True)


def test_there_is_nothing_to_resume_without_a_folder():
    with pytest.raises((ArgumentError, ExperimentError), match="resume"):
        run(tiny(), resume=True)


def test_files_of_the_users_own_in_the_folder_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    run(tiny(), tmp_path)
    run(tiny(**{"train.epochs": 3}), tmp_path, resume=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"
