"""What is drawn of a graph, before it has a format: marks, their words and colours, and what is drawn as one."""
