"""Training, declared: `fit`, what it measured, and what it leaves on disk."""

from tinygrad_lite.train.checkpoints import Checkpoints
from tinygrad_lite.train.fitting import fit
from tinygrad_lite.train.history import History
from tinygrad_lite.train.measuring import measure, predict
from tinygrad_lite.train.metrics import Metrics, classification_metrics
from tinygrad_lite.train.plots import (
    save_confusion,
    save_curves,
    save_first_layer,
    save_gradient_norms,
    save_misclassified,
    save_sweep,
    save_terms,
)
from tinygrad_lite.train.stopping import EarlyStopping
from tinygrad_lite.train.training import Training
from tinygrad_lite.train.weights import load_weights, save_weights

__all__ = [
    "Checkpoints",
    "EarlyStopping",
    "History",
    "Metrics",
    "Training",
    "classification_metrics",
    "fit",
    "load_weights",
    "measure",
    "predict",
    "save_confusion",
    "save_curves",
    "save_first_layer",
    "save_gradient_norms",
    "save_misclassified",
    "save_sweep",
    "save_terms",
    "save_weights",
]
