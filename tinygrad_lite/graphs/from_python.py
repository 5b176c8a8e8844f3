"""The graph of what a Python file defines: `graph_in("FILE.py:name")`, as the command line draws it."""

from __future__ import annotations

import inspect
from pathlib import Path

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.graphs.reading import graph, trace
from tinygrad_lite.graphs.recorded import Graph
from tinygrad_lite.python_files import beside, executed, parsed, where
from tinygrad_lite.tensor import Tensor


def graph_in(target: str) -> Graph:
    """Run `FILE.py` of `FILE.py:name` and return the graph that `name` gives.

    It is a function whose arguments all have defaults, which are then its inputs, a Tensor, or a Graph. Raises OSError
    if the file cannot be read, ArgumentError if it cannot be run or has no such name.
    """
    file, _, name = target.rpartition(":")
    if not file or not name.isidentifier():
        raise ArgumentError(f"give a file and what to draw of it, such as net.py:loss, got {target!r}")
    path = Path(file)
    tree = parsed(path)
    with beside(path):
        names = executed(tree, path)
        if name not in names:
            known = [key for key, value in names.items() if callable(value) or isinstance(value, Tensor | Graph)]
            there = [key for key in known if not key.startswith("_")]
            raise ArgumentError(f"{path} defines no {name}; there are {', '.join(there) or 'no functions'}")
        return _graph_of(names[name], target, path)


def _graph_of(value: object, target: str, path: Path) -> Graph:
    if isinstance(value, Graph):
        return value
    if isinstance(value, Tensor):
        return graph(value)
    if not callable(value):
        raise ArgumentError(f"{target} is a {type(value).__name__}; name a function or a Tensor")
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError as problem:
        raise ArgumentError(f"{target} does not tell its arguments; wrap it in a function") from problem
    given = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    without = [p.name for p in given if p.default is p.empty]
    if without:
        raise ArgumentError(f"{target} needs {', '.join(without)}; give defaults, as in def f(x=X)")
    try:
        return trace(value, *(p.default for p in given))
    except (Exception, SystemExit) as problem:
        raise ArgumentError(f"{target} cannot be traced: {where(problem, path)}") from problem
