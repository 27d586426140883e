"""Records of the outcome of a scenario with one seed, and of the expectations that do not hold.

The comparison belongs in `expecting` and `always`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bsbpool.errors_and_facts import in_words
from bsbpool.facts import Error

from .document import KeyPath
from .program import ScenarioRun


@dataclass
class Failure:
    """An expectation that does not hold.

    :ivar path: the key of the scenario that states the expectation; empty for what always holds.
    :ivar what: a name of the expectation, such as ``statuses: b``.
    :ivar expected: what was expected.
    :ivar happened: what happened instead.
    :ivar at: the virtual time in nanoseconds at which it failed; None: something never happened.
    :ivar event: the index of the event that failed; None if there is none.
    """

    path: KeyPath
    what: str
    expected: str
    happened: str
    at: int | None = None
    event: int | None = None


class StatusChange(NamedTuple):
    """A change of a job's status."""

    event: int
    t: int
    status: str
    rank: int | None
    error: Error | None

    def __str__(self) -> str:
        on = f" on rank {self.rank}" if self.rank is not None and self.status != "queued" else ""
        why = "" if self.error is None else f" ({in_words(self.error)})"
        return f"{self.status}{on}{why}"


@dataclass
class Outcome:
    """The outcome of a scenario with one seed.

    :ivar seed: the seed.
    :ivar kind: how main left: ok, error, deadlock, horizon, died, or the name of the exception.
    :ivar error: the exception or the deadlock, as text; None if there is none.
    :ivar elapsed: virtual nanoseconds until the last rank had left.
    :ivar trace: what happened, as a `bsbpool.trace.Trace`.
    :ivar stage: what the program of the scenario noted.
    :ivar died: by rank: the virtual seconds at which it died.
    :ivar simulation: its results and tape.
    :ivar struck: the faults that struck by choice, in words.
    :ivar failures: the expectations that do not hold.
    """

    seed: int
    kind: str
    error: str | None
    elapsed: int
    trace: Any
    stage: ScenarioRun
    died: Mapping[int, float]
    simulation: Any
    struck: tuple[str, ...] = ()
    failures: list[Failure] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether all expectations hold."""
        return not self.failures
