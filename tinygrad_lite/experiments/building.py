"""Making what an experiment declares: the network, the objective, the update rule and the schedule."""

from __future__ import annotations

from tinygrad_lite import nn, optim
from tinygrad_lite.experiments.declaring import INITIALISERS, LOSSES, RULES, SCHEDULES, Experiment


def build_net(experiment: Experiment, inputs: int, outputs: int) -> nn.MLP:
    """Return the network for data with so many inputs and outputs, its first weights drawn from the training's seed.

    >>> from tinygrad_lite.experiments import Experiment
    >>> build_net(Experiment(), 784, 10)
    MLP(784 → 100 → 10, relu): 79,510 parameters
      layers.0: Linear(784 → 100) weight (100, 784), bias (100,)
      layers.1: Linear(100 → 10) weight (10, 100), bias (10,)
    """
    net = experiment.net
    weight: nn.Initialiser | list[nn.Initialiser] | None = None
    if net.weight is not None:
        weight = INITIALISERS[net.weight]() if isinstance(net.weight, str) else [INITIALISERS[n]() for n in net.weight]
    return nn.MLP(
        [inputs, *net.hidden, outputs],
        net.activation,
        net.output,
        weight=weight,
        bias=nn.Constant(net.bias),
        rng=experiment.train.seed,
        dtype=experiment.train.dtype,
    )


def build_objective(experiment: Experiment) -> nn.Objective:
    """Return the loss with its penalties; a penalty of weight 0 is left out.

    >>> from tinygrad_lite.experiments import Experiment, ObjectiveSection
    >>> build_objective(Experiment(objective=ObjectiveSection(loss="log_likelihood", l2=0.01)))
    LogLikelihood() - 0.01 * L2(biases=False)
    """
    section = experiment.objective
    objective: nn.Objective = LOSSES[section.loss](**section.settings())
    for weight, penalty in ((section.l2, nn.L2), (section.l1, nn.L1)):
        if weight:
            term = weight * penalty(biases=section.penalise_biases)
            objective = objective + term if objective.sense == "minimise" else objective - term
    return objective


def build_rule(experiment: Experiment) -> optim.Rule:
    """Return the update rule, which maximises if the objective is to be maximised.

    >>> from tinygrad_lite.experiments import Experiment, OptimizerSection
    >>> build_rule(Experiment(optimizer=OptimizerSection(name="momentum", lr=0.1)))
    Momentum(lr=0.1, maximize=False, beta=0.9)
    """
    maximize = build_objective(experiment).sense == "maximise"
    return RULES[experiment.optimizer.name](**experiment.optimizer.settings(), maximize=maximize)


def build_schedule(experiment: Experiment) -> optim.Schedule | None:
    """Return the schedule of the learning rate, None if the rate stays as it is.

    >>> from tinygrad_lite.experiments import Experiment, ScheduleSection
    >>> build_schedule(Experiment(schedule=ScheduleSection(name="cosine", warm_up=2)))
    WarmUp(epochs=2.0, then=Cosine(epochs=8.0, final=0.0), start=0.0)
    """
    section = experiment.schedule
    schedule = SCHEDULES[section.name](**section.settings(experiment.train.epochs))
    if section.warm_up:
        return optim.WarmUp(section.warm_up, then=schedule)
    return None if section.name == "constant" else schedule
