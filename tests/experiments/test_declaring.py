"""Sections of an experiment: what they know of the library, what they refuse, and how they say so."""

import inspect
import pickle

import msgspec
import numpy as np
import pytest

from tinygrad_lite import experiments, nn, optim, train
from tinygrad_lite.errors import ExperimentError
from tinygrad_lite.experiments import (
    CheckpointSection,
    DataSection,
    EarlyStoppingSection,
    Experiment,
    NetSection,
    ObjectiveSection,
    OptimizerSection,
    ScheduleSection,
    SweepSection,
    TrainSection,
)
from tinygrad_lite.experiments.declaring import INITIALISERS, LOSSES, RULES, SCHEDULES
from tinygrad_lite.experiments.settings import setting_kinds
from tinygrad_lite.nn.layers import ACTIVATIONS

SECTIONS = [value for name in experiments.__all__ if name.endswith("Section") for value in [getattr(experiments, name)]]


def exported(room, kind):
    """Return the concrete classes of a kind that a room exports."""
    values = [getattr(room, name) for name in room.__all__]
    return {v for v in values if isinstance(v, type) and issubclass(v, kind) and not inspect.isabstract(v)}


def refusal(section, **settings):
    """Return the message that the settings are refused with."""
    with pytest.raises(ExperimentError) as refused:
        section(**settings)
    return str(refused.value)


def choices(section, setting):
    """Return the names that a setting takes, as its error lists them."""
    listed = refusal(section, **{setting: "no such name"}).partition("one of ")[2].partition(", got")[0]
    return {part.strip().strip('"') for part in listed.split(",") if part.strip().startswith('"')}


# ----- Nothing of the library is forgotten -----


def test_every_rule_of_optim_can_be_declared():
    assert set(RULES.values()) == exported(optim, optim.Rule)
    assert choices(OptimizerSection, "name") == set(RULES)


def test_every_schedule_of_optim_can_be_declared():
    assert set(SCHEDULES.values()) | {optim.WarmUp} == exported(optim, optim.Schedule)
    assert choices(ScheduleSection, "name") == set(SCHEDULES)


def test_every_loss_and_every_penalty_of_nn_can_be_declared():
    penalties = {nn.L2: "l2", nn.L1: "l1"}
    assert set(LOSSES.values()) | set(penalties) == exported(nn, nn.Term)
    assert choices(ObjectiveSection, "loss") == set(LOSSES)
    assert set(penalties.values()) <= set(ObjectiveSection.__struct_fields__)


def test_every_initialiser_of_nn_can_be_declared_the_constant_as_the_bias():
    assert set(INITIALISERS.values()) | {nn.Constant} == exported(nn, nn.Initialiser)
    assert choices(NetSection, "weight") == set(INITIALISERS)


def test_every_activation_of_nn_can_be_declared():
    assert choices(NetSection, "activation") == choices(NetSection, "output") == set(ACTIVATIONS)


@pytest.mark.parametrize("name", RULES)
def test_every_hyper_parameter_of_a_rule_can_be_declared(name):
    own = inspect.signature(RULES[name]).parameters.keys() - {"maximize"}
    assert OptimizerSection(name=name, **dict.fromkeys(own, 0.5)).settings() == dict.fromkeys(own, 0.5)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_setting_of_a_schedule_can_be_declared(name):
    own = inspect.signature(SCHEDULES[name]).parameters
    section = ScheduleSection(name=name, **dict.fromkeys(own, 0.5))
    assert section.settings(train_epochs=10) == dict.fromkeys(own, 0.5)


def test_the_defaults_are_those_of_the_library():
    def defaults(function):
        parameters = inspect.signature(function).parameters.values()
        return {parameter.name: parameter.default for parameter in parameters}

    net, training, stopping = defaults(nn.MLP), defaults(train.fit), defaults(train.EarlyStopping)
    assert (NetSection().activation, NetSection().output) == (net["activation"], net["output"])
    assert np.dtype(TrainSection().dtype) == net["dtype"]
    assert (TrainSection().batch_size, TrainSection().seed) == (training["batch_size"], training["seed"])
    assert (TrainSection().clip_norm, TrainSection().clip_value) == (training["clip_norm"], training["clip_value"])
    assert msgspec.structs.asdict(EarlyStoppingSection()) == stopping
    assert {penalty().biases for penalty in (nn.L1, nn.L2)} == {ObjectiveSection().penalise_biases}


