"""Weights on disk: the same bits back, whole files or none, and nothing but numbers read from them."""

from __future__ import annotations

import json
import pickle
import struct
import sys

import numpy as np
import pytest
import safetensors.numpy

import tinygrad_lite as tg
from tests.train.runs import classifier, same_bits
from tinygrad_lite import files, nn
from tinygrad_lite.errors import DataError, MissingDependencyError, StateError
from tinygrad_lite.train import load_weights, save_weights


class Scaled(nn.Module):
    """A module with a parameter and buffers of several dtypes."""

    def __init__(self, seed: int):
        rng = np.random.default_rng(seed)
        self.layer = nn.Linear(3, 2, rng=seed)
        self.factor = tg.Tensor(rng.normal(), requires_grad=True)
        self.mean = tg.Tensor(rng.normal(size=3))
        self.count = tg.Tensor(seed)
        self.flags = tg.Tensor([seed % 2 == 0, True])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


# ----- There and back -----


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_come_back_bit_for_bit(path, dtype):
    net, other = classifier(seed=1, dtype=dtype), classifier(seed=2, dtype=dtype)
    assert not same_bits(net, other)
    assert save_weights(net, path) == path
    assert load_weights(other, path) is None
    assert same_bits(net, other)
    assert all(tensor.requires_grad for tensor in other.parameters())


def test_unusual_numbers_come_back_bit_for_bit(path):
    net, other = nn.Linear(3, 2, rng=0), nn.Linear(3, 2, rng=1)
    net.weight.assign(np.array([[np.nan, np.inf, -np.inf], [-0.0, 1e-45, np.finfo(np.float32).max]], np.float32))
    save_weights(net, path)
    load_weights(other, path)
    assert same_bits(net, other)


def test_values_in_another_memory_order_come_back_in_place(path):
    net, other = nn.Linear(3, 2, rng=0), nn.Linear(3, 2, rng=1)
    net.weight.assign(np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)))
    save_weights(net, path)
    load_weights(other, path)
    assert other.weight.numpy().tolist() == [[0, 1, 2], [3, 4, 5]]


def test_buffers_and_values_without_axes_come_back_too(path):
    net, other = Scaled(seed=4), Scaled(seed=5)
    save_weights(net, path)
    load_weights(other, path)
    assert same_bits(net, other)
    assert sorted(other.state_dict()) == ["count", "factor", "flags", "layer.bias", "layer.weight", "mean"]


def test_the_file_holds_each_parameter_under_its_name_for_any_reader_of_safetensors(path):
    net = classifier()
    save_weights(net, path)
    stored = safetensors.numpy.load_file(path)
    assert stored.keys() == net.state_dict().keys()
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(stored[name], value)


def test_the_file_says_what_it_is(path):
    save_weights(classifier(), path)
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    assert header["__metadata__"] == {"format": "tinygrad_lite weights 1"}


def test_equal_nets_give_equal_bytes_and_others_do_not(path):
    contents = [save_weights(classifier(seed), path).read_bytes() for seed in (1, 1, 2)]
    assert contents[0] == contents[1] != contents[2]


def test_a_path_can_be_a_string(path):
    assert save_weights(classifier(1), str(path)) == path
    net = classifier(2)
    load_weights(net, str(path))
    assert same_bits(net, classifier(1))


def test_weights_of_float64_can_be_read_into_a_net_of_float32(path):
    save_weights(classifier(1, np.float64), path)
    net = classifier(2)
    load_weights(net, path)
    assert same_bits(net, classifier(1))


# ----- Whole or not at all -----


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_in_the_middle_leaves_the_old_file_and_no_other(path, step, monkeypatch):
    save_weights(classifier(1), path)
    before = path.read_bytes()

    def failing(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(files.os, step, failing)
    with pytest.raises(OSError, match="no space left"):
        save_weights(classifier(2), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_old_file_is_replaced_by_the_new_one_and_nothing_is_left_beside_it(path):
    save_weights(classifier(1), path)
    save_weights(classifier(2), path)
    net = classifier(1)
    load_weights(net, path)
    assert same_bits(net, classifier(2))
    assert list(path.parent.iterdir()) == [path]


# ----- Files that are something else -----


def lying_header(claim: int) -> bytes:
    header = json.dumps({"layers.0.weight": {"dtype": "F32", "shape": [claim], "data_offsets": [0, 4 * claim]}})
    return struct.pack("<Q", len(header)) + header.encode() + bytes(8)


FOREIGN = {
    "empty": b"",
    "text": b"these are not weights, but a line of text",
    "a pickle": pickle.dumps({"layers.0.weight": [1.0]}),
    "a png": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a header of ten exabytes": struct.pack("<Q", 10**19) + b"{}",
    "a header that claims too much": lying_header(10**12),
    "an unknown dtype": struct.pack("<Q", 60)
    + b'{"a":{"dtype":"X99","shape":[1],"data_offsets":[0,4]}}'.ljust(60)
    + bytes(4),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_file_is_refused_by_its_path_and_the_net_is_as_it_was(path, kind):
    path.write_bytes(FOREIGN[kind])
    net = classifier()
    with pytest.raises(DataError, match=r"cannot read tensors from .*model\.safetensors"):
        load_weights(net, path)
    assert same_bits(net, classifier())


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 50, 0.5, -4, -1])
def test_a_truncated_file_is_refused_and_the_net_is_as_it_was(path, kept):
    content = save_weights(classifier(1), path).read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept == 0.5 else kept])
    net = classifier(2)
    with pytest.raises(DataError, match="cannot read tensors"):
        load_weights(net, path)
    assert same_bits(net, classifier(2))


def test_a_missing_file_and_a_folder_are_refused(path):
    net = classifier()
    for wrong in path, path.parent:
        with pytest.raises(DataError, match="cannot read tensors"):
            load_weights(net, wrong)
    assert same_bits(net, classifier())


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (nn.MLP([2, 7, 3], "tanh", rng=0), r"shape of layers\.0\.weight: expected \(6, 2\), got \(7, 2\)"),
        (nn.MLP([2, 6, 3, 3], "tanh", rng=0), r"unexpected: layers\.2\.weight"),
        (nn.MLP([2, 6], "tanh", rng=0), r"missing: layers\.1\.bias"),
        (nn.Linear(2, 3, rng=0), r"missing: layers\.0\.bias"),
    ],
    ids=["another width", "a layer more", "a layer less", "another module"],
)
def test_the_weights_of_another_network_are_refused_with_what_does_not_fit(path, other, problem):
    save_weights(other, path)
    net = classifier()
    with pytest.raises(StateError, match=problem):
        load_weights(net, path)
    assert same_bits(net, classifier())


def test_without_safetensors_the_extra_to_install_is_named(path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "safetensors"]:
        monkeypatch.setitem(sys.modules, name, None)
    for use in save_weights, load_weights:
        with pytest.raises(MissingDependencyError, match=r"pip install 'tinygrad-lite\[train\]'"):
            use(classifier(), path)
    assert not path.exists()
