"""Many random programs on several processes."""

from __future__ import annotations

import multiprocessing
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.fuzzing import jax_oracle
from tests.fuzzing.checking import EVERY_JAX, check_with_jax
from tests.fuzzing.report import Report

PART = EVERY_JAX * jax_oracle.TOGETHER
"""How many programs a process takes at a time: as many as JAX compiles together."""


def part_of(seeds: range) -> Report:
    """Check the programs of these seeds, warnings being errors."""
    warnings.simplefilter("error")
    report = Report()
    for outcome in check_with_jax(seeds):
        report.add(outcome)
    jax_oracle.forget()
    return report


def campaign(seeds: range, processes: int) -> Report:
    """Check the programs of these seeds, telling on stderr how far it is."""
    parts = [seeds[i : i + PART] for i in range(0, len(seeds), PART)]
    report, start = Report(), time.perf_counter()
    context = multiprocessing.get_context("spawn")  # JAX has threads, which do not survive a fork
    with ProcessPoolExecutor(processes, context) as pool:
        for part in as_completed([pool.submit(part_of, part) for part in parts]):
            report.merge(part.result())
            done, seconds = sum(report.programs.values()), time.perf_counter() - start
            sys.stderr.write(
                f"{done} of {len(seeds)} graphs, {len(report.failures)} failures, {seconds:.0f} s, "
                f"{1e3 * seconds / done:.1f} ms a graph\n"
            )
    return report
