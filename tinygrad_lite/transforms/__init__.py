"""Functions of functions: from a function of arrays to its gradient, its Jacobian, its derivative along a direction.

What is differentiated is plain NumPy code; arrays go in and arrays come out, in nested tuples, lists and dicts, or as
modules. Inside, the arguments are fresh leaves, and the sweep stops at them, so nested transforms never confuse whose
derivative is meant. Where the function also used Tensors that require a gradient, its derivatives depend on them: then
the sweep is recorded, and Tensors come out that can be differentiated again.
"""

from tinygrad_lite.transforms.gradients import grad, per_example_grad, value_and_grad
from tinygrad_lite.transforms.jacobians import hessian, hvp, jacobian
from tinygrad_lite.transforms.products import jvp, vjp
from tinygrad_lite.transforms.recomputation import checkpoint

__all__ = ["checkpoint", "grad", "hessian", "hvp", "jacobian", "jvp", "per_example_grad", "value_and_grad", "vjp"]
