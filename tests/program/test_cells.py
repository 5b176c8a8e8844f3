"""Random sequences of assignments: what a program does in place is what eager execution does with new arrays."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.program.comparing import assert_near, assert_same, values_of

SEEDS = range(400)
AT_A_TIME = 100
CALLS = 4

VIEWS = (
    "{p}", "{p}.T", "{p}[::-1]", "{p}[:, ::-1]", "{p}.detach()", "{p}.reshape(3, 3)", "np.full((3, 3), 0.25)", "fixed",
    "{p}.T.reshape(9).reshape(3, 3)", "np.broadcast_to({p}[0], (3, 3))", "{p}[:2].T @ {p}[1:]", "x", "x.T",
)  # fmt: skip
RAW = ("fixed", "np.full((3, 3), 0.25)")
"""What is an array of NumPy's, which cannot be detached."""
COMPUTED = (
    "{p} + {q}", "{p} - 0.5 * {q}", "{p} * {q}", "{p} @ {q}", "{p} @ {q}.T", "-{p}", "np.tanh({p})", "fixed + {p}",
    "np.maximum({p}, {q})", "np.where({p} > {q}, {p}, {q})", "np.where({q} > 0, x, {p})", "np.exp(-{p} ** 2)",
    "{p} / (1 + {q} * {q})", "{p}.T + {q}", "{p}[::-1] * {q}", "tg.softmax({p}, axis=-1)", "{p} - {p}.mean(axis=0)",
    "np.concatenate([{p}[1:], {q}[:1]])", "tg.set_at({p}, 1, {q}[0])", "tg.add_at({p}, (0, [1, 1, 2]), {q}[0])",
    "{p}[[2, 0, 1]]", "{p} * s", "{p} + x", "{p} - x @ {q}", "np.sum({p}, axis=0) + {q}",
    "{p} * np.mean({q})", "1 * {p}",
)  # fmt: skip
"""What is computed of two cells or values, the argument `x`, the cell `s` without axes and the array `fixed`."""


def written(seed: int) -> str:
    """Return the lines of a function that assigns to the cells a, b, c and s, in a random order."""
    rng = random.Random(seed)
    names = ["a", "b", "c"]

    def expression() -> str:
        form = rng.choice(VIEWS if rng.random() < 0.4 else COMPUTED)
        return form.format(p=rng.choice(names), q=rng.choice(names))

    lines = ["def f(x):", "    results = []"]
    for i in range(rng.randint(2, 9)):
        kind = rng.random()
        if kind < 0.3:
            value = expression()
            lines.append(f"    v{i} = {value}")
            names += [f"v{i}"] * (value not in RAW)
        elif kind < 0.65:
            lines.append(f"    {rng.choice('abc')}.assign({expression()})")
        elif kind < 0.72:
            one, other = rng.sample("abc", 2)
            lines += [f"    old{i} = {one}.detach()", f"    {one}.assign({other})", f"    {other}.assign(old{i})"]
            names.append(f"old{i}")
        elif kind < 0.78:
            lines.append(f"    s.assign({rng.choice(['s * 0.5', 's + 1', f'np.mean({rng.choice(names)})'])})")
        elif kind < 0.84:
            lines += [f"    y = np.mean({rng.choice(names)} * {rng.choice(names)})", "    if y.requires_grad:"]
            lines.append("        y.backward()")
        else:
            lines.append(f"    results.append({expression() if rng.random() < 0.6 else rng.choice('abcs')})")
    return "\n".join([*lines, f"    results.append({rng.choice(names)} * 2)", "    return results"])


class Run:
    """A function with cells of its own."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        dtype = rng.choice([np.float32, np.float64])
        has_parameter = bool(rng.integers(2))
        self.cells = {name: tg.Tensor(rng.normal(size=(3, 3)) / 3, dtype=dtype, name=name) for name in "abc"}
        self.cells["c"].requires_grad = has_parameter
        self.cells["s"] = tg.Tensor(0.5, dtype=dtype, name="s")
        self.fixed = rng.normal(size=(3, 3)).astype(dtype) / 3
        names: dict[str, Any] = {"np": np, "tg": tg, "fixed": self.fixed, **self.cells}
        exec(written(seed), names)
        self.function = names["f"]
        self.xs = [rng.normal(size=(3, 3)).astype(dtype) / 3 for _ in range(CALLS)]

    @property
    def state(self) -> dict[str, Any]:
        """The values of the cells, and the gradient left on the one that may have one."""
        return {**self.cells, "gradient": self.cells["c"].grad}


def cell_of(result: Any, run: Run) -> str | None:
    """Return the name of the cell that a result is, None if it is none."""
    return next((name for name, cell in run.cells.items() if cell is result), None)


def hold_to_eager(seed: int, compare: Any, exact: bool, calls: int) -> None:
    """Run eagerly and compiled, side by side; what was handed out before must keep its values."""
    eager, ours = Run(seed), Run(seed)
    program = tg.compile(ours.function, exact=exact)
    kept: list[tuple[Any, np.ndarray]] = []
    for call in range(calls):
        told = f"seed {seed}, call {call}:\n{written(seed)}\n"
        x = ours.xs[call]
        with np.errstate(all="ignore"):
            expected, found = eager.function(tg.Tensor(x)), program(tg.Tensor(x))
        for ours_given, theirs in zip(found, expected, strict=True):
            assert cell_of(ours_given, ours) == cell_of(theirs, eager), told
        compare(found, expected, told)
        compare(ours.state, eager.state, told)
        kept += [(result, values_of(result)) for result in found if cell_of(result, ours) is None]
        if call % 2:
            kept += [(cell.data, cell.numpy()) for cell in ours.cells.values()]
            kept += [(cell.detach(), cell.numpy()) for cell in ours.cells.values()]
        for cell in eager.cells.values():  # which took the memory order of what was assigned, a program's does not
            cell.assign(cell.numpy())
        if call == 1:
            ours.fixed *= 0.5
            eager.fixed *= 0.5
    for handed_out, before in kept:
        np.testing.assert_array_equal(values_of(handed_out), before, written(seed))


@pytest.mark.parametrize("first", SEEDS[::AT_A_TIME])
def test_assignments_in_an_exact_program_keep_the_bits(first: int) -> None:
    for seed in SEEDS[first : first + AT_A_TIME]:
        hold_to_eager(seed, assert_same, exact=True, calls=CALLS)


@pytest.mark.parametrize("first", SEEDS[::AT_A_TIME])
def test_assignments_in_a_program_agree_to_the_rounding(first: int) -> None:
    for seed in SEEDS[first : first + AT_A_TIME]:
        hold_to_eager(seed, lambda a, b, told: assert_near(a, b, told, 2e-5), exact=False, calls=2)


def test_the_random_functions_assign_alias_and_go_back() -> None:
    lines = "\n".join(map(written, SEEDS))
    for what in (".assign(a.T)", ".assign(b[::-1])", "old", ".backward()", "s.assign(", ".assign(x)", ".assign(fixed)"):
        assert lines.count(what) > 2, what
