import numpy as np
import pytest

from tinygrad_lite.data import Dataset, load, mnist_subset
from tinygrad_lite.errors import ArgumentError


def test_the_embedded_digits_are_a_whole_set_by_name():
    digits = load("mnist-subset")
    assert (digits.name, digits.image_shape, digits.class_names) == ("mnist-subset", (28, 28), tuple("0123456789"))
    for split, rows in (("train", digits.train), ("test", digits.test)):
        for array, expected in zip(rows, mnist_subset(split), strict=True):
            assert array.dtype == expected.dtype
            assert np.array_equal(array, expected)


def test_the_embedded_digits_have_raw_pixels_too():
    raw, unit = load("mnist-subset", pixels="raw").test[0], load("mnist-subset").test[0]
    assert raw.max() == 255
    assert np.array_equal(raw / np.float32(255), unit)


@pytest.mark.parametrize("name", ["MNIST", "cifar-10", "", None])
def test_an_unknown_name_is_refused_with_the_choices(name):
    with pytest.raises(ArgumentError, match="one of mnist-subset, mnist, cifar10, npz, got"):
        load(name)


def test_a_set_tells_its_size_and_shape_and_not_its_numbers():
    x, t = np.zeros((5, 12)), np.zeros(5, int)
    assert repr(Dataset("own", (x, t), (x[:2], t[:2]))) == "<Dataset own: 5 training and 2 test rows>"
    assert repr(Dataset("own", (x, t), (x, t), (3, 2, 2), ("a", "b"))) == (
        "<Dataset own: 5 training and 5 test rows, images 3 × 2 × 2, 2 classes>"
    )


def test_a_set_cannot_be_changed_by_accident():
    with pytest.raises(AttributeError):
        load("mnist-subset").name = "other"
