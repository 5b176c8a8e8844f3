"""Optimizers, declared: a rule is its equation, `rule.bind(net)` is an optimizer with state.

Schedules change the learning rate as epochs go by, and gradients are clipped before a step.
"""

from tinygrad_lite.optim.clipping import clip_by_norm, clip_by_value
from tinygrad_lite.optim.optimizer import Optimizer
from tinygrad_lite.optim.rules import SGD, Adam, AdamW, HeavyBall, Momentum, Nesterov, RMSprop, Rule
from tinygrad_lite.optim.schedules import Constant, Cosine, Exponential, Schedule, StepDecay, WarmUp

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Constant",
    "Cosine",
    "Exponential",
    "HeavyBall",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "Rule",
    "Schedule",
    "StepDecay",
    "WarmUp",
    "clip_by_norm",
    "clip_by_value",
]
