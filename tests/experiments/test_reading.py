"""Reading declarations: files, texts, overrides, and messages that say what to mend."""

import json
import os
import pathlib
import time
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lite.errors import ExperimentError
from tinygrad_lite.experiments import (
    DataSection,
    EarlyStoppingSection,
    Experiment,
    NetSection,
    ObjectiveSection,
    OptimizerSection,
    ScheduleSection,
    SweepSection,
    TrainSection,
    as_json,
    experiment_from,
    read_experiment,
    with_settings,
)

MNIST = pathlib.Path(__file__).parents[2] / "examples" / "mnist.toml"

FULL = Experiment(
    data=DataSection(name="npz", path="ziffern/größe 8.npz", pixels="standard", validation="test", random_labels=10),
    net=NetSection(hidden=(300, 100), activation=("relu", "tanh"), weight=("he", "xavier", "zeros"), bias=0.1),
    objective=ObjectiveSection(loss="mse", reduction="half_sum", l2=1e-5, l1=1 / 3, penalise_biases=True),
    optimizer=OptimizerSection(name="adamw", lr=0.003, beta1=0.85, weight_decay=0.1),
    schedule=ScheduleSection(name="cosine", final=0.01, warm_up=0.5),
    train=TrainSection(epochs=3, seed=2**63 - 1, clip_norm=5, early_stopping=EarlyStoppingSection(patience=2)),
    sweep=SweepSection(seeds=(0, 1), grid={"net.hidden": [[3], []]}, list=[{"optimizer.lr": 0.1, "net.bias": 1}]),
)

TOML = """
train.epochs = 3
train.early_stopping = {patience = 2}

[net]
hidden = [300, 100]  # two layers
activation = ["relu", "tanh"]

[optimizer]
name = "adam"
lr = 1
"""


def refusal(*arguments, read=experiment_from):
    """Return the message that a declaration is refused with."""
    with pytest.raises(ExperimentError) as refused:
        read(*arguments)
    return str(refused.value)


# ----- What is read -----


def test_a_toml_file_is_read(tmp_path):
    (tmp_path / "experiment.toml").write_text(TOML)
    assert read_experiment(tmp_path / "experiment.toml") == Experiment(
        net=NetSection(hidden=(300, 100), activation=("relu", "tanh")),
        optimizer=OptimizerSection(name="adam", lr=1.0),
        train=TrainSection(epochs=3, early_stopping=EarlyStoppingSection(patience=2)),
    )


def test_an_empty_file_declares_the_defaults(tmp_path):
    (tmp_path / "experiment.toml").write_text("")
    assert read_experiment(str(tmp_path / "experiment.toml")) == Experiment() == experiment_from({})


def test_what_is_written_as_json_is_read_back_exactly(tmp_path):
    (tmp_path / "experiment.json").write_bytes(as_json(FULL))
    assert read_experiment(tmp_path / "experiment.json") == FULL == experiment_from(as_json(FULL))
    assert as_json(experiment_from(as_json(FULL))) == as_json(FULL)


def test_json_holds_every_setting_by_its_name():
    table = json.loads(as_json(FULL))
    assert table["optimizer"]["beta1"] == 0.85
    assert table["optimizer"]["beta2"] is None
    assert list(table) == list(Experiment.__struct_fields__)


def test_equal_experiments_give_equal_bytes():
    one = experiment_from("net = {hidden = [300], bias = -0.0}\nobjective.l2 = 1")
    other = Experiment(objective=ObjectiveSection(l2=1.0), net=NetSection(bias=0, hidden=[300]))
    assert one == other
    assert as_json(one) == as_json(other)


@given(
    lr=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    bias=st.floats(allow_nan=False, allow_infinity=False),
    seed=st.integers(0, 2**63 - 1),
    hidden=st.lists(st.integers(1, 10**9), max_size=4),
)
def test_every_number_survives_writing_and_reading(lr, bias, seed, hidden):
    experiment = Experiment(
        net=NetSection(hidden=hidden, bias=bias), optimizer=OptimizerSection(lr=lr), train=TrainSection(seed=seed)
    )
    assert experiment_from(as_json(experiment)) == experiment
    toml = f"net.hidden = {hidden}\nnet.bias = {bias}\noptimizer.lr = {lr}\ntrain.seed = {seed}"
    assert experiment_from(toml) == experiment


