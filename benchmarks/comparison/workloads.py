"""The workloads: networks and other pieces of work, with the data and weights that all contenders start from."""

import math
from dataclasses import dataclass, field

import numpy as np

L2 = 0.01
LEARNING_RATES = {"sgd": 0.01, "adam": 0.001}
RULES = {"sgd": "SGD+L2", "adam": "Adam+L2"}
AGREEMENT_STEPS = 50
CHAIN_LINKS = 100


@dataclass(frozen=True)
class Workload:
    """A piece of work; for a kind other than training the network is what the bare products beside it belong to."""

    batch: int
    widths: tuple[int, ...]
    activation: str = "softplus"
    dtype: str = "float32"
    rule: str = "sgd"
    kind: str = "training"

    @property
    def name(self) -> str:
        network = f"{self.batch}-{'-'.join(map(str, self.widths))} {self.dtype} {self.activation}"
        if self.kind == "training":
            return f"{network} {RULES[self.rule]}"
        return KINDS[self.kind].format(network=network)

    @property
    def learning_rate(self) -> float:
        return LEARNING_RATES[self.rule]

    @property
    def parameters(self) -> int:
        return sum((i + 1) * o for i, o in self.layers)

    @property
    def layers(self) -> list[tuple[int, int]]:
        return list(zip(self.widths[:-1], self.widths[1:], strict=True))

    @property
    def tolerance(self) -> float:
        """How far losses may lie apart, relative to their size, after 50 steps that round differently."""
        return 2e-5 if self.dtype == "float32" else 1e-9


KINDS = {
    "operation": "one multiplication of two arrays of 4 values, recorded",
    "chain": f"a chain of {2 * CHAIN_LINKS:,} scalar operations with its gradient",
    "hessian_vector_product": "Hessian-vector product, {network}",
    "per_example_gradients": "per-example gradients, {network}",
}

SMALL = Workload(16, (8, 16, 4), "relu")
MIDDLE = Workload(100, (784, 100, 10))
WIDE = Workload(100, (784, 300, 10), dtype="float64")

MAIN = (
    SMALL,
    MIDDLE,
    WIDE,
    Workload(100, (3072, 200, 10), "relu"),
    Workload(1000, (784, 512, 10), "relu"),
    Workload(64, (784, 256, 256, 256, 10), "tanh"),
)
VARIANTS = (
    *(Workload(100, (784, 100, 10), activation) for activation in ("tanh", "cos", "relu")),
    Workload(100, (784, 100, 10), rule="adam"),
    Workload(16, (8, 16, 4), "relu", rule="adam"),
)
OTHER_KINDS = (
    Workload(16, (8, 16, 4), "relu", "float64", kind="operation"),
    Workload(16, (8, 16, 4), "relu", "float64", kind="chain"),
    Workload(100, (784, 100, 10), "tanh", kind="hessian_vector_product"),
    Workload(32, (784, 100, 10), "tanh", kind="per_example_gradients"),
)
WORKLOADS = (*MAIN, *VARIANTS, *OTHER_KINDS)
GROUPS = {"main": MAIN, "variants": VARIANTS, "other": OTHER_KINDS}
QUICK = (SMALL, MIDDLE)

SERIES = {
    "batch": tuple(Workload(batch, (784, 100, 10)) for batch in (1, 4, 16, 64, 256, 1024)),
    "width": tuple(Workload(100, (784, width, 10)) for width in (16, 64, 256, 1024)),
    "depth": tuple(Workload(64, (256, *(128,) * depth, 10), "tanh") for depth in (1, 2, 4, 8, 16)),
}
"""What the pictures are drawn of: one thing grows, the rest stays."""


@dataclass
class Problem:
    """The arrays of a workload, the same in every process."""

    workload: Workload
    x: np.ndarray = field(init=False)
    t: np.ndarray = field(init=False)
    parameters: list[np.ndarray] = field(init=False)
    """Weights (out, in) and biases (out,) in turn."""
    directions: list[np.ndarray] = field(init=False)
    """What a Hessian is multiplied by, shaped like the parameters."""

    def __post_init__(self) -> None:
        workload, rng = self.workload, np.random.default_rng(0)
        self.x = rng.random((workload.batch, workload.widths[0])).astype(workload.dtype)
        self.t = rng.integers(0, workload.widths[-1], workload.batch)
        shapes = [shape for i, o in workload.layers for shape in ((o, i), (o,))]
        self.parameters = [
            (rng.normal(size=shape) / math.sqrt(shape[-1]) if len(shape) == 2 else np.zeros(shape)).astype(
                workload.dtype
            )
            for shape in shapes
        ]
        self.directions = [rng.normal(size=shape).astype(workload.dtype) for shape in shapes]
