"""What the names of a rule's parameters promise: what is named without an underscore is kept, so it must be read."""

from __future__ import annotations

import numpy as np

from tests.operations.cases import DIFFERENTIABLE
from tinygrad_lite.check.properties import poisoned, random_like
from tinygrad_lite.primitives import PRIMITIVES
from tinygrad_lite.primitives.definition import parameter_names


def test_no_rule_names_something_that_it_never_reads() -> None:
    """A name without an underscore keeps an array alive, so each must matter in at least one case."""
    matters: dict[tuple[str, int, str], bool] = {}
    for case in DIFFERENTIABLE:
        operands = list(case.arguments(*case.operands()))
        primitive, static = PRIMITIVES[case.primitive], dict(case.static)
        y = np.asarray(primitive(*operands, **static))
        if not y.size:
            continue
        (g,) = random_like(case.rng("poison"), [y])
        with np.errstate(all="ignore"):
            for position, rule in enumerate(primitive.rules_for(len(operands))):
                values = [y, *operands]
                for i, name in enumerate(parameter_names(rule, 1 + len(values))[1:] if rule else []):
                    if not name.startswith("_") and isinstance(values[i], np.ndarray) and values[i].dtype.kind == "f":
                        key = (case.primitive, 0 if name == "xs" else position, name)
                        honest = rule(g, *values, **static)
                        spoiled = rule(g, *values[:i], poisoned(values[i]), *values[i + 1 :], **static)
                        matters[key] = matters.get(key, False) or not np.array_equal(honest, spoiled)
    assert [key for key, read in matters.items() if not read] == []
