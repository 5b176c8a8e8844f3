"""What pytest loads of tinygrad_lite in every session: an option and a fixture, and nothing else until one is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tinygrad_lite.check import GradientReport


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--gradients-report`."""
    parser.getgroup("tinygrad_lite").addoption(
        "--gradients-report",
        metavar="FILE.html",
        help="write the reports of all gradient checks, made by the fixture check_gradients or by assert_gradients, "
        "on one page",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect the reports of the session where a page of them is wanted."""
    path = config.getoption("--gradients-report")
    if path is not None:
        from tinygrad_lite.pytest_plugin import GradientPage

        config.pluginmanager.register(GradientPage(config, path), "tinygrad_lite_page")


@pytest.fixture(scope="session")
def check_gradients() -> Callable[..., GradientReport]:
    """Check gradients as tinygrad_lite.check_gradients does; a wrong one fails the test with the table and the cause.

    Returns the report. With raises=False it returns the report whatever it says.
    """
    from tinygrad_lite.pytest_plugin import check_gradients

    return check_gradients
