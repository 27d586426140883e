"""What is reported of a test that ran on several ranks: one outcome, and each failing rank under its number.

How the ranks ran, and how their reports came together, belongs to `ranks` and `real`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from _pytest._code.code import ReprFileLocation, TerminalRepr
from _pytest._io import TerminalWriter

_STRICT = "[XPASS(strict)]"


@dataclass
class Part:
    """What is said of one rank, or, without a rank, of all of them."""

    rank: int | None
    what: Any  # a text, or something of pytest that writes itself to a terminal


class RanksRepr(TerminalRepr):
    """The failure of a test on ranks, as pytest shows it."""

    def __init__(self, size: int, parts: list[Part]):
        self.size = size
        self.parts = parts

    @property
    def reprcrash(self) -> ReprFileLocation | None:
        """Where and with what the first failing rank failed, for pytest's one-line summary."""
        for part in self.parts:
            crash = getattr(part.what, "reprcrash", None)
            if part.rank is not None and crash is not None:
                ranks = [p.rank for p in self.parts if p.rank is not None]
                more = f" (and {len(ranks) - 1} more)" if len(ranks) > 1 else ""
                return ReprFileLocation(crash.path, crash.lineno, f"rank {part.rank}{more}: {crash.message}")
        lines = str(self.parts[0].what).splitlines() if self.parts else []
        return ReprFileLocation("", 0, lines[0]) if lines else None

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
class Outcome:
    """How a phase of a test (setup, call, teardown) ended on a rank, or on all of them."""

    outcome: Any
    longrepr: Any = None
    wasxfail: str | None = None
    sections: list[tuple[str, str]] = field(default_factory=list)

    @property
    def expected(self) -> bool:
        """Whether it failed as its author said it would."""
        return self.outcome == "skipped" and self.wasxfail is not None

    @property
    def strict(self) -> bool:
        """Whether it failed only since it passed, against what its author said."""
        return self.outcome == "failed" and isinstance(self.longrepr, str) and self.longrepr.startswith(_STRICT)


def together(outcomes: list[Outcome]) -> Outcome:
    """The one outcome of all ranks: failed if any failed; skipped if all were, or one failed as expected."""
    size = len(outcomes)
    failed = [rank for rank, o in enumerate(outcomes) if o.outcome == "failed" and not o.strict]
    skipped = [rank for rank, o in enumerate(outcomes) if o.outcome == "skipped" and not o.expected]
    first = next((o for o in outcomes if o.expected), None) or next((o for o in outcomes if o.strict), None)
    if failed:
        parts = [Part(rank, outcomes[rank].longrepr) for rank in failed]
        return Outcome("failed", RanksRepr(size, parts), None, _sections(outcomes, failed))
    if first is not None:
        return first
    if skipped and len(skipped) < size:
        parts = [partly_skipped(skipped, size), *(Part(rank, _reason(outcomes[rank].longrepr)) for rank in skipped)]
        return Outcome("failed", RanksRepr(size, parts), None, _sections(outcomes, list(range(size))))
    return outcomes[0]


def partly_skipped(ranks: list[int], size: int) -> Part:
    """That not all ranks agree to skip a test."""
    which = ", ".join(map(str, ranks))
    return Part(None, f"skipped on rank {which} of {size} only: skip a test on all of its ranks, or on none")


def _reason(longrepr: Any) -> Any:
    return longrepr[2] if isinstance(longrepr, tuple) else longrepr


def _sections(outcomes: list[Outcome], ranks: list[int]) -> list[tuple[str, str]]:
    return [(f"{title}, rank {rank}", text) for rank in ranks for title, text in outcomes[rank].sections]
