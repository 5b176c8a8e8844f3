"""Pictures of a training run and of what came out, drawn by matplotlib without a screen.

Each is drawn by a function `draw_…`, which returns the figure, and written by one called `save_…`: as .png, .svg or
.pdf, whole or not at all, and with the same bytes for the same figures.
"""

from tinygrad_lite.train.plots.confusion import draw_confusion, save_confusion
from tinygrad_lite.train.plots.curves import draw_curves, save_curves
from tinygrad_lite.train.plots.first_layer import draw_first_layer, save_first_layer
from tinygrad_lite.train.plots.gradient_norms import draw_gradient_norms, save_gradient_norms
from tinygrad_lite.train.plots.misclassified import draw_misclassified, save_misclassified
from tinygrad_lite.train.plots.sweep import draw_sweep, save_sweep
from tinygrad_lite.train.plots.terms import draw_terms, save_terms

__all__ = [
    "draw_confusion",
    "draw_curves",
    "draw_first_layer",
    "draw_gradient_norms",
    "draw_misclassified",
    "draw_sweep",
    "draw_terms",
    "save_confusion",
    "save_curves",
    "save_first_layer",
    "save_gradient_norms",
    "save_misclassified",
    "save_sweep",
    "save_terms",
]
