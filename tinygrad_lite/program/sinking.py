"""Factors taken back through a backward sweep, to where they cost least.

A sweep is linear in the cotangent that it begins with: c (Aᵀ G) = Aᵀ (c G). A factor that every use of a cotangent asks
for, such as the learning rate, goes back past matrix products and sums until it meets another factor, the 1/m of a mean
loss, or a small matrix. What was a pass over each weight becomes none.
"""

from __future__ import annotations

from dataclasses import replace

from tinygrad_lite import primitives as p
from tinygrad_lite.graphs.source.lowered import CoreValue
from tinygrad_lite.program.factors import Factor, factored, scaled
from tinygrad_lite.program.listing import Listing, Writer, is_scalar

LINEAR = frozenset({p.sum, p.reshape, p.transpose, p.swapaxes, p.broadcast_to, p.contiguous, p.getitem, p.scatter_add})
"""Operations of one operand that a factor passes unchanged."""

ONE = Factor()


def with_sunk_factors(listing: Listing) -> Listing:
    """Return a listing whose backward sweeps carry the factors of what they lead to."""
    return _Sinking(listing).listing()


class _Sinking:
    def __init__(self, old: Listing) -> None:
        self.old, self.values = old, old.values
        self.writer = Writer(old)
        self.asked: list[list[Factor]] = [[] for _ in self.values]
        """For each value, the factor that each of its uses asks for."""
        for result in old.results:
            self.asked[result].append(ONE)
        self.carried: list[Factor] = [ONE] * len(self.values)
        """The factor that each value comes with."""
        self.requests: list[dict[int, Factor]] = [{} for _ in self.values]
        """For each value, the factor that it asks each of its operands for, by their places among the operands."""

    def listing(self) -> Listing:
        for position in reversed(range(len(self.values))):
            self._ask(position)
        for position in range(len(self.values)):
            self.writer.moved.append(self._written(position))
        return self.writer.finished()

    # ----- Backwards: who asks for what -----

    def _ask(self, position: int) -> None:
        value = self.values[position]
        own = _common(self.asked[position])
        found = factored(value, self.old)
        requests: dict[int, Factor] = {}
        if found is not None and not (own * found.factor).is_moderate:
            found, own = None, ONE
        if found is not None:
            requests = {value.inputs.index(found.source): own * found.factor}
        elif own != ONE:
            requests = dict.fromkeys(self._ways_back(position), own)
        if found is not None or requests:
            self.carried[position] = own
            self.requests[position] = requests
        for i, source in enumerate(value.inputs):
            self.asked[source].append(requests.get(i, ONE))

    def _ways_back(self, position: int) -> list[int]:
        """Return the operands that a factor of a cotangent is passed on to, none if it stops here."""
        value = self.values[position]
        if value.operation is None or is_scalar(value) or not self.old.is_backward(position):
            return []
        cotangents = [i for i, source in enumerate(value.inputs) if self._takes(source)]
        if value.operation in LINEAR:
            return cotangents[:1]
        if value.operation in (p.matmul, p.multiply):
            return cotangents[:1]
        if value.operation is p.divide:
            return [i for i in cotangents if i == 0]
        if value.operation is p.zero_kept_zero:
            return [i for i in cotangents if i == 1]
        if value.operation in (p.add, p.subtract):
            return cotangents if len(cotangents) == 2 else []
        return []

    def _takes(self, position: int) -> bool:
        """Return whether a factor can go to a value: one of a backward sweep, of floats."""
        value = self.values[position]
        return self.old.is_backward(position) and not is_scalar(value) and value.array.dtype.kind == "f"

    # ----- Forwards: what is written -----

    def _written(self, position: int) -> int:
        value, requests = self.values[position], self.requests[position]
        found = factored(value, self.old) if requests else None
        if found is not None:
            wanted = self.carried[position] * found.factor
            if wanted == found.factor and self.carried[found.source] == ONE:
                return self.writer.add(self.writer.copied(value))
            self.old.noted("factors taken back")
            return self._times(found.source, wanted, value)
        copied = self.writer.copied(value)
        inputs = [self._times(i, requests.get(n, ONE), value) for n, i in enumerate(value.inputs)]
        return self.writer.add(replace(copied, inputs=tuple(inputs)))

    def _times(self, source: int, factor: Factor, like: CoreValue) -> int:
        """Return where a value with a factor is: itself, if it comes with that factor."""
        moved = self.writer.moved[source]
        if factor == self.carried[source]:
            return moved
        return scaled(moved, factor * ~self.carried[source], self.writer, like)


def _common(asked: list[Factor]) -> Factor:
    """Return the factor that a value is to come with: what all uses ask for, or, of several numbers, the last.

    What does not ask for it then multiplies by a quotient, so nothing is carried that may be 0, nor where one use takes
    the value as it is.
    """
    if len(set(asked)) == 1:
        return asked[0]
    return asked[0] if asked and all(factor != ONE and not factor.powers for factor in asked) else ONE
