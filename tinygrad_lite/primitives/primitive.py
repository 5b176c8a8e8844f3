"""A primitive: one operation, its forward in NumPy, and one derivative rule per operand.

    exp = Primitive("exp", np.exp, lambda g, y, _x: g * y)

A rule is called as `rule(g, y, *operands, **static)`, where `g` is the cotangent of the output `y`, and returns the
cotangent of its operand. **The names of its parameters are a promise**: an operand (or the output) whose name starts
with an underscore is not read, so the engine does not keep its values; only its `shape`, `dtype` and `ndim` are there.

Rules are out-of-place NumPy and other primitives, so the same rule runs on arrays, where it is fast, and on Tensors,
where it records and can be differentiated again.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.primitives.definition import (
    Rule,
    Value,
    Variadic,
    check_definition,
    check_description,
    parameter_names,
)
from tinygrad_lite.primitives.formulas import Formula, indexed

PLANS_KEPT = 100
"""How many plans a primitive remembers."""


class Plan(NamedTuple):
    """What the sweep needs from one node, given which of its operands carry a gradient."""

    rules: tuple[tuple[int, Rule], ...]
    """The rules that are wanted, each with the position of its operand."""
    unread: tuple[int, ...]
    """The positions of the operands whose values no wanted rule reads."""
    keeps_output: bool
    """Whether some wanted rule reads the output."""


class Primitive:
    """One differentiable operation; called on arrays it computes, called on Tensors it records.

    `forward` takes its operands by position and its static arguments by keyword only. `rules` has one entry per
    operand, `None` where there is no derivative, or is a single `each(factory)` for a variadic operation.
    With `poles=True` the derivative may be infinite where the value is not, or the value infinite itself: the forward
    is then silent about it, and the engine keeps a cotangent of zero at zero there. To an elementwise operation, which
    ufuncs are without saying so, a constant without axes counts as a Python number: it does not widen the dtype.
    `kinks(y, *operands, **static)` gives the discrete thing, such as a mask, that changes where the derivative jumps;
    `lowering(*operands, **static)` says the same as `forward` in other entries. An operation that has kinks, or that
    `selects` some values and leaves others, makes cotangents of zero on purpose: what lies before it keeps them zero.
    `joint` gives the cotangents of all operands at once, None where nothing arrives; the rules then say what is read.
    `ufunc` is what the operation answers for, where its forward is not that itself. One that `draws` takes a generator
    as its static argument `rng`, and moves it on: two of its results are never the same value, none may be left out,
    and none changes places with another.

    What is said about an entry costs a run nothing: its `formula`, one formula per rule in `cotangents`, in words what
    is chosen `at_kinks`, for all operands or for each; and, from shapes alone, how many operations it takes and how
    many bytes are `moved`, if that is not all of its operands and its result: `flops(y, *operands, **static)`, or a
    number for each value of the output. An elementwise operation takes one unless told otherwise.
    """

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        *rules: Rule | Variadic | None,
        poles: bool = False,
        elementwise: bool = False,
        selects: bool = False,
        kinks: Callable[..., Any] | None = None,
        lowering: Callable[..., Any] | None = None,
        joint: Callable[..., Any] | None = None,
        ufunc: np.ufunc | None = None,
        draws: bool = False,
        formula: Formula | None = None,
        cotangents: Sequence[Formula | None] = (),
        at_kinks: str | tuple[str, ...] = "",
        flops: int | Callable[..., int] | None = None,
        moved: int | Callable[..., int] | None = None,
    ) -> None:
        self.name = self.__name__ = self.__qualname__ = name
        self.__module__ = __package__
        self.ufunc = forward if isinstance(forward, np.ufunc) else ufunc
        self.forward = silent(forward) if poles else forward
        self.poles = poles
        self.is_elementwise = elementwise or (self.ufunc is not None and self.ufunc.signature is None)
        self.selects = selects or kinks is not None
        self.kinks = kinks
        self.lowering = lowering
        self.joint = joint
        self.draws = draws
        self.formula = formula
        self.cotangents = tuple(cotangents)
        self.at_kinks = at_kinks if isinstance(at_kinks, tuple) else (at_kinks,) * len(rules)
        self.flops = _counter(1 if flops is None and self.is_elementwise else flops)
        self.moved = _counter(moved)
        self.__doc__ = _description(name, self.ufunc or forward)
        self.__signature__ = _signature(self.ufunc or forward)
        self._rules = rules
        self.plans: dict[int, Plan | None] = {}
        check_definition(name, forward, rules, kinks, lowering)
        check_description(name, forward, rules, formula, self.cotangents, {"flops": self.flops, "moved": self.moved})

    def __call__(self, *operands: Value, **static: Any) -> Value:
        for operand in operands:
            record = getattr(operand, "__record__", None)
            if record is not None:
                return record(self, operands, static)
        return self.forward(*operands, **static)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> str:
        """Make a copy or a pickle of an entry the entry itself, found by where it was defined."""
        return self.__qualname__

    def make_plan(self, wanted: int) -> Plan | None:
        """Return the plan for the operands whose bits in `wanted` are set, below one bit more that ends the count.

        None if none of them has a rule. The plan is also kept in `plans`, where recording looks first.
        """
        count = wanted.bit_length() - 1
        rules = [(i, rule) for i, rule in enumerate(self.rules_for(count)) if wanted >> i & 1 and rule is not None]
        plan = None
        if rules:
            unlike = rules[:1] if isinstance(self._rules[0], Variadic) else rules
            reads = [_reads(rule, count) for _, rule in unlike]
            output, *operands = (any(column) for column in zip(*reads, strict=True))
            plan = Plan(tuple(rules), tuple(i for i, read in enumerate(operands) if not read), output)
        if len(self.plans) < PLANS_KEPT:  # a variadic operation has as many as there are lengths of lists
            self.plans[wanted] = plan
        return plan

    def cotangent_formula(self, position: int) -> Formula | None:
        """Return the formula of the cotangent of an operand, None if none was given; all of a variadic entry share one.

        >>> from tinygrad_lite.primitives import exp
        >>> exp.cotangent_formula(0)
        'ȳ ⊙ y'
        """
        return self.cotangents[min(position, len(self.cotangents) - 1)] if self.cotangents else None

    def operand_letters(self, count: int) -> tuple[str, ...]:
        """Return what formulas call the operands: as the forward does, or `x`, or `a` and `b`, or `x₁` and so on.

        >>> from tinygrad_lite.primitives import exp, linear, stack
        >>> exp.operand_letters(1), linear.operand_letters(3), stack.operand_letters(2)
        (('x',), ('x', 'w', 'b'), ('x₁', 'x₂'))
        """
        if self.ufunc is not None:
            return ("x",) if count == 1 else ("a", "b")
        if len(self._rules) == 1 and isinstance(self._rules[0], Variadic):
            return tuple(indexed("x", i + 1) for i in range(count))
        return tuple(name.lstrip("_") for name in parameter_names(self.forward, count))

    def rules_for(self, count: int) -> tuple[Rule | None, ...]:
        """Return the rule of each of `count` operands."""
        if len(self._rules) == 1 and isinstance(self._rules[0], Variadic):
            return tuple(self._rules[0].factory(i) for i in range(count))
        return self._rules  # type: ignore[return-value]  # `each` stands alone, check_definition saw to it


def _counter(count: int | Callable[..., int] | None) -> Callable[..., int] | None:
    """Return a count as a function of shapes; a number counts for each value of the output."""
    if not isinstance(count, int):
        return count
    return lambda y, *_operands, **_static: count * int(y.size)


def silent(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Return `forward` without NumPy's floating-point warnings: infinities at its poles are its documented values."""

    @functools.wraps(forward)
    def quietly(*operands: Any, **static: Any) -> Any:
        with np.errstate(all="ignore"):
            return forward(*operands, **static)

    return quietly


def _description(name: str, forward: Callable[..., Any]) -> str:
    """Return what `help` says: of a ufunc the sentence that describes it, not the options that do not record."""
    described = inspect.getdoc(forward) or f"The primitive {name}."
    if isinstance(forward, np.ufunc):
        described = next(part for part in described.split("\n\n")[1:] if part.strip())
        described += "\n\nOn arrays it computes, on Tensors it records."
    return described


def _signature(forward: Callable[..., Any]) -> inspect.Signature:
    """Return what `help` shows: a ufunc names its operands x, or x1 and x2, and its other options do not record."""
    if not isinstance(forward, np.ufunc):
        return inspect.signature(forward)
    names = ["x"] if forward.nin == 1 else [f"x{i + 1}" for i in range(forward.nin)]
    return inspect.Signature([inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in names])


def _reads(rule: Rule, count: int) -> list[bool]:
    """Return whether `rule` reads the output and each of `count` operands, by the names of its parameters."""
    return [not name.startswith("_") for name in parameter_names(rule, 2 + count)[1:]]
