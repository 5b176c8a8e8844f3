"""Check many random programs on several processes, or one again: `python -m tests.fuzzing 100000 --processes 2`."""

from __future__ import annotations

import argparse
import os
import sys
import warnings

from tests.fuzzing.campaign import campaign
from tests.fuzzing.checking import check_with_jax
from tests.fuzzing.generator import random_program
from tests.fuzzing.report import Report

SHOWN = 20
"""How many failures are printed whole."""


def replay(seed: int) -> int:
    """Print the program of one seed and check it again, against JAX too."""
    warnings.simplefilter("error")
    _say(random_program(seed))
    report = Report()
    for outcome in check_with_jax([seed], every=1):
        report.add(outcome)
    _say(f"\n{report}", *report.failures.values())
    return 1 if report.failures else 0


def _say(*lines: object) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=2000, help="how many graphs")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the first; the others follow it")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--replay", type=int, metavar="SEED", help="print one graph and check it again")
    options = parser.parse_args()
    if options.replay is not None:
        return replay(options.replay)
    report = campaign(range(options.seed, options.seed + options.count), options.processes)
    for seed in sorted(report.failures)[:SHOWN]:
        _say(report.failures[seed], "")
    _say(report)
    return 1 if report.failures else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # arrays are small; the processes are what is parallel
    sys.exit(main())
