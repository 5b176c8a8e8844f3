"""Clipping makes gradients smaller as its equation says, and touches nothing else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lite as tg
from tinygrad_lite import nn, optim
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.optim import clip_by_norm, clip_by_value


def leaf(gradient: object, dtype: type = np.float64) -> tg.Tensor:
    """Return a parameter with this gradient."""
    parameter = tg.Tensor(np.ones(np.shape(gradient)), requires_grad=True, dtype=dtype)
    parameter.grad = gradient
    return parameter


def network_with_gradients(seed: int = 0) -> list[tg.Tensor]:
    net = nn.MLP([5, 4, 3], activation="tanh", rng=seed)
    rng = np.random.default_rng(seed)
    (100 * nn.CrossEntropy())(net, rng.normal(size=(7, 5)).astype(np.float32), rng.integers(3, size=7)).backward()
    return net.parameters()


# ----- By norm -----


def test_the_gradients_of_all_parameters_are_scaled_by_one_factor():
    one, other = leaf([3.0, 0.0]), leaf([[0.0], [4.0]])
    assert clip_by_norm([one, other], 0.5) == 5.0
    np.testing.assert_allclose(one.grad, [0.3, 0.0], rtol=1e-15)
    np.testing.assert_allclose(other.grad, [[0.0], [0.4]], rtol=1e-15)


@pytest.mark.parametrize("limit", [5.0, 5.1, math.inf])
def test_gradients_within_the_limit_stay_the_arrays_they_are(limit):
    parameter = leaf([3.0, 4.0])
    before = parameter.grad
    assert clip_by_norm([parameter], limit) == 5.0
    assert parameter.grad is before
    assert before.tolist() == [3.0, 4.0]


def test_a_parameter_without_a_gradient_is_passed_over():
    bare = tg.Tensor([1.0], requires_grad=True)
    parameter = leaf([3.0, 4.0])
    assert clip_by_norm([bare, parameter], 1.0) == 5.0
    clip_by_value([bare, parameter], 0.1)
    assert bare.grad is None
    assert parameter.grad.tolist() == [0.1, 0.1]


@pytest.mark.parametrize("parameters", [[], [tg.Tensor([1.0], requires_grad=True)], [leaf([0.0, 0.0])], [leaf([])]])
def test_without_a_gradient_that_is_not_zero_the_norm_is_zero(parameters):
    assert clip_by_norm(parameters, 1.0) == 0.0


def test_a_parameter_without_axes_is_clipped_as_any_other():
    parameter = leaf(-4.0)
    assert clip_by_norm([parameter], 0.5) == 4.0
    assert parameter.grad == -0.5
    assert parameter.grad.shape == ()


@pytest.mark.parametrize("layout", [lambda g: g.T, lambda g: g[::2, ::-1], lambda g: np.broadcast_to(g[0], (6, 4))])
def test_the_layout_of_a_gradient_does_not_matter(layout):
    gradient = layout(np.random.default_rng(0).normal(size=(6, 4)))
    parameter = leaf(gradient)
    assert clip_by_norm([parameter], 0.5) == pytest.approx(np.linalg.norm(gradient), rel=1e-14)
    np.testing.assert_allclose(parameter.grad, 0.5 * gradient / np.linalg.norm(gradient), rtol=1e-14)


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), min_size=1, max_size=3), st.floats(1e-3, 1e7))
def test_the_norm_becomes_the_limit_and_the_direction_stays(rows, limit):
    parameters = [leaf(row) for row in rows]
    before = np.concatenate([parameter.grad for parameter in parameters])
    norm = clip_by_norm(parameters, limit)
    after = np.concatenate([parameter.grad for parameter in parameters])
    assert norm == pytest.approx(math.hypot(*before), rel=1e-12)
    np.testing.assert_allclose(after, before * min(1, limit / max(norm, 1e-300)), rtol=1e-12)
    assert clip_by_norm(parameters, limit) <= limit * (1 + 1e-12)


def test_a_step_of_gradient_descent_is_no_longer_than_rate_times_limit():
    parameter = leaf([300.0, -400.0])
    optimizer = optim.SGD(lr=0.5).bind([parameter])
    clip_by_norm([parameter], 2.0)
    optimizer.step()
    np.testing.assert_allclose(parameter.data, [1 - 0.6, 1 + 0.8], rtol=1e-14)


# ----- Ranges and dtypes -----


@pytest.mark.parametrize(
    ("dtype", "size"),
    [(np.float32, 1e30), (np.float32, 3e38), (np.float32, 1e-30), (np.float32, 1e-44), (np.float64, 1e300),
     (np.float64, 1e-300)],
)  # fmt: skip
def test_a_norm_whose_squares_overflow_or_vanish_is_found_and_clipped_without_a_warning(dtype, size):
    size = float(dtype(size))
    parameters = [leaf(np.full((3, 3), size), dtype), leaf(np.full(7, -size), dtype)]
    with np.errstate(all="raise"):
        norm = clip_by_norm(parameters, limit=2 * size)
    assert norm == pytest.approx(4 * size, rel=1e-6)
    np.testing.assert_allclose(parameters[0].grad, np.full((3, 3), size / 2), rtol=1e-6, atol=1e-45)
    np.testing.assert_allclose(parameters[1].grad, np.full(7, -size / 2), rtol=1e-6, atol=1e-45)


@pytest.mark.parametrize("size", [1e30, 3e38])
def test_a_limit_far_below_the_norm_keeps_the_digits_of_float32(size):
    parameter = leaf(np.full(16, size), np.float32)
    clip_by_norm([parameter], 1e-12)
    np.testing.assert_allclose(parameter.grad, np.full(16, 0.25e-12), rtol=1e-6)


def test_small_gradients_count_beside_large_ones():
    parameters = [leaf(np.full(10_000, 1e-3), np.float32), leaf([0.1], np.float32)]
    assert clip_by_norm(parameters, 1.0) == pytest.approx(math.sqrt(0.02), rel=1e-6)


def test_parameters_of_two_dtypes_keep_them():
    parameters = [leaf([3.0], np.float32), leaf([4.0], np.float64)]
    clip_by_norm(parameters, np.float64(0.5))
    assert [parameter.grad.dtype for parameter in parameters] == [np.float32, np.float64]
    np.testing.assert_allclose([parameter.grad[0] for parameter in parameters], [0.3, 0.4], rtol=1e-7)
    clip_by_value(parameters, np.float64(0.1))
    assert [parameter.grad.dtype for parameter in parameters] == [np.float32, np.float64]


@pytest.mark.parametrize("limit", [1e39, 1e300, math.inf])
def test_a_limit_beyond_float32_clips_nothing(limit):
    parameter = leaf([3e38, -1.0], np.float32)
    with np.errstate(all="raise"):
        clip_by_value([parameter], limit)
        clip_by_norm([parameter], limit)
    np.testing.assert_array_equal(parameter.grad, np.array([3e38, -1.0], np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_norm_that_is_not_finite_is_told_and_the_gradients_left_alone(wrong, dtype):
    broken, sound = leaf([1.0, wrong], dtype), leaf([3.0, 4.0], dtype)
    with np.errstate(all="raise"):
        norm = clip_by_norm([broken, sound], 0.5)
    assert math.isnan(norm) if math.isnan(wrong) else norm == math.inf
    np.testing.assert_array_equal(broken.grad, [1.0, wrong])
    np.testing.assert_array_equal(sound.grad, [3.0, 4.0])


# ----- Nothing is changed in place -----


@pytest.mark.parametrize("clip", [clip_by_norm, clip_by_value])
def test_an_array_that_held_a_gradient_keeps_its_values(clip):
    parameters = network_with_gradients()
    held = [parameter.grad for parameter in parameters]
    copies = [gradient.copy() for gradient in held]
    clip(parameters, 1e-3)
    for parameter, gradient, copy in zip(parameters, held, copies, strict=True):
        np.testing.assert_array_equal(gradient, copy)
        assert not np.array_equal(parameter.grad, copy)


@pytest.mark.parametrize(("clip", "limit"), [(clip_by_norm, 8.0), (clip_by_value, 4.0)])
def test_two_parameters_that_received_one_cotangent_are_each_clipped_once(clip, limit):
    one, other = (tg.Tensor([1.0, 1.0], requires_grad=True) for _ in range(2))
    ((one + other) * [8.0, -8.0]).sum().backward()
    clip([one, other], limit)
    np.testing.assert_array_equal(one.grad, [4.0, -4.0])
    np.testing.assert_array_equal(other.grad, [4.0, -4.0])


# ----- By value -----


def test_every_entry_is_brought_within_the_limit():
    parameter = leaf([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, math.inf, -math.inf])
    clip_by_value([parameter], 1)
    assert parameter.grad.tolist() == [-1.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.0, 1.0, -1.0]


def test_what_is_not_a_number_stays_so_that_it_is_noticed():
    parameter = leaf([math.nan, 5.0])
    clip_by_value([parameter], 1.0)
    np.testing.assert_array_equal(parameter.grad, [math.nan, 1.0])


# ----- PyTorch -----


@pytest.fixture(scope="module")
def torch() -> Any:
    """Give PyTorch, or skip."""
    return pytest.importorskip("torch", reason="torch is not installed")


def in_torch(torch: Any, parameters: list[tg.Tensor]) -> list[Any]:
    theirs = [torch.tensor(parameter.numpy(), requires_grad=True) for parameter in parameters]
    for mine, other in zip(parameters, theirs, strict=True):
        other.grad = torch.tensor(mine.grad)
    return theirs


@pytest.mark.parametrize("limit", [0.1, 3.0, 1e6])
def test_clipping_by_norm_is_that_of_torch(torch, limit):
    ours = network_with_gradients()
    theirs = in_torch(torch, ours)
    norm = clip_by_norm(ours, limit)
    assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, limit).item(), rel=1e-6)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.grad, other.grad.numpy(), rtol=1e-5)


@pytest.mark.parametrize("limit", [0.1, 3.0, 1e6])
def test_clipping_by_value_is_that_of_torch(torch, limit):
    ours = network_with_gradients()
    theirs = in_torch(torch, ours)
    clip_by_value(ours, limit)
    torch.nn.utils.clip_grad_value_(theirs, limit)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine.grad, other.grad.numpy())


# ----- Refusals -----


@pytest.mark.parametrize("limit", [0, 0.0, -1.0, math.nan, -math.inf, "much", None])
@pytest.mark.parametrize("clip", [clip_by_norm, clip_by_value])
def test_a_limit_that_is_not_a_positive_number_is_refused_and_nothing_clipped(clip, limit):
    parameter = leaf([3.0, 4.0])
    with pytest.raises(ArgumentError, match="the limit of a gradient must be a positive number, got"):
        clip([parameter], limit)
    assert parameter.grad.tolist() == [3.0, 4.0]


@pytest.mark.parametrize("clip", [clip_by_norm, clip_by_value])
def test_one_tensor_in_the_place_of_a_list_is_refused(clip):
    with pytest.raises(ArgumentError, match="come in a list"):
        clip(leaf([3.0, 4.0]), 1.0)
