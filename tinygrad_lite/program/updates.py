"""Updates as what they are: w ← a w + b g, the new value of a cell as factors times the old one and times others.

The gradient of a weight with a penalty is g + λ w, and its update w − α (g + λ w): four passes over the weight. As
(1 − α λ) w − α g it takes two, and the factor of g can be moved to where it costs less (`sinking`). In float32 it stays
w + (−α λ w − α g), rounded against w once: 1 − α λ is rounded alike at each step, and a small decay would be lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tinygrad_lite import primitives as p
from tinygrad_lite.graphs.source.lowered import CoreValue
from tinygrad_lite.program.factors import Factor, factor_of, factored, scaled, written_factor
from tinygrad_lite.program.listing import Listing, Writer, is_scalar


class Root(NamedTuple):
    """√x + ε f, with a factor f, as a divisor: what is left of √(x / c) + ε when 1/√c is taken out of it."""

    source: int
    epsilon: Factor


class Term(NamedTuple):
    """A factor times a value, or times the quotient of a value by another."""

    factor: Factor
    source: int
    divisor: int | Root | None = None


def with_folded_updates(listing: Listing) -> Listing:
    """Return a listing in which the new values of cells are sums of as few terms as possible."""
    return _Folding(listing).listing()


class _Folding:
    def __init__(self, old: Listing) -> None:
        self.old, self.values, self.is_alone = old, old.values, old.needed_once()
        self.writer = Writer(old)
        self.targets = {source: target for target, source in old.assignments if self._is_array(source)}

    def _is_array(self, position: int) -> bool:
        array = self.values[position].array
        return bool(getattr(array, "shape", ())) and array.dtype.kind == "f"

    def listing(self) -> Listing:
        for position, value in enumerate(self.values):
            found = self._folded(position) if position in self.targets else None
            self.writer.moved.append(self.writer.add(self.writer.copied(value)) if found is None else found)
        return self.writer.finished()

    def _folded(self, position: int) -> int | None:
        """Add the sum that a new value is, and return its position; None if there is nothing to gain."""
        cell, value = self.targets[position], self.values[position]
        terms = list(self._terms(position))
        own = [term.factor for term in terms if term.source == cell and term.divisor is None]
        others = [term for term in terms if term.source != cell or term.divisor is not None]
        if not own or not others:
            return None
        self.old.noted("updates folded")
        if value.array.dtype == np.float32 and Factor() in own and len(own) + len(others) > 2:
            own.remove(Factor())
            first = self._scaled_cell(cell, own, value) if own else self._written(others.pop(0), value)
            change = self._sum(first, others, value)
            return self.writer.computed(p.add, (self.writer.moved[cell], change), value, value.array)
        return self._sum(self._scaled_cell(cell, own, value), others, value)

    def _sum(self, first: int, terms: list[Term], like: CoreValue) -> int:
        """Add the sum of a value and terms."""
        result = first
        for term in terms:
            is_taken_away = term.factor == Factor(-1.0)
            summand = self._written(term._replace(factor=Factor()) if is_taken_away else term, like)
            result = self.writer.computed(p.subtract if is_taken_away else p.add, (result, summand), like, like.array)
        return result

    def _scaled_cell(self, cell: int, factors: list[Factor], like: CoreValue) -> int:
        """Add the old value times the sum of its factors."""
        moved = self.writer.moved[cell]
        if factors == [Factor()]:
            return moved
        total: int | None = None
        for factor in factors:
            scalar = written_factor(factor, self.writer, like)
            total = scalar if total is None else self.writer.computed(p.add, (total, scalar), like, np.zeros(()))
        weak = frozenset((0,))
        return self.writer.add(CoreValue(like.node, like.array, p.multiply, (total, moved), weak=weak))  # type: ignore[arg-type]  # there is at least one factor

    def _written(self, term: Term, like: CoreValue) -> int:
        source = self.writer.moved[term.source]
        if term.divisor is not None:
            divisor = self._written_divisor(term.divisor, like)
            source = self.writer.computed(p.divide, (source, divisor), like, like.array)
        return scaled(source, term.factor, self.writer, like)

    def _written_divisor(self, divisor: int | Root, like: CoreValue) -> int:
        if isinstance(divisor, int):
            return self.writer.moved[divisor]
        root = self.writer.computed(p.sqrt, (self.writer.moved[divisor.source],), like, like.array)
        epsilon = written_factor(divisor.epsilon, self.writer, like)
        return self.writer.add(CoreValue(like.node, like.array, p.add, (root, epsilon), weak=frozenset((1,))))

    # ----- The terms of a sum -----

    def _terms(self, root: int) -> Iterator[Term]:
        """Yield the terms of the sum that a value is, descending into parts that nothing else needs."""
        waiting = [(root, Factor())]
        while waiting:
            position, factor = waiting.pop()
            value = self.values[position]
            found = factored(value, self.old) if self._is_inner(position, root) else None
            if found is not None and (factor * found.factor).is_moderate:
                waiting.append((found.source, factor * found.factor))
            elif value.operation in (p.add, p.subtract) and self._is_inner(position, root):
                sign = Factor(1.0 if value.operation is p.add else -1.0)
                waiting += [(value.inputs[1], factor * sign), (value.inputs[0], factor)]
            elif value.operation is p.divide and self._is_inner(position, root):
                dividend, inner = self._without_factors(value.inputs[0])
                yield self._quotient(factor * inner, dividend, value.inputs[1])
            else:
                yield Term(factor, position)

    def _quotient(self, factor: Factor, dividend: int, divisor: int) -> Term:
        """Return a quotient as a term, with what can be taken out of a root below the line taken out.

        √(x / c) + ε, as Adam has it, costs a pass less as (√x + ε √c) / √c.
        """
        value = self.values[divisor]
        if value.operation is p.add and self.is_alone[divisor]:
            for root, epsilon in (value.inputs, value.inputs[::-1]):
                constant = factor_of(epsilon, self.old) if is_scalar(self.values[epsilon]) else None
                if self.values[root].operation is p.sqrt and constant is not None and self.is_alone[root]:
                    source, scale = self._without_factors(self.values[root].inputs[0])
                    if scale.number > 0:
                        half = scale.root()
                        return Term(factor * ~half, dividend, Root(source, constant * ~half))
        return Term(factor, dividend, divisor)

    def _is_inner(self, position: int, root: int) -> bool:
        """Return whether a value is a part of the sum: computed for it alone, from operands of its own shape."""
        value = self.values[position]
        if position != root and not self.is_alone[position]:
            return False
        arrays = [self.values[i].array for i in value.inputs if not is_scalar(self.values[i])]
        return all((x.shape, x.dtype) == (value.array.shape, value.array.dtype) for x in arrays)

    def _without_factors(self, position: int) -> tuple[int, Factor]:
        """Return a value that something else is a factor of, and that factor."""
        total = Factor()
        while self.is_alone[position]:
            found = factored(self.values[position], self.old)
            if found is None or self.values[found.source].array.shape != self.values[position].array.shape:
                break
            if not (total * found.factor).is_moderate:
                break
            position, total = found.source, total * found.factor
        return position, total
