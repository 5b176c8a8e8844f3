"""The comparison with every peer: which contender takes how long for the same training steps.

    python -m benchmarks                      # everything that has a peer, and what has none
    python -m benchmarks --quick              # three rounds of two workloads, to see that it works
    python -m benchmarks --workloads 16-8-16-4 Adam --contenders eager compiled torch --rounds 30
    python -m benchmarks --pictures           # measures the series for the pictures too
    python -m benchmarks --from benchmarks/results/2026-11-22   # writes tables and pictures anew

The extra `bench` installs the peers; those that are absent or fail are listed with the reason.
"""

import argparse
import datetime
import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.comparison import machine, report
from benchmarks.comparison.conductor import measure, measure_in_one_process
from benchmarks.comparison.contenders import CONTENDERS
from benchmarks.comparison.results import Results, kept
from benchmarks.comparison.workloads import GROUPS, MIDDLE, QUICK, SERIES, SMALL, WORKLOADS, Workload

RESULTS = Path(__file__).parent / "results"
ROUNDS, QUICK_ROUNDS, SERIES_ROUNDS = 15, 3, 7
SERIES_CONTENDERS = ("handwritten", "eager", "compiled", "torch", "jax")
"""Those that the pictures show: a picture of twelve says less, and takes longer."""


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two workloads, three rounds, nothing else")
    parser.add_argument("--rounds", type=int, help=f"rounds of each workload ({ROUNDS})")
    parser.add_argument("--workloads", nargs="+", metavar="TEXT",
                        help=f"{', '.join(GROUPS)}, or those with one of these texts in their name")  # fmt: skip
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, metavar="NAME", default=list(CONTENDERS),
                        help=f"some of {', '.join(CONTENDERS)}")  # fmt: skip
    parser.add_argument("--pictures", action="store_true", help="measure cost by batch, width and depth too")
    parser.add_argument("--out", type=Path, help="the folder for results (benchmarks/results/DATE)")
    parser.add_argument("--from", type=Path, dest="folder", help="write anew from the results.json in this folder")
    return parser.parse_args()


def chosen(options: argparse.Namespace) -> tuple[Workload, ...]:
    if options.workloads is None:
        return QUICK if options.quick else WORKLOADS
    asked_for = [w for text in options.workloads for w in GROUPS.get(text, [w for w in WORKLOADS if text in w.name])]
    return tuple(dict.fromkeys(asked_for))


def own_figures(rounds: int) -> list[dict[str, object]]:
    """Return the figures without peers, taken in a process of their own."""
    command = [sys.executable, "-m", "benchmarks.comparison.own_figures", "--rounds", str(rounds)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent, check=False)
    if finished.returncode:
        say("  they failed")
        return []
    return json.loads(finished.stdout)


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)


def run(options: argparse.Namespace, results: Results, folder: Path) -> None:
    """Measure what was asked for; what is there is kept after every workload."""
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    for workload in chosen(options):
        earlier = [time for found in results.measurements for time in found.reference]
        results.measurements.append(measure(workload, options.contenders, rounds, say, earlier))
        results.keep(folder)
    if not options.quick and options.workloads is None:
        for workload in (SMALL, MIDDLE):
            say("in one process")
            results.one_process.append(measure_in_one_process(workload, options.contenders, rounds, say))
        say("what has no peer")
        results.own = own_figures(rounds)
        results.keep(folder)
    if options.pictures:
        shown = [name for name in SERIES_CONTENDERS if name in options.contenders]
        for name, series in SERIES.items():
            results.series[name] = []
            for workload in series:
                results.series[name].append(measure(workload, shown, SERIES_ROUNDS, say))
                results.keep(folder)


def main() -> None:
    options = parsed()
    folder = options.folder or options.out or RESULTS / datetime.date.today().isoformat()
    if options.folder:
        results = kept(folder)
    else:
        packages = {package for contender in CONTENDERS.values() for package in contender.packages}
        results = Results(datetime.date.today().isoformat(), machine.description(packages))
        run(options, results, folder)
    report.write(results, folder)
    from benchmarks.comparison import pictures  # matplotlib may be absent: the tables are there by now

    pictures.draw(results, folder)
    say(f"results in {folder}")


if __name__ == "__main__":
    main()
