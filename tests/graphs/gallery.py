"""The gallery's script as a module, and its graphs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import tinygrad_lite

FOLDER = Path(tinygrad_lite.__file__).parents[1] / "examples" / "gallery"


def gallery() -> ModuleType:
    """Return the gallery's script as a module."""
    specification = importlib.util.spec_from_file_location("gallery", FOLDER / "gallery.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


SCRIPT = gallery()
GRAPHS = SCRIPT.graphs()
