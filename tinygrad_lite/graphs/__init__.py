"""A recorded computation as a value, and its readers: text, DOT and SVG.

`graph(tensor)` reads the tape behind a Tensor, `trace(f, *args)` captures a whole call; `graph.backward()` adds the
gradients, `print(graph)` lists it, `graph.save("net.svg")` draws it.
"""

from tinygrad_lite.graphs.reading import graph, trace
from tinygrad_lite.graphs.recorded import Edge, Graph, GraphNode
from tinygrad_lite.steps import Update

__all__ = ["Edge", "Graph", "GraphNode", "Update", "graph", "trace"]
