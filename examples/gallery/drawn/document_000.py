"""A computation and its gradient in NumPy, for arguments of the shapes and dtypes given below.

    weighted_sum_1, gradients = forward_and_gradient(x, t, layers_0_weight, layers_0_bias, ...)

`gradients` has the derivative of the result by each parameter, by the name of its argument.
In the code d_x is the cotangent of x, the derivative of the result by x.
"""

import numpy as np


@np.errstate(all="ignore")  # infinities are values at a pole, and a cotangent of 0 stays 0 there
def forward_and_gradient(
    x,  # input, 100×784 float32
    t,  # input, 100 int64
    layers_0_weight,  # parameter layers.0.weight, 100×784 float32
    layers_0_bias,  # parameter layers.0.bias, 100 float32
    layers_1_weight,  # parameter layers.1.weight, 10×100 float32
    layers_1_bias,  # parameter layers.1.bias, 10 float32
):
    # ----- Forward -----

    # layers.0
    # linear: y = x wᵀ + b
    linear_1 = x @ layers_0_weight.T + layers_0_bias

    # softplus: y = log(1 + eˣ)
    softplus_1 = np.maximum(linear_1, 0) + np.log1p(np.exp(-np.absolute(linear_1)))

    # layers.1
    # linear: y = x wᵀ + b
    linear_2 = softplus_1 @ layers_1_weight.T + layers_1_bias

    # softmax_cross_entropy: y = −Σ(one_hot(targets) ⊙ log(softmax[axis 1](logits)))
    by_columns = np.asarray(linear_2.T, order="C").T
    shifted = by_columns - by_columns.max(axis=-1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    picked = np.where(t[..., None] == np.arange(10), shifted, 0).sum(axis=-1)
    losses = log_total[..., 0] - picked
    softmax_cross_entropy_1 = losses.sum()
    negative_1 = -softmax_cross_entropy_1
    # sum_squares: y = 0.5 · (‖x₁‖² + ‖x₂‖²)
    flat = layers_0_weight.reshape(-1)
    flat_2 = layers_1_weight.reshape(-1)
    sum_squares_1 = 0.5 * (flat @ flat + flat_2 @ flat_2)
    # weighted_sum: y = x₁ + (−0.01) · x₂
    weighted_sum_1 = negative_1 + -0.01 * sum_squares_1

    # ----- Backward -----

    d_weighted_sum_1 = np.float32(1.0)

    # back through weighted_sum_1 = weighted_sum(negative_1, sum_squares_1):
    #     d_x₁ = d_y, d_x₂ = (−0.01) · d_y
    d_sum_squares_1 = -0.01 * d_weighted_sum_1

    # back through sum_squares_1 = sum_squares(layers_0_weight, layers_1_weight):
    #     d_x₁ = 2 · 0.5 · d_y · x₁, d_x₂ = 2 · 0.5 · d_y · x₂
    multiply_1 = d_sum_squares_1 * layers_0_weight
    multiply_2 = d_sum_squares_1 * layers_1_weight

    # back through negative_1 = negative(softmax_cross_entropy_1): d_x = −d_y
    d_negative_1 = d_weighted_sum_1
    d_softmax_cross_entropy_1 = -d_negative_1

    # back through softmax_cross_entropy_1 = softmax_cross_entropy(linear_2, t):
    #     d_logits = d_y ⊙ (softmax[axis 1](logits) − one_hot(targets))
    by_columns_2 = np.asarray(linear_2.T, order="C").T
    shifted_2 = by_columns_2 - by_columns_2.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted_2)
    softmax_1 = exponentials / exponentials.sum(axis=-1, keepdims=True)
    d_linear_2 = d_softmax_cross_entropy_1 * (softmax_1 - np.eye(10, dtype=np.float32)[t])

    # back through linear_2 = linear(softplus_1, layers_1_weight, layers_1_bias):
    #     d_x = d_y w, d_w = d_yᵀ x, d_b = Σ(d_y)
    d_softplus_1 = d_linear_2 @ layers_1_weight
    d_layers_1_weight = multiply_2 + d_linear_2.T @ softplus_1
    d_layers_1_bias = d_linear_2.sum(axis=0)

    # back through softplus_1 = softplus(linear_1): d_x = d_y ⊙ (1 − e⁻ʸ)
    d_linear_1 = d_softplus_1 * -np.expm1(-softplus_1)

    # back through linear_1 = linear(x, layers_0_weight, layers_0_bias): d_w = d_yᵀ x, d_b = Σ(d_y)
    d_layers_0_weight = multiply_1 + d_linear_1.T @ x
    d_layers_0_bias = d_linear_1.sum(axis=0)

    gradients = {
        "layers_0_weight": d_layers_0_weight,
        "layers_0_bias": d_layers_0_bias,
        "layers_1_weight": d_layers_1_weight,
        "layers_1_bias": d_layers_1_bias,
    }
    return weighted_sum_1, gradients
