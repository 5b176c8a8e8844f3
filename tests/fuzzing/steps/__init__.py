"""The kinds of steps, each with how often it is drawn.

A kind is a function from a `Drawing` to a `Draft`, or to None where nothing fits.
"""

from __future__ import annotations

from tests.fuzzing.steps.choosing import CHOOSING
from tests.fuzzing.steps.elementwise import ELEMENTWISE
from tests.fuzzing.steps.kind import Kind
from tests.fuzzing.steps.networks import NETWORKS
from tests.fuzzing.steps.picking import PICKING
from tests.fuzzing.steps.reductions import REDUCTIONS
from tests.fuzzing.steps.shaping import SHAPING

KINDS: dict[Kind, float] = {**ELEMENTWISE, **CHOOSING, **REDUCTIONS, **NETWORKS, **SHAPING, **PICKING}
