"""Optimizers, declared: a rule is its equation, `rule.bind(net)` is an optimizer with state."""

from tinygrad_lite.optim.optimizer import Optimizer
from tinygrad_lite.optim.rules import SGD, Adam, AdamW, HeavyBall, Momentum, Nesterov, RMSprop, Rule

__all__ = ["SGD", "Adam", "AdamW", "HeavyBall", "Momentum", "Nesterov", "Optimizer", "RMSprop", "Rule"]
