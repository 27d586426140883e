"""Collects scenario files as test items: those below folders named `scenarios`, and those given on the command line.

pytest loads this file in every run where the package is installed. The modules that read and run scenarios are imported
when the first scenario file is collected. The meaning of scenarios belongs to `bsbpool_sim.scenario`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ReprFileLocation, TerminalRepr
from _pytest._io import TerminalWriter

from .plain_imports import load_plainly

if TYPE_CHECKING:
    from bsbpool_sim.scenario import Result, Scenario

load_plainly()

#: A file is a scenario if it has this top-level key, or at least the two that follow.
_TITLE = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?scenario[\"']?[ \t]*:", re.MULTILINE)
_PARTS = tuple(re.compile(rb"^%s[ \t]*:" % key, re.MULTILINE) for key in (b"ranks", b"expect"))
#: Number of bytes in which these keys are searched.
_HEAD = 1_000_000


def _is_scenario(path: Path) -> bool:
    """Whether a file is meant as a scenario. An empty file counts, and one whose title is missing."""
    try:
        if not path.is_file():
            return False  # a pipe can be read once, and this is not the only reader
        with open(path, "rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    return not head.strip() or _TITLE.search(head) is not None or all(part.search(head) for part in _PARTS)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Collect YAML files that are scenarios."""
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    named = parent.session.isinitpath(file_path)
    if not named and "scenarios" not in file_path.parent.parts:
        return None
    if not _is_scenario(file_path):
        return None
    file: ScenarioFile = ScenarioFile.from_parent(parent, path=file_path)
    return file


class ScenarioFile(pytest.File):
    """A scenario file. One that is not valid is a collection error."""

    def collect(self) -> Iterator[ScenarioItem]:
        """Yield the scenario of the file as a test item."""
        from bsbpool.text import visible
        from bsbpool_sim.scenario import ScenarioError, load

        try:
            scenario = load(self._shown())
        except ScenarioError as error:
            raise self.CollectError(str(error)) from None
        yield ScenarioItem.from_parent(self, name=visible(scenario.title), scenario=scenario)

    def _shown(self) -> str:
        """Return the path relative to the directory that pytest was started in, if it is below that."""
        here = self.config.invocation_params.dir
        return str(self.path.relative_to(here) if self.path.is_relative_to(here) else self.path)


class ScenarioFailed(Exception):
    """The result of a scenario differs from what it expects."""

    def __init__(self, result: Result):
        self.result = result
        super().__init__(result.report())


class ScenarioRepr(TerminalRepr):
    """Terminal representation of the report of a failed scenario."""

    def __init__(self, path: str, report: str, first: str):
        self.report = report
        #: location and message for pytest's one-line summary.
        self.reprcrash = ReprFileLocation(path, 1, first)

    def __str__(self) -> str:
        return self.report

    def toterminal(self, tw: TerminalWriter) -> None:
        for line in self.report.splitlines():
            tw.line(line)


class ScenarioItem(pytest.Item):
    """Test item of a scenario, with all of its seeds."""

    def __init__(self, *, scenario: Scenario, **kwargs: Any):
        super().__init__(**kwargs)
        self.scenario = scenario

    def runtest(self) -> None:
        """Run the scenario."""
        result = self.scenario.run()
        if not result.ok:
            raise ScenarioFailed(result)
        if (budget := self.config.getoption("explore", None)) is not None:
            from .explored_tests import explore_scenario_item

            explore_scenario_item(self, self.scenario, budget)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the report: what was expected, and what happened."""
        if isinstance(excinfo.value, ScenarioFailed):
            result = excinfo.value.result
            assert result.failed is not None
            failure = result.failed.failures[0]
            first = f"{failure.what}: expected {failure.expected}, happened {failure.happened}"
            return ScenarioRepr(result.scenario.path, result.report(), " ".join(first.split()))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the path and the title of the scenario."""
        return self.path, 0, self.name
