import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

# The same examples in every run, however slow the machine: a failure is the fault of the change that it appears with.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Run without the cyclic garbage collector, so that only reference counts free memory."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
