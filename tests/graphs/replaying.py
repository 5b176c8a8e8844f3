"""A graph run again by hand, on other values: what is baked in where it should be computed shows."""

from collections.abc import Mapping

import numpy as np

from tinygrad_lite.graphs import Graph


def replayed(graph: Graph, values: Mapping[int, np.ndarray]) -> list[np.ndarray]:
    """Return the value of every node, those of `values` in the place of the recorded ones."""
    found: list[np.ndarray] = []
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if node.operation is None:
                found.append(values.get(node.id, node.array))
                continue
            operands = [found[source] for source in node.inputs]
            for i in node.weak:
                operands[i] = operands[i].item()
            found.append(np.asarray(node.operation.forward(*operands, **node.static)))
    return found


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether two arrays hold the same numbers, signs of zero and nan included, in one dtype and shape."""
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes("C") == b.tobytes("C")
