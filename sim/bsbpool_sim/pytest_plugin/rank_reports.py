"""Combines the outcomes of a test's ranks into one report, in which each failing rank has a section.

Running the ranks and collecting their outcomes belongs to `simulated` and `real`.
"""

from __future__ import annotations

import builtins
import warnings
from dataclasses import dataclass, field, replace
from typing import Any

from _pytest._code.code import ReprFileLocation, TerminalRepr
from _pytest._io import TerminalWriter

_STRICT = "[XPASS(strict)]"


@dataclass
class ReportSection:
    """A section of a report: of one rank, or, without a rank, of all ranks."""

    rank: int | None
    what: Any  # a text, or one of pytest's terminal representations


class RanksRepr(TerminalRepr):
    """Terminal representation of the failure of a test on ranks."""

    def __init__(self, size: int, parts: list[ReportSection]):
        self.size = size
        self.parts = parts

    @property
    def reprcrash(self) -> ReprFileLocation | None:
        """Location and message of the first failing rank, for pytest's one-line summary."""
        for part in self.parts:
            crash = getattr(part.what, "reprcrash", None)
            if part.rank is not None and crash is not None:
                ranks = [p.rank for p in self.parts if p.rank is not None]
                more = f" (and {len(ranks) - 1} more)" if len(ranks) > 1 else ""
                return ReprFileLocation(crash.path, crash.lineno, f"rank {part.rank}{more}: {crash.message}")
        lines = str(self.parts[0].what).splitlines() if self.parts else []
        return ReprFileLocation("", 0, lines[0]) if lines else None

    def __str__(self) -> str:
        # pytest-xdist sends reports as text and shows the first line in the summary.
        crash = self.reprcrash
        return (crash.message.partition("\n")[0] + "\n" if crash is not None else "") + super().__str__()

    def toterminal(self, tw: TerminalWriter) -> None:
        for part in self.parts:
            if part.rank is not None:
                tw.sep("-", f"rank {part.rank} of {self.size}", bold=True)
            if isinstance(part.what, TerminalRepr):
                part.what.toterminal(tw)
            else:
                tw.line(str(part.what))
            tw.line("")


@dataclass
class PhaseOutcome:
    """Outcome of a phase of a test (setup, call, teardown) on one rank, or on all ranks together."""

    outcome: Any
    longrepr: Any = None
    wasxfail: str | None = None
    sections: list[tuple[str, str]] = field(default_factory=list)
    duration: float = 0.0
    properties: list[tuple[str, Any]] = field(default_factory=list)
    #: the reports of subtests, as pytest serializes them.
    subtests: list[dict[str, Any]] = field(default_factory=list)
    #: whether no plugin may run the test again after this failure.
    final: bool = False

    @property
    def expected(self) -> bool:
        """Whether it failed, and was marked with xfail."""
        return self.outcome == "skipped" and self.wasxfail is not None

    @property
    def strict(self) -> bool:
        """Whether it counts as failed because it passed despite a strict xfail."""
        return self.outcome == "failed" and isinstance(self.longrepr, str) and self.longrepr.startswith(_STRICT)


def together(outcomes: list[PhaseOutcome]) -> PhaseOutcome:
    """Combine the outcomes of all ranks.

    Failed if any rank failed; skipped if all were skipped, or if one failed as expected.
    The captured output is that of the failed ranks; if none failed, of all ranks.
    """
    size = len(outcomes)
    failed = [rank for rank, o in enumerate(outcomes) if o.outcome == "failed" and not o.strict]
    skipped = [rank for rank, o in enumerate(outcomes) if o.outcome == "skipped" and not o.expected]
    first = next((o for o in outcomes if o.expected), None) or next((o for o in outcomes if o.strict), None)
    everybody = list(range(size))
    if failed:
        parts = [ReportSection(rank, outcomes[rank].longrepr) for rank in failed]
        one = PhaseOutcome("failed", RanksRepr(size, parts), None, _sections(outcomes, failed))
    elif first is not None:
        one = replace(first, sections=_sections(outcomes, everybody))
    elif skipped and len(skipped) < size:
        parts = [
            partly_skipped(skipped, size),
            *(ReportSection(rank, _reason(outcomes[rank].longrepr)) for rank in skipped),
        ]
        one = PhaseOutcome("failed", RanksRepr(size, parts), None, _sections(outcomes, everybody))
    else:
        one = replace(outcomes[0], sections=_sections(outcomes, everybody))
        reasons = skip_reasons([str(_reason(o.longrepr)).removeprefix("Skipped: ") for o in outcomes])
        if skipped and isinstance(one.longrepr, tuple) and reasons is not None:
            one.longrepr = (*one.longrepr[:2], f"Skipped: {reasons}")
    return replace(
        one,
        duration=max(o.duration for o in outcomes),
        properties=_properties(outcomes),
        subtests=[],
        final=any(o.final for o in outcomes),
    )


