"""Damaged declarations: whatever is done to a file, it is read as it stands or refused by name, and soon."""

import random
import time
import tomllib

import msgspec
import pytest

from tinygrad_lite.errors import ExperimentError
from tinygrad_lite.experiments import Experiment, experiment_from, read_experiment

WHOLE = """
[data]
name = "mnist"
pixels = "standard"
train_rows = 1000
validation = "test"

[net]
hidden = [300, 100]
activation = ["relu", "tanh"]
weight = "xavier"
bias = 0.1

[objective]
loss = "cross_entropy"
reduction = "sum"
l2 = 1e-4

[optimizer]
name = "adamw"
lr = 0.003
beta1 = 0.85

[schedule]
name = "step"
every = 2.5
factor = 0.5
warm_up = 1

[train]
epochs = 8
seed = 7
gradient_norms = false
early_stopping = {patience = 2, monitor = "validation_accuracy"}
checkpoints.every_batches = 50

[sweep]
seeds = [0, 1]
grid.optimizer.lr = [0.1, 0.01]
list = [{"net.bias" = 0.0}, {net.bias = 1}]
"""

PIECES = [
    "nan", "-inf", "1e999", "true", "[]", "{}", "[[", "]]", "{", "}", '"', "'", '"""', "=", ".", ",", "#", "\n", "\r",
    "\0", "0x", "_", "-1", "0", "1.0", "9" * 30, "9" * 5000, "1979-05-27", "\\u0000", "\ud800", "größe", "\u2028",
    "[train]\n", "[optimizer]\n", "lr = 1\n", "epochs = 0\n", "sgd", "identity", "softmax", "test", "[" * 40, "a." * 99,
]  # fmt: skip


def mutate(text: str, rng: random.Random) -> str:
    for _ in range(rng.choice((1, 1, 2, 4))):
        lines = text.splitlines(keepends=True) or [""]
        start, line, other = rng.randrange(len(text) + 1), rng.randrange(len(lines)), rng.randrange(len(lines))
        change = rng.choice(["insert", "replace", "delete", "cut", "double", "drop", "swap", "value", "digit", "digit"])
        if change == "insert":
            text = text[:start] + rng.choice(PIECES) + text[start:]
        elif change == "replace":
            text = text[:start] + chr(rng.choice([rng.randrange(128), rng.randrange(0xD800)])) + text[start + 1 :]
        elif change == "delete":
            text = text[:start] + text[start + rng.randint(1, 12) :]
        elif change == "digit":
            digit = rng.choice([i for i, sign in enumerate(text) if sign.isdecimal()] or [0])
            text = text[:digit] + str(rng.randrange(10)) + text[digit + 1 :]
        elif change == "cut":
            text = text[:start] if rng.random() < 0.2 else text
        else:
            if change == "double":
                lines.insert(other, lines[line])
            elif change == "drop":
                del lines[line]
            elif change == "swap":
                lines[line], lines[other] = lines[other], lines[line]
            elif " = " in lines[line]:
                lines[line] = lines[line].split(" = ")[0] + f" = {rng.choice(PIECES)}\n"
            text = "".join(lines)
    return text


def expected(text: str) -> Experiment | None:
    """Return what the text declares by the parser and msgspec alone, None if they refuse it."""
    try:
        return msgspec.convert(tomllib.loads(text), Experiment)
    except (ValueError, RecursionError):  # msgspec.ValidationError is a ValueError
        return None


@pytest.mark.parametrize("block", range(10))
def test_a_mutated_file_is_read_as_it_stands_or_refused_with_its_name(block, tmp_path):
    file = tmp_path / "experiment.toml"
    outcomes = set()
    for seed in range(50 * block, 50 * block + 50):
        text = mutate(WHOLE, random.Random(seed))
        file.write_bytes(text.encode(errors="surrogatepass"))
        start, message = time.process_time(), None
        try:
            found = read_experiment(file)
        except ExperimentError as refused:
            found, message = None, str(refused)
        assert time.process_time() - start < 2
        assert found == expected(text), (seed, text)
        if message is not None:
            assert message.startswith(f"{file}: ")
            assert all(line.isprintable() for line in message.split("\n"))
            assert len(message) < 10_000
        outcomes.add(found is None)
    assert outcomes == {True, False}


def test_the_file_that_is_mutated_is_right_itself_and_uses_every_section():
    assert set(tomllib.loads(WHOLE)) == set(Experiment.__struct_fields__)
    assert experiment_from(WHOLE) == expected(WHOLE) != Experiment()
