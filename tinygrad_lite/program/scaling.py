"""Factors moved to where they cost least, and updates as what they are: w ← a w + b g.

A backward sweep is linear in the cotangent that it begins with. A factor that all uses of a cotangent ask for, such as
the learning rate, is therefore taken further back, past matrix products and sums, until it meets another factor or a
small matrix. This changes the rounding, so exact programs leave it out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinygrad_lite import primitives as p
from tinygrad_lite.graphs.source.lowered import CoreValue
from tinygrad_lite.program.listing import Listing, Writer
from tinygrad_lite.program.memory import is_scalar
