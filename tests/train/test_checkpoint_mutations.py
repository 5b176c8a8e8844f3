"""Files that are no whole and honest checkpoint: refused in words, and everything is as it was before."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
import safetensors.numpy

from tests.train.interrupted import Interruption, Noisy, everything_of, interruption
from tests.train.runs import clusters
from tinygrad_lite import fit, nn, optim
from tinygrad_lite.errors import DataError, StateError
from tinygrad_lite.train import Checkpoints, load_weights
from tinygrad_lite.train.checkpoint_file import Note, _digest, checkpoint_of, load_checkpoint
from tinygrad_lite.train.plan import Plan
from tinygrad_lite.train.training import Training

MIB = 1 << 20


def new_training(seed: int = 5) -> Training:
    """Return a training of the same kind that has come to another place than the one in the file."""
    net, rule, rows = Noisy(seed), optim.Adam(), clusters()
    training = Training(
        net, nn.CrossEntropy(), rule.bind(net), rows, clusters(20, seed=1), Plan(epochs=9, batch_size=7)
    )
    for _ in training.steps_to_come():
        pass
    training.close_epoch()
    next(training.steps_to_come())
    return training


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> bytes:
    """A checkpoint in the middle of the third epoch, of a network with a buffer and two generators."""
    folder = tmp_path_factory.mktemp("checkpoint")
    with interruption(after=2 * 9 + 5), pytest.raises(Interruption):
        fit(
            Noisy(),
            nn.CrossEntropy(),
            optim.Adam(),
            train=clusters(),
            validation=clusters(20, seed=1),
            epochs=9,
            batch_size=7,
            checkpoints=Checkpoints(folder, every_batches=4),
            progress=False,
        )
    return (folder / "last.safetensors").read_bytes()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "last.safetensors"


def refused(path: Path, training: Training | None = None) -> str:
    """Return why the file is refused, having looked that nothing is changed and little time and memory are used."""
    training = training or new_training()
    before = everything_of(training)
    tracemalloc.start()
    begun = time.perf_counter()
    try:
        with pytest.raises((DataError, StateError)) as caught:
            load_checkpoint(training, path)
        seconds, (_, peak) = time.perf_counter() - begun, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert everything_of(training) == before
    assert seconds < 5
    assert peak < 8 * MIB
    assert path.name in str(caught.value)
    return str(caught.value)


def test_the_file_that_is_mutated_below_is_a_good_one(path, content):
    path.write_bytes(content)
    training = new_training()
    load_checkpoint(training, path)
    assert (training.epoch, training.batch, training.seen) == (2, 4, 28)
    assert checkpoint_of(training) == content


# ----- Damage -----


def header_of(content: bytes) -> tuple[int, dict]:
    size = struct.unpack("<Q", content[:8])[0]
    return size, json.loads(content[8 : 8 + size])


def with_header(header: dict, content: bytes) -> bytes:
    """Return the content with another header before the same tensors."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + header_of(content)[0] :]


def flipped(content: bytes, at: int, bit: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]


def tensors_in(header: dict) -> list[str]:
    return [name for name in header if name != "__metadata__"]


def exchanged(content: bytes, rng: random.Random, part: str) -> bytes:
    header = header_of(content)[1]
    one, other = rng.sample(tensors_in(header), 2)
    header[one][part], header[other][part] = header[other][part], header[one][part]
    return with_header(header, content)


def under_another_name(content: bytes, rng: random.Random) -> bytes:
    header = header_of(content)[1]
    name = rng.choice(tensors_in(header))
    return with_header({(name[:-1] if key == name else key): value for key, value in header.items()}, content)


