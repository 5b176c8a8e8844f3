"""tinygrad_lite: record a tensor computation, differentiate it, and check gradients derived by hand against it."""

from tinygrad_lite.functional import *  # noqa: F403
from tinygrad_lite.tape import no_grad as no_grad
from tinygrad_lite.tensor import Tensor as Tensor
from tinygrad_lite.transforms import grad as grad
from tinygrad_lite.transforms import value_and_grad as value_and_grad
