"""Where everything in a picture goes when Graphviz is not there to say: our own layered layout."""
