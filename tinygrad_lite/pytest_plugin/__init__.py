"""The pytest plugin: the fixture `check_gradients`, and the page of all gradient reports of a session.

pytest loads a plugin in every session, also where no gradient is checked, and to load a module of this package is to
load NumPy. What pytest loads is therefore the package `tinygrad_lite_pytest`, which lies beside this file and which
pyproject.toml installs next to `tinygrad_lite`, not in it. It enters this room when there is something to do.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tinygrad_lite.check import GradientReport
from tinygrad_lite.check import check_gradients as check
from tinygrad_lite.check.asserting import assert_gradients, listening, tell
from tinygrad_lite.check.written import Section, page_of, section_of
from tinygrad_lite.files import replacing


def check_gradients(
    f: Any,  # what tinygrad_lite.check_gradients takes
    *args: Any,
    raises: bool = True,
    **options: Any,
) -> GradientReport:
    """Check gradients as `tinygrad_lite.check_gradients` does and fail the test unless all agree, or return the report.

    With `raises=False` the report is returned whatever it says.
    """
    __tracebackhide__ = True
    if raises:
        return assert_gradients(f, *args, **options)
    report = check(f, *args, **options)
    tell(report)
    return report


class GradientPage:
    """The page of the reports that the tests of a session make, written when it ends.

    Each report travels with the outcome of its test, also from a worker of pytest-xdist to the process that writes.
    """

    def __init__(self, config: pytest.Config, path: str) -> None:
        self._path = Path(path).expanduser().absolute()  # a test may change the working directory
        self._writes = not hasattr(config, "workerinput") and not config.option.collectonly
        self._made: list[GradientReport] = []
        self._sections: list[Section] = []
        self._problem: OSError | None = None
        if self._writes and (self._path.is_dir() or not self._path.parent.is_dir()):
            reason = "is a folder" if self._path.is_dir() else f"there is no folder {self._path.parent}"
            raise pytest.UsageError(f"--gradients-report={path}: {reason}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Listen while a test runs."""
        with listening(self._made.append):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the outcome of each phase of a test the gradient reports that were made in it."""
        outcome = yield
        made, self._made[:] = list(self._made), []
        if made:
            titles = [outcome.nodeid] if len(made) == 1 else [f"{outcome.nodeid}, {n}" for n in range(1, len(made) + 1)]
            # Plain lists and strings, which pytest-xdist can send.
            sections = [[title, bool(report), section_of(report)] for title, report in zip(titles, made, strict=True)]
            vars(outcome)["gradient_sections"] = sections
        return outcome

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what an outcome brings."""
        if self._writes:
            self._sections += [Section(*section) for section in vars(report).get("gradient_sections", ())]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the page; a session without the page that it was asked for has failed."""
        if not self._writes:
            return
        try:
            with replacing(self._path) as file:
                file.write(page_of(self._sections).encode("utf-8", "backslashreplace"))
        except OSError as problem:
            self._problem = problem
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where the page is."""
        if not self._writes:
            return
        if self._problem is not None:
            terminalreporter.write_line(f"gradient reports could not be written: {self._problem}", red=True)
            return
        wrong = sum(not section.agrees for section in self._sections)
        terminalreporter.write_line(f"gradient reports: {len(self._sections)}, disagreeing: {wrong}, in {self._path}")
