"""What test suites need: gradients by hand, and primitives of one's own, held against all that is expected of them.

from tinygrad_lite.testing import assert_gradients, check_primitive

def test_my_gradient():
    assert_gradients(loss, w, analytic=my_gradient)

def test_cube():
    check_primitive(cube, np.array([[0.5, -1.0], [2.0, 0.3]]))
"""

from tinygrad_lite.check.asserting import assert_gradients
from tinygrad_lite.check.conformance.kit import ConformanceReport, Finding, check_primitive

__all__ = ["ConformanceReport", "Finding", "assert_gradients", "check_primitive"]
