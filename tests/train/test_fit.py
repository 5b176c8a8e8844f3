import numpy as np
import pytest

from tests.train.runs import classifier, clusters, line, same_bits, train_classifier
from tinygrad_lite import fit, nn, optim
from tinygrad_lite.train import measure

# ----- What it learns, and the history -----


def test_a_classifier_learns_to_tell_clusters_apart():
    net = classifier()
    history = train_classifier(net, epochs=20)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert history.last["accuracy"] == 1
    assert measure(net, nn.CrossEntropy(), *clusters(seed=1))["accuracy"] > 0.95


def test_a_line_is_found_by_regression_and_no_accuracy_is_claimed():
    net = nn.Linear(1, 1, rng=0)
    history = fit(net, nn.MSE(), optim.SGD(lr=0.2), train=line(), epochs=50, batch_size=10, progress=False)
    np.testing.assert_allclose([net.weight.item(), net.bias.item()], [2, 0.5], atol=1e-3)
    assert list(history.last) == ["epoch", "loss"]


def test_an_objective_is_maximised_by_a_rule_that_maximises():
    net = classifier()
    objective = nn.LogLikelihood() - 0.01 * nn.L2()
    rule = optim.SGD(lr=0.01, maximize=True)
    history = fit(net, objective, rule, train=clusters(), epochs=10, batch_size=10, progress=False)
    assert history["loss"] == sorted(history["loss"])
    assert history.last["accuracy"] > 0.9


def test_the_history_without_validation_has_a_row_an_epoch_with_the_terms_apart():
    history = train_classifier()
    assert len(history) == 3
    assert history["epoch"] == [1, 2, 3]
    assert [list(row) for row in history.rows] == [["epoch", "loss", "cross_entropy", "l2", "accuracy"]] * 3
    for row in history.rows:
        np.testing.assert_allclose(row["loss"], row["cross_entropy"] + 0.01 * row["l2"], rtol=1e-6)


def test_the_history_with_validation_has_the_same_figures_for_the_rows_held_out():
    figures = ["loss", "cross_entropy", "l2", "accuracy"]
    history = train_classifier(validation=clusters(seed=1))
    assert list(history.last) == ["epoch", *figures, *(f"validation_{name}" for name in figures)]


def test_the_figures_of_the_rows_held_out_are_those_of_the_net_at_the_end():
    net, held_out = classifier(), clusters(seed=1)
    history = train_classifier(net, validation=held_out)
    for name, value in measure(net, nn.CrossEntropy() + 0.01 * nn.L2(), *held_out).items():
        assert history.last[f"validation_{name}"] == value


def test_validation_does_not_change_what_is_learned():
    with_validation, without = classifier(), classifier()
    train_classifier(with_validation, validation=clusters(seed=1))
    train_classifier(without)
    assert same_bits(with_validation, without)


def test_an_objective_of_one_term_is_not_listed_twice():
    history = fit(classifier(), nn.CrossEntropy(), optim.SGD(), train=clusters(), epochs=1, progress=False)
    assert list(history.last) == ["epoch", "loss", "accuracy"]


def test_the_loss_of_an_epoch_is_the_mean_over_its_rows_also_when_the_last_batch_is_smaller():
    """With a rate too small to move anything, the mean of the batches is the loss on all rows at once."""
    net = classifier(dtype=np.float64)
    rule = optim.SGD(lr=1e-300)
    history = fit(net, nn.CrossEntropy(), rule, train=clusters(50), epochs=1, batch_size=7, progress=False)
    expected = measure(net, nn.CrossEntropy(), *clusters(50))
    np.testing.assert_allclose(history.last["loss"], expected["loss"], rtol=1e-12)
    np.testing.assert_allclose(history.last["accuracy"], expected["accuracy"], rtol=1e-12)


def test_one_epoch_of_one_batch_is_one_step_of_the_rule():
    (x, labels), net, by_hand = clusters(), classifier(), classifier()
    fit(net, nn.CrossEntropy(), optim.SGD(lr=0.5), train=(x, labels), epochs=1, batch_size=60, progress=False)
    nn.CrossEntropy()(by_hand, x, labels).backward()
    for mine, tensor in zip(net.parameters(), by_hand.parameters(), strict=True):
        np.testing.assert_allclose(mine.data, tensor.data - 0.5 * tensor.grad, rtol=1e-4, atol=1e-6)


