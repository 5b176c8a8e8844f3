"""tinygrad_lite: record a tensor computation, differentiate it, and check gradients derived by hand against it.

With this library, one can:

- compute with plain NumPy on a `Tensor`, and call `backward()`; or take `grad(f)` of a function of arrays;
- declare networks (`nn`), objectives with penalties (`nn`) and optimizers (`optim`), and `fit` them;
- hold a handwritten gradient against the automatic and the numeric one with `check_gradients`;
- look at the computation with `graph` and `trace`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from tinygrad_lite import freed_memory  # noqa: F401 - importing it is what it is for
from tinygrad_lite.anomaly import detect_anomaly
from tinygrad_lite.functional import *  # noqa: F403 - the functions stand in functional.__all__
from tinygrad_lite.functional import __all__ as _functions
from tinygrad_lite.mode import enable_grad, no_grad
from tinygrad_lite.primitives import each
from tinygrad_lite.primitives.custom import primitive
from tinygrad_lite.tensor import Tensor
from tinygrad_lite.transforms import (
    checkpoint,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    per_example_grad,
    value_and_grad,
    vjp,
)
from tinygrad_lite.version import VERSION

if TYPE_CHECKING:
    from tinygrad_lite.check import Claim, Derivation, check_gradients
    from tinygrad_lite.graphs import graph, trace
    from tinygrad_lite.program import compile
    from tinygrad_lite.train import fit

__version__ = VERSION

__all__ = [
    "Claim",
    "Derivation",
    "Tensor",
    "check_gradients",
    "checkpoint",
    "compile",
    "detect_anomaly",
    "each",
    "enable_grad",
    "fit",
    "grad",
    "graph",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "no_grad",
    "per_example_grad",
    "primitive",
    "trace",
    "value_and_grad",
    "vjp",
    *_functions,
]

# Importing the package costs little more than importing NumPy: these rooms are entered when they are first named.
_ROOM_OF = {"Claim": "check", "Derivation": "check", "check_gradients": "check", "fit": "train", "graph": "graphs",
            "trace": "graphs", "compile": "program"}  # fmt: skip
_ROOMS = ("analytic", "check", "data", "experiments", "graphs", "nn", "optim", "program", "testing", "train")


def __getattr__(name: str) -> object:
    if name in _ROOM_OF:
        value = globals()[name] = getattr(import_module(f"tinygrad_lite.{_ROOM_OF[name]}"), name)
        return value
    if name in _ROOMS:
        return import_module(f"tinygrad_lite.{name}")
    raise AttributeError(f"module 'tinygrad_lite' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
