"""tinygrad (no relation): steps captured by TinyJit, on its CPU backend, which compiles its kernels with clang."""

import os
import shutil
from collections.abc import Callable

os.environ.setdefault("DEV", "CPU")
os.environ.setdefault("TRAINING", "1")  # its optimizers refuse to step without

from tinygrad import Device, Tensor, TinyJit, dtypes, nn
from tinygrad.helpers import DEFAULT_FLOAT

from benchmarks.comparison.jobs import Job, Jobs, scalar_chain
from benchmarks.comparison.workloads import CHAIN_LINKS, L2, Problem

if shutil.which(os.environ.get("CC", "clang")) is None:
    raise ImportError("tinygrad's CPU backend needs clang, which is not installed")

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "softplus": Tensor.softplus,
    "tanh": Tensor.tanh,
    "cos": Tensor.cos,
    "relu": Tensor.relu,
}
RULES = {"sgd": nn.optim.SGD, "adam": nn.optim.Adam}


def wait(_result: Tensor) -> None:
    Device[Device.DEFAULT].synchronize()


def training(problem: Problem) -> Job:
    if problem.workload.dtype == "float64":
        DEFAULT_FLOAT.value = "float64"  # or the learning rate would be rounded to float32
    activation = ACTIVATIONS[problem.workload.activation]
    parameters = [Tensor(parameter).realize() for parameter in problem.parameters]
    weights, biases = parameters[::2], parameters[1::2]
    optimizer = RULES[problem.workload.rule](parameters, lr=problem.workload.learning_rate)
    batch, t = Tensor(problem.x).realize(), Tensor(problem.t.astype("int32")).realize()

    @TinyJit
    def step(x: Tensor, t: Tensor) -> Tensor:
        optimizer.zero_grad()
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = activation(x.linear(weight.T, bias))
        loss = x.linear(weights[-1].T, biases[-1]).sparse_categorical_crossentropy(t)
        loss = loss + L2 / 2 * sum(weight.square().sum() for weight in weights)
        loss.backward()
        return loss.realize(*optimizer.schedule_step())

    return Job(lambda: step(batch, t), wait=wait)


def operation(_problem: Problem) -> Job:
    a = Tensor([1.0, 2.0, 3.0, 4.0], dtype=dtypes.float64).realize()
    b = Tensor([0.5] * 4, dtype=dtypes.float64).realize()
    multiply = TinyJit(lambda a, b: (a * b).realize())
    return Job(lambda: multiply(a, b), lambda result: float(result.numpy().sum()), wait)


def chain(_problem: Problem) -> Job:
    function, start = scalar_chain(CHAIN_LINKS), Tensor([0.3], dtype=dtypes.float64).realize()
    gradient = TinyJit(lambda x: function(x).sum().gradient(x)[0].realize())
    return Job(lambda: gradient(start), wait=wait)


TINYGRAD: Jobs = {"training": training, "operation": operation, "chain": chain}
