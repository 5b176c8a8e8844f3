"""A Python file run for the claims it defines, each of them checked, and what was found as text or JSON."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tinygrad_lite.check.claims import Claim, Derivation
from tinygrad_lite.check.judgement import Judgement, Tried
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.python_files import beside, executed, parsed, where

NOT_RUN = "not run"
"""Stands in the place of a verdict for a claim that could not run."""


@dataclass(frozen=True)
class Audit:
    """The judgements on all claims of a file, in the order of their definition."""

    judgements: tuple[Judgement, ...]

    @property
    def status(self) -> int:
        """The exit status: 0 if nothing fails, 1 if a claim does, 2 if one could not run."""
        verdicts = {judgement.verdict for judgement in self.judgements}
        return 2 if None in verdicts else 1 if "fails" in verdicts else 0

    def to_json(self) -> str:
        """Return a JSON list of objects, with null for what is not a finite number and as the verdict where none is."""
        return json.dumps([_as_object(judgement) for judgement in self.judgements], indent=2, allow_nan=False)

    def __str__(self) -> str:
        width = max((len(judgement.id) for judgement in self.judgements), default=0)
        lines = [line for judgement in self.judgements for line in _told(judgement, width)]
        return "\n".join([*lines, "", self._summary()])

    def _summary(self) -> str:
        verdicts = [judgement.verdict or NOT_RUN for judgement in self.judgements]
        words = ("holds", "fails", "no-formula", NOT_RUN)
        counts = [f"{word}: {count}" for word in words if (count := verdicts.count(word))]
        return f"{len(verdicts)} claims; {', '.join(counts)}"


def audit(path: str | Path) -> Audit:
    """Run the Python file at `path` and check every Claim and Derivation that it defines.

    Those are the values of its module-level names, also inside of lists, tuples and dicts. The file is executed; what
    it prints goes to stderr. A claim that raises is judged as one that could not run, and the others are checked.
    Raises OSError if the file cannot be read, ArgumentError if it raises or defines nothing to check.
    """
    path = Path(path)
    tree = parsed(path)
    _refuse_dropped(tree, path)
    with beside(path):
        claims = list(_collected(executed(tree, path).values(), seen=set()))
        if not claims:
            raise ArgumentError(f"{path} defines nothing to check: no name, list or dict of it holds a tg.Claim")
        return Audit(tuple(_judged(claim, path) for claim in claims))


# ----- What the file defines -----


def _refuse_dropped(tree: ast.Module, path: Path) -> None:
    """Raise ArgumentError for a claim that is created and dropped, so that none is passed over."""
    for statement in tree.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            called = ast.unparse(statement.value.func).rpartition(".")[2]
            if called in ("Claim", "Derivation"):
                what = f"{path}, line {statement.lineno}: this {called}"
                raise ArgumentError(f"{what} would be dropped; give it a name, or put it in a list")


def _collected(values: Iterable[object], seen: set[int]) -> Iterator[Claim | Derivation]:
    for value in values:
        if isinstance(value, Claim | Derivation | list | tuple | dict) and id(value) not in seen:
            seen.add(id(value))
            if isinstance(value, Claim | Derivation):
                yield value
            else:
                yield from _collected(value.values() if isinstance(value, dict) else value, seen)


def _judged(claim: Claim | Derivation, path: Path) -> Judgement:
    try:
        return claim.check()
    except (Exception, SystemExit) as problem:
        return Judgement(claim.id, claim.statement, None, cause=f"could not run: {where(problem, path)}")


# ----- What was found, in words -----


def _told(judgement: Judgement, width: int) -> Iterator[str]:
    """Yield the line of a claim, and for one that fails what there is to know of it."""
    error = "" if judgement.error_as_stated is None else f"{judgement.error_as_stated:.1e}"
    verdict = judgement.verdict or NOT_RUN
    yield f"{judgement.id:<{width}}  {verdict:<10}  {error:>8}  {judgement.statement}".rstrip()
    indent = " " * (width + 2)
    if judgement.verdict == "no-formula":
        yield f"{indent}why: {judgement.note}"
    if judgement.cause is not None:
        yield f"{indent}cause: {judgement.cause}"
    if judgement.corrected is not None:
        yield f"{indent}corrected: {judgement.corrected}{_told_of(judgement.correction)}"
    if judgement.verdict == "fails":
        yield from (f"{indent}reading: {tried.name}{_told_of(tried)}" for tried in judgement.readings)


def _told_of(tried: Tried | None) -> str:
    return "" if tried is None else f"  ({'holds' if tried.agrees else 'does not hold'}, error {tried.error:.1e})"


def _as_object(judgement: Judgement) -> dict[str, object]:
    return {
        "id": judgement.id,
        "verdict": judgement.verdict,
        "cause": judgement.cause,
        "corrected": judgement.corrected,
        "readings": [_reading(tried) for tried in judgement.readings],
        "error_as_stated": _finite(judgement.error_as_stated),
        "error_corrected": _finite(judgement.error_corrected),
    }


def _reading(tried: Tried) -> dict[str, object]:
    causes = [str(cause) for cause in tried.causes]
    return {"name": tried.name, "agrees": tried.agrees, "error": _finite(tried.error), "causes": causes}


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
