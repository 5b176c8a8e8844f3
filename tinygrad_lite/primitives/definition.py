"""What a definition of a primitive must look like; a wrong one is an error at once, not at the first gradient."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.errors import DefinitionError

# Operands, outputs and cotangents are arrays in one run of a rule and Tensors in the next, which this room cannot name.
Value = Any
Rule = Callable[..., Any]

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Variadic(NamedTuple):
    """The rules of an operation with any number of operands, made on demand."""

    factory: Callable[[int], Rule]


def each(factory: Callable[[int], Rule]) -> Variadic:
    """Declare that `factory(i)` is the rule of operand `i`, however many there are; all of them read alike.

    >>> import tinygrad_lite as tg
    >>> @tg.primitive(tg.each(lambda i: lambda g, _y, *_xs: g * (i + 1)))
    ... def counted(*xs):
    ...     return sum((i + 1) * x for i, x in enumerate(xs))
    >>> tg.grad(counted, argnums=2)(1.0, 1.0, 1.0)
    np.float64(3.0)
    """
    return Variadic(functools.cache(factory))


def check_definition(
    name: str,
    forward: Callable[..., Any],
    rules: Sequence[Rule | Variadic | None],
    kinks: Callable[..., Any] | None,
    lowering: Callable[..., Any] | None,
) -> None:
    """Raise DefinitionError unless there is one rule per operand, each able to take what it will be called with."""
    count = operand_count(forward)
    if any(isinstance(rule, Variadic) for rule in rules) != (count is None) or (count is None and len(rules) != 1):
        raise DefinitionError(f"{name}: a variadic forward takes exactly one `each(factory)`, and only it does")
    if count is not None and len(rules) != count:
        raise DefinitionError(
            f"{name}: got {len(rules)} derivative rules for {count} operands; "
            "give one rule per operand, None where there is no derivative; "
            "a parameter that is no operand is taken by keyword only, as in f(a, b, *, scale=1.0)"
        )
    static = _static_parameters(forward)
    for position, rule in enumerate(rules):
        made = rule.factory(0) if isinstance(rule, Variadic) else rule
        if made is not None:
            _check_callable(f"{name}: the rule of operand {position}", made, ("g", "y"), count, static)
    if kinks is not None:
        _check_callable(f"{name}: kinks", kinks, ("y",), count, static)
    if lowering is not None:
        _check_callable(f"{name}: lowering", lowering, (), count, static)


def check_description(
    name: str,
    forward: Callable[..., Any],
    rules: Sequence[Rule | Variadic | None],
    formula: Any,
    cotangents: Sequence[Any],
    counters: Mapping[str, Callable[..., int] | None],
) -> None:
    """Raise DefinitionError unless there is one formula per rule, or none, and each function takes the operands."""
    if cotangents and [said is None for said in cotangents] != [rule is None for rule in rules]:
        raise DefinitionError(
            f"{name}: got {len(cotangents)} formulas of cotangents for {len(rules)} derivative rules; "
            "give one formula per rule, None where there is no rule, or none at all"
        )
    said = {"formula": formula, **{f"the formula of cotangent {i}": said for i, said in enumerate(cotangents)}}
    for what, text in said.items():
        if text is not None and not isinstance(text, str) and not callable(text):
            raise DefinitionError(f"{name}: {what} must be a text or a function that gives it, got {text!r}")
    count = operand_count(forward)
    for what, function in {**said, **counters}.items():
        if callable(function):
            _check_callable(f"{name}: {what}", function, ("y",), count, _static_parameters(forward))


def _check_callable(
    what: str,
    function: Callable[..., Any],
    leading: tuple[str, ...],
    count: int | None,
    static: dict[str, inspect.Parameter],
) -> None:
    """Raise DefinitionError unless `function` takes `leading`, then the operands, and the static arguments by name."""
    expected = len(leading) + (1 if count is None else count)
    if len(parameter_names(function, expected)) != expected:
        first = f"({', '.join(leading)}) and " if leading else ""
        raise DefinitionError(
            f"{what} must take {first}{'any number of' if count is None else count} operands, "
            f"but its signature is {inspect.signature(function)}"
        )
    taken = _static_parameters(function)
    if any(p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values()):
        taken = {**static, **taken}
    if taken.keys() != static.keys() or any(_default(taken[key]) != _default(static[key]) for key in static):
        raise DefinitionError(
            f"{what} must take by keyword, with the same defaults, what the forward takes: "
            f"({', '.join(map(str, static.values()))}), but its signature is {inspect.signature(function)}"
        )


def _default(parameter: inspect.Parameter) -> str:
    """Return a default as text, which can be compared whatever it is."""
    return repr(parameter.default)


def _static_parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters of `function` that are given by keyword only; a ufunc's own options do not record."""
    if isinstance(function, np.ufunc):
        return {}
    parameters = inspect.signature(function).parameters
    return {key: p.replace(annotation=p.empty) for key, p in parameters.items() if p.kind is p.KEYWORD_ONLY}


def operand_count(forward: Callable[..., Any]) -> int | None:
    """Return how many operands `forward` takes by position, None if any number."""
    if isinstance(forward, np.ufunc):
        return forward.nin
    parameters = inspect.signature(forward).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind in POSITIONAL for p in parameters)


def parameter_names(rule: Rule, count: int) -> list[str]:
    """Return the name that `rule` gives to each of its `count` positional arguments, `*rest` repeated to fill."""
    parameters = inspect.signature(rule).parameters.values()
    names = [p.name for p in parameters if p.kind in POSITIONAL]
    rest = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL]
    return names + rest * max(0, count - len(names))
