"""Freed memory is kept for what is made next: importing this makes it so.

Eager execution makes an array for each result and frees it within the step. The C library of Linux gives memory back to
the system when a few of them lie free side by side, and gets it again page by page: an eager step of 784-300-10 in
float64 took twice its time. How much may lie free it learns from the largest block that the program has freed so far.
"""

from __future__ import annotations

from typing import Final

import numpy as np

LARGEST_LEARNED_FROM: Final = 2**25 - 2**16
"""The bytes of the largest block that the C library learns from; twice as many may lie free from then on."""

np.empty(LARGEST_LEARNED_FROM, np.uint8)  # freed at once, and never touched, so that it takes no memory
