"""The one table of operation cases; every test of operations is driven by it.

A primitive without a case fails `test_the_table.py`. Each room of `tinygrad_lite/primitives` has its part of the table
in a module of its own beside this one.
"""

from __future__ import annotations

from tests.operations.case import Case
from tests.operations.elementwise_cases import ELEMENTWISE
from tests.operations.linalg_cases import LINALG
from tests.operations.neural_cases import NEURAL
from tests.operations.random_cases import RANDOM
from tests.operations.reduction_cases import REDUCTIONS
from tests.operations.shaping_cases import SHAPING

CASES: tuple[Case, ...] = (*ELEMENTWISE, *REDUCTIONS, *LINALG, *SHAPING, *NEURAL, *RANDOM)

DIFFERENTIABLE: tuple[Case, ...] = tuple(case for case in CASES if case.wanted())
