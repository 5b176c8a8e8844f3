"""What a module takes as its own, and what it calls it."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn


def parameter(value: float = 0.0) -> tg.Tensor:
    return tg.Tensor([value], requires_grad=True)


def names(net: nn.Module) -> list[str]:
    return [name for name, _ in net.named_parameters()]


class Holder(nn.Module):
    """A module with whatever attributes it is given."""

    def __init__(self, **attributes: object) -> None:
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, x):
        return x


class Normalised(nn.Module):
    """A module with a buffer between two parameters."""

    def __init__(self) -> None:
        self.scale = parameter(2.0)
        self.mean = tg.Tensor([0.5])
        self.shift = parameter(1.0)

    def forward(self, x):
        return self.scale * (x - self.mean) + self.shift


# ----- Names -----


def test_parameters_are_named_by_the_attributes_that_hold_them_in_order_of_assignment():
    assert names(Holder(second=parameter(), first=parameter())) == ["second", "first"]


def test_parameters_of_nested_modules_are_named_by_the_path():
    inner = Holder(w=parameter(), part=nn.Linear(2, 3, rng=0))
    net = Holder(outer=Holder(inner=inner), own=parameter())
    assert names(net) == ["outer.inner.w", "outer.inner.part.weight", "outer.inner.part.bias", "own"]


def test_a_tensor_carries_the_name_that_the_outermost_module_gave_it():
    net = Holder(outer=Holder(inner=Holder(w=parameter())))
    assert [tensor.name for tensor in net.parameters()] == ["outer.inner.w"]


def test_a_list_of_modules_becomes_a_tuple_named_by_position():
    net = Holder(blocks=[nn.Linear(1, 2, rng=0), nn.Tanh(), nn.Linear(2, 1, rng=0)])
    assert type(net.blocks) is tuple
    assert names(net) == ["blocks.0.weight", "blocks.0.bias", "blocks.2.weight", "blocks.2.bias"]


def test_a_list_of_tensors_becomes_a_tuple_named_by_position():
    net = Holder(thetas=[parameter(), parameter()])
    assert type(net.thetas) is tuple
    assert names(net) == ["thetas.0", "thetas.1"]


def test_a_list_without_modules_or_tensors_stays_a_list():
    assert Holder(widths=[1, 2]).widths == [1, 2]


def test_modules_in_lists_of_lists_are_not_lost():
    net = Holder(blocks=[[nn.Linear(1, 1, rng=0)], [nn.Linear(1, 1, rng=1)]])
    assert names(net) == ["blocks.0.0.weight", "blocks.0.0.bias", "blocks.1.0.weight", "blocks.1.0.bias"]


def test_parameters_come_in_the_order_of_their_names():
    net = nn.MLP([3, 4, 2], rng=0)
    assert names(net) == ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]
    first, second = net.layers
    expected = [first.weight, first.bias, second.weight, second.bias]
    assert [id(tensor) for tensor in net.parameters()] == [id(tensor) for tensor in expected]


# ----- Parameters and what is none -----


def test_a_tensor_without_gradient_is_a_buffer_kept_in_the_state_but_no_parameter():
    net = Normalised()
    assert names(net) == ["scale", "shift"]
    assert list(net.state_dict()) == ["scale", "mean", "shift"]


def test_freezing_a_parameter_makes_it_a_buffer_and_back():
    net = nn.Linear(2, 1, rng=0)
    net.weight.requires_grad = False
    assert names(net) == ["bias"]
    net.weight.requires_grad = True
    assert names(net) == ["weight", "bias"]


def test_a_shared_parameter_is_counted_once_under_its_first_name():
    shared = parameter()
    net = Holder(a=Holder(w=shared), b=Holder(w=shared), c=shared)
    assert names(net) == ["a.w"]
    assert len(net.parameters()) == len(net.state_dict()) == 1


def test_a_shared_module_is_counted_once():
    layer = nn.Linear(3, 3, rng=0)
    net = nn.Sequential(layer, nn.Tanh(), layer)
    assert names(net) == ["layers.0.weight", "layers.0.bias"]


def test_a_result_kept_on_the_module_is_no_parameter():
    class Remembers(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(2, 2, rng=0)

        def forward(self, x):
            self.hidden = self.layer(x)
            return self.hidden

    net = Remembers()
    net(np.ones((3, 2)))
    assert names(net) == ["layer.weight", "layer.bias"]
    assert list(net.state_dict()) == ["layer.weight", "layer.bias"]


# ----- What changes later -----


def test_a_later_reassignment_is_noticed():
    net = Holder(w=parameter(1.0))
    assert net.parameters()[0].item() == 1.0
    net.w = parameter(2.0)
    assert net.parameters()[0].item() == 2.0


def test_a_reassignment_deep_inside_is_noticed_by_the_outermost_module():
    net = Holder(outer=Holder(layers=[nn.Linear(1, 1, rng=0)]))
    assert names(net) == ["outer.layers.0.weight", "outer.layers.0.bias"]
    net.outer.layers[0].bias = parameter(7.0)
    assert net.parameters()[1].item() == 7.0
    net.outer.layers = (nn.Tanh(),)
    assert names(net) == []


def test_a_parameter_replaced_by_none_is_noticed():
    net = Holder(w=parameter(), b=parameter())
    assert names(net) == ["w", "b"]
    net.b = None
    assert names(net) == ["w"]


def test_a_deleted_parameter_is_noticed():
    net = Holder(w=parameter(), b=parameter())
    assert names(net) == ["w", "b"]
    del net.b
    assert names(net) == ["w"]


def test_a_reassignment_after_unpickling_in_another_process_is_noticed():
    def in_a_fresh_process(script: str, given: bytes = b"") -> bytes:
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=given,
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            check=True,
        )
        return done.stdout

    pickled_there = in_a_fresh_process(
        "import pickle, sys; from tinygrad_lite import nn; net = nn.Linear(1, 1, rng=0); net.parameters();"
        "sys.stdout.buffer.write(pickle.dumps(net))"
    )
    noticed_here = in_a_fresh_process(
        "import pickle, sys; from tinygrad_lite import Tensor, nn; given = sys.stdin.buffer.read()\n"
        "for _ in range(50):\n"
        "    net = pickle.loads(given); net.weight = Tensor([[1.0]], requires_grad=True)\n"
        "    print(net.parameters()[0] is net.weight)",
        pickled_there,
    )
    assert noticed_here.split() == [b"True"] * 50


# ----- Copies -----


def pickled(net: nn.Module) -> nn.Module:
    return pickle.loads(pickle.dumps(net))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
def test_a_copy_has_the_same_values_and_is_independent(duplicate):
    net = nn.MLP([2, 3, 1], rng=0)
    before = net.state_dict()
    twin = duplicate(net)
    assert names(twin) == names(net)
    for name, value in twin.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    x = np.random.default_rng(1).normal(size=(4, 2))
    np.testing.assert_array_equal(twin(x).data, net(x).data)
    twin(x).sum().backward()
    assert all(tensor.grad is None for tensor in net.parameters())
    for tensor in twin.parameters():
        tensor.assign(tensor.data + 1)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_copy_keeps_what_is_shared_shared():
    layer = nn.Linear(2, 2, rng=0)
    twin = copy.deepcopy(nn.Sequential(layer, layer))
    assert twin.layers[0] is twin.layers[1]
    assert len(twin.parameters()) == 2


def test_a_reassignment_in_a_copy_leaves_the_original_alone():
    net = Holder(part=Holder(w=parameter(1.0)))
    twin = copy.deepcopy(net)
    twin.part.w = parameter(2.0)
    assert net.parameters()[0].item() == 1.0
    assert twin.parameters()[0].item() == 2.0


# ----- Calling -----


def test_zero_grad_forgets_the_gradients_of_all_parameters():
    net = nn.MLP([2, 3, 1], rng=0)
    net(np.ones((1, 2))).sum().backward()
    assert all(tensor.grad is not None for tensor in net.parameters())
    net.zero_grad()
    assert all(tensor.grad is None for tensor in net.parameters())


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match=r"Module must define forward\(\)"):
        nn.Module()(1.0)


def test_a_module_may_take_several_inputs():
    class Bilinear(nn.Module):
        def __init__(self) -> None:
            self.w = tg.Tensor(np.eye(2), requires_grad=True)

        def forward(self, x, y):
            return x @ self.w @ y

    assert Bilinear()(np.array([1.0, 2.0]), np.array([3.0, 4.0])).item() == 11.0
