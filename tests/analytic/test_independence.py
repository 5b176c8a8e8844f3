import pathlib
import shutil
import subprocess
import sys

import tinygrad_lite.analytic

ROOM = pathlib.Path(tinygrad_lite.analytic.__file__).parent

USE_IT_ALONE = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from tinygrad_lite.analytic import mlp_gradients
parameters = np.ones((2, 3)), np.zeros(2), np.ones((4, 2)), np.zeros(4)
gradients = mlp_gradients(parameters, np.ones((5, 3)), np.zeros(5, int))
print(*(name for name in sys.modules if name.startswith("tinygrad_lite")))
print(gradients[3].tolist())
print(sorted({name.split(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)))
"""


def test_the_room_works_alone_cut_out_of_the_package(tmp_path):
    """The oracle shares no line with what it judges: nothing of the package but itself is there to be imported."""
    package = tmp_path / "tinygrad_lite"
    shutil.copytree(ROOM, package / "analytic", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").touch()
    finished = subprocess.run(
        [sys.executable, "-I", "-c", USE_IT_ALONE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    loaded, gradient, packages = finished.stdout.splitlines()
    assert all(name in ("tinygrad_lite", "tinygrad_lite.analytic") or ".analytic." in name for name in loaded.split())
    assert gradient == "[-0.75, 0.25, 0.25, 0.25]"
    assert "numpy" in packages
    assert all(heavy not in packages for heavy in ("scipy", "jax", "torch", "graphviz"))
