"""The conformance kit: a primitive held against all that the engine expects of one, in every way it is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tinygrad_lite.check.conformance import edge_properties, properties, rule_properties
from tinygrad_lite.check.conformance.against_jax import jax_agrees
from tinygrad_lite.check.conformance.agreement import NothingToHoldError, PropertyError
from tinygrad_lite.check.conformance.properties import Property
from tinygrad_lite.check.conformance.variants import Call, at_extremes, refusal_of, summary_of, variants_of
from tinygrad_lite.errors import ArgumentError, ConformanceError, DtypeError
from tinygrad_lite.primitives import Primitive

OF_VALUES: Final[dict[str, Property]] = {
    "value": properties.value_is_recorded,
    "lowering": properties.lowering_is_the_same,
}
OF_DERIVATIVES: Final[dict[str, Property]] = {
    "first derivative": properties.first_derivative_is_the_numeric_one,
    "second derivative": properties.second_derivative_is_the_numeric_one,
    "both products": properties.products_from_both_sides_agree,
    "float32": rule_properties.single_precision_is_kept,
    "memory": rule_properties.gradients_own_their_memory,
    "unread": rule_properties.what_is_not_named_is_not_read,
}

SMALLEST: Final = 1e-8
"""Below this, values drown in the rounding of differences."""


@dataclass(frozen=True)
class Finding:
    """Whether one property held in one variant; `problem` says what was wrong, and is empty where it held."""

    variant: str
    property: str
    problem: str


@dataclass(frozen=True)
class ConformanceReport:
    """What was found of a primitive; truthy when everything held, and printed as a table."""

    primitive: str
    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]
    """The variants that the primitive cannot take, each with what it said."""

    def __bool__(self) -> bool:
        return not any(finding.problem for finding in self.findings)

    def raise_if_wrong(self) -> None:
        """Raise ConformanceError with the table if anything did not hold."""
        __tracebackhide__ = True  # pytest shows the line of the test and the table
        if not self:
            raise ConformanceError(str(self))

    def __str__(self) -> str:
        held: dict[str, list[str]] = {}
        for finding in self.findings:
            if not finding.problem:
                held.setdefault(finding.variant, []).append(finding.property)
        width = max((len(variant) for variant in held), default=0)
        wrong = [f"  {f.variant}, {f.property}: {f.problem}" for f in self.findings if f.problem]
        lines = [f"{self.primitive} does not conform:" if wrong else f"{self.primitive} conforms:", *wrong]
        lines += [f"  {variant:<{width}}  {', '.join(names)}" for variant, names in held.items()]
        return "\n".join([*lines, *(f"  left out: {reason}" for reason in self.left_out)])


def check_primitive(
    primitive: Primitive,
    *operands: Any,
    static: Mapping[str, Any] | None = None,
    reference: Callable[..., Any] | None = None,
    rng: int | np.random.Generator = 0,
) -> ConformanceReport:
    """Hold a primitive against everything that gradients of any order rely on; raise ConformanceError if it fails.

    `operands` are examples: arrays of floats away from kinks and poles (integers or booleans for operands without a
    rule), `static` its keyword arguments. It is called on them as given, in other memory layouts, in float32, with one
    operand in the place of another, with axes counted from the other end, and, if it is elementwise, without axes,
    empty, and broadcast; then at extreme values. Each time its value, its first and second derivatives along random
    directions, the products from both sides, and what gradients share, read and return are looked at. `reference` is
    the same function of arrays in `jax.numpy`: where JAX is installed, derivatives must agree with its own. The report
    says what held, and what was left out and why. A dozen values an operand are plenty; of large ones 32 entries are
    moved one at a time and the rest together.

    >>> import numpy as np, tinygrad_lite as tg
    >>> from tinygrad_lite import testing
    >>> @tg.primitive(lambda g, _y, x: 3 * g * x**2, elementwise=True)
    ... def cube(x):
    ...     return x**3
    >>> bool(testing.check_primitive(cube, np.array([[0.5, -1.0], [2.0, 0.3]])))
    True
    """
    __tracebackhide__ = True
    if isinstance(rng, int):
        rng = np.random.default_rng([*b"check_primitive", rng])  # not the numbers that the operands were drawn with
    report = examined(_called(primitive, operands, static or {}), rng, reference)
    report.raise_if_wrong()
    return report


def examined(call: Call, rng: np.random.Generator, reference: Callable[..., Any] | None = None) -> ConformanceReport:
    """Return what is found when a call is held against every property in every variant."""
    findings: list[Finding] = []
    left_out = [*_not_differentiated(call), *_not_reshaped(call)]
    for variant in variants_of(call):
        refused = refusal_of(variant)
        if refused:
            left_out.append(f"{variant.variant}: {refused}")
        else:
            named = {**OF_VALUES, **(OF_DERIVATIVES if variant.wanted else {})}
            _hold(variant, named, rng, findings, left_out)
    if call.wanted:
        _hold(call, {"kinks": edge_properties.kinks_tell_of_every_jump}, rng, findings, left_out)
    for variant in at_extremes(call):
        _hold(variant, {"silence": edge_properties.extreme_values_are_silent}, rng, findings, left_out)
    if reference is not None:
        _hold(call, {"JAX": lambda call, rng: jax_agrees(call, reference, rng)}, rng, findings, left_out)
    return ConformanceReport(call.primitive.name, tuple(findings), tuple(left_out))


def _called(primitive: Primitive, operands: Iterable[Any], static: Mapping[str, Any]) -> Call:
    """Return the call that a user has described; raises if it is none."""
    if not isinstance(primitive, Primitive):
        raise ArgumentError(f"check_primitive() takes a primitive, such as tg.primitive makes, got {primitive!r}")
    arrays = tuple(np.asarray(x) for x in operands)
    for i, x in enumerate(arrays):
        if x.dtype.kind not in "fiub":
            raise DtypeError(f"operand {i} must be an array of numbers, got dtype {x.dtype}")
    doubles = tuple(x.astype(np.float64 if x.dtype.kind == "f" else x.dtype) for x in arrays)  # copies
    try:
        value = np.asarray(primitive(*doubles, **static))
    except Exception as problem:
        given = ", ".join(f"{x.dtype}{list(x.shape)}" for x in doubles)
        signature = inspect.signature(primitive)
        raise ArgumentError(f"{primitive.name}{signature} cannot be called on {given}: {problem}") from problem
    call = Call(primitive, doubles, static)
    _check_that_it_tells(call, value)
    return call


def _check_that_it_tells(call: Call, value: np.ndarray) -> None:
    """Raise if the operands are such that a wrong derivative would go unnoticed."""
    if not all(x.size for x in call.operands):
        raise ArgumentError("check_primitive() takes operands with values; empty ones are tried without being asked")
    rules = call.primitive.rules_for(len(call.operands))
    if any(rule is not None for rule in rules) and not call.wanted:
        raise DtypeError(f"{call.primitive.name} has derivative rules; give floats for the operands that they are of")
    for i in call.wanted:
        if not np.isfinite(call.operands[i]).all():
            raise ArgumentError(f"operand {i} must be finite; extreme values are tried without being asked")
    if call.wanted and value.size:
        if not np.isfinite(value).all():
            raise ArgumentError(f"{call.primitive.name} is not finite at the operands; give others, away from poles")
        if 0 < np.max(np.abs(value)) < SMALLEST:
            raise ArgumentError(
                f"the values of {call.primitive.name} are {np.max(np.abs(value)):.1e} at most, too close to 0 "
                "for differences; give other operands"
            )


def _not_differentiated(call: Call) -> Iterable[str]:
    """Say of each operand that is held against no numeric derivative why."""
    rules = call.primitive.rules_for(len(call.operands))
    for i, (x, rule) in enumerate(zip(call.operands, rules, strict=False)):
        if i not in call.wanted:
            yield f"derivatives by operand {i}: it has {'no rule' if rule is None else f'dtype {x.dtype}'}"


def _not_reshaped(call: Call) -> Iterable[str]:
    if not call.primitive.is_elementwise:
        yield f"0-d, broadcast: {call.primitive.name} is not elementwise"
    elif len({x.shape for x in call.operands}) > 1:
        yield "0-d, empty, broadcast: the operands given differ in shape"


def _hold(
    call: Call,
    named: Mapping[str, Property],
    rng: np.random.Generator,
    findings: list[Finding],
    left_out: list[str],
) -> None:
    """Hold a call against properties, and add what is found, or why there is nothing to find."""
    for name, holds in named.items():
        try:
            holds(call, rng)
        except NothingToHoldError as reason:
            if str(reason):
                left_out.append(f"{call.variant}, {name}: {reason}")
        except PropertyError as problem:
            findings.append(Finding(call.variant, name, str(problem)))
        except Exception as problem:  # a rule may raise anything; here it is a finding
            findings.append(Finding(call.variant, name, summary_of(problem)))
        else:
            findings.append(Finding(call.variant, name, ""))
