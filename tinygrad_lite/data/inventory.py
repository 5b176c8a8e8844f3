"""Which data sets lie where: what `load` would find, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinygrad_lite.data.cifar10_files import BINARY, PYTHON
from tinygrad_lite.data.folders import Folders, Layout, searched
from tinygrad_lite.data.mnist_files import MNIST


@dataclass(frozen=True)
class Place:
    """One layout of a data set: the folder that holds it, None if there is none, and the files missing from there."""

    dataset: str
    kind: str
    folder: Path | None
    missing: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every file of both splits is there."""
        return self.folder is not None and not self.missing


@dataclass(frozen=True)
class Inventory:
    """What was found: a place for each layout of each data set, and the folders that were searched, in their order."""

    places: tuple[Place, ...]
    searched: tuple[Path, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain dicts and lists, for JSON."""
        subset = {"dataset": "mnist-subset", "kind": "embedded", "complete": True, "folder": None, "missing": []}
        places = [
            {
                "dataset": place.dataset,
                "kind": place.kind,
                "complete": place.is_complete,
                "folder": None if place.folder is None else str(place.folder),
                "missing": list(place.missing),
            }
            for place in self.places
        ]
        folders = [{"folder": str(folder), "exists": folder.is_dir()} for folder in self.searched]
        return {"datasets": [subset, *places], "searched": folders}

    def __str__(self) -> str:
        lines = [("mnist-subset", "comes with the library: 6,000 training and 1,000 test digits")]
        lines += [(f"{place.dataset} ({place.kind})", _state_of(place)) for place in self.places]
        width = max(len(name) for name, _ in lines)
        table = [f"{name:<{width}}  {state}" for name, state in lines]
        folders = [f"  {folder}{'' if folder.is_dir() else ' (no such folder)'}" for folder in self.searched]
        return "\n".join([*table, "searched:", *folders])


def found(folders: Folders = ()) -> Inventory:
    """Return what lies in `folders`, in those of TINYGRAD_LITE_DATA and in the user's cache; reads no file.

    >>> print(found())  # doctest: +SKIP
    mnist-subset      comes with the library: 6,000 training and 1,000 test digits
    mnist (IDX)       complete in /home/ada/data/mnist
    cifar10 (binary)  not found
    cifar10 (python)  not found
    searched:
      /home/ada/data
      /home/ada/.cache/tinygrad_lite (no such folder)
    """
    roots = searched(folders)
    return Inventory(tuple(_place(layout, roots) for layout in (MNIST, BINARY, PYTHON)), tuple(roots))


def _place(layout: Layout, roots: list[Path]) -> Place:
    looks = [(root / layout.folder, *layout.look(root)) for root in roots]
    folder, present, missing = min(looks, key=lambda look: len(look[2]))  # the first of those that lack the fewest
    return Place(layout.dataset, layout.kind, folder if present else None, tuple(missing))


def _state_of(place: Place) -> str:
    if place.folder is None:
        return "not found"
    return f"complete in {place.folder}" if place.is_complete else f"{place.folder} lacks {', '.join(place.missing)}"
