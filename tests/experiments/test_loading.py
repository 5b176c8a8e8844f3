"""The rows of an experiment: which ones, in what scale, with which labels, and what is held out."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from tests.data.cifar10_content import NAMES, binary_batch, write_binary
from tests.data.idx_content import encode, peak_memory
from tinygrad_lite.data import mnist_subset
from tinygrad_lite.errors import DataError, ExperimentError
from tinygrad_lite.experiments import DataSection, Experiment, ObjectiveSection
from tinygrad_lite.experiments.loading import Rows, load_rows

FEW = {"train_rows": 60, "test_rows": 20}


def rows_of(*, loss: str = "cross_entropy", folders=(), **data) -> Rows:
    return load_rows(Experiment(data=DataSection(**data), objective=ObjectiveSection(loss=loss)), folders)


def equal(left, right) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


@pytest.fixture(autouse=True)
def nothing_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TINYGRAD_LITE_DATA", raising=False)


@pytest.fixture
def archive(tmp_path):
    """Return a function that writes an .npz of ten rows to train on and four to test on, and returns its path."""

    def written(x, t) -> str:
        path = tmp_path / "own.npz"
        np.savez(path, x_train=x[:10], t_train=t[:10], x_test=x[10:], t_test=t[10:])
        return str(path)

    return written


FLOATS = np.random.default_rng(1).normal(size=(14, 3)).astype(np.float32)
PIXELS = np.random.default_rng(2).integers(0, 256, (14, 4, 4), np.uint8)


# ----- Which rows -----


def test_without_settings_all_rows_of_the_embedded_digits_are_there_in_their_order():
    rows = rows_of()
    assert equal(rows.train, mnist_subset("train"))
    assert equal(rows.test, mnist_subset("test"))
    assert rows.validation is None
    assert (rows.inputs, rows.outputs, rows.image_shape) == (784, 10, (28, 28))
    assert rows.class_names == tuple("0123456789")


def test_fewer_rows_are_the_first_ones():
    rows = rows_of(**FEW)
    assert equal(rows.train, [part[:60] for part in mnist_subset("train")])
    assert equal(rows.test, [part[:20] for part in mnist_subset("test")])
    assert np.array_equal(rows.labels, mnist_subset("test")[1][:20])


@pytest.mark.parametrize(("setting", "there"), [("train_rows", 6000), ("test_rows", 1000)])
def test_exactly_as_many_rows_as_there_are_can_be_had_and_one_more_is_refused(setting, there):
    assert rows_of(**{setting: there}).outputs == 10
    with pytest.raises(ExperimentError, match=rf"data\.{setting}: asks for {there + 1} .*'mnist-subset'.* {there}"):
        rows_of(**{setting: there + 1})


def test_the_number_of_outputs_does_not_shrink_with_the_rows():
    assert rows_of(train_rows=1, test_rows=1).outputs == 10


def test_what_is_held_out_are_the_last_rows_and_they_are_not_trained_on():
    rows = rows_of(**FEW, validation=15)
    x, t = (part[:60] for part in mnist_subset("train"))
    assert equal(rows.train, (x[:45], t[:45]))
    assert equal(rows.validation, (x[45:], t[45:]))


def test_holding_out_the_test_rows_leaves_all_training_rows():
    rows = rows_of(**FEW, validation="test")
    assert len(rows.train[0]) == 60
    assert equal(rows.validation, rows.test)


def test_all_but_one_row_can_be_held_out_and_all_of_them_cannot():
    assert len(rows_of(validation=5999).train[0]) == 1
    with pytest.raises(ExperimentError, match=r"data\.validation: holds out 6000 rows of 6000"):
        rows_of(validation=6000)


# ----- Pixels -----


def test_unit_pixels_lie_between_0_and_1_and_raw_ones_are_255_times_as_large():
    unit, raw = rows_of(**FEW), rows_of(**FEW, pixels="raw")
    assert (unit.train[0].min(), unit.train[0].max()) == (0, 1)
    assert raw.train[0].max() == 255
    np.testing.assert_allclose(raw.test[0], 255 * unit.test[0], rtol=1e-6)
    assert np.array_equal(raw.train[0], np.rint(raw.train[0])), "raw pixels are whole numbers"


def test_standard_pixels_have_mean_0_and_deviation_1_over_the_training_values():
    rows, raw = rows_of(**FEW, pixels="standard"), rows_of(**FEW, pixels="raw")
    values = rows.train[0].astype(np.float64)
    assert (values.mean(), values.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))
    scale = raw.train[0].astype(np.float64)
    expected = (raw.test[0] - scale.mean()) / scale.std()
    np.testing.assert_allclose(
        rows.test[0], expected, rtol=1e-4, atol=1e-5, err_msg="test rows: the same shift and scale"
    )
    assert rows.train[0].dtype == rows.test[0].dtype == np.float32


def test_standard_pixels_are_those_of_the_rows_that_are_taken_and_held_out_ones_count():
    rows = rows_of(train_rows=60, validation=30, pixels="standard")
    both = np.concatenate([rows.train[0], rows.validation[0]]).astype(np.float64)
    assert (both.mean(), both.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))


def test_inputs_that_are_all_the_same_cannot_be_standard(archive):
    path = archive(np.ones((14, 3), np.float32), np.arange(14))
    with pytest.raises(ExperimentError, match=r"data\.pixels: .* all the same"):
        rows_of(name="npz", path=path, pixels="standard")


# ----- Random labels -----


def test_random_labels_are_even_among_the_classes_and_say_nothing_of_the_digits():
    rows = rows_of(random_labels=10)
    table = np.zeros((10, 10))
    np.add.at(table, (mnist_subset("train")[1], rows.train[1]), 1)
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    chi_squared = np.sum((table - expected) ** 2 / expected)
    assert 40 < chi_squared < 140, "81 degrees of freedom: this is 3 standard deviations below and more than 4 above"
    counts = np.bincount(rows.train[1], minlength=10)
    assert np.sum((counts - 600) ** 2 / 600) < 34, "9 degrees of freedom: once in ten thousand"


def test_random_labels_leave_the_images_alone_and_the_test_rows_have_some_too():
    rows, plain = rows_of(**FEW, random_labels=4), rows_of(**FEW)
    assert np.array_equal(rows.train[0], plain.train[0])
    assert np.array_equal(rows.test[0], plain.test[0])
    for labels in (rows.train[1], rows.test[1]):
        assert set(labels.tolist()) == {0, 1, 2, 3}
    assert np.array_equal(rows.labels, rows.test[1])
    assert (rows.outputs, rows.class_names) == (4, None)


def test_random_labels_are_fixed_by_their_seed_and_not_by_that_of_the_training():
    first, again, other = (rows_of(**FEW, random_labels=10, label_seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.train[1], again.train[1])
    assert np.array_equal(first.test[1], again.test[1])
    assert not np.array_equal(first.train[1], other.train[1])
    assert np.array_equal(rows_of(**FEW, random_labels=10).train[1], rows_of(**FEW, random_labels=10).train[1])


def test_there_may_be_more_random_classes_than_there_are_digits():
    assert rows_of(**FEW, random_labels=1000).outputs == 1000


def test_held_out_rows_have_random_labels_as_well():
    rows = rows_of(train_rows=60, validation=30, random_labels=2)
    assert set(rows.validation[1].tolist()) == {0, 1}


# ----- Targets -----


@pytest.mark.parametrize("loss", ["mse", "binary_cross_entropy"])
def test_labels_become_a_column_a_class_for_losses_on_numbers(loss):
    rows, plain = rows_of(**FEW, validation=10, loss=loss), rows_of(**FEW, validation=10)
    for numbers, labels in ((rows.train[1], plain.train[1]), (rows.validation[1], plain.validation[1])):
        assert np.array_equal(numbers, np.eye(10)[labels])
    assert rows.test[1].dtype == np.float32
    assert np.array_equal(rows.labels, plain.test[1]), "they are classes all the same"


def test_a_column_a_class_takes_no_more_memory_than_the_rows_have():
    rows = rows_of(**FEW, random_labels=1000, loss="mse")
    as_labels = peak_memory(lambda: rows_of(**FEW, random_labels=1000))
    as_columns = peak_memory(lambda: rows_of(**FEW, random_labels=1000, loss="mse"))
    assert as_columns < as_labels + 4 * rows.train[1].nbytes


@pytest.mark.parametrize("loss", ["cross_entropy", "log_likelihood"])
def test_labels_stay_labels_for_losses_on_classes(loss):
    rows = rows_of(**FEW, loss=loss)
    assert (rows.train[1].shape, rows.train[1].dtype) == ((60,), np.int64)


def test_an_archive_of_labels_has_as_many_outputs_as_its_largest_label_asks_for(archive):
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 4, 0])
    rows = rows_of(name="npz", path=archive(FLOATS, labels))
    assert (rows.inputs, rows.outputs, rows.image_shape, rows.class_names) == (3, 5, None, None)
    assert np.array_equal(rows.train[0], FLOATS[:10])
    assert np.array_equal(rows.labels, labels[10:])


def test_an_archive_of_images_has_their_shape(archive):
    rows = rows_of(name="npz", path=archive(PIXELS, np.arange(14)))
    assert (rows.inputs, rows.image_shape) == (16, (4, 4))
    np.testing.assert_allclose(rows.test[0], PIXELS[10:].reshape(4, 16) / 255, rtol=1e-6)


@pytest.mark.parametrize(("shape", "outputs"), [((14,), 1), ((14, 1), 1), ((14, 2), 2)], ids=str)
def test_targets_that_are_numbers_have_a_column_for_each_output(archive, shape, outputs):
    t = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    rows = rows_of(name="npz", path=archive(FLOATS, t), loss="mse", validation=2)
    assert (rows.outputs, rows.labels) == (outputs, None)
    assert np.array_equal(rows.train[1], t[:8].reshape(8, outputs))
    assert np.array_equal(rows.validation[1], t[8:10].reshape(2, outputs))
    assert np.array_equal(rows.test[1], t[10:].reshape(4, outputs))


@pytest.mark.parametrize("loss", ["cross_entropy", "log_likelihood"])
@pytest.mark.parametrize("shape", [(14,), (14, 2)], ids=str)
def test_targets_that_are_numbers_are_refused_by_losses_on_classes(archive, loss, shape):
    t = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    with pytest.raises(ExperimentError, match="mse"):
        rows_of(name="npz", path=archive(FLOATS, t), loss=loss)


def test_shares_of_the_classes_are_targets_of_the_cross_entropy(archive):
    shares = np.random.default_rng(3).dirichlet([1, 1, 1], 14).astype(np.float32)
    rows = rows_of(name="npz", path=archive(FLOATS, shares))
    assert rows.outputs == 3
    assert np.array_equal(rows.train[1], shares[:10])


@pytest.mark.parametrize("label", [10**9, 10**12, -1])
def test_labels_that_do_not_number_classes_are_refused_before_a_network_is_built_for_them(archive, label):
    with pytest.raises((ExperimentError, DataError), match=r"number (the )?classes from 0"):
        rows_of(name="npz", path=archive(FLOATS, np.array([*range(13), label])))


# ----- Where they come from -----


def write_mnist(folder, shade: int) -> None:
    folder.mkdir(parents=True)
    for prefix, rows in (("train", 6), ("t10k", 3)):
        images = np.full((rows, 28, 28), shade, np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(encode(images)))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(encode(np.arange(rows, dtype=np.uint8))))


def test_the_folders_given_go_before_those_of_the_environment(tmp_path, monkeypatch):
    write_mnist(tmp_path / "given" / "mnist", 51)
    write_mnist(tmp_path / "named" / "mnist", 102)
    monkeypatch.setenv("TINYGRAD_LITE_DATA", str(tmp_path / "named"))
    found = [rows_of(name="mnist", folders=folders).train[0] for folders in ([tmp_path / "given"], [])]
    np.testing.assert_allclose([found[0].max(), found[1].max()], [0.2, 0.4], rtol=1e-6)


def test_cifar_images_have_three_colours_and_ten_names(tmp_path):
    write_binary(tmp_path / "cifar-10-batches-bin", rows=2)
    rows = rows_of(name="cifar10", folders=[tmp_path], validation=3)
    assert (rows.inputs, rows.outputs, rows.image_shape, rows.class_names) == (3072, 10, (3, 32, 32), NAMES)
    assert (len(rows.train[0]), len(rows.validation[0]), len(rows.test[0])) == (7, 3, 2)


def test_a_class_without_a_row_still_has_its_output(tmp_path):
    folder = tmp_path / "cifar-10-batches-bin"
    write_binary(folder)
    for path in folder.iterdir():
        path.write_bytes(binary_batch(np.ones((1, 3072), np.uint8), [0]))
    assert rows_of(name="cifar10", folders=[tmp_path]).outputs == 10


def test_data_that_are_not_there_are_told_with_what_to_do(tmp_path):
    with pytest.raises(DataError) as problem:
        rows_of(name="mnist", folders=[tmp_path / "nowhere"])
    message = str(problem.value)
    for part in (
        str(tmp_path / "nowhere"),
        "train-images-idx3-ubyte.gz",
        "TINYGRAD_LITE_DATA",
        "data --download mnist",
    ):
        assert part in message


def test_an_archive_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.npz"):
        rows_of(name="npz", path=str(tmp_path / "nowhere.npz"))
