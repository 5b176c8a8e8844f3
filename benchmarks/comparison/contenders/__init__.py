"""The contenders: one file a framework, each loaded only in a process of its own."""

from importlib import import_module
from typing import NamedTuple

from benchmarks.comparison.jobs import Jobs


class Contender(NamedTuple):
    """A way of doing the workloads."""

    title: str
    module: str
    jobs: str
    """The name in its module of what it offers, by the kind of workload."""
    packages: tuple[str, ...] = ("numpy",)
    """The distributions whose versions matter."""
    on_numpy: bool = True
    """Whether its arrays are NumPy's, so that tracemalloc sees them."""

    def load(self) -> Jobs:
        """Import the framework and return what the contender offers."""
        return getattr(import_module(f"{__name__}.{self.module}"), self.jobs)


CONTENDERS = {
    "handwritten": Contender("handwritten NumPy", "handwritten", "HANDWRITTEN"),
    "eager": Contender("tinygrad_lite, eager", "ours", "EAGER", ("tinygrad-lite", "numpy")),
    "compiled": Contender("tinygrad_lite, compiled", "ours", "COMPILED", ("tinygrad-lite", "numpy")),
    "torch": Contender("PyTorch eager", "pytorch", "EAGER", ("torch",), on_numpy=False),
    "torch_lean": Contender("PyTorch eager, no optimizer", "pytorch", "LEAN", ("torch",), on_numpy=False),
    "torch_compile": Contender("torch.compile", "pytorch_compiled", "COMPILED", ("torch",), on_numpy=False),
    "jax": Contender("JAX jit", "jax_jit", "JIT", ("jax", "jaxlib"), on_numpy=False),
    "jax_queued": Contender("JAX jit, not waited for", "jax_jit", "QUEUED", ("jax", "jaxlib"), on_numpy=False),
    "autograd": Contender("autograd", "autograd_numpy", "AUTOGRAD", ("autograd", "numpy")),
    "mygrad": Contender("MyGrad", "mygrad_numpy", "MYGRAD", ("mygrad", "numpy")),
    "tinygrad": Contender("tinygrad, TinyJit", "tinygrad_jit", "TINYGRAD", ("tinygrad",), on_numpy=False),
    "micrograd": Contender("micrograd, scaled", "micrograd_scaled", "MICROGRAD", ("micrograd",), on_numpy=False),
}
