"""What nodes and scopes cost: `graph.cost()`."""
