"""Starts the workers, compares what they compute, and has them timed one after the other, in rounds."""

import contextlib
import multiprocessing
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.comparison.contenders import CONTENDERS
from benchmarks.comparison.products import PRODUCTS
from benchmarks.comparison.statistics import machine_states
from benchmarks.comparison.worker import new_log, serve
from benchmarks.comparison.workloads import MIDDLE, Workload

PATIENCE_SECONDS = 240
ROUNDS_WANTED = 15
"""In every state of the machine: a workload that meets two of them is given more rounds."""
MOST_EXTENSION = 2
REFERENCE = MIDDLE
"""The network whose bare products, timed at the start of every round, tell how fast the machine is just then."""

Say = Callable[[str], None]


class Worker:
    """A process with one contender, or several."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other_end = context.Pipe()
        self.log = new_log()
        self.process = context.Process(target=serve, args=(other_end, self.log), daemon=True)
        self.process.start()
        other_end.close()

    def ask(self, request: str, contender: str, workload: Workload) -> None:
        with contextlib.suppress(ConnectionError):  # of a process that has ended there will be no answer
            self.pipe.send((request, contender, workload))

    def answer(self) -> Any:
        """Return the answer to what was asked, or the reason why there is none."""
        try:
            if self.pipe.poll(PATIENCE_SECONDS):
                return self.pipe.recv()
            self.process.kill()
            return {"failed": f"no answer within {PATIENCE_SECONDS} s"}
        except (EOFError, ConnectionError):
            with open(self.log, encoding="utf-8", errors="replace") as file:
                lines = file.read().split("\n")
            return {"failed": f"the process ended: {next((line for line in reversed(lines) if line.strip()), '')}"}

    def asked(self, request: str, contender: str, workload: Workload) -> Any:
        self.ask(request, contender, workload)
        return self.answer()

    def close(self) -> None:
        """Wait for the process to end, now that its pipe is closed."""
        self.process.join(timeout=10)
        if self.process.is_alive():
            self.process.kill()
        os.unlink(self.log)


@dataclass
class Measurement:
    """What was found out about one workload; times in seconds, by contender and round."""

    workload: Workload
    prepared: dict[str, dict[str, Any]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    """Why a contender was not timed."""
    deviations: dict[str, float] = field(default_factory=dict)
    """How far a contender's values lie from those of the first that took part, relatively, at most."""
    step: dict[str, list[float]] = field(default_factory=dict)
    products: dict[str, list[float]] = field(default_factory=dict)
    reference: list[float] = field(default_factory=list)
    memory: dict[str, dict[str, int]] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)

    @property
    def contenders(self) -> list[str]:
        return list(self.step)


def measure(
    workload: Workload, contenders: Sequence[str], rounds: int, say: Say, earlier: Sequence[float] = ()
) -> Measurement:
    """Measure a workload, with a process for each contender; `earlier` are the reference times of the run so far."""
    workers = {name: Worker() for name in (PRODUCTS, *contenders)}
    try:
        found = _prepared(workload, workers, say)
        for request in ("load", "prepare"):
            workers[PRODUCTS].asked(request, PRODUCTS, REFERENCE)
        order = random.Random(0)
        while len(found.reference) < rounds or _scarce(found.reference, earlier, rounds):
            found.reference.append(_products(workers[PRODUCTS], REFERENCE))
            _round(found, workers, order)
            _tell(len(found.reference), rounds, say)
        for name in found.contenders:
            found.memory[name] = workers[name].asked("memory", name, workload)
            if CONTENDERS[name].on_numpy:
                found.memory[name]["traced"] = workers[name].asked("traced_bytes", name, workload)
        return found
    finally:
        for worker in workers.values():
            worker.pipe.close()
        for worker in workers.values():
            worker.close()


def measure_in_one_process(workload: Workload, contenders: Sequence[str], rounds: int, say: Say) -> Measurement:
    """Measure a workload with all contenders in one process, where they share caches, threads and memory."""
    worker = Worker()
    try:
        workers = dict.fromkeys((PRODUCTS, *contenders), worker)
        found = _prepared(workload, workers, say)
        order = random.Random(0)
        for number in range(1, rounds + 1):
            _round(found, workers, order)
            _tell(number, rounds, say)
        return found
    finally:
        worker.pipe.close()
        worker.close()


def _prepared(workload: Workload, workers: dict[str, Worker], say: Say) -> Measurement:
    """Set all contenders up, and leave out those that fail or do not compute the same."""
    say(f"{workload.name}: setting up {len(workers) - 1} contenders")
    found = Measurement(workload)
    for name, worker in workers.items():
        worker.ask("load", name, workload)
    loaded = {name: worker.answer() for name, worker in workers.items()}
    for name, worker in workers.items():
        answer = loaded[name] if "failed" in loaded[name] else worker.asked("prepare", name, workload)
        if name == PRODUCTS:
            continue
        reason = answer.get("failed") or _disagreement(found, name, answer)
        if reason:
            found.absent[name] = reason
            say(f"  {CONTENDERS[name].title}: {reason}")
        else:
            found.step[name], found.products[name] = [], []
    return found


def _disagreement(found: Measurement, name: str, answer: dict[str, Any]) -> str | None:
    """Hold what a contender computes to what the first one does, and say how it differs if it does."""
    found.prepared[name] = answer
    if answer["scale"] != 1:  # it does smaller work than the others; on the smallest network it is held to them
        return None
    expected = next(other["values"] for other in found.prepared.values() if other["scale"] == 1)
    found.deviations[name] = deviation(answer["values"], expected)
    if found.deviations[name] <= found.workload.tolerance:
        return None
    return f"computes something else: it deviates by {found.deviations[name]:.1e}"


def deviation(values: Sequence[float], expected: Sequence[float]) -> float:
    """Return how far values lie from those expected, relative to their size, at most."""
    return max(abs(value - e) / max(abs(e), 1e-12) for value, e in zip(values, expected, strict=True))


def _scarce(times: Sequence[float], earlier: Sequence[float], rounds: int) -> bool:
    """Whether a state of the machine was met in too few rounds for a median, and patience is left for more."""
    states = machine_states([*earlier, *times])[len(earlier) :]
    fewest = min(states.count(state) for state in set(states))
    return fewest < ROUNDS_WANTED <= rounds and len(times) < MOST_EXTENSION * rounds


def _round(found: Measurement, workers: dict[str, Worker], order: random.Random) -> None:
    """Have every contender timed once, never two at a time, in an order drawn anew, the products between them."""

    names = found.contenders
    order.shuffle(names)
    before = _products(workers[PRODUCTS], found.workload)
    for name in names:
        answer = workers[name].asked("timed", name, found.workload)
        if "failed" in answer:
            found.absent[name] = answer["failed"]
            del found.step[name], found.products[name]
            continue
        after = _products(workers[PRODUCTS], found.workload)
        found.step[name].append(answer["seconds"])
        found.products[name].append((before + after) / 2)
        before = after


def _products(worker: Worker, workload: Workload) -> float:
    answer = worker.asked("timed", PRODUCTS, workload)
    if "failed" in answer:
        raise RuntimeError(f"the bare products of {workload.name} cannot be timed: {answer['failed']}")
    return answer["seconds"]


def _tell(number: int, rounds: int, say: Say) -> None:
    if number == 1 or number % 10 == 0 or number == rounds:
        say(f"  round {number} of {rounds}{' and more, for both states' if number > rounds else ''}")
