"""The process of one contender: it answers to be loaded, prepared, timed and looked at, one request at a time.

Several contenders can live in one worker, for figures taken in one process.
"""

import gc
import os
import sys
import tempfile
import time
import tracemalloc
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.comparison import machine
from benchmarks.comparison.contenders import CONTENDERS
from benchmarks.comparison.jobs import Job
from benchmarks.comparison.products import PRODUCTS, PRODUCTS_JOBS
from benchmarks.comparison.workloads import AGREEMENT_STEPS, Problem, Workload

SETTLE_SECONDS = 0.3
"""Untimed work of the same sort before anything is timed: the threads of BLAS and OpenMP go on spinning for about as
long after their last work, and would take a core from whoever is timed next."""
BLOCK_SECONDS = 0.03
PRODUCTS_BLOCK_SECONDS = 0.015
UNLIKE_TRAINING_STEPS = 3
"""How often a contender's result is compared where nothing changes from call to call."""


class Host:
    """A contender, or the bare products, at work on a workload."""

    def __init__(self, contender: str, workload: Workload) -> None:
        jobs = PRODUCTS_JOBS if contender == PRODUCTS else CONTENDERS[contender].load()
        self.job: Job = jobs[workload.kind](Problem(workload))
        self.repetitions = AGREEMENT_STEPS if workload.kind == "training" else UNLIKE_TRAINING_STEPS
        self.block_seconds = PRODUCTS_BLOCK_SECONDS if contender == PRODUCTS else BLOCK_SECONDS
        self.steps_in_block = 1

    def prepare(self) -> dict[str, Any]:
        """Compute what must agree, take the size of a block, and say what the first call and the memory came to."""
        before = machine.resident_bytes()
        begin = time.perf_counter()
        first = self.job.run()
        self.job.wait(first)
        first_call = time.perf_counter() - begin
        values = [self.job.value(first)] + [self.job.value(self.job.run()) for _ in range(self.repetitions - 1)]
        peak_growth = machine.peak_resident_bytes() - before
        self.settle()
        self.steps_in_block = max(1, round(self.block_seconds / min(self.steps(1) for _ in range(3))))
        return {
            "values": values,
            "scale": self.job.scale,
            "first_call": first_call,
            "resident_before": before,
            "peak_growth": peak_growth,
            "threads": machine.threads(),
        }

    def steps(self, count: int) -> float:
        """Return the seconds of one step among `count`."""
        run, result = self.job.run, None
        begin = time.perf_counter()
        for _ in range(count):
            result = run()
        self.job.wait(result)
        return (time.perf_counter() - begin) / count

    def settle(self) -> None:
        """Work without being timed until the threads of others have gone to sleep."""
        end = time.perf_counter() + SETTLE_SECONDS
        while time.perf_counter() < end:
            self.steps(1)

    def timed(self) -> dict[str, float]:
        """Return the seconds of one step in a block."""
        self.settle()
        return {"seconds": self.steps(self.steps_in_block) * self.job.scale}

    def traced_bytes(self) -> int:
        """Return the peak of what NumPy and Python allocate within one step, beyond what was there before it."""
        gc.collect()
        tracemalloc.start()
        for _ in range(3):
            self.job.run()
        tracemalloc.reset_peak()
        there, _ = tracemalloc.get_traced_memory()
        self.job.run()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak - there

    def memory(self) -> dict[str, int]:
        """Say what the process has come to, after all rounds."""
        return {"peak": machine.peak_resident_bytes(), "resident": machine.resident_bytes()}


def serve(pipe: Connection, log: str) -> None:
    """Answer requests of the form (name, contender, workload) until the pipe is closed."""
    redirect_output(log)
    hosts: dict[tuple[str, Workload], Host] = {}
    while True:
        try:
            request, contender, workload = pipe.recv()
        except EOFError:
            return
        try:
            if request == "load":
                hosts[contender, workload] = Host(contender, workload)
                pipe.send({})
            else:
                pipe.send(getattr(hosts[contender, workload], request)())
        except KeyboardInterrupt:
            return
        except Exception as problem:  # whatever a framework raises is the reason that the report gives
            pipe.send({"failed": reason(contender, workload, problem)})


def reason(contender: str, workload: Workload, problem: Exception) -> str:
    """Say in one line why a contender takes no part."""
    if isinstance(problem, KeyError) and problem.args == (workload.kind,):
        return "none is written here"
    lines = [line for line in str(problem).splitlines() if line.strip()]
    return f"{type(problem).__name__}: {lines[0] if lines else ''}"[:300]


def redirect_output(log: str) -> None:
    """Let a framework write what it will, to a file: the terminal shows the progress of the comparison."""
    sys.stdout.flush()
    sys.stderr.flush()
    with open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def new_log() -> str:
    """Return the path of an empty file for the output of a worker."""
    handle, path = tempfile.mkstemp(prefix="benchmark_", suffix=".log")
    os.close(handle)
    return path