# ----- What help() shows -----


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_the_docstring_of_a_section_tells_of_every_setting_and_help_shows_its_default(section):
    for name in section.__struct_fields__:
        assert f"`{name}`" in inspect.getdoc(section)
    shown = inspect.signature(section).parameters
    assert list(shown) == list(section.__struct_fields__)
    assert all(parameter.default is not inspect.Parameter.empty for parameter in shown.values())


def test_the_docstring_of_the_optimizer_names_the_rules_defaults():
    documented = inspect.getdoc(OptimizerSection)
    assert f"{RULES['adam']().lr:g} for adam and adamw, {RULES['sgd']().lr:g} for the others" in documented
    assert {rule().lr for name, rule in RULES.items() if not name.startswith("adam")} == {RULES["sgd"]().lr}
    assert f"momentum ({RULES['momentum']().beta:g}) and rmsprop ({RULES['rmsprop']().beta:g})" in documented
    assert f"`weight_decay`: of adamw ({RULES['adamw']().weight_decay:g})" in documented


# ----- Values -----


@pytest.mark.parametrize(
    ("section", "setting", "value", "expected"),
    [
        (TrainSection, "epochs", True, "a whole number from 1 to 1e9, got true"),
        (TrainSection, "epochs", 0, "a whole number from 1 to 1e9, got 0"),
        (TrainSection, "epochs", 3.0, "a whole number from 1 to 1e9, got 3.0"),
        (TrainSection, "epochs", "3", 'a whole number from 1 to 1e9, got "3"'),
        (TrainSection, "epochs", None, "a whole number from 1 to 1e9, got null"),
        (TrainSection, "seed", -1, "a whole number from 0 to 2**63 − 1, got -1"),
        (TrainSection, "seed", 2**63, "a whole number from 0 to 2**63 − 1, got 9223372036854775808"),
        (TrainSection, "gradient_norms", 1, "true or false, got 1"),
        (TrainSection, "clip_norm", 0, "a finite number > 0, got 0"),
        (TrainSection, "clip_norm", False, "a finite number > 0, got false"),
        (NetSection, "bias", float("nan"), "a finite number, got nan"),
        (NetSection, "bias", float("-inf"), "a finite number, got -inf"),
        (ObjectiveSection, "l2", float("inf"), "a finite number ≥ 0, got inf"),
        (ObjectiveSection, "l1", -1e-9, "a finite number ≥ 0, got -1e-09"),
        (OptimizerSection, "lr", 0.0, "a finite number > 0, got 0.0"),
        (ScheduleSection, "factor", 1.5, "a number > 0 and ≤ 1, got 1.5"),
        (DataSection, "random_labels", 1, "a whole number from 2 to 1000, got 1"),
        (DataSection, "validation", "train", 'a whole number from 0 to 1e9, or "test", got "train"'),
        (NetSection, "hidden", 300, "a list, got 300"),
        (NetSection, "hidden", {"first": 3}, 'a list, got {"first" = 3}'),
    ],
)
def test_a_value_of_another_type_or_range_is_refused_with_what_was_expected(section, setting, value, expected):
    assert refusal(section, **{setting: value}) == f"{setting}: expected {expected}"


def test_a_whole_number_of_thousands_of_digits_is_refused_though_python_would_not_write_it():
    assert refusal(TrainSection, seed=10**5000).endswith("got one of 16610 bits")
    assert refusal(TrainSection, clip_norm=10**5000).endswith("got one of 16610 bits")


def test_the_entry_of_a_list_that_is_wrong_is_named_by_its_place():
    assert refusal(NetSection, hidden=[300, 0]) == "hidden[1]: expected a whole number from 1 to 1e9, got 0"


def test_the_name_nearest_to_a_wrong_one_is_proposed():
    assert refusal(OptimizerSection, name="adma").endswith('got "adma"; did you mean "adam"?')
    assert refusal(NetSection, activation=["softmaxx"]).endswith('got "softmaxx"; did you mean "softmax"?')


def test_a_long_or_unprintable_value_is_told_in_a_line():
    message = refusal(DataSection, name="npz\n" + "x" * 10_000)
    assert len(message) < 250
    assert "\n" not in message
    assert (
        refusal(DataSection, name="npz", path="a\0.npz")
        == r'path: there are signs in "a\u0000.npz" that cannot be shown'
    )


def test_whole_numbers_are_taken_for_numbers_and_lists_for_tuples():
    assert NetSection(hidden=[300, 100], bias=1) == NetSection(hidden=(300, 100), bias=1.0)
    assert isinstance(NetSection(bias=1).bias, float)


