"""The results of a run: kept as JSON, from which tables and pictures are written."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.comparison.conductor import Measurement
from benchmarks.comparison.statistics import machine_states
from benchmarks.comparison.workloads import Workload

FILE = "results.json"


@dataclass
class Results:
    """All that a run has found out."""

    date: str
    machine: dict[str, Any]
    measurements: list[Measurement] = field(default_factory=list)
    one_process: list[Measurement] = field(default_factory=list)
    series: dict[str, list[Measurement]] = field(default_factory=dict)
    own: list[dict[str, Any]] = field(default_factory=list)

    def tell_states(self) -> None:
        """Tell the states of the machine apart, by the reference products of all rounds of the run."""
        in_rounds = [*self.measurements, *(found for series in self.series.values() for found in series)]
        states = iter(machine_states([time for found in in_rounds for time in found.reference]))
        for found in in_rounds:
            found.states = [next(states) for _ in found.reference]
        for found in self.one_process:
            rounds = zip(*found.products.values(), strict=True)
            found.states = machine_states([sum(times) / len(times) for times in rounds])

    def keep(self, folder: Path) -> None:
        """Write everything to `results.json` in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.tell_states()
        (folder / FILE).write_text(json.dumps(asdict(self), ensure_ascii=False) + "\n", encoding="utf-8")


def kept(folder: Path) -> Results:
    """Read what `Results.keep` wrote."""
    content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    for part in ("measurements", "one_process"):
        content[part] = [_measurement(found) for found in content[part]]
    content["series"] = {name: [_measurement(found) for found in of] for name, of in content["series"].items()}
    return Results(**content)


def _measurement(found: dict[str, Any]) -> Measurement:
    workload = found["workload"] | {"widths": tuple(found["workload"]["widths"])}
    return Measurement(**found | {"workload": Workload(**workload)})