class Watching(nn.Module):
    """A layer that notes which rows it is shown."""

    def __init__(self):
        self.layer = nn.Linear(1, 1, rng=0)
        self.seen = []

    def forward(self, x):
        self.seen.append(x.numpy()[:, 0].tolist())
        return self.layer(x)


def test_each_epoch_visits_every_row_once_in_an_order_of_its_own():
    net, x = Watching(), np.arange(10.0)[:, None]
    rule = optim.SGD(lr=1e-9)
    fit(net, nn.MSE(), rule, train=(x, x), epochs=3, batch_size=4, progress=False, compiled=False)
    assert [len(batch) for batch in net.seen] == [4, 4, 2] * 3
    epochs = [[row for batch in net.seen[i : i + 3] for row in batch] for i in (0, 3, 6)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(10))] * 3
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


# ----- Targets and inputs -----


def test_one_hot_targets_train_like_their_labels():
    from_labels, from_rows = classifier(), classifier()
    x, labels = clusters()
    first = train_classifier(from_labels, train=(x, labels), validation=(x, labels))
    second = train_classifier(from_rows, train=(x, np.eye(3)[labels]), validation=(x, np.eye(3)[labels]))
    assert list(first.last) == list(second.last)
    assert first["accuracy"] == second["accuracy"]
    for mine, same in zip(from_labels.parameters(), from_rows.parameters(), strict=True):
        np.testing.assert_allclose(mine.data, same.data, rtol=1e-4, atol=1e-6)


def test_soft_targets_train_without_an_accuracy():
    x, labels = clusters()
    history = train_classifier(train=(x, 0.8 * np.eye(3)[labels] + 0.2 / 3))
    assert list(history.last) == ["epoch", "loss", "cross_entropy", "l2"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("given", [np.uint8, np.int64, np.float32, np.float64])
def test_inputs_are_converted_to_the_dtype_of_the_net(given, dtype):
    pixels = np.random.default_rng(0).integers(0, 4, size=(30, 2))
    labels = pixels.sum(axis=1) % 3
    net, reference = classifier(dtype=dtype), classifier(dtype=dtype)
    rows = pixels.astype(given), labels.astype(np.uint8)
    history = train_classifier(net, train=rows, validation=rows)
    expected = train_classifier(
        reference, train=(pixels.astype(dtype), labels), validation=(pixels.astype(dtype), labels)
    )
    assert history == expected
    assert same_bits(net, reference)
    assert {tensor.dtype for tensor in net.parameters()} == {np.dtype(dtype)}


def test_regression_targets_are_converted_to_the_dtype_of_the_net():
    x, t = line()
    net = nn.Linear(1, 1, rng=0)
    fit(net, nn.MSE(), optim.SGD(), train=(x.astype(np.float64), t.astype(np.float64)), epochs=1, progress=False)
    assert net.weight.dtype == np.float32


def test_the_rows_are_left_as_they_were():
    x, labels = clusters()
    train_classifier(train=(x, labels), validation=(x, labels))
    np.testing.assert_array_equal(x, clusters()[0])
    np.testing.assert_array_equal(labels, clusters()[1])


def test_the_net_carries_no_gradients_afterwards():
    net = classifier()
    train_classifier(net)
    assert [tensor.grad for tensor in net.parameters()] == [None] * 4


# ----- Same seed, same bits -----


def test_the_same_seed_gives_the_same_bits():
    one, other = classifier(), classifier()
    assert train_classifier(one, seed=3) == train_classifier(other, seed=3)
    assert same_bits(one, other)


def test_another_seed_gives_another_order_and_other_bits():
    one, other = classifier(), classifier()
    assert train_classifier(one, seed=3) != train_classifier(other, seed=4)
    assert not same_bits(one, other)


def test_the_seed_is_zero_unless_given():
    assert train_classifier() == train_classifier(seed=0)


def test_numpys_global_random_state_is_neither_read_nor_changed():
    np.random.seed(1)  # the global state is what this test is about
    before = np.random.get_state()[1].tolist()
    first = train_classifier()
    assert np.random.get_state()[1].tolist() == before
    np.random.seed(2)
    assert train_classifier() == first
