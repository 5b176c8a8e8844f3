"""Gradients derived by hand, in NumPy alone: the oracle that shares no line with the automatic ones."""

from tinygrad_lite.analytic.activations import ACTIVATIONS, Activation, sigmoid, sigmoid_derivative, softmax
from tinygrad_lite.analytic.mlp import mlp_gradients

__all__ = ["ACTIVATIONS", "Activation", "mlp_gradients", "sigmoid", "sigmoid_derivative", "softmax"]
