"""Gradients held against each other: derived by hand, automatic, and numeric."""

from tinygrad_lite.check.claims import Claim, Derivation
from tinygrad_lite.check.gradients import check_gradients
from tinygrad_lite.check.report import Cause, GradientReport, Row

__all__ = ["Cause", "Claim", "Derivation", "GradientReport", "Row", "check_gradients"]
