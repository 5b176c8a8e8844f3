"""What `fit` refuses, before the net is touched; and what it leaves behind when a training diverges."""

from __future__ import annotations

import numpy as np
import pytest

from tests.train.runs import classifier, clusters, line, same_bits, train_classifier
from tinygrad_lite import fit, nn, optim
from tinygrad_lite.errors import ArgumentError, DivergenceError, ObjectiveError, ShapeError


@pytest.mark.parametrize(
    ("objective", "rule"),
    [
        (nn.LogLikelihood() - 0.01 * nn.L2(), optim.SGD(lr=0.1)),
        (nn.CrossEntropy(), optim.SGD(lr=0.1, maximize=True)),
    ],
    ids=["maximised objective, minimising rule", "minimised objective, maximising rule"],
)
def test_a_rule_that_goes_the_wrong_way_is_refused_before_anything_is_changed(objective, rule, capsys):
    net = classifier()
    with pytest.raises(ObjectiveError, match="maximize="):
        fit(net, objective, rule, train=clusters(), epochs=1)
    assert same_bits(net, classifier())
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("epochs", [0, -1, 1.0, 2.5, "3", None, True])
def test_epochs_that_are_no_positive_integer_are_refused(epochs):
    net = classifier()
    with pytest.raises(ArgumentError, match="epochs"):
        train_classifier(net, epochs=epochs)
    assert same_bits(net, classifier())


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "3", None, True])
def test_a_batch_size_that_is_no_positive_integer_is_refused(batch_size):
    net = classifier()
    with pytest.raises(ArgumentError, match="batch_size"):
        train_classifier(net, batch_size=batch_size)
    assert same_bits(net, classifier())


@pytest.mark.parametrize("seed", [-1, 0.5])
def test_a_seed_that_is_no_integer_from_zero_is_refused(seed):
    net = classifier()
    with pytest.raises(ArgumentError, match="seed"):
        train_classifier(net, seed=seed)
    assert same_bits(net, classifier())


def test_a_batch_larger_than_the_data_is_all_of_it():
    assert train_classifier(batch_size=60) == train_classifier(batch_size=1000)


@pytest.mark.parametrize("rows", [(60, 59), (59, 60), (0, 0)])
def test_inputs_and_targets_of_different_length_or_without_rows_are_refused(rows):
    net, (x, labels) = classifier(), clusters()
    with pytest.raises(ShapeError, match="rows"):
        train_classifier(net, train=(x[: rows[0]], labels[: rows[1]]))
    assert same_bits(net, classifier())


def test_inputs_of_another_width_are_refused_by_the_layer_they_do_not_fit():
    net = classifier()
    with pytest.raises(ShapeError, match=r"layers\.0\.weight.*rows of 2 values"):
        train_classifier(net, train=(np.zeros((5, 3)), np.zeros(5, int)))
    assert same_bits(net, classifier())


def test_a_column_of_targets_beside_a_row_of_predictions_is_refused():
    x, t = line()
    with pytest.raises(ShapeError, match="reshape the target"):
        fit(nn.Linear(1, 1, rng=0), nn.MSE(), optim.SGD(), train=(x, t[:, 0]), epochs=1, progress=False)


# ----- Divergence -----


def all_finite(net):
    return all(np.isfinite(value).all() for value in net.state_dict().values())


def test_inputs_of_nan_diverge_at_once_and_leave_the_net_as_it_was():
    x, labels = clusters()
    x[17] = np.nan
    net = classifier()
    with pytest.raises(DivergenceError, match=r"nan in epoch 1, batch 1\b"):
        train_classifier(net, train=(x, labels), batch_size=60)
    assert same_bits(net, classifier())


def test_the_epoch_and_batch_of_a_divergence_are_named_with_a_remedy_and_no_warning_comes_before():
    net = nn.Linear(1, 1, rng=0)
    with pytest.raises(DivergenceError, match=r"epoch \d+, batch \d+; a learning rate below 1e\+15"):
        fit(net, nn.MSE(), optim.SGD(lr=1e15), train=line(), epochs=20, batch_size=40, progress=False)


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lr", [10.0, 1e6, 1e20, 1e38])
@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_a_rate_that_is_far_too_high_never_leaves_a_net_of_nan_or_infinity(kind, lr, dtype):
    """Either the training ends with finite figures, or it diverges with the parameters of before that step."""
    objective = nn.MSE() if kind == "regression" else nn.CrossEntropy() + 0.01 * nn.L2()
    net = nn.MLP([1, 4, 1] if kind == "regression" else [2, 4, 3], "relu", rng=0, dtype=dtype)
    rows = line() if kind == "regression" else clusters()
    try:
        history = fit(net, objective, optim.SGD(lr=lr), train=rows, epochs=30, batch_size=20, progress=False)
    except DivergenceError:
        pass
    else:
        assert np.isfinite([list(row.values()) for row in history.rows]).all()
    assert all_finite(net)


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")
def test_a_last_step_into_infinity_is_a_divergence_though_no_batch_comes_after_it():
    net = nn.Linear(1, 1, rng=0)
    with pytest.raises(DivergenceError, match="epoch 1"):
        fit(net, nn.MSE("sum"), optim.SGD(lr=1e38), train=line(), epochs=1, batch_size=40, progress=False)
    assert all_finite(net)
