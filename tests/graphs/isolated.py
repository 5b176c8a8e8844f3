"""Written source run in a process that has NumPy and cannot import the library."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

RUNNER = """
import json, pathlib, sys
sys.modules["tinygrad_lite"] = None  # whoever imports it gets an ImportError
sys.path.append(sys.argv[1])
import numpy as np

folder = pathlib.Path(sys.argv[2])
for path in sorted(folder.glob("*.json")):
    arguments = {}
    with np.load(path.with_suffix(".npz")) as arrays:
        for key, (name, order) in json.loads(path.read_text("utf-8")).items():
            arguments[name] = arrays[key].transpose(np.argsort(order).astype(int))
    before = {name: array.copy() for name, array in arguments.items()}
    module = {}
    exec(compile(path.with_suffix(".py").read_text("utf-8"), path.stem, "exec"), module)
    function = next(module[name] for name in ("step", "forward_and_gradient", "forward") if name in module)
    returned = function(**arguments)
    found = {}
    for i, part in enumerate(returned if isinstance(returned, tuple) else (returned,)):
        found |= {f"{i} {name}": value for name, value in part.items()} if isinstance(part, dict) else {str(i): part}
    assert all(np.array_equal(before[name], array, equal_nan=True) for name, array in arguments.items()), "written to"
    np.savez(folder / f"{path.stem} results.npz", **found)
assert sys.modules["tinygrad_lite"] is None
assert not [name for name in sys.modules if name.startswith("tinygrad_lite.")]
"""


class Job(NamedTuple):
    """A written module with the arguments of its function."""

    source: str
    arguments: Mapping[str, np.ndarray]


def run_alone(jobs: Sequence[Job], folder: Path) -> list[dict[str, np.ndarray]]:
    """Return what the function of each job returns: results under their position, dicts under position and name.

    All run in one process that has NumPy alone, with warnings as errors.
    """
    for i, job in enumerate(jobs):
        stem = folder / f"{i:05}"
        stem.with_suffix(".py").write_text(job.source, encoding="utf-8")
        orders = [sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis])) for x in job.arguments.values()]
        laid = (x.transpose(order) for x, order in zip(job.arguments.values(), orders, strict=True))
        np.savez(stem.with_suffix(".npz"), **{f"a{k}": x for k, x in enumerate(laid)})
        names = {f"a{k}": named for k, named in enumerate(zip(job.arguments, orders, strict=True))}
        stem.with_suffix(".json").write_text(json.dumps(names), encoding="utf-8")
    site = str(Path(np.__file__).parent.parent)
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", RUNNER, site, str(folder)], capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    results = []
    for i in range(len(jobs)):
        with np.load(folder / f"{i:05} results.npz") as arrays:
            results.append(dict(arrays))
    return results
