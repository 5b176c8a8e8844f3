"""Calls of modules record the path of attributes as the scope of their nodes, which pictures and reports show."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.errors import ShapeError
from tinygrad_lite.tape import Node, tape

X = np.ones((2, 3))


def scope_of(tensor: tg.Tensor) -> str:
    assert isinstance(tensor._node, Node)
    return tensor._node.scope


def scopes(tensor: tg.Tensor) -> list[tuple[str, str]]:
    """Return the name and scope of every operation that led to `tensor`, in order."""
    return [(node.primitive.name, node.scope) for node in tape(tensor._node) if isinstance(node, Node)]


class Inner(nn.Module):
    def __init__(self) -> None:
        self.layer = nn.Linear(3, 3, rng=0)
        self.act = nn.Tanh()

    def forward(self, x):
        return self.act(self.layer(x)) * 2


class Outer(nn.Module):
    def __init__(self) -> None:
        self.blocks = [Inner(), Inner()]

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x + 1


def test_a_module_that_belongs_to_no_other_records_no_scope():
    assert scope_of(nn.Linear(3, 2, rng=0)(X)) == ""


def test_the_layers_of_a_network_record_their_names():
    net = nn.MLP([3, 4, 2], activation="tanh", rng=0)
    assert scopes(net(X)) == [("linear", "layers.0"), ("tanh", ""), ("linear", "layers.1")]


def test_nested_modules_record_the_whole_path():
    block = [("linear", "blocks.{}.layer"), ("tanh", "blocks.{}.act"), ("multiply", "blocks.{}")]
    expected = [(name, scope.format(i)) for i in (0, 1) for name, scope in block] + [("add", "")]
    assert scopes(Outer()(X)) == expected


def test_the_scope_ends_with_the_call():
    net = Outer()
    net(X)
    assert scope_of(net.blocks[0].layer.weight * 2) == ""


def test_the_scope_is_restored_after_an_exception():
    net = Outer()
    with pytest.raises(ShapeError, match=r"blocks\.0\.layer\.weight"):
        net(np.ones((2, 5)))
    assert scope_of(net.blocks[0].layer.weight * 2) == ""


def test_a_caught_exception_inside_a_module_leaves_the_scope_of_that_module():
    class Careful(nn.Module):
        def __init__(self) -> None:
            self.part = nn.Linear(3, 3, rng=0)

        def forward(self, x):
            with pytest.raises(ShapeError):
                self.part(np.ones((2, 7)))
            return self.part.weight * 2

    net = nn.Sequential(Careful())
    assert scope_of(net(X)) == "layers.0"


def test_no_grad_holds_inside_modules_and_ends_after_them():
    net = Outer()
    with tg.no_grad():
        assert not net(X).requires_grad
    assert net(X).requires_grad


def test_a_module_used_under_a_new_name_records_the_new_name():
    inner = Inner()
    net = nn.Sequential(nn.Identity(), inner)
    assert scopes(net(X))[0] == ("linear", "layers.1.layer")
