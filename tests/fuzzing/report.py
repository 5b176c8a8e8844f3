"""What came of many programs, added up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.fuzzing.comparing import FIRST, NUMERIC_ASIDE, SECOND, TOLERANCES, Outcome


@dataclass
class Report:
    """Counts over programs; reports of parts add up."""

    programs: Counter[str] = field(default_factory=Counter)
    """By dtype."""
    methods: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    kinks: int = 0
    flat: int = 0
    primitives: Counter[str] = field(default_factory=Counter)
    comparisons: Counter[str] = field(default_factory=Counter)
    worst: dict[str, tuple[float, int]] = field(default_factory=dict)
    """The largest relative error of each kind of comparison, with its seed."""
    by_rounding: Counter[str] = field(default_factory=Counter)
    set_aside: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Take in what came of one program."""
        program = outcome.program
        if program is not None:
            self.programs[program.dtype] += 1
            self.methods[program.method] += 1
            self.steps += len(program.steps)
        self.kinks += outcome.kinks
        self.flat += outcome.is_flat
        for counts, more in zip(self._counters(), (outcome.primitives, outcome.comparisons, outcome.by_rounding,
                                                   outcome.set_aside), strict=True):  # fmt: skip
            counts.update(more)
        self._add_worst({what: (error, outcome.seed) for what, error in outcome.worst.items()})
        if outcome.failure:
            self.failures[outcome.seed] = outcome.failure

    def merge(self, other: Report) -> None:
        """Take in the report of other programs."""
        self.programs.update(other.programs)
        self.methods.update(other.methods)
        self.steps += other.steps
        self.kinks += other.kinks
        self.flat += other.flat
        for counts, more in zip(self._counters(), other._counters(), strict=True):
            counts.update(more)
        self._add_worst(other.worst)
        self.failures |= other.failures

    def _counters(self) -> tuple[Counter[str], ...]:
        return self.primitives, self.comparisons, self.by_rounding, self.set_aside

    def _add_worst(self, worst: dict[str, tuple[float, int]]) -> None:
        for what, found in worst.items():
            self.worst[what] = max(self.worst.get(what, found), found)

    @property
    def share_set_aside(self) -> float:
        """Which share of the numeric comparisons could not be made."""
        without = sum(self.set_aside[reason] for reason in NUMERIC_ASIDE)
        return without / max(1, without + self.comparisons[FIRST] + self.comparisons[SECOND])

    def __str__(self) -> str:
        total = sum(self.programs.values())
        lines = [
            f"{total} graphs of {self.steps / max(1, total):.1f} steps ({_listed(self.programs)}); "
            f"{self.flat} of them with a gradient of zero everywhere",
            f"gradients asked for by {_listed(self.methods)}",
            f"{self.primitives.total()} operations of {len(self.primitives)} kinds: {_listed(self.primitives)}",
            f"{self.kinks} operations with a kink",
            "comparisons, with the largest relative error among them:",
        ]
        for what, count in self.comparisons.items():
            error, seed = self.worst.get(what, (0.0, 0))
            lines.append(f"  {what:32} {count:9}   {error:.1e} of {TOLERANCES[what]:.0e} allowed (seed {seed})")
        lines.append(f"beyond that, but within what rounding explains: {_listed(self.by_rounding)}")
        lines.append(f"set aside ({self.share_set_aside:.2%} of the numeric ones): {_listed(self.set_aside)}")
        lines.append(f"failures: {len(self.failures)}{''.join(f' {seed}' for seed in sorted(self.failures))}")
        return "\n".join(lines)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"
