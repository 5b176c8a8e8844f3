"""The results as a page of Markdown."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.comparison.conductor import ROUNDS_WANTED, Measurement
from benchmarks.comparison.contenders import CONTENDERS
from benchmarks.comparison.goals import Goal, judged, ratios
from benchmarks.comparison.products import PRODUCTS
from benchmarks.comparison.results import Results
from benchmarks.comparison.statistics import Figure, figure
from benchmarks.comparison.worker import BLOCK_SECONDS, SETTLE_SECONDS

BESIDE = (PRODUCTS, "handwritten", "torch", "jax")
METHOD = f"""
Each contender is a process of its own. First all compute 50 steps from the same weights on the same batch, and only
those that come to the same losses are timed. Then they are timed in rounds, one after the other and never two at a
time, in an order drawn anew for each round, without sleeps. A turn is a block of steps of about
{1e3 * BLOCK_SECONDS:.0f} ms. Before and after each stands a block of the bare matrix products of the same network,
formed by NumPy in a process of their own: in the process of a contender, the threads of NumPy's BLAS would get into the
way of its own. What is timed is preceded by {1e3 * SETTLE_SECONDS:.0f} ms of untimed work of the same sort, because
idle threads of BLAS and OpenMP go on spinning for about as long and would slow down whoever comes next. Thread counts
are what each takes by default. Ratios are taken round by round; given are their medians with the 10th and 90th
percentile. No round is left out.

The machine changes its speed within minutes. Its state is read off the bare products of 100-784-100-10, timed at the
start of every round: their times over the whole run are split in two where the spread within the parts is least, and
the parts are called fast and slow if their medians differ by a quarter; otherwise the machine is called steady.
"""
NOTES = """
- *PyTorch eager* updates by `torch.optim` with its fused kernels and weight decay; *no optimizer* asks for gradients
  and changes the weights in place. *torch.compile* compiles the whole step, update included, as one graph.
- *JAX jit* waits for each step, as whoever looks at the loss does; *not waited for* queues a block of steps.
- *tinygrad* (no relation) replays a step captured by TinyJit on its CPU backend; without the search for kernels that
  BEAM switches on, unless the environment does.
- *micrograd* knows scalars only: a step of 16-8-16-4 is timed, and multiplied by how many times more scalar operations
  the network in question has.