def test_a_file_from_windows_is_read():
    assert experiment_from("\ufeff[train]\r\nepochs = 3\r\n".encode()) == Experiment(train=TrainSection(epochs=3))


def test_the_example_is_read_and_says_nothing_that_is_not_so():
    experiment = read_experiment(MNIST)
    assert experiment.data.name == "mnist"
    for line in MNIST.read_text(encoding="utf-8").splitlines():
        if "--set" in line:
            overrides = [part.split()[0] for part in line.split("--set")[1:]]
            assert read_experiment(MNIST, overrides) != experiment
    given_settings = tomllib.loads(MNIST.read_text(encoding="utf-8"))
    assert set(given_settings) == set(Experiment.__struct_fields__) - {"sweep"}


# ----- Overrides -----


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.epochs=4", Experiment(train=TrainSection(epochs=4))),
        ("train.epochs = 4", Experiment(train=TrainSection(epochs=4))),
        ("net.hidden=[300]", Experiment(net=NetSection(hidden=[300]))),
        ("net.hidden=[]", Experiment(net=NetSection(hidden=[]))),
        ("net.activation=tanh", Experiment(net=NetSection(activation="tanh"))),
        ('net.activation="tanh"', Experiment(net=NetSection(activation="tanh"))),
        ("optimizer.name=adam", Experiment(optimizer=OptimizerSection(name="adam"))),
        ("optimizer.lr=1e-3", Experiment(optimizer=OptimizerSection(lr=0.001))),
        ("train.gradient_norms=false", Experiment(train=TrainSection(gradient_norms=False))),
        ("data.validation=test", Experiment(data=DataSection(validation="test"))),
        ("train.early_stopping.patience=5", Experiment(train=TrainSection(early_stopping=EarlyStoppingSection()))),
        ("optimizer={name='adam', lr=0.1}", Experiment(optimizer=OptimizerSection(name="adam", lr=0.1))),
        ("sweep.seeds=[0, 1]", Experiment(sweep=SweepSection(seeds=[0, 1]))),
        ("sweep.grid={net.bias=[0, 1]}", Experiment(sweep=SweepSection(grid={"net.bias": [0.0, 1.0]}))),
    ],
)  # fmt: skip
def test_an_override_is_a_path_and_a_toml_value_or_a_text(override, expected):
    assert experiment_from({}, [override]) == expected


def test_overrides_count_more_than_the_file_and_the_last_counts_most():
    text = "train.epochs = 3\noptimizer = {name = 'momentum', beta = 0.5}"
    assert experiment_from(text, ["train.epochs=4", "train.epochs=5"]).train.epochs == 5
    assert experiment_from(text, ["optimizer={}"]).optimizer == OptimizerSection()
    assert experiment_from(text, ["optimizer.lr=0.1"]).optimizer == OptimizerSection(name="momentum", beta=0.5, lr=0.1)


def test_a_path_may_hold_an_equals_sign():
    experiment = experiment_from({}, ["data={name='npz', path='x'}", "data.path=a=b.npz"])
    assert experiment.data.path == "a=b.npz"


def test_overriding_leaves_the_given_dicts_as_they_were():
    table = {"train": {"epochs": 3}}
    assert experiment_from(table, ["train.epochs=4", "train.seed=1"]).train.epochs == 4
    assert table == {"train": {"epochs": 3}}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", '--set takes a path, = and a value, as in train.epochs=4, got "train.epochs"'),
        ("train.epochs=true", "train.epochs: expected a whole number from 1 to 1e9, got true"),
        ("train.epochs=.5", 'train.epochs: expected a whole number from 1 to 1e9, got ".5"'),
        ("train.epochs=", 'train.epochs: expected a whole number from 1 to 1e9, got ""'),
        ("net.hidden=[300", 'net.hidden: expected a list, got "[300"'),
        ("train=3", "train: expected a table, got 3"),
        ("train.epochs=4\nseed = 3", 'train.epochs: expected a whole number from 1 to 1e9, got "4\\nseed = 3"'),
        ("train.epochs=" + "[" * 20_000, None),
        ("train.epochs=" + "[" * 200 + "]" * 200, None),
        ("train.epochs={" + "a." * 50_000 + "a=1}", None),
    ],
)
def test_an_override_that_cannot_be_is_refused(override, message):
    told = refusal({}, [override])
    assert told == message if message else told.startswith("train.epochs: expected a whole number from 1 to 1e9")


