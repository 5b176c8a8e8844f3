"""What test suites need: primitives of one's own held against everything the engine expects of them.

from tinygrad_lite.testing import check_primitive

def test_cube():
check_primitive(cube, np.array([[0.5, -1.0], [2.0, 0.3]]))
"""

from tinygrad_lite.check.conformance import ConformanceReport, Finding, check_primitive

__all__ = ["ConformanceReport", "Finding", "check_primitive"]
