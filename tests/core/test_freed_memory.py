"""What a step frees is there for the next step: no page is got from the system anew."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

STEPS = """
import resource
import numpy as np
{first}

def step():
    arrays = [np.ones(250_000) for _ in range(3)]

def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

for _ in range(20):
    step()
before = pages()
for _ in range(50):
    step()
print((pages() - before) / 50)
"""


def pages_a_step(first: str) -> float:
    """Return how many pages a step of three arrays of 2 MB gets, after a line that is run first."""
    return float(subprocess.check_output([sys.executable, "-c", STEPS.format(first=first)], text=True))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have other ways")
def test_a_step_gets_no_page_anew_once_the_library_is_imported() -> None:
    assert pages_a_step("import tinygrad_lite") < 5 < 100 < pages_a_step("")