def partly_skipped(ranks: list[int], size: int) -> ReportSection:
    """Section for a test that was skipped on some ranks only."""
    which = ", ".join(map(str, ranks))
    return ReportSection(None, f"skipped on rank {which} of {size} only: skip a test on all of its ranks, or on none")


def skip_reasons(reasons: list[str]) -> str | None:
    """Why ranks have skipped a test, by rank; None if they say the same."""
    if len(set(reasons)) == 1:
        return None
    return "; ".join(f"rank {rank}: {reason}" for rank, reason in enumerate(reasons))


def _reason(longrepr: Any) -> Any:
    return longrepr[2] if isinstance(longrepr, tuple) else longrepr


def _properties(outcomes: list[PhaseOutcome]) -> list[tuple[str, Any]]:
    """Properties that all ranks recorded with the same value, once; others with their rank in the name."""
    alike = [each for each in outcomes[0].properties if all(each in o.properties for o in outcomes)]
    own = [
        (f"{name}, rank {n}", x) for n, o in enumerate(outcomes) for name, x in o.properties if (name, x) not in alike
    ]
    return [*alike, *own]


def as_sent(value: Any) -> Any:
    """Return a recorded value if it is a text, a number or None; else its text, which all ranks can unpickle."""
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _sections(outcomes: list[PhaseOutcome], ranks: list[int]) -> list[tuple[str, str]]:
    return [(f"{title}, rank {rank}", text) for rank in ranks for title, text in outcomes[rank].sections]


@dataclass(frozen=True)
class Warned:
    """A warning of one rank, as text, since other ranks may not have its class."""

    category: str
    message: str
    filename: str
    lineno: int
    when: str
    nodeid: str
    location: Any

    @classmethod
    def of(cls, warning: warnings.WarningMessage, when: str, nodeid: str, location: Any) -> Warned:
        """Convert a warning that pytest recorded."""
        name = warning.category.__name__
        return cls(name, str(warning.message), warning.filename, warning.lineno, when, nodeid, location)

    def report(self, config: Any, rank: int) -> None:
        """Report it to this rank's pytest as a warning of another rank."""
        known = getattr(builtins, self.category, None)
        is_known = isinstance(known, type) and issubclass(known, Warning)
        category: Any = known if is_known and known is not None else type(self.category, (Warning,), {})
        message = warnings.WarningMessage(Warning(self.message), category, self.filename, self.lineno)
        where = f"{self.nodeid} (rank {rank})" if self.nodeid else f"rank {rank}"
        arguments = {"warning_message": message, "when": self.when, "nodeid": where, "location": self.location}
        config.hook.pytest_warning_recorded.call_historic(kwargs=arguments)


#: Name of the attribute of a warning that holds its simulated rank.
RANK = "_simulated_rank"


def name_warning(config: Any, rank: int) -> None:
    """Add the rank to the last warning that pytest's terminal reporter recorded."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("warnings"):
        last = reporter.stats["warnings"][-1]
        last.nodeid = f"{last.nodeid} (rank {rank})"


def name_rank(report: Any, rank: int) -> None:
    """Add the rank to the description of a subtest's report."""
    context = getattr(report, "context", None)
    if context is not None and "rank" not in context.kwargs:
        context.kwargs["rank"] = str(rank)


def count_failed_subtest(item: Any) -> None:
    """Tell pytest that a subtest failed, so that it fails the test."""
    try:
        from _pytest.subtests import failed_subtests_key
    except ImportError:  # before pytest 9 subtests are a plugin, which does not do this
        return
    item.config.stash[failed_subtests_key][item.id if hasattr(item, "id") else item.nodeid] += 1