def of_another_dtype(content: bytes, rng: random.Random) -> bytes:
    header = header_of(content)[1]
    entry = header[rng.choice(tensors_in(header))]
    other = ["BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "I16", "F16", "BF16", "I32", "U32", "F32", "F64", "I64", "X99"]
    entry["dtype"] = rng.choice([dtype for dtype in other if dtype != entry["dtype"]])
    return with_header(header, content)


def of_another_shape(content: bytes, rng: random.Random) -> bytes:
    header = header_of(content)[1]
    entry = header[rng.choice(tensors_in(header))]
    shape = entry["shape"]
    other = [[*shape, 1], [1, *shape], [2**62, *shape], [*shape, 0], [-1, *shape], shape[::-1], [1.5], "x", None]
    entry["shape"] = rng.choice([shape_ for shape_ in other if shape_ != shape])
    return with_header(header, content)


def lying_about_its_header(content: bytes, rng: random.Random) -> bytes:
    size = header_of(content)[0]
    claim = rng.choice([0, 1, size - 1, size + 1, size * 2, len(content), 2**24, 2**31, 2**63, 2**64 - 1])
    return struct.pack("<Q", claim) + content[8:]


def overwritten(content: bytes, rng: random.Random) -> bytes:
    at, length = rng.randrange(len(content)), rng.randint(1, 64)
    other = rng.choice([bytes(length), b"\xff" * length, rng.randbytes(length)])
    return (content[:at] + other + content[at + length :])[: len(content)]


def moved(content: bytes, rng: random.Random) -> bytes:
    start, middle, end = sorted(rng.sample(range(len(content) + 1), 3))
    return content[:start] + content[middle:end] + content[start:middle] + content[end:]


def inserted(content: bytes, rng: random.Random) -> bytes:
    at = rng.randint(0, len(content))
    return content[:at] + rng.randbytes(rng.randint(1, 9)) + content[at:]


def removed(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + content[at + rng.randint(1, 9) :]


DAMAGE = {
    "truncated": (60, lambda content, rng: content[: rng.randrange(len(content))]),
    "a bit of the first 8 bytes flipped": (
        30,
        lambda content, rng: flipped(content, rng.randrange(8), rng.randrange(8)),
    ),
    "a bit of the header flipped": (
        150,
        lambda content, rng: flipped(content, rng.randrange(8, 8 + header_of(content)[0]), rng.randrange(8)),
    ),
    "a bit of a tensor flipped": (
        100,
        lambda content, rng: flipped(content, rng.randrange(8 + header_of(content)[0], len(content)), rng.randrange(8)),
    ),
    "overwritten": (50, overwritten),
    "bytes inserted": (40, inserted),
    "bytes removed": (40, removed),
    "parts moved": (30, moved),
    "a lie about the header": (20, lying_about_its_header),
    "dtypes changed": (30, of_another_dtype),
    "shapes changed": (30, of_another_shape),
    "places exchanged": (20, lambda content, rng: exchanged(content, rng, "data_offsets")),
    "names changed": (20, under_another_name),
}


def test_there_are_six_hundred_mutations_and_more():
    assert sum(number for number, _ in DAMAGE.values()) >= 600


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_checkpoint_is_refused_and_nothing_is_changed(path, content, kind):
    number, damage = DAMAGE[kind]
    rng, training = random.Random(kind), new_training()
    for _ in range(number):
        damaged = damage(content, rng)
        if damaged != content:
            path.write_bytes(damaged)
            refused(path, training)


# ----- Files whose SHA-256 is right and whose content lies -----


def note_and_tensors(content: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    note = json.loads(header_of(content)[1]["__metadata__"]["checkpoint"])
    return note, {name: np.array(array) for name, array in safetensors.numpy.load(content).items()}


def signed(note: dict, tensors: dict[str, np.ndarray]) -> bytes:
    """Return a checkpoint with the SHA-256 that belongs to it."""
    sha256 = _digest(tensors, msgspec.convert(note | {"sha256": ""}, Note))
    return safetensors.numpy.save(tensors, metadata={"checkpoint": json.dumps(note | {"sha256": sha256})})


def lying(content: bytes, *, note: dict | None = None, **tensors) -> bytes:
    """Return the checkpoint with other entries in its note and other tensors, None for one that is taken away."""
    own, arrays = note_and_tensors(content)
    arrays |= {name.replace("__", "."): array for name, array in tensors.items()}
    return signed(own | (note or {}), {name: np.array(a) for name, a in arrays.items() if a is not None})


def generator(content: bytes, name: str, **changes) -> dict:
    """Return the entry `generators` of the note with a change in the state of one."""
    states = note_and_tensors(content)[0]["generators"]
    return {"generators": states | {name: states[name] | changes}}


def test_a_file_that_is_signed_again_without_a_lie_is_read(path, content):
    path.write_bytes(lying(content))
    load_checkpoint(new_training(), path)


history = np.array([[1, 0.9, 0.5, 0.8, 0.5], [2, 0.8, 0.6, 0.7, 0.6]])
columns = ["epoch", "loss", "accuracy", "validation_loss", "validation_accuracy"]

LIES = {
    "a position before the first batch": lambda content: lying(content, position=[2, -1, -7]),
    "a position behind the last batch": lambda content: lying(content, position=[2, 10, 60]),
    "a position with other rows": lambda content: lying(content, position=[2, 4, 29]),
    "a position in another epoch": lambda content: lying(content, position=[3, 4, 28]),
    "a position before the first epoch": lambda content: lying(content, position=[-1, 4, 28]),
    "a position of two numbers": lambda content: lying(content, position=[2, 4]),
    "a position of fractions": lambda content: lying(content, position=[2.0, 4.0, 28.0]),
    "the largest position there is": lambda content: lying(content, position=[2**63 - 1] * 3),
    "no position": lambda content: lying(content, position=None),
    "a history that is too narrow": lambda content: lying(content, history=history[:, :-1]),
    "a history that is too wide": lambda content: lying(content, history=np.hstack([history, history])),
    "a history that is too long": lambda content: lying(content, history=np.vstack([history, history])),
    "a history of one axis": lambda content: lying(content, history=history.ravel()),
    "a history in float32": lambda content: lying(content, history=history.astype(np.float32)),
    "no history": lambda content: lying(content, history=None),
    "an epoch that is no number": lambda content: lying(content, history=history * [np.nan, 1, 1, 1, 1]),
    "an infinite epoch": lambda content: lying(content, history=history * [np.inf, 1, 1, 1, 1]),
    "an epoch of 1e300": lambda content: lying(content, history=history * [1e300, 1, 1, 1, 1]),
    "epochs that are not counted from 1": lambda content: lying(content, history=np.add(history, [1, 0, 0, 0, 0])),
    "a column with another name": lambda content: lying(content, note={"columns": ["epoch", "a", "b", "c", "d"]}),
    "a column twice": lambda content: lying(content, note={"columns": ["epoch", "loss", "loss", "loss", "loss"]}),
    "columns in another order": lambda content: lying(content, note={"columns": columns[::-1]}),
    "more sums than names": lambda content: lying(content, sums=[1.0, 2.0, 3.0]),
    "no sums in the middle of an epoch": lambda content: lying(content, note={"figures": []}, sums=np.empty(0)),
    "a sum with another name": lambda content: lying(content, note={"figures": ["loss", "evil"]}),
    "sums at the end of an epoch": lambda content: lying(content, position=[2, 0, 0]),
    "a tensor missing": lambda content: lying(content, net__first__weight=None),
    "a state of the optimizer missing": lambda content: lying(content, **{"optimizer__v.first.bias": None}),
    "a tensor more": lambda content: lying(content, net__more=np.zeros(3)),
    "a tensor more that is nobody's": lambda content: lying(content, evil=np.zeros(3)),
    "another shape": lambda content: lying(content, net__first__weight=np.zeros((2, 6), np.float32)),
    "another kind of number": lambda content: lying(content, net__first__weight=np.zeros((6, 2), np.int32)),
    "another precision": lambda content: lying(content, net__first__weight=np.zeros((6, 2))),
    "numbers too large": lambda content: lying(content, net__first__weight=np.full((6, 2), 1e300)),
    "a negative number of steps": lambda content: lying(content, optimizer__step_count=-5),
    "steps that are no number": lambda content: lying(content, optimizer__step_count=np.nan),
    "no number of steps": lambda content: lying(content, optimizer__step_count=np.empty(0, np.int64)),
    "an optimizer without its steps": lambda content: lying(content, optimizer__step_count=None),
    "a rate that is no number": lambda content: lying(content, optimizer__lr=np.nan),
    "a generator missing": lambda content: lying(content, note={"generators": {}}),
    "a generator more": lambda content: lying(
        content, note={"generators": note_and_tensors(content)[0]["generators"] | {"x": {}}}
    ),
    "a generator with more to it": lambda content: lying(content, note=generator(content, "drops", x={})),
    "a generator of another kind": lambda content: lying(
        content,
        note={"generators": dict.fromkeys(["drops", "noise"], note_and_tensors(content)[0]["generators"]["drops"])},
    ),
    "a generator without a state": lambda content: lying(content, note=generator(content, "drops", state={})),
    "a generator's state as a list": lambda content: lying(content, note={"generators": {"drops": [], "noise": []}}),
    "a generator's state beyond 128 bits": lambda content: lying(
        content, note=generator(content, "drops", state={"state": "9" * 100, "inc": "1"})
    ),
    "a generator's state of 5,000 digits": lambda content: lying(
        content, note=generator(content, "drops", state={"state": "9" * 5000, "inc": "1"})
    ),
    "a negative generator's state": lambda content: lying(
        content, note=generator(content, "drops", state={"state": "-1", "inc": "1"})
    ),
    "a generator's state in words": lambda content: lying(
        content, note=generator(content, "drops", state={"state": "one", "inc": "1"})
    ),
    "a generator's key that is too short": lambda content: lying(
        content, note=generator(content, "noise", state={"key": ["1"] * 623, "pos": "3"})
    ),
    "a generator's key beyond its dtype": lambda content: lying(
        content, note=generator(content, "noise", state={"key": [str(2**40)] * 624, "pos": "3"})
    ),
    "a generator's key of dicts": lambda content: lying(
        content, note=generator(content, "noise", state={"key": [{}] * 624, "pos": "3"})
    ),
    "a generator's place outside its key": lambda content: lying(
        content, note=generator(content, "noise", state={"key": ["1"] * 624, "pos": "1000000000"})
    ),
    "a generator's place before its key": lambda content: lying(
        content, note=generator(content, "noise", state={"key": ["1"] * 624, "pos": "-1"})
    ),
    "another format": lambda content: lying(content, note={"format": "tinygrad_lite checkpoint 2"}),
    "another net": lambda content: lying(content, note={"run": note_and_tensors(content)[0]["run"] | {"net": "MLP"}}),
    "something more about the run": lambda content: lying(
        content, note={"run": note_and_tensors(content)[0]["run"] | {"weather": "fine"}}
    ),
    "nothing about the run": lambda content: lying(content, note={"run": {}}),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_checkpoint_that_lies_under_a_right_sha256_is_refused(path, content, lie):
    path.write_bytes(LIES[lie](content))
    assert path.name in refused(path)


def noted(content: bytes, text: str) -> bytes:
    """Return the checkpoint with another text for its note."""
    header = header_of(content)[1]
    header["__metadata__"] = {"checkpoint": text}
    return with_header(header, content)


def test_a_text_that_is_no_note_is_refused(path, content):
    note = header_of(content)[1]["__metadata__"]["checkpoint"]
    in_generators = '"generators":{'
    assert in_generators in note
    texts = ["", "{}", "null", "[]", "1", "{", '"' * 1000, note[:-1], note + note, note.replace('"run":', '"ruin":')]
    texts += [note.replace('"stopped":false', f'"stopped":{value}') for value in ("0", "null", '"false"', "[]")]
    texts += [note[:-1] + ',"more":1}']
    values = ["[" * depth + "]" * depth for depth in (10, 500, *range(900, 1000, 7), 10_000, 1_000_000)]
    values += ["1e400", "-0", "NaN", "Infinity", "9" * 25, "9" * 5000, "1e308", '"\\ud800"', '"\\u0000"']
    texts += [note.replace(in_generators, f'{in_generators}"x":{value},') for value in values]
    training = new_training()
    for text in texts:
        path.write_bytes(noted(content, text))
        with pytest.raises((DataError, StateError)):
            load_checkpoint(training, path)
    assert everything_of(training) == everything_of(new_training())


def test_weights_alone_are_no_checkpoint(path):
    path.write_bytes(safetensors.numpy.save(Noisy().state_dict()))
    assert "weights alone cannot be resumed" in refused(path)


def test_the_message_for_damage_says_what_to_do(path, content):
    path.write_bytes(flipped(content, len(content) - 1, 0))
    assert "SHA-256" in refused(path)
    assert "remove it to begin anew" in refused(path)


# ----- Files that are something else -----


class Attack:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def zipped(name: str, text: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, text)
    return file.getvalue()


def as_npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, weight=np.zeros(9))
    return file.getvalue()


FOREIGN = {
    "nothing": b"",
    "seven bytes": bytes(7),
    "zeros": bytes(10_000),
    "a pickle": pickle.dumps(Attack()),
    "a pickle of protocol 0": pickle.dumps(Attack(), 0),
    "an npz": as_npz(),
    "a png": b"\x89PNG\r\n\x1a\n" + bytes(1000),
    "a zip of a pickle, as torch writes it": zipped("archive/data.pkl", pickle.dumps(Attack())),
    "a text": b"epoch,loss\n1,0.5\n" * 100,
    "an empty header": struct.pack("<Q", 2) + b"{}",
    "a tensor of zero rows and 2**62 columns": struct.pack("<Q", 64)
    + b'{"a":{"dtype":"F32","shape":[0,4611686018427387904],"data_offsets":[0,0]}}'[:64].ljust(64),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_file_is_refused_and_not_executed(path, kind, monkeypatch):
    monkeypatch.chdir(path.parent)
    path.write_bytes(FOREIGN[kind])
    refused(path)
    net = Noisy()
    with pytest.raises((DataError, StateError)):
        load_weights(net, path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def refused_as_weights_too(path: Path) -> str:
    with pytest.raises(DataError, match=path.name):
        load_weights(Noisy(), path)
    return refused(path)


def test_a_file_of_a_hundred_gigabytes_is_refused_by_its_size_at_once(path, content):
    path.write_bytes(content)
    os.truncate(path, 100 * 10**9)  # a sparse file, which takes no place
    begun = time.perf_counter()
    assert "100,000,000,000 bytes" in refused_as_weights_too(path)
    assert time.perf_counter() - begun < 2


def test_a_folder_is_refused(path):
    path.mkdir()
    refused_as_weights_too(path)


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_links_that_lead_nowhere_are_refused(path):
    path.symlink_to(path)
    assert "symbolic links" in refused_as_weights_too(path)
    path.unlink()
    path.symlink_to(path.parent / "nowhere")
    refused_as_weights_too(path)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file of Linux that can be opened, not read")
def test_a_file_that_cannot_be_read_is_refused(path):
    path.symlink_to("/proc/self/mem")
    assert "nput/output error" in refused_as_weights_too(path)


@pytest.mark.skipif(os.name != "posix" or not hasattr(os, "geteuid") or not os.geteuid(), reason="root may read all")
def test_a_file_that_may_not_be_read_is_refused(path, content):
    path.write_bytes(content)
    path.chmod(0)
    assert "ermission" in refused_as_weights_too(path)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/null"])
def test_a_device_is_refused(path, device):
    if not Path(device).exists():
        pytest.skip("there is no such device")
    path.symlink_to(device)
    refused_as_weights_too(path)


# ----- Weights -----


@pytest.mark.parametrize("kind", DAMAGE)
def test_weights_are_read_from_a_damaged_checkpoint_whole_or_not_at_all(path, content, kind):
    """Weights have no SHA-256 of their own: damage may go unseen, but is never half read and raises nothing else."""
    number, damage = DAMAGE[kind]
    rng, net = random.Random(kind), Noisy(5)
    before = {name: array.tobytes() for name, array in net.state_dict().items()}
    for _ in range(number):
        path.write_bytes(damage(content, rng))
        try:
            load_weights(net, path)
        except (DataError, StateError):
            assert {name: array.tobytes() for name, array in net.state_dict().items()} == before
        else:
            net.load_state_dict(Noisy(5).state_dict())
