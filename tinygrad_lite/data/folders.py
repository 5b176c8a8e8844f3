"""Where data sets lie: the folders searched, in their order, and what is said when nothing is there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinygrad_lite.errors import DataError

VARIABLE = "TINYGRAD_LITE_DATA"

Folder = str | os.PathLike[str]
Folders = Folder | Sequence[Folder]


@dataclass(frozen=True)
class Layout:
    """One way in which a data set is published: files of these names in a folder of this name.

    `files` has, for each split, the files it needs, and for each file the names it goes by, the published one first.
    """

    dataset: str
    kind: str
    folder: str
    files: Mapping[str, tuple[tuple[str, ...], ...]]

    def look(self, root: Path, splits: Sequence[str] = ("train", "test")) -> tuple[list[Path], list[str]]:
        """Return the files of `splits` that lie in this layout's folder under `root`, and the names of the others."""
        present, missing = [], []
        for names in (names for split in splits for names in self.files[split]):
            paths = [path for name in names if os.path.isfile(path := root / self.folder / name)]
            if paths:
                present.append(paths[0])
            else:
                missing.append(names[0])
        return present, missing


def cache_folder() -> Path:
    """Return the user's cache of this library, `$XDG_CACHE_HOME/tinygrad_lite` or `~/.cache/tinygrad_lite`."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # The standard of that variable has a relative path ignored.
    return Path(cache if os.path.isabs(cache) else os.path.expanduser("~/.cache")) / "tinygrad_lite"


def searched(folders: Folders) -> list[Path]:
    """Return the folders that are searched: those given, those in TINYGRAD_LITE_DATA, and the user's cache."""
    given: Sequence[Folder] = [folders] if isinstance(folders, str | os.PathLike) else folders
    named = [folder for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    roots = [Path(os.path.abspath(os.path.expanduser(folder))) for folder in [*given, *named]]
    return list(dict.fromkeys([*roots, cache_folder()]))


def locate(layouts: Sequence[Layout], split: str, folders: Folders) -> tuple[Layout, list[Path]]:
    """Return the first layout that has every file of `split`, and these files; a folder goes before a layout.

    Raises DataError that tells where was searched and what to do, if none has.
    """
    roots = searched(folders)
    for root in roots:
        for layout in layouts:
            present, missing = layout.look(root, [split])
            if not missing:
                return layout, present
    raise DataError(_nowhere(layouts, split, roots))


def _nowhere(layouts: Sequence[Layout], split: str, roots: Sequence[Path]) -> str:
    wanted = [", ".join(names[0] for part in layout.files.values() for names in part) for layout in layouts]
    places = [f"{names} in {roots[0] / layout.folder}" for layout, names in zip(layouts, wanted, strict=True)]
    holds = " or ".join(f"{layout.folder}/" for layout in layouts)
    return "\n".join(
        [
            f"{layouts[0].dataset}, split {split!r}, was not found. Searched:",
            *(f"  {root / layout.folder}: {_lack(layout, root, split)}" for root in roots for layout in layouts),
            "To have it, do one of these:",
            f"  place {', or '.join(places)};",
            f"  set {VARIABLE} to the folder that holds {holds} (several are separated by {os.pathsep!r});",
            f"  fetch it: python -m tinygrad_lite data --download {layouts[0].dataset}",
        ]
    )


def _lack(layout: Layout, root: Path, split: str) -> str:
    if not (root / layout.folder).is_dir():
        return "no such folder"
    return f"without {', '.join(layout.look(root, [split])[1])}"
