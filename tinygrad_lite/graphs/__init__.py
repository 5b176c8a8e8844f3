"""A recorded computation as a value, and its readers: text, DOT and SVG.

`graph(tensor)` reads the tape behind a Tensor; `print(graph)` lists it, `graph.save("net.svg")` draws it.
"""

from tinygrad_lite.graphs.reading import graph
from tinygrad_lite.graphs.recorded import Edge, Graph, GraphNode

__all__ = ["Edge", "Graph", "GraphNode", "graph"]
