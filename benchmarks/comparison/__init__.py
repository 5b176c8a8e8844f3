"""The comparison with every peer: what `python -m benchmarks` runs.

| file | job |
|---|---|
| `workloads.py` | the workloads, and the data and weights that all contenders start from |
| `contenders/` | one file a framework: how it does each kind of workload |
| `jobs.py` | what a contender hands over to be timed |
| `products.py` | the bare matrix products that stand beside every contender |
| `worker.py` | the process of one contender: it answers to be prepared, timed and looked at |
| `conductor.py` | starts the workers, compares what they compute, and has them timed in rounds |
| `statistics.py` | machine states, paired ratios, medians and spreads |
| `machine.py` | what the figures were taken on |
| `goals.py` | what the library has set itself |
| `own_figures.py` | what has no peer: an epoch of `fit`, the first call of a program, a million nodes |
| `report.py`, `pictures.py` | Markdown, JSON and SVG |
"""
