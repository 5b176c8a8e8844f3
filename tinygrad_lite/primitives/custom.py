"""Primitives of one's own: an operation that the tables lack, with derivative rules that its author wrote down."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.errors import DefinitionError
from tinygrad_lite.primitives.definition import Rule, Value, Variadic, each, parameter_names
from tinygrad_lite.primitives.formulas import Formula
from tinygrad_lite.primitives.primitive import Primitive


def primitive(
    *rules: Rule | Variadic | None,
    name: str | None = None,
    poles: bool = False,
    elementwise: bool = False,
    kinks: Callable[..., Any] | None = None,
    lowering: Callable[..., Any] | None = None,
    formula: Formula | None = None,
    cotangents: Sequence[Formula | None] = (),
    flops: int | Callable[..., int] | None = None,
) -> Callable[[Callable[..., Any]], Primitive]:
    """Declare that the decorated function of arrays is one operation, whose derivative `rules` are given.

    There is one rule per operand, `None` where there is no derivative: `rule(g, y, *operands, **static)` returns the
    cotangent of its operand, given the cotangent `g` of the output `y`. Rules are out-of-place NumPy and functions
    of this library, so that they can be differentiated in their turn. An operand, or the output, whose name in a
    rule starts with an underscore is not read and not kept. A function of any number of operands has one
    `tg.each(lambda i: rule)`. Broadcasting is summed back and dtypes are cast for all rules alike.

    `name` is the function's unless given. `poles=True` says that the function or its derivative is infinite somewhere:
    it is then silent about it, and a cotangent of zero stays zero there. `elementwise=True` says that each value of
    the output depends on one value of each operand. `kinks(y, *operands, **static)` gives what changes where the
    derivative jumps, such as a mask, for those who compare with numeric derivatives. `lowering` is the same function
    in terms of others. Raises DefinitionError if these do not fit together.

    For the explanation of a graph, `formula` is what is computed and `cotangents` has one formula per rule, with the
    parameters of the function for letters, `y` for the output and `ȳ` for its cotangent, as in `"ȳ ⊙ (1 − y)²"`; a rule
    without a formula is shown as it is written. For the cost of a graph, `flops` is how many operations each value of
    the output takes, or `flops(y, *operands, **static)` counts them all from the shapes; without it they are unknown,
    but for an elementwise function one for each value.

    Hold the rules against numeric derivatives with `tinygrad_lite.testing.check_primitive`.

    >>> import numpy as np, tinygrad_lite as tg
    >>> @tg.primitive(lambda g, y, _x: g * (1 - y) ** 2, formula="x / (1 + x)", cotangents=["ȳ ⊙ (1 − y)²"])
    ... def softsign_of_positive(x):
    ...     return x / (1 + x)
    >>> tg.grad(softsign_of_positive)(1.0), tg.grad(tg.grad(softsign_of_positive))(1.0)
    (np.float64(0.25), np.float64(-0.25))
    """
    if len(rules) == 1 and not isinstance(rules[0], Variadic) and _is_forward(rules[0]):
        raise DefinitionError("tg.primitive takes the derivative rules: @tg.primitive(lambda g, y, x: ...)")

    def define(forward: Callable[..., Any]) -> Primitive:
        called = name or forward.__name__
        if not called.isidentifier():
            raise DefinitionError(f"a primitive made of {called} needs a name; give name='...'")
        guarded = (_guarded(rule, f"{called}: the rule of operand {i}") for i, rule in enumerate(rules))
        entry = Primitive(
            called,
            forward,
            *guarded,
            poles=poles,
            elementwise=elementwise,
            kinks=kinks,
            lowering=lowering,
            formula=formula,
            cotangents=cotangents,
            flops=flops,
        )
        entry.__module__ = getattr(forward, "__module__", __name__)
        entry.__qualname__ = getattr(forward, "__qualname__", called)
        return entry

    return define


def _is_forward(rule: Rule | None) -> bool:
    """Return whether what was given for a rule is the function itself: it has no place for g, y and an operand."""
    if rule is None:
        return False
    return isinstance(rule, np.ufunc) or len(parameter_names(rule, 3)) < 3


def _guarded(rule: Rule | Variadic | None, what: str) -> Rule | Variadic | None:
    """Return the rule with a look at what it gives: the engine adds up in arrays that it takes for its own."""
    if rule is None:
        return None
    if isinstance(rule, Variadic):
        factory = rule.factory
        return each(lambda i: _guarded(factory(i), f"{what}, number {i}"))  # type: ignore[arg-type, return-value]  # a factory gives rules

    @functools.wraps(rule)
    def looked_at(g: Value, y: Value, *operands: Value, **static: Any) -> Value:
        try:
            gx = rule(g, y, *operands, **static)
        except (TypeError, AttributeError) as problem:
            if all(hasattr(value, "__array__") or isinstance(value, int | float) for value in (y, *operands)):
                raise
            raise DefinitionError(
                f"{what} failed ({problem}); what it names with an underscore is not there to be read"
            ) from problem
        if not (hasattr(gx, "shape") and hasattr(gx, "dtype")):
            raise DefinitionError(f"{what} must return an array, got {gx!r}")
        if gx is not g and any(gx is value for value in (y, *operands)):
            raise DefinitionError(f"{what} returned its operand or output itself; return a cotangent, made of g")
        return gx

    return looked_at
