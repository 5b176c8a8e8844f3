"""What a captured call may not do: change other things than Tensors, or draw random numbers of its own."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_lite.errors import CompilationError
from tinygrad_lite.graphs.recorded import Graph
from tinygrad_lite.program.contents import Contents
from tinygrad_lite.program.surroundings import Surroundings

LARGEST_KEPT = 16_000_000
"""How many bytes an array may have for a copy of it to tell whether a captured call writes to it."""


def refuse_new_generators(graph: Graph, surroundings: Surroundings) -> None:
    """Raise CompilationError for a computation that draws from a generator which was not there before the call."""
    known = {id(generator) for generator in surroundings.generators}
    for node in graph.nodes:
        if node.operation is not None and node.operation.draws and id(node.static["rng"]) not in known:
            raise CompilationError(
                "the call draws from a generator that it makes itself, which a replay would not make anew; "
                "make the generator outside, and read it from a closure, a module or an argument"
            )


@contextmanager
def unchanged(surroundings: Surroundings) -> Iterator[None]:
    """Raise CompilationError if the call inside changes what a replay would not, and put that back."""
    generators, contents = [*surroundings.generators], Contents(surroundings.found(), LARGEST_KEPT)
    states = [_generator_state(generator) for generator in generators]
    own, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002 - it is watched, not drawn from
    try:
        yield
    finally:
        drawn = [g for g, state in zip(generators, states, strict=True) if not _is_same(_generator_state(g), state)]
        for generator, state in zip(generators, states, strict=True):
            _set_generator_state(generator, state)
        is_drawn = bool(drawn) or random.getstate() != own or not _is_same(np.random.get_state(), numpys)  # noqa: NPY002 - as above
        random.setstate(own)
        np.random.set_state(numpys)  # noqa: NPY002 - as above
        changed = surroundings.put_back() + ["an array in place"] * contents.put_back()
    if is_drawn:
        raise CompilationError(
            "the call draws random numbers that a replay would not draw anew; draw them with tg.uniform or tg.normal, "
            "which take the generator as rng="
        )
    if changed:
        raise CompilationError(
            f"the call changes {', '.join(changed)}, which a replay would not do; "
            "return what is computed, or keep it in a Tensor and .assign() to it"
        )


def _generator_state(generator: Any) -> Any:
    return (
        generator.get_state(legacy=False)
        if isinstance(generator, np.random.RandomState)
        else generator.bit_generator.state
    )


def _set_generator_state(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        generator.bit_generator.state = state


def _is_same(a: Any, b: Any) -> bool:
    return pickle.dumps(a) == pickle.dumps(b)