def test_numbers_and_arrays_of_numpy_are_taken_as_what_they_hold():
    assert OptimizerSection(lr=np.float64(0.1)) == OptimizerSection(lr=0.1)
    assert NetSection(hidden=np.array([300, 100])) == NetSection(hidden=(300, 100))
    rates = np.logspace(-3, -1, 3)
    assert SweepSection(grid={"optimizer.lr": rates}).grid == {"optimizer.lr": tuple(rates.tolist())}


def test_all_wrong_settings_of_a_section_are_told_together():
    told = refusal(TrainSection, epochs=0, batch_size=True, dtype="float16").splitlines()
    assert [line.partition(":")[0] for line in told] == ["epochs", "batch_size", "dtype"]


# ----- Settings that must go together -----


@pytest.mark.parametrize("name", RULES)
def test_a_setting_that_a_rule_does_not_have_is_refused_with_those_it_has(name):
    own = inspect.signature(RULES[name]).parameters.keys() - {"maximize"}
    for setting in set(OptimizerSection.__struct_fields__) - {"name"} - own:
        start, _, listed = refusal(OptimizerSection, name=name, **{setting: 0.5}).partition("; it has ")
        assert start == f'{setting}: the rule "{name}" has no such setting'
        assert set(listed.split(", ")) == own


