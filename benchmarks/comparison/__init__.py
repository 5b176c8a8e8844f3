"""The comparison with every peer: what `python -m benchmarks` runs."""
