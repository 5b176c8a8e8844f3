"""Training, declared: `fit`, what it measured, and what it leaves on disk."""

from tinygrad_lite.train.fitting import fit
from tinygrad_lite.train.history import History
from tinygrad_lite.train.measuring import measure, predict
from tinygrad_lite.train.plots import save_curves
from tinygrad_lite.train.weights import load_weights, save_weights

__all__ = ["History", "fit", "load_weights", "measure", "predict", "save_curves", "save_weights"]
