from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lite.data import mini_batches
from tinygrad_lite.errors import ArgumentError, ShapeError


def rows_and_labels(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(3.0 * n).reshape(n, 3), np.arange(n)


def order_of(n: int = 100, batch_size: int = 7, **options) -> list[int]:
    return [label for _, t in mini_batches(*rows_and_labels(n), batch_size, **options) for label in t.tolist()]


sizes = st.integers(1, 40)
seeds = st.integers(0, 2**64)


@given(n=sizes, batch_size=sizes, seed=seeds, epoch=seeds, shuffle=st.booleans())
def test_every_row_comes_exactly_once_beside_its_own_label(n, batch_size, seed, epoch, shuffle):
    x, t = rows_and_labels(n)
    batches = list(mini_batches(x, t, batch_size, seed=seed, epoch=epoch, shuffle=shuffle))
    assert [len(labels) for _, labels in batches[:-1]] == [batch_size] * (len(batches) - 1)
    assert 1 <= len(batches[-1][1]) <= batch_size
    assert sorted(label for _, labels in batches for label in labels.tolist()) == list(range(n))
    for rows, labels in batches:
        assert np.array_equal(rows, x[labels])


@given(n=sizes, batch_size=sizes, seed=seeds)
def test_drop_last_gives_the_same_batches_without_a_smaller_last_one(n, batch_size, seed):
    batch_size = min(n, batch_size)
    x, t = rows_and_labels(n)
    kept = list(mini_batches(x, t, batch_size, seed=seed, drop_last=True))
    whole = [pair for pair in mini_batches(x, t, batch_size, seed=seed) if len(pair[1]) == batch_size]
    assert len(kept) == n // batch_size
    assert all(np.array_equal(left[1], right[1]) for left, right in zip(kept, whole, strict=True))


def test_the_last_batch_may_be_smaller():
    assert [len(t) for _, t in mini_batches(*rows_and_labels(10), 4, seed=0)] == [4, 4, 2]
    assert [len(t) for _, t in mini_batches(*rows_and_labels(10), 4, seed=0, drop_last=True)] == [4, 4]
    assert [len(t) for _, t in mini_batches(*rows_and_labels(10), 99, seed=0)] == [10]


def test_the_order_is_that_of_default_rng_of_seed_and_epoch():
    assert order_of(seed=3, epoch=2) == np.random.default_rng([3, 2]).permutation(100).tolist()


def test_the_same_seed_and_epoch_give_the_same_bits():
    first, second = (
        [(x.tobytes(), t.tobytes()) for x, t in mini_batches(*rows_and_labels(50), 8, seed=1)] for _ in "ab"
    )
    assert first == second


def test_any_epoch_can_be_replayed_whatever_ran_before_it():
    alone = order_of(seed=1, epoch=5)
    for epoch in range(5):
        order_of(seed=1, epoch=epoch)
    assert order_of(seed=1, epoch=5) == alone


def test_two_epochs_consumed_side_by_side_do_not_disturb_each_other():
    pairs = zip(*(mini_batches(*rows_and_labels(100), 7, seed=1, epoch=epoch) for epoch in (0, 1)), strict=True)
    both = [(a[1].tolist(), b[1].tolist()) for a, b in pairs]
    assert [i for a, _ in both for i in a] == order_of(seed=1, epoch=0)
    assert [i for _, b in both for i in b] == order_of(seed=1, epoch=1)


def test_epochs_and_seeds_are_shuffled_differently():
    orders = [order_of(seed=seed, epoch=epoch) for seed in range(4) for epoch in range(4)]
    assert all(a != b for a, b in combinations(orders, 2))
    assert list(range(100)) not in orders


def test_without_shuffle_the_rows_come_in_their_order():
    assert order_of(seed=0, shuffle=False) == list(range(100))
    assert order_of(seed=9, epoch=9, shuffle=False) == list(range(100))


def test_the_global_random_state_of_numpy_is_neither_read_nor_moved():
    np.random.seed(0)  # the global state is what this test is about
    before = np.random.get_state(legacy=False)["state"]
    first = order_of(seed=1)
    after = np.random.get_state(legacy=False)["state"]
    assert before["pos"] == after["pos"]
    assert np.array_equal(before["key"], after["key"])
    np.random.seed(1)
    assert order_of(seed=1) == first


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [4, 10])
def test_no_batch_shares_memory_with_the_data_or_with_another_batch(shuffle, batch_size):
    x, t = rows_and_labels(10)
    held = [array for pair in mini_batches(x, t, batch_size, seed=0, shuffle=shuffle) for array in pair]
    assert not any(np.shares_memory(a, b) for a, b in combinations([x, t, *held], 2))
    for array in held:
        array[...] = -1
    assert np.array_equal(x, rows_and_labels(10)[0])
    assert np.array_equal(t, rows_and_labels(10)[1])


def test_read_only_data_gives_writable_batches():
    x, t = rows_and_labels(10)
    x.flags.writeable = t.flags.writeable = False
    for pair in mini_batches(x, t, 4, seed=0, shuffle=False):
        assert all(array.flags.writeable for array in pair)


def test_rows_of_any_shape_and_dtype_keep_them():
    x, t = np.zeros((10, 28, 28), np.float32), np.zeros((10, 3), np.int8)
    rows, targets = next(mini_batches(x, t, 4, seed=0))
    assert (rows.shape, rows.dtype) == ((4, 28, 28), np.float32)
    assert (targets.shape, targets.dtype) == ((4, 3), np.int8)


def test_numpy_integers_count_as_integers():
    assert order_of(batch_size=np.int64(7), seed=np.uint32(3), epoch=np.int8(2)) == order_of(seed=3, epoch=2)


@pytest.mark.parametrize(
    ("x_shape", "t_shape"), [((5, 2), (4,)), ((4, 2), (5, 2)), ((0, 2), (0,)), ((), ()), ((5,), ()), ((), (5,))]
)
def test_data_without_the_same_positive_number_of_rows_is_refused_on_the_call(x_shape, t_shape):
    with pytest.raises(ShapeError) as caught:
        mini_batches(np.zeros(x_shape), np.zeros(t_shape), 2, seed=0)
    assert f"got shapes {x_shape} and {t_shape}" in str(caught.value)


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, True, np.True_, "2", None])
def test_a_batch_size_that_is_no_positive_integer_is_refused_on_the_call(batch_size):
    with pytest.raises(ArgumentError, match="batch_size must be an integer of at least 1, got"):
        mini_batches(*rows_and_labels(5), batch_size, seed=0)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("name", ["seed", "epoch"])
@pytest.mark.parametrize("value", [-1, 0.0, False, None, "0", [0]])
def test_a_seed_or_an_epoch_that_is_no_integer_from_0_is_refused_on_the_call(name, value, shuffle):
    with pytest.raises(ArgumentError, match=f"{name} must be an integer of at least 0, got"):
        mini_batches(*rows_and_labels(5), 2, shuffle=shuffle, **{"seed": 0, name: value})


def test_drop_last_that_leaves_no_batch_is_refused_on_the_call():
    with pytest.raises(ArgumentError, match="drop_last leaves no batch: batch_size is 6 and there are 5 rows"):
        mini_batches(*rows_and_labels(5), 6, seed=0, drop_last=True)
    assert len(list(mini_batches(*rows_and_labels(5), 5, seed=0, drop_last=True))) == 1
