"""The bare matrix products of a training step: what no framework on this BLAS can do without."""

import numpy as np

from benchmarks.comparison.jobs import Job, Jobs
from benchmarks.comparison.workloads import KINDS, Problem

PRODUCTS = "products"


def bare_products(problem: Problem) -> Job:
    """Return the products of forward and backward sweep, of arrays that have their shapes."""
    rng, dtype = np.random.default_rng(1), problem.workload.dtype
    weights = problem.parameters[::2]
    outputs = [rng.random((len(problem.x), len(w))).astype(dtype) for w in weights]
    cotangents = [rng.random(output.shape).astype(dtype) for output in outputs]
    layers = list(zip([problem.x, *outputs], weights, cotangents, strict=False))

    def products() -> tuple[list[np.ndarray], ...]:
        forward = [inputs @ w.T for inputs, w, _ in layers]
        by_weights = [d.T @ inputs for inputs, _, d in layers]
        by_inputs = [d @ w for _, w, d in layers[1:]]
        return forward, by_weights, by_inputs

    return Job(products, lambda result: float(result[0][0][0, 0]))


PRODUCTS_JOBS: Jobs = dict.fromkeys(("training", *KINDS), bare_products)
"""Beside work of another kind stand the products of a training step of its network."""
