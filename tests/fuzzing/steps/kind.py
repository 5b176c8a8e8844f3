"""What a kind of step is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tests.fuzzing.drawing import Draft, Drawing

Kind: TypeAlias = Callable[[Drawing], Draft | None]
