"""Networks and what they are trained for, declared: modules, initialisers, losses and penalties that add up."""

from tinygrad_lite.nn.initialisers import Constant, FanIn, He, Initialiser, Xavier, Zeros
from tinygrad_lite.nn.layers import (
    MLP,
    Activation,
    Cos,
    Identity,
    Linear,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
    activation,
)
from tinygrad_lite.nn.losses import MSE, BinaryCrossEntropy, CrossEntropy, LogLikelihood
from tinygrad_lite.nn.module import Module
from tinygrad_lite.nn.objectives import Evaluation, Objective, Term
from tinygrad_lite.nn.penalties import L1, L2

__all__ = [
    "L1",
    "L2",
    "MLP",
    "MSE",
    "Activation",
    "BinaryCrossEntropy",
    "Constant",
    "Cos",
    "CrossEntropy",
    "Evaluation",
    "FanIn",
    "He",
    "Identity",
    "Initialiser",
    "Linear",
    "LogLikelihood",
    "Module",
    "Objective",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "Term",
    "Xavier",
    "Zeros",
    "activation",
]
