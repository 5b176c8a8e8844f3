"""A graph as a stand-alone NumPy function: `graph.to_numpy()`."""
