"""Gradients derived by hand, in NumPy alone: the oracle that shares no line with the automatic ones."""

from tinygrad_lite.analytic.activations import (
    ACTIVATIONS,
    Activation,
    cos,
    cos_derivative,
    relu,
    relu_derivative,
    sigmoid,
    sigmoid_derivative,
    softplus,
    softplus_derivative,
    tanh,
    tanh_derivative,
)
from tinygrad_lite.analytic.columns import mlp_backward_in_columns
from tinygrad_lite.analytic.costs import (
    binary_cross_entropy,
    binary_cross_entropy_gradient,
    cross_entropy,
    cross_entropy_gradient,
    l2_gradient,
    l2_penalty,
    mean_squared_error,
    mean_squared_error_gradient,
)
from tinygrad_lite.analytic.mlp import Backward, mlp_backward, mlp_gradients
from tinygrad_lite.analytic.outputs import (
    binary_cross_entropy_over_sigmoid,
    binary_cross_entropy_over_sigmoid_gradient,
    cross_entropy_over_softmax,
    cross_entropy_over_softmax_gradient,
    output_delta,
)
from tinygrad_lite.analytic.softmax_layer import softmax, softmax_jacobian, softmax_vjp
from tinygrad_lite.analytic.updates import adam_update, momentum_update, rmsprop_update, sgd_update

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Backward",
    "adam_update",
    "binary_cross_entropy",
    "binary_cross_entropy_gradient",
    "binary_cross_entropy_over_sigmoid",
    "binary_cross_entropy_over_sigmoid_gradient",
    "cos",
    "cos_derivative",
    "cross_entropy",
    "cross_entropy_gradient",
    "cross_entropy_over_softmax",
    "cross_entropy_over_softmax_gradient",
    "l2_gradient",
    "l2_penalty",
    "mean_squared_error",
    "mean_squared_error_gradient",
    "mlp_backward",
    "mlp_backward_in_columns",
    "mlp_gradients",
    "momentum_update",
    "output_delta",
    "relu",
    "relu_derivative",
    "rmsprop_update",
    "sgd_update",
    "sigmoid",
    "sigmoid_derivative",
    "softmax",
    "softmax_jacobian",
    "softmax_vjp",
    "softplus",
    "softplus_derivative",
    "tanh",
    "tanh_derivative",
]
