"""The losses: how far a prediction is from its target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinygrad_lite import primitives as p
from tinygrad_lite.errors import ShapeError
from tinygrad_lite.mode import MODE
from tinygrad_lite.nn.objectives import Network, Sense, Term, Values, checked_reduction, refuse_activated
from tinygrad_lite.tensor import Tensor, record, values_of


def _fitting(loss: str, prediction: Tensor, target: Values) -> Values:
    """Return the target as floats, or raise ShapeError unless it has the shape of the prediction.

    A target (n,) beside a prediction (n, 1) would broadcast to (n, n) without a word.
    """
    if prediction.shape != target.shape:
        raise ShapeError(
            f"{loss}: the prediction has shape {prediction.shape} and the target {target.shape}; they must be equal, "
            "so reshape the target, with target[:, None] for a column or tg.one_hot(labels, width) for classes"
        )
    return target if target.dtype.kind == "f" else target.astype(prediction.dtype)


def _checked_shares(target: Values) -> Values:
    """Return the target, or raise ArgumentError for values outside of [0, 1]; a captured call checks at each run."""
    if MODE.get().capture is not None:
        return record(p.shares, (target,), {})
    p.shares(values_of(target))
    return target


@dataclass(frozen=True)
class CrossEntropy(Term):
    """Cross-entropy over a softmax, on logits: −Σₖ tₖ log softmax(z)ₖ, averaged over the rows or summed.

    Targets are integer labels (n,) or distributions (n, classes). ∂/∂z = softmax(z) − t (003.2d, 004.9), divided by
    the number of rows for the mean.

    >>> import numpy as np
    >>> from tinygrad_lite import nn
    >>> loss = nn.CrossEntropy()(nn.Identity(), np.zeros((4, 10)), np.arange(4))
    >>> bool(np.isclose(loss.item(), np.log(10)))
    True
    """

    reduction: str = "mean"
    name: ClassVar[str] = "cross_entropy"

    def __post_init__(self) -> None:
        checked_reduction(self.reduction, ("mean", "sum"))

    def value(self, net: Network, prediction: Tensor, target: Values) -> Tensor:
        """Return the cross-entropy; raises ObjectiveError if the network already ends in a softmax."""
        refuse_activated(net, prediction, "CrossEntropy", "softmax", "log_softmax")
        return record(p.softmax_cross_entropy, (prediction, target), {"reduction": self.reduction})


@dataclass(frozen=True)
class LogLikelihood(Term):
    """The log-likelihood Σₙ Σₖ tₙₖ log softmax(z)ₙₖ of the targets, summed over the rows and maximised (000.1).

    >>> import numpy as np
    >>> from tinygrad_lite import nn
    >>> nn.LogLikelihood() - 0.01 * nn.L2()
    LogLikelihood() - 0.01 * L2(biases=False)
    >>> (nn.LogLikelihood() - 0.01 * nn.L2()).sense
    'maximise'
    """

    name: ClassVar[str] = "log_likelihood"
    own_sense: ClassVar[Sense] = "maximise"

    def value(self, net: Network, prediction: Tensor, target: Values) -> Tensor:
        """Return the log-likelihood; raises ObjectiveError if the network already ends in a softmax."""
        refuse_activated(net, prediction, "LogLikelihood", "softmax", "log_softmax")
        loss: Tensor = p.softmax_cross_entropy(prediction, target, reduction="sum")
        return -loss


@dataclass(frozen=True)
class MSE(Term):
    """The squared error (y − a)²: its mean over all values, its sum, or document 004's ½Σ ("half_sum", 004.5).

    >>> import numpy as np
    >>> from tinygrad_lite import nn
    >>> nn.MSE(reduction="half_sum")(nn.Identity(), np.array([[3.0]]), np.array([[1.0]])).item()
    2.0
    """

    reduction: str = "mean"
    name: ClassVar[str] = "mse"

    def __post_init__(self) -> None:
        checked_reduction(self.reduction, ("mean", "sum", "half_sum"))

    def value(self, net: Network, prediction: Tensor, target: Values) -> Tensor:
        """Return the squared error; raises ShapeError unless prediction and target have one shape."""
        target = _fitting("MSE", prediction, target)
        factor = {"sum": 1.0, "half_sum": 0.5, "mean": 1 / max(1, prediction.size)}[self.reduction]
        loss: Tensor = p.sum_squares(prediction - target, factor=factor)
        return loss


@dataclass(frozen=True)
class BinaryCrossEntropy(Term):
    """Binary cross-entropy on logits, −t log σ(z) − (1 − t) log(1 − σ(z)) = softplus(z) − t z, averaged or summed.

    The targets have the shape of the logits and lie in [0, 1]. ∂/∂z = σ(z) − t. Document 004.6 states the cost with
    the opposite sign.

    >>> import numpy as np
    >>> from tinygrad_lite import nn
    >>> loss = nn.BinaryCrossEntropy()(nn.Identity(), np.array([0.0, 1e4]), np.array([1.0, 1.0]))
    >>> bool(np.isclose(loss.item(), np.log(2) / 2))
    True
    """

    reduction: str = "mean"
    name: ClassVar[str] = "binary_cross_entropy"

    def __post_init__(self) -> None:
        checked_reduction(self.reduction, ("mean", "sum"))

    def value(self, net: Network, prediction: Tensor, target: Values) -> Tensor:
        """Return the cross-entropy; raises ObjectiveError after a sigmoid, ShapeError, or ArgumentError for targets."""
        refuse_activated(net, prediction, "BinaryCrossEntropy", "sigmoid", "softmax")
        target = _fitting("BinaryCrossEntropy", prediction, target)
        losses: Tensor = p.softplus(prediction) - _checked_shares(target) * prediction
        return losses.mean() if self.reduction == "mean" else losses.sum()
