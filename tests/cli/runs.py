"""The command in a process of its own, as a user starts it: from a folder in which Python finds the package."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from typing import NamedTuple

import tinygrad_lite

ROOT = pathlib.Path(tinygrad_lite.__file__).parent.parent


class Finished(NamedTuple):
    status: int
    out: str
    err: str


def run(*arguments: str | os.PathLike[str], env: dict[str, str] | None = None, start: tuple[str, ...] = ()) -> Finished:
    """Run `python -m tinygrad_lite ARGUMENTS` in pipes; `start` takes the place of `-m tinygrad_lite`."""
    command = [sys.executable, *(start or ("-m", "tinygrad_lite")), *map(os.fspath, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, encoding="utf-8", timeout=300)
    return Finished(done.returncode, done.stdout, done.stderr)
