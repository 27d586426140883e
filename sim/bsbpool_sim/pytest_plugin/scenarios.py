"""Makes each scenario file a test item: collects those below folders named `scenarios`, and those named to pytest.

This loads in every run of pytest where the package is installed, so what reads and runs scenarios is imported
when the first one is there. What a scenario means belongs to `bsbpool_sim.scenario`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ReprFileLocation, TerminalRepr
from _pytest._io import TerminalWriter

if TYPE_CHECKING:
    from bsbpool_sim.scenario import Result, Scenario

#: Files that are scenarios have this key at the left, or at least these two.
_TITLE = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?scenario[\"']?[ \t]*:", re.MULTILINE)
_PARTS = tuple(re.compile(rb"^%s[ \t]*:" % key, re.MULTILINE) for key in (b"ranks", b"expect"))
#: Bytes in which they are looked for.
_HEAD = 1_000_000


def _is_scenario(path: Path) -> bool:
    """Whether a file is meant as a scenario: also one that is empty, or has no title by mistake."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    return not head.strip() or _TITLE.search(head) is not None or all(part.search(head) for part in _PARTS)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Take YAML files that are scenarios."""
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
    """A scenario file; one that can't be used is a collection error."""

    def collect(self) -> Iterator[ScenarioItem]:
        """The scenario of the file, as an item."""
        from bsbpool.text import visible
        from bsbpool_sim.scenario import ScenarioError, load

        try:
            scenario = load(self._shown())
        except ScenarioError as error:
            raise self.CollectError(str(error)) from None
        yield ScenarioItem.from_parent(self, name=visible(scenario.title), scenario=scenario)

    def _shown(self) -> str:
        """The path as a person would type it here."""
        here = self.config.invocation_params.dir
        return str(self.path.relative_to(here) if self.path.is_relative_to(here) else self.path)


class ScenarioFailed(Exception):
    """A scenario did not come out as it expects."""

    def __init__(self, result: Result):
        self.result = result
        super().__init__(result.report())


class ScenarioRepr(TerminalRepr):
    """The report of a scenario that failed, as pytest shows it."""

    def __init__(self, path: str, report: str, first: str):
        self.report = report
        #: what pytest's summary says in its one line.
        self.reprcrash = ReprFileLocation(path, 1, first)

    def __str__(self) -> str:
        return self.report

    def toterminal(self, tw: TerminalWriter) -> None:
        for line in self.report.splitlines():
            tw.line(line)


class ScenarioItem(pytest.Item):
    """A scenario, with all of its seeds."""

    def __init__(self, *, scenario: Scenario, **kwargs: Any):
        super().__init__(**kwargs)
        self.scenario = scenario

    def runtest(self) -> None:
        """Run the scenario."""
        result = self.scenario.run()
        if not result.ok:
            raise ScenarioFailed(result)
        if (budget := self.config.getoption("explore", None)) is not None:
            from .exploring import explore_scenario_item

            explore_scenario_item(self, self.scenario, budget)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What was expected, and what happened."""
        if isinstance(excinfo.value, ScenarioFailed):
            result = excinfo.value.result
            assert result.failed is not None
            failure = result.failed.failures[0]
            first = f"{failure.what}: expected {failure.expected}, happened {failure.happened}"
            return ScenarioRepr(result.scenario.path, result.report(), " ".join(first.split()))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the scenario stands, and its title."""
        return self.path, 0, self.name