"""
MEMORY = """
*Growth*: how far the process grew at most over its first 50 steps, compilation included, beyond what it held when
imports, data and weights were there. *Later*: how far it grew beyond that peak in all rounds. *Traced*: the peak of
what one step allocates through NumPy and Python. torch.compile and tinygrad keep compiled kernels on
disk: their first call takes longer where there has been none before.
"""


def write(results: Results, folder: Path) -> None:
    """Write `results.md`."""
    (folder / "results.md").write_text("\n".join(page(results)), encoding="utf-8")


def page(results: Results) -> Iterator[str]:
    """Yield the lines of the page."""
    yield f"# The comparison of {results.date}\n"
    yield from machine_table(results)
    yield METHOD
    yield "Contenders:"
    yield NOTES
    if results.measurements:
        yield "## Goals\n"
        yield from goals_table(results.measurements)
        for found in results.measurements:
            yield from workload_section(found)
        yield from memory_section(results.measurements)
    if results.own:
        yield from own_section(results.own)
    if results.one_process:
        yield "\n## In one process\n"
        yield (
            "All contenders in one process, blocks alternating as above: they share caches, memory and cores with each "
            "other's threads, which the larger frameworks suffer from."
        )
        for found in results.one_process:
            yield from workload_section(found, "###")
    for name in results.series:
        yield f"\n![cost by {name}](cost_by_{name}.svg)"
    if results.series:
        yield "\n![cost by parameters](cost_by_parameters.svg)"
    if results.measurements:
        yield "\n![memory](memory.svg)"
    yield ""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def machine_table(results: Results) -> Iterator[str]:
    machine = results.machine
    versions = ", ".join(f"{package} {version}" for package, version in machine["versions"].items() if version)
    yield from table(
        ("machine", ""),
        (
            ("processor", f"{machine['processor']}, {machine['cores']} cores"),
            ("system", machine["system"]),
            ("Python", machine["python"]),
            ("versions", versions),
            ("threads", thread_counts(results.measurements or results.one_process)),
        ),
    )


def thread_counts(measurements: Sequence[Measurement]) -> str:
    counts: dict[str, dict[str, int]] = {}
    for found in measurements:
        counts |= {name: answer["threads"] for name, answer in found.prepared.items()}
    return "; ".join(
        f"{CONTENDERS[name].title}: {', '.join(f'{library} {count}' for library, count in of.items())}"
        for name, of in counts.items()
    )


def show(of: Figure | None) -> str:
    return "" if of is None else f"{number(of.median)} ({number(of.low)} … {number(of.high)})"


def number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def title(name: str) -> str:
    return "bare products" if name == PRODUCTS else CONTENDERS[name].title


def goals_table(measurements: list[Measurement]) -> Iterator[str]:
    def row(goal: Goal, figures: dict[str, Figure]) -> tuple[str, ...]:
        states = ", ".join(f"{state} {show(figure)}" for state, figure in figures.items())
        met = all(figure.median <= goal.limit for figure in figures.values())
        limit = f"{goal.limit:g}" + (f" when {goal.state}" if goal.state else "")
        pair = f"{title(goal.contender)} / {title(goal.over)}"
        return goal.workload.name, pair, limit, states, "met" if met else "**missed**"

    rows = [row(*judgement) for judgement in judged(measurements)]
    yield f"{sum(row[-1] == 'met' for row in rows)} of {len(rows)} are met, each in every state that was seen.\n"
    yield from table(("workload", "ratio", "at most", "measured", ""), rows)


def workload_section(found: Measurement, level: str = "##") -> Iterator[str]:
    yield f"\n{level} {found.workload.name}\n"
    for state in sorted(set(found.states)):
        chosen = [i for i, here in enumerate(found.states) if here == state]
        few = "" if len(chosen) >= ROUNDS_WANTED else f" (fewer than {ROUNDS_WANTED})"
        yield f"Machine {state}, {len(chosen)} round{'s' if len(chosen) > 1 else ''}{few}:\n"
        fastest = sorted(found.contenders, key=lambda name: figure([found.step[name][i] for i in chosen]).median)
        rows = []
        for name in fastest:
            median = figure([1e6 * found.step[name][i] for i in chosen])
            beside = (show(ratios(found, name, over, state)) if over != name else "1" for over in BESIDE)
            rows.append((title(name), show(median), *beside))
        yield from table(("", "µs", *(f"× {title(over)}" for over in BESIDE)), rows)
        yield ""
    if found.absent:
        yield "Not timed:\n"
        yield from (f"- {title(name)}: {reason}" for name, reason in found.absent.items())
    furthest = max(found.deviations, key=lambda name: found.deviations[name], default=None)
    if furthest:
        yield f"\nLargest deviation of the values compared: {found.deviations[furthest]:.1e} ({title(furthest)})."


def memory_section(measurements: Sequence[Measurement]) -> Iterator[str]:
    yield "\n## Memory, and the first call"
    yield MEMORY
    rows = []
    for found in measurements:
        for name in found.contenders:
            prepared, memory = found.prepared[name], found.memory[name]
            later = max(0, memory["peak"] - prepared["resident_before"] - prepared["peak_growth"])
            rows.append(
                (
                    found.workload.name,
                    title(name),
                    f"{prepared['first_call']:.3g} s",
                    f"{prepared['peak_growth'] / 2**20:.1f} MiB",
                    f"{later / 2**20:.1f} MiB",
                    f"{memory['traced'] / 2**10:,.0f} KiB" if "traced" in memory else "",
                )
            )
    yield from table(("workload", "", "first call", "growth", "later", "traced"), rows)


def own_section(own: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield "\n## What has no peer\n"
    rows = []
    for entry in own:
        of, goal = Figure(**entry["figure"]), entry["goal"]
        verdict = "" if goal is None else ("met" if of.median <= goal else "**missed**")
        rows.append((entry["label"], f"{show(of)} {entry['unit']}".strip(), f"{goal or ''}", verdict))
    yield from table(("", "median", "at most", ""), rows)