def test_an_override_of_a_path_that_is_not_there_is_refused_before_anything_else():
    told = refusal("train.epochs = 0", ["train.epoch=4", "lr=0.1"]).splitlines()
    assert told[0] == "2 mistakes"
    assert told[1].startswith("  --set train.epoch=4: there is no such setting; did you mean train.epochs?")
    assert told[2].startswith("  --set lr=0.1: there is no such setting; did you mean optimizer.lr?")


# ----- Changing settings in Python -----


def test_settings_of_an_experiment_are_changed_by_their_paths():
    changed = with_settings(
        FULL, {"train.early_stopping": None, "train.epochs": 8, "optimizer": OptimizerSection(lr=1)}
    )
    assert (changed.train.early_stopping, changed.train.epochs) == (None, 8)
    assert changed.optimizer == OptimizerSection(name="sgd", lr=1.0)
    assert (changed.net, changed.sweep) == (FULL.net, FULL.sweep)
    assert with_settings(FULL, {}) == FULL


def test_a_changed_setting_is_checked_like_one_of_a_file():
    assert refusal(FULL, {"train.epochs": 0}, read=with_settings) == (
        "train.epochs: expected a whole number from 1 to 1e9, got 0"
    )
    assert refusal(FULL, {"train.epoch": 4}, read=with_settings).startswith(
        "train.epoch=4: there is no such setting; did you mean train.epochs?"
    )
    assert refusal(FULL, {"optimizer.name": "sgd"}, read=with_settings).splitlines() == [
        "2 mistakes",
        '  optimizer.beta1: the rule "sgd" has no such setting; it has lr',
        '  optimizer.weight_decay: the rule "sgd" has no such setting; it has lr',
    ]


# ----- What is refused -----


def test_all_mistakes_of_a_file_are_told_with_the_file_their_paths_and_the_nearest_names(tmp_path):
    file = tmp_path / "experiment.toml"
    file.write_text("[train]\nepoch = 3\nlr = 0.1\nseed = true\n[optimiser]\nname = 'adam'\n[net]\nhidden = [0]\n")
    settings = ", ".join(TrainSection.__struct_fields__)
    assert refusal(file, read=read_experiment).splitlines() == [
        f"{file}: 5 mistakes",
        f"  train.epoch: there is no such setting; did you mean train.epochs? (train has {settings})",
        f"  train.lr: there is no such setting; did you mean optimizer.lr? (train has {settings})",
        "  train.seed: expected a whole number from 0 to 2**63 − 1, got true",
        "  optimiser: there is no such setting; did you mean optimizer? (an experiment has data, net, objective, "
        "optimizer, schedule, train, sweep)",
        "  net.hidden[0]: expected a whole number from 1 to 1e9, got 0",
    ]