@pytest.mark.parametrize(
    ("section", "settings", "message"),
    [
        (ScheduleSection, {"name": "step", "every": 3}, 'factor: the schedule "step" needs this setting'),
        (
            ScheduleSection,
            {"name": "cosine", "every": 3},
            'every: the schedule "cosine" has no such setting; it has epochs, final',
        ),
        (ScheduleSection, {"factor": 0.5}, 'factor: the schedule "constant" has no such setting'),
        (
            ObjectiveSection,
            {"reduction": "half_sum"},
            "reduction: reduction must be one of 'mean', 'sum', got 'half_sum'",
        ),
        (
            ObjectiveSection,
            {"loss": "log_likelihood", "reduction": "sum"},
            'reduction: the loss "log_likelihood" has no such setting',
        ),
        (
            NetSection,
            {"hidden": [30, 20], "activation": ["tanh"]},
            "activation: 1 are listed for 2 hidden layers; each needs one",
        ),
        (
            NetSection,
            {"hidden": [30, 20], "weight": ["he", "zeros"]},
            "weight: 2 are listed for 3 layers, the last included; each needs one",
        ),
        (DataSection, {"name": "npz"}, 'path: the data "npz" needs the path of an .npz file'),
        (DataSection, {"path": "a.npz"}, 'path: only the data "npz" has a path, and the name is "mnist-subset"'),
        (
            DataSection,
            {"train_rows": 50, "validation": 50},
            "validation: holds out 50 rows of 50, which leaves none to train on",
        ),
        (
            Experiment,
            {"schedule": ScheduleSection(warm_up=10)},
            "schedule.warm_up: leaves nothing of the 10 epochs in train.epochs",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(section, settings, message):
    assert refusal(section, **settings) == message


def test_a_network_may_have_no_hidden_layer():
    assert NetSection(hidden=[], activation=[], weight=["zeros"]).hidden == ()


@pytest.mark.parametrize("loss", ["cross_entropy", "log_likelihood", "binary_cross_entropy"])
def test_a_loss_on_logits_is_refused_over_a_softmax_output(loss):
    with pytest.raises(ExperimentError, match=r"^net\.output: .* takes logits and applies .* itself"):
        Experiment(objective=ObjectiveSection(loss=loss), net=NetSection(output="softmax"))


def test_a_squared_error_is_taken_over_every_output():
    for output in ACTIVATIONS:
        Experiment(objective=ObjectiveSection(loss="mse"), net=NetSection(output=output))


def test_a_figure_to_watch_must_be_one_that_is_measured():
    watching = TrainSection(
        early_stopping=EarlyStoppingSection(monitor="validation_loss"), checkpoints=CheckpointSection(best="acuracy")
    )
    assert refusal(Experiment, train=watching).splitlines() == [
        'train.early_stopping.monitor: "validation_loss" is no figure of every epoch; there are loss, accuracy',
        'train.checkpoints.best: "acuracy" is no figure of every epoch; did you mean "accuracy"?; '
        "there are loss, accuracy",
    ]


def test_the_figures_that_can_be_watched_are_those_of_the_history():
    x, t = np.zeros((4, 3), np.float32), np.array([0, 1, 0, 1])
    for l2, validation in ((0.0, 0), (0.1, 0), (0.1, "test"), (0.0, 2)):
        experiment = Experiment(data=DataSection(validation=validation), objective=ObjectiveSection(l2=l2))
        history = train.fit(
            experiments.build_net(experiment, 3, 2),
            experiments.build_objective(experiment),
            experiments.build_rule(experiment),
            train=(x, t),
            validation=(x, t) if validation else None,
            epochs=1,
            progress=False,
        )
        assert set(experiment.columns()) == set(history.last) - {"epoch"}


# ----- Sweeps -----


def test_the_paths_and_values_of_a_sweep_are_checked_when_it_is_declared():
    with pytest.raises(ExperimentError) as refused:
        SweepSection(
            grid={
                "optimizer.lrr": [0.1, 0.2],
                "net.hidden": [[3], 4],
                "train": [1],
                "data.path": "x",
                "train.seed": [],
            },
            list=[{"train.epochs": 3}, {"train.lr": 2}],
        )
    told = str(refused.value).splitlines()
    assert [line.partition(":")[0] for line in told] == [
        "grid.optimizer.lrr",
        "grid.net.hidden",
        "grid.train",
        "grid.data.path",
        "grid.train.seed",
        "list[1].train.lr",
    ]
    assert "did you mean optimizer.lr?" in told[0]
    assert told[1].endswith("expected a list, got 4")
    assert "this is a section, not a setting; it has epochs," in told[2]
    assert told[3].endswith('expected a list of values, got "x"')
    assert "did you mean optimizer.lr?" in told[5]


def test_the_settings_of_a_sweep_may_be_nested_as_toml_nests_them():
    nested = SweepSection(grid={"optimizer": {"lr": [0.1, 1]}}, list=[{"net": {"hidden": [3]}}])
    assert nested == SweepSection(grid={"optimizer.lr": [0.1, 1.0]}, list=[{"net.hidden": (3,)}])


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"grid": {"train.seed": [0, 0]}}, "grid.train.seed: a value stands twice in [0, 0]"),
        ({"grid": {"optimizer.lr": [1, 1.0]}}, "grid.optimizer.lr: a value stands twice in [1, 1.0]"),
        ({"grid": {"train.seed": [0]}, "seeds": [1]}, "seeds: train.seed stands in the grid or the list too"),
        ({"list": [{"train.seed": 0}], "seeds": [1]}, "seeds: train.seed stands in the grid or the list too"),
        ({"seeds": [3, 1, 3]}, "seeds: a seed stands twice in [3, 1, 3]"),
        ({"seeds": [-1]}, "seeds[0]: expected a whole number from 0 to 2**63 − 1, got -1"),
        ({"grid": {"net.bias": [0.0]}, "list": [{"net.bias": 1.0}]}, "list: net.bias stands in the grid too"),
        ({"grid": {"net.bias": [0], "net": {"bias": [1]}}}, "grid: net.bias stands there twice"),
        ({"grid": {"sweep.seeds": [[0]]}}, "grid.sweep.seeds: a sweep cannot change itself"),
        ({"grid": {"net.bias": range(20_000)}}, "grid.net.bias: expected a list of values, got range(0, 20000)"),
        ({"grid": {"net.bias": list(range(20_000))}}, "grid.net.bias: 20000 values are more than 10000"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(sweep, message):
    assert refusal(SweepSection, **sweep) == message


def test_every_setting_but_those_of_the_sweep_can_be_swept():
    values = msgspec.to_builtins(Experiment(train=TrainSection(early_stopping=EarlyStoppingSection())))
    paths = [path for path in setting_kinds(Experiment) if not path.startswith("sweep.")]
    for path in paths:
        value = values
        for key in path.split("."):
            value = value[key]
        assert list(SweepSection(list=[{path: value}]).list[0]) == [path]
    assert len(paths) > 40


# ----- Values in Python -----


def test_an_experiment_cannot_change_and_equal_ones_are_equal():
    experiment = Experiment()
    with pytest.raises(AttributeError):
        experiment.train.epochs = 3
    assert experiment == Experiment(train=TrainSection(epochs=10))
    assert hash(experiment) == hash(Experiment(net=NetSection(hidden=[100])))
    assert experiment != Experiment(train=TrainSection(epochs=11))


def test_a_section_is_declared_by_its_class():
    assert refusal(Experiment, net={"hidden": [3]}) == 'net: expected a NetSection, got {"hidden" = [3]}'
    with pytest.raises(TypeError, match="epoch"):
        TrainSection(epoch=3)


def test_experiments_and_their_errors_can_be_sent_to_another_process():
    experiment = Experiment(sweep=SweepSection(grid={"optimizer.lr": [0.1]}, seeds=[1, 2]))
    assert pickle.loads(pickle.dumps(experiment)) == experiment
    with pytest.raises(ExperimentError) as refused:
        TrainSection(epochs=0)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
