"""A Python file of the user's, run for the names that it defines, as `python FILE.py` would run it."""

from __future__ import annotations

import ast
import contextlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from tinygrad_lite.errors import ArgumentError


def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file; raises OSError if it cannot be read, ArgumentError if it is not Python."""
    try:
        return ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as problem:
        raise ArgumentError(f"{path} is not Python: {problem}") from problem


@contextlib.contextmanager
def beside(path: Path) -> Iterator[None]:
    """Let the file import what stands in its folder, and print to stderr, for stdout is the command's."""
    before = list(sys.path)
    sys.path.insert(0, str(path.resolve().parent))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        sys.path[:] = before


def executed(tree: ast.Module, path: Path) -> dict[str, object]:
    """Return the names that the file defines; raises ArgumentError with the line if it cannot be run."""
    module = ModuleType("__run__")
    module.__file__ = str(path)
    try:
        with _known(module):
            exec(compile(tree, str(path), "exec"), vars(module))
    except (Exception, SystemExit) as problem:
        raise ArgumentError(f"{path} cannot be run: {where(problem, path)}") from problem
    return vars(module)


@contextlib.contextmanager
def _known(module: ModuleType) -> Iterator[None]:
    """Have the module among those imported, where dataclasses look theirs up."""
    sys.modules[module.__name__] = module
    try:
        yield
    finally:
        del sys.modules[module.__name__]


def where(problem: BaseException, path: Path) -> str:
    """Return what was raised, and the last line of the file that led there."""
    lines = [frame.lineno for frame in traceback.extract_tb(problem.__traceback__) if frame.filename == str(path)]
    place = f"line {lines[-1]}: " if lines else ""
    return f"{place}{type(problem).__name__}: {problem}"