def test_one_mistake_is_told_in_one_line(tmp_path):
    file = tmp_path / "experiment.toml"
    file.write_text("[schedule]\nname = 'step'\nevery = 3\n")
    assert refusal(file, read=read_experiment) == f'{file}: schedule.factor: the schedule "step" needs this setting'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[net\nbias = 3", "this is not TOML: Expected ']' at the end of a table declaration (at line 1, column 5)"),
        ("[train]\nepochs = 3\nepochs = 4\n", "this is not TOML: Cannot overwrite a value (at line 3, column 11)"),
        ('{"train": }', "this is not JSON: Expecting value: line 1 column 11 (char 10)"),
        ('{"train": {}, "train": {}}', 'this is not JSON: "train" stands twice in one object'),
        ('{"train": null}', "train: expected a table, got null"),
        ('{"optimizer": {"lr": NaN}}', "optimizer.lr: expected a finite number > 0, got nan"),
        ("optimizer.lr = nan", "optimizer.lr: expected a finite number > 0, got nan"),
        ("optimizer.lr = 1e999", "optimizer.lr: expected a finite number > 0, got inf"),
        ("net.bias = -inf", "net.bias: expected a finite number, got -inf"),
        ("data.train_rows = 2024-01-01", "data.train_rows: expected a whole number from 1 to 1e9, got 2024-01-01"),
        ("train.epochs = 0x" + "f" * 100, "train.epochs: expected a whole number from 1 to 1e9, got one of 400 bits"),
        ("train.seed = " + "9" * 5000, "this is not TOML: a number has thousands of digits"),
        ('{"train": {"seed": ' + "9" * 5000 + "}}", "this is not JSON: a number has thousands of digits"),
        ("train = 3", "train: expected a table, got 3"),
        ("[[train]]", "train: expected a table, got [{}]"),
        ('"train.epochs" = 3', "train.epochs: write train.epochs without quotes"),
        ("sweep.list = [3]", "sweep.list[0]: expected a table, got 3"),
        ('{"data": {"path": "\\ud800"}}', r'data.path: there are signs in "\ud800" that cannot be shown'),
    ],
)  # fmt: skip
def test_what_cannot_be_an_experiment_is_refused_with_the_place(text, message):
    assert refusal(text) == message


def test_a_setting_in_the_wrong_place_is_shown_the_right_ones():
    assert "did you mean schedule.epochs or train.epochs?" in refusal("epochs = 3")
    assert "did you mean train.early_stopping.patience?" in refusal("train.patience = 3")


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    file = tmp_path / "experiment.toml"
    assert f"cannot read {str(file)!r}" in refusal(file, read=read_experiment)
    assert "a .toml or .json file, not from" in refusal(tmp_path / "experiment.yaml", read=read_experiment)
    file.mkdir()
    assert refusal(file, read=read_experiment) == f"cannot read {str(file)!r}: it is not a file"
    os.mkfifo(tmp_path / "pipe.toml")
    assert refusal(tmp_path / "pipe.toml", read=read_experiment).endswith("it is not a file")
    (tmp_path / "latin.toml").write_bytes(b"# gr\xf6\xdfe")
    assert "this is not TOML: 'utf-8' codec can't decode byte 0xf6" in refusal(
        tmp_path / "latin.toml", read=read_experiment
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#" * 1_000_001, "larger than 1,000,000 bytes, which no experiment is"),
        ("a = " + "[" * 400_000 + "]" * 400_000, "more than 16 tables and lists stand in one another"),
        ("a = " + "[" * 17 + "]" * 17, "more than 16 tables and lists stand in one another"),
        ('{"a":' * 150_000 + "1" + "}" * 150_000, "more than 16 tables and lists stand in one another"),
        ("a." * 400_000 + "a = 1", "this is not TOML: line 1 has more than 50 points that are not of numbers"),
        ("\n[" + "1." * 400_000 + "1]", "this is not TOML: line 2 has more than 50 points that are not of numbers"),
        ("[train]\n" + "\n".join(f"k{i} = 1" for i in range(60_000)), "the first 20 mistakes"),
        ("[sweep]\nlist = [" + "{lr = 1}," * 9_000 + "]", "the first 20 mistakes"),
        ("[sweep]\nlist = [" + "{lr = 1}," * 90_000 + "]", "sweep.list: 90000 tables are more than 10000"),
        ("sweep.grid.net.bias = [" + "1," * 400_000 + "]", "sweep.grid.net.bias: 400000 values are more than 10000"),
        ("[" + "x" * 900_000 + "]", '"xxxxxxx'),
    ],
    ids=["large", "lists", "few lists", "objects", "path", "header", "keys", "tables", "many tables", "values", "key"],
)  # fmt: skip
def test_a_file_made_to_exhaust_the_reader_is_refused_soon_and_in_few_words(text, message):
    start = time.process_time()
    told = refusal(text)
    assert time.process_time() - start < 10
    assert told.startswith(message)
    assert len(told) < 10_000


def test_a_long_list_of_numbers_in_one_line_is_no_bomb():
    rates = [1 + i / 1000 for i in range(1000)]
    assert len(experiment_from(f"sweep.grid.optimizer.lr = {rates}").sweep.grid["optimizer.lr"]) == 1000
