"""What is built from a declaration is what one would have written with nn and optim."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_lite
from tinygrad_lite import nn, optim
from tinygrad_lite.experiments import (
    Experiment,
    NetSection,
    ObjectiveSection,
    OptimizerSection,
    ScheduleSection,
    TrainSection,
    build_net,
    build_objective,
    build_rule,
    build_schedule,
)
from tinygrad_lite.experiments.declaring import INITIALISERS, LOSSES, RULES, SCHEDULES
from tinygrad_lite.nn.layers import ACTIVATIONS


def assert_same_network(net, expected):
    assert repr(net) == repr(expected)
    for (name, parameter), (_, other) in zip(net.named_parameters(), expected.named_parameters(), strict=True):
        assert parameter.dtype == other.dtype
        np.testing.assert_array_equal(parameter.numpy(), other.numpy(), err_msg=name)


# ----- Networks -----


def test_the_default_network_is_that_of_nn_with_a_hundred_hidden_units():
    assert_same_network(build_net(Experiment(), 784, 10), nn.MLP([784, 100, 10], rng=0))


def test_the_network_starts_from_the_seed_of_the_training_in_its_dtype():
    experiment = Experiment(net=NetSection(hidden=[5], activation="tanh"), train=TrainSection(seed=3, dtype="float64"))
    net = build_net(experiment, 4, 2)
    assert_same_network(net, nn.MLP([4, 5, 2], activation="tanh", rng=3, dtype=np.float64))
    other = build_net(Experiment(net=experiment.net, train=TrainSection(seed=4, dtype="float64")), 4, 2)
    assert not np.array_equal(net.layers[0].weight.numpy(), other.layers[0].weight.numpy())


def test_activations_and_weights_may_differ_by_layer():
    section = NetSection(
        hidden=[6, 5], activation=["softplus", "cos"], output="softmax", weight=["fan_in", "he", "zeros"], bias=0.5
    )
    expected = nn.MLP(
        [4, 6, 5, 2],
        ["softplus", "cos"],
        "softmax",
        weight=[nn.FanIn(), nn.He(), nn.Zeros()],
        bias=nn.Constant(0.5),
        rng=0,
    )
    experiment = Experiment(net=section, objective=ObjectiveSection(loss="mse"))
    assert_same_network(build_net(experiment, 4, 2), expected)


@pytest.mark.parametrize("name", INITIALISERS)
def test_weights_start_from_the_initialiser_that_is_named(name):
    net = build_net(Experiment(net=NetSection(weight=name)), 7, 3)
    assert_same_network(net, nn.MLP([7, 100, 3], weight=INITIALISERS[name](), rng=0))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_activation_that_is_named_is_applied(name):
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    experiment = Experiment(net=NetSection(hidden=[3], activation=name, weight="xavier"))
    net = nn.MLP([4, 3, 2], weight=nn.Xavier(), activation="identity", rng=0)
    hidden = nn.activation(name)(net.layers[0](x))
    np.testing.assert_array_equal(build_net(experiment, 4, 2)(x).numpy(), net.layers[1](hidden).numpy())


def test_a_network_without_hidden_layers_is_linear():
    assert build_net(Experiment(net=NetSection(hidden=[])), 4, 2).widths == (4, 2)


# ----- Objectives -----


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (ObjectiveSection(), nn.CrossEntropy()),
        (ObjectiveSection(reduction="sum"), nn.CrossEntropy(reduction="sum")),
        (ObjectiveSection(loss="log_likelihood"), nn.LogLikelihood()),
        (ObjectiveSection(loss="mse", reduction="half_sum"), nn.MSE(reduction="half_sum")),
        (ObjectiveSection(loss="binary_cross_entropy"), nn.BinaryCrossEntropy()),
        (ObjectiveSection(l2=0.01), nn.CrossEntropy() + 0.01 * nn.L2()),
        (ObjectiveSection(l1=0.1, l2=0.01), nn.CrossEntropy() + 0.01 * nn.L2() + 0.1 * nn.L1()),
        (ObjectiveSection(l2=0.01, penalise_biases=True), nn.CrossEntropy() + 0.01 * nn.L2(biases=True)),
        (ObjectiveSection(loss="log_likelihood", l2=0.01, l1=1), nn.LogLikelihood() - 0.01 * nn.L2() - 1.0 * nn.L1()),
    ],
    ids=repr,
)
def test_the_objective_is_the_loss_with_its_penalties(section, expected):
    objective = build_objective(Experiment(objective=section))
    assert objective == expected
    assert objective.sense == expected.sense


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_trains_a_network_that_it_is_declared_with(name):
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(6, 4)), np.eye(3)[rng.integers(0, 3, 6)]
    experiment = Experiment(objective=ObjectiveSection(loss=name, l1=1e-3), train=TrainSection(dtype="float64"))
    net, objective = build_net(experiment, 4, 3), build_objective(experiment)
    optimizer = build_rule(experiment).bind(net, objective)
    before = objective(net, x, t)
    before.backward()
    optimizer.step()
    after = objective(net, x, t)
    assert after.item() > before.item() if objective.sense == "maximise" else after.item() < before.item()


# ----- Rules and schedules -----


@pytest.mark.parametrize("name", RULES)
def test_a_rule_without_settings_has_the_librarys_defaults_and_follows_the_sense_of_the_objective(name):
    section = OptimizerSection(name=name)
    assert build_rule(Experiment(optimizer=section)) == RULES[name]()
    maximised = ObjectiveSection(loss="log_likelihood", l2=0.1)
    assert build_rule(Experiment(optimizer=section, objective=maximised)) == RULES[name](maximize=True)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (OptimizerSection(lr=1), optim.SGD(lr=1.0)),
        (OptimizerSection(name="momentum", beta=0.5), optim.Momentum(beta=0.5)),
        (OptimizerSection(name="nesterov", lr=0.1, momentum=0), optim.Nesterov(lr=0.1, momentum=0.0)),
        (OptimizerSection(name="rmsprop", beta=0.9, epsilon=0), optim.RMSprop(beta=0.9, epsilon=0.0)),
        (OptimizerSection(name="adamw", beta2=0.99, weight_decay=0.1), optim.AdamW(beta2=0.99, weight_decay=0.1)),
    ],
)
def test_a_rule_has_the_settings_that_are_given(section, expected):
    assert build_rule(Experiment(optimizer=section)) == expected


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (ScheduleSection(), None),
        (ScheduleSection(warm_up=2), optim.WarmUp(2)),
        (ScheduleSection(name="step", every=3, factor=0.5), optim.StepDecay(3, 0.5)),
        (ScheduleSection(name="exponential", factor=0.9), optim.Exponential(0.9)),
        (ScheduleSection(name="cosine"), optim.Cosine(10)),
        (ScheduleSection(name="cosine", warm_up=0.5, final=0.1), optim.WarmUp(0.5, then=optim.Cosine(9.5, final=0.1))),
        (ScheduleSection(name="cosine", epochs=4), optim.Cosine(4)),
        (ScheduleSection(name="step", every=1, factor=0.1, warm_up=1), optim.WarmUp(1, then=optim.StepDecay(1, 0.1))),
    ],
)
def test_the_schedule_is_the_one_declared_and_a_cosine_ends_with_the_training(section, expected):
    assert build_schedule(Experiment(schedule=section)) == expected


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_begins_at_zero_after_a_warm_up_and_reaches_the_rate_of_the_rule(name):
    needed = {"step": {"every": 1, "factor": 0.5}, "exponential": {"factor": 0.5}}.get(name, {})
    schedule = build_schedule(Experiment(schedule=ScheduleSection(name=name, warm_up=2, **needed)))
    assert (schedule(0), schedule(1), schedule(2)) == (0.0, 0.5, 1.0)


# ----- Without msgspec -----


def test_without_msgspec_the_room_says_what_to_install():
    code = (
        "import sys; sys.modules['msgspec'] = None\n"
        "from tinygrad_lite.errors import MissingDependencyError\n"
        "try:\n    import tinygrad_lite.experiments\n"
        "except MissingDependencyError as problem:\n    print(problem)"
    )
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(tinygrad_lite.__file__).parents[1])}
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert finished.stdout == "experiments need msgspec: pip install 'tinygrad-lite[train]'\n"
