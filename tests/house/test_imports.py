"""The walls of the house: which room may import which, and what importing the package loads."""

from __future__ import annotations

import ast
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

import tinygrad_lite

PACKAGE = pathlib.Path(tinygrad_lite.__file__).parent
NAME = PACKAGE.name

TAPE = ("errors", "primitives", "mode", "anomaly")
TENSOR = (*TAPE, "tape")
FUNCTIONAL = (*TENSOR, "tensor", "nested")
TRANSFORMS = (*FUNCTIONAL, "functional")
GRAPHS = (*FUNCTIONAL, "capture", "steps", "files", "python_files")
CHECK = (*TRANSFORMS, "transforms", "capture", "python_files", "states", "files", "graphs", "nn", "analytic", "program")
TRAIN = (*CHECK, "check", "optim", "data", "version")
EXPERIMENTS = (*TRAIN, "train")
EVERYTHING = (*EXPERIMENTS, "experiments", "testing")

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "errors": (),
    "version": (),
    "freed_memory": (),
    "nested": ("errors",),
    "mode": ("errors",),
    "anomaly": ("errors", "mode"),
    "primitives": ("errors",),
    "tape": TAPE,
    "tensor": TENSOR,  # with array_interface, refusals and remedies, the part of a Tensor that looks like an array
    "steps": ("errors", "primitives"),
    "capture": (*FUNCTIONAL, "steps"),
    "functional": FUNCTIONAL,
    "transforms": TRANSFORMS,
    "graphs": GRAPHS,
    "program": (*GRAPHS, "graphs"),
    "nn": (*TRANSFORMS, "states"),
    "states": FUNCTIONAL,
    "optim": (*FUNCTIONAL, "states"),
    "analytic": (),
    "check": CHECK,
    "testing": (*CHECK, "check"),
    "pytest_plugin": (*CHECK, "check"),
    "files": ("errors",),
    "python_files": ("errors",),
    "data": ("errors", "files"),
    "train": TRAIN,
    "experiments": EXPERIMENTS,
    "__init__": (*EVERYTHING, "freed_memory"),
    "cli": (*EVERYTHING, "__init__"),
    "__main__": (*EVERYTHING, "__init__", "cli"),
}
"""What each room may import besides itself: what it is about, and what that stands on."""

NUMPY_AND_ITSELF = ("errors", "nested", "mode", "anomaly", "primitives", "tape", "tensor", "functional", "transforms",
                    "nn", "optim", "analytic", "files")  # fmt: skip
"""Rooms that import nothing beyond NumPy and the standard library, not even inside of a function."""

HEAVY = ("graphviz", "matplotlib", "tqdm", "safetensors", "scipy", "msgspec", "joblib", "pooch", "threadpoolctl",
         "jax", "torch", "autograd", "pytest", "hypothesis")  # fmt: skip


def room_of(path: pathlib.Path) -> str:
    """Return the room that a file of the package belongs to."""
    return room_called(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))


def room_called(name: str) -> str:
    """Return the room that the module or name `name` of the package belongs to."""
    if name in ("array_interface", "refusals", "remedies"):
        return "tensor"
    is_module = (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()
    return name if is_module else "__init__"


def imported_by(tree: ast.AST, package: str) -> Iterator[str]:
    """Yield the dotted names of the modules that a module of `package` imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names) if start == NAME else (start,)


def all_imports(path: pathlib.Path) -> Iterator[str]:
    package = ".".join([NAME, *path.relative_to(PACKAGE).parent.parts])
    yield from imported_by(ast.parse(path.read_text(encoding="utf-8")), package)


def rooms_imported(path: pathlib.Path) -> set[str]:
    """Return the other rooms that a file imports; `from tinygrad_lite import x` counts for the room x."""
    names = [f"{name}.__init__".split(".") for name in all_imports(path)]
    return {room_called(parts[1]) for parts in names if parts[0] == NAME} - {room_of(path)}


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_the_rooms_below_it(path: pathlib.Path) -> None:
    room = room_of(path)
    assert room in MAY_IMPORT, f"{room} has no place in the table of rooms"
    assert rooms_imported(path) <= set(MAY_IMPORT[room])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_of_the_core_imports_numpy_and_the_standard_library_alone(path: pathlib.Path) -> None:
    if room_of(path) in NUMPY_AND_ITSELF:
        foreign = {name.split(".")[0] for name in all_imports(path)} - {NAME, "numpy"}
        assert foreign <= set(sys.stdlib_module_names)


def test_the_table_of_rooms_has_no_circle() -> None:
    """Taking away, again and again, the rooms that import none of those left must leave nothing."""
    left = set(MAY_IMPORT)
    while left:
        lowest = {room for room in left if left.isdisjoint(MAY_IMPORT[room])}
        assert lowest, f"a circle among {sorted(left)}"
        left -= lowest


def test_the_reading_of_imports_sees_every_form() -> None:
    source = (
        f"import numpy.linalg\nfrom {NAME} import tensor\nfrom {NAME}.nn.module import Module\n"
        "from . import layers\nfrom .. import data\ndef f():\n    from ..optim import rules\n"
    )
    found = set(imported_by(ast.parse(source), f"{NAME}.nn"))
    expected = {"tensor", "nn.module", "nn", "data", "optim"}
    assert found == {"numpy.linalg", *(f"{NAME}.{room}" for room in expected)}


def in_a_fresh_process(code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    return finished.stdout


def test_importing_the_package_loads_numpy_and_the_standard_library_alone() -> None:
    loaded = in_a_fresh_process(
        "import sys, numpy; with_numpy = set(sys.modules)\n"
        f"import {NAME}; print(*sorted({{m.split('.')[0] for m in set(sys.modules) - with_numpy}} - {{'numpy'}}))"
    ).split()
    assert set(loaded) - set(sys.stdlib_module_names) == {NAME}
    assert not set(loaded) & set(HEAVY)


@pytest.mark.parametrize("module", [path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__"])
def test_every_module_of_the_core_can_be_imported_first(module: str) -> None:
    if module != "__main__":
        in_a_fresh_process(f"import {NAME}.{module}")
