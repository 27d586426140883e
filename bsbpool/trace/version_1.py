"""Reads traces of version 1 of the format, whose errors and faults are English sentences, and converts these to facts.

This is the only file that knows these sentences, as bsbpool 0.1 wrote them. A sentence that is not one of them is kept
as the type and message of an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from ..facts import (
    MOST_ERRORS,
    Cancelled,
    Delayed,
    DependencyFailed,
    Died,
    Error,
    Fault,
    Interrupted,
    JobFailed,
    Killed,
    LeftRank,
    LostRank,
    NobodyLeft,
    NotScheduled,
    Other,
    Overdue,
    Paused,
    Raised,
    SchedulerFailed,
    Slowed,
    Stopped,
    WorkflowFailed,
)
from ..text import scrub

#: The fields that hold something else there than in `format.FIELDS`.
FIELDS_1 = {
    "error": "text or null",
    "lost.error": "text or null",
    "unhandled.error": "text or null",
    "raised.error": "text or null",
    "what": "text",
}

_NAME = re.compile(r"([^\W\d]\w*)(?:: (.*))?", re.DOTALL)
_DIED = re.compile(r"Rank \d+ on (.*) died(?: at (\d[\d.]* s))?", re.DOTALL)
_LEFT = re.compile(r"Rank \d+ left the pool: (.*)", re.DOTALL)
_SKIPPED = "it left the pool without calling execute()"
_LOST_WITH = re.compile(r"RankLostError: Rank (\d{1,7}) ")
_OVERDUE = re.compile(
    r"JobTimeoutError: It ran for longer than its limit of (\d[\d.]*) s on rank (\d{1,7}) on (.*), and "
    r"(?:(was interrupted)(?: in (.*))?|was in (.*), and can't be interrupted: .*|was in (.*)…|"
    r"its rank does not answer.*)",
    re.DOTALL,
)
_ERRORED = re.compile(r"JobErroredError: <\S+ \d+ (.*?)(?:> (?:failed|was aborted.*)|…)", re.DOTALL)
_DEPENDS = re.compile(
    r"JobSchedulingError: (.*) was not scheduled: it depends on (?:(.*), which was not scheduled|(.*…))", re.DOTALL
)
_NOBODY = re.compile(
    r"JobPoolError: No rank is left to run jobs, and (\d{1,9}) jobs? ha(?:s|ve) not run: (.*)", re.DOTALL
)
_STUCK = re.compile(r"ranks? ([\d, ]+) (?:is|are) stuck in jobs")
_STOPPED = "The pool stopped: "
_REASONS = {
    "The pool stopped at the first error, before this job had ended.": "failure",
    "Main left the pool without calling execute(); every rank calls it.": "unexecuted",
    "The pool stopped.": "closed",
}
_FAULTS: list[tuple[re.Pattern[str], Callable[[re.Match[str]], Fault]]] = [
    (re.compile(r"died"), lambda found: Died()),
    (re.compile(r"killed(?: by job (.*))?", re.DOTALL), lambda found: Killed(found[1])),
    (re.compile(r"interrupted"), lambda found: Interrupted()),
    (re.compile(r"paused for (\d[\d.]*) s"), lambda found: Paused(_ns(found[1]))),
    (re.compile(r"slower by a factor of ([\d.e+-]{1,30})"), lambda found: Slowed(float(found[1]))),
    (
        re.compile(r"its messages to rank (\d{1,7}) take (\d[\d.]*) s longer"),
        lambda found: Delayed(int(found[1]), _ns(found[2])),
    ),
]


class Upgrade:
    """Makes of each event of a trace of version 1, in order, what it is in the version of today.

    :param ranks: how many ranks the run had.
    """

    def __init__(self, ranks: int):
        self._ranks = ranks
        self._pools: dict[Any, _Pool] = {}

    def __call__(self, event: tuple[Any, ...]) -> tuple[Any, ...]:
        """The event, whose fields are right for version 1."""
        kind, t = event[:2]
        if kind == "fault":
            return kind, t, event[2], _fault(event[3])
        if kind == "pool":
            self._pools[event[2]] = _Pool(self._ranks)
        pool = self._pools.get(event[2])
        upgrade = None if pool is None else getattr(pool, f"of_{kind}", None)
        return event if upgrade is None else (kind, t, event[2], *upgrade(*event[3:]))


class _Pool:
    """What one pool's events have said so far; a method for each kind of event that is otherwise, or says more."""

    def __init__(self, ranks: int):
        self._ranks = ranks
        self._kinds: list[str] = []
        self._limits: dict[int, int | None] = {}
        self._reasons: dict[int, str | None] = {}
        self._statuses: dict[int, tuple[str, Error | None]] = {}
        self._times: dict[int, int] = {}
        self._lost: dict[int, Error] = {}
        self._stuck: dict[int, None] = {}
        self._failed_nodes: dict[str, tuple[str, Error]] = {}
        self._unhandled: list[tuple[str, Error]] = []
        #: what was raised last, as a sentence and as facts.
        self._raised: tuple[str | None, Error | None] = None, None

    # -- what other events need -------------------------------------------------------------------

    def of_job(self, job: int, kind: str, *more: Any) -> tuple[Any, ...]:
        self._kinds.append(kind)
        return job, kind, *more

    def of_limit(self, job: int, ns: int | None) -> tuple[Any, ...]:
        self._limits[job] = ns
        return job, ns

    def of_cancel(self, job: int, reason: str | None, done: bool) -> tuple[Any, ...]:
        self._reasons[job] = reason
        return job, reason, done

    def of_call_back(self, rank: int, job: int, reason: str | None) -> tuple[Any, ...]:
        self._reasons[job] = reason
        return rank, job, reason

    def of_stuck(self, rank: int, job: int) -> tuple[Any, ...]:
        self._stuck[rank] = None
        return rank, job

    def of_message(self, rank: int, *more: Any) -> tuple[Any, ...]:
        self._stuck.pop(rank, None)
        return rank, *more

    def of_succeeded(self, rows: Any) -> tuple[Any, ...]:
        for *_, following in rows:
            if following is not None:
                self._statuses[following] = "running", None
        return (rows,)

    # -- what is otherwise -------------------------------------------------------------------------

    def of_status(self, job: int, status: str, rank: int | None, error: str | None) -> tuple[Any, ...]:
        before, _ = self._statuses.get(job, ("", None))
        if (before, status) == ("running", "queued"):
            self._times[job] = self._times.get(job, 0) + 1
        facts = None if error is None else self._error_of_job(job, status, rank, error)
        self._statuses[job] = status, facts
        return job, status, rank, facts

    def _error_of_job(self, job: int, status: str, rank: int | None, error: str) -> Error:
        if status == "aborted" and (found := _OVERDUE.fullmatch(error)) and int(found[2]) < self._ranks:
            ended = "interrupted" if found[4] else "silent" if (found[6], found[7]) == (None, None) else "running"
            cut = found[7].partition(", and can")[0] + "…" if found[7] is not None else ""
            limit = self._limits.get(job)
            place = found[5] or found[6] or cut
            return Overdue(_ns(found[1]) if limit is None else limit, int(found[2]), found[3], ended, place)
        if status == "aborted" and error.startswith("RankLostError: ") and rank in self._lost:
            lost, times = self._lost[rank], self._times.get(job, 0) + 1
            return replace(lost, times=times) if isinstance(lost, LostRank | LeftRank) else lost
        raised = _raised(error)
        if (status, raised.type) in (("aborted", "JobAbortedError"), ("cancelled", "JobCancelledError")):
            why = _REASONS.get(raised.message)
            if why is not None:
                return Stopped(status == "aborted", why)
            if raised.message.startswith(_STOPPED):
                by = self._raised[1] or _raised(raised.message.removeprefix(_STOPPED))
                return Stopped(status == "aborted", "raised", by)
            if status == "cancelled":
                if raised.message == "Job killed for dependency failure":
                    return DependencyFailed()
                default = None if raised.message == "Job was cancelled" else raised.message
                return Cancelled(self._reasons.get(job, default))
        return raised

    def of_lost(self, rank: int, error: str | None) -> tuple[Any, ...]:
        said = error or ""
        facts: Error
        if found := _DIED.fullmatch(said):
            facts = LostRank(rank, found[1], None if found[2] is None else _ns(found[2].removesuffix(" s")))
        elif found := _LEFT.fullmatch(said):
            facts = LeftRank(rank, None if found[1] == _SKIPPED else _raised(found[1]))
        else:
            facts = Raised("RankLostError", said)
        self._lost[rank] = facts
        self._stuck.pop(rank, None)
        return rank, facts

    def of_scheduled(self, node: str, error: str | None, scheduler: int) -> tuple[Any, ...]:
        facts = None if error is None else _raised(error)
        if facts is not None:
            self._failed_nodes[scrub(f"JobSchedulingError: {node} was not scheduled: {error}")] = node, facts
        return node, facts, scheduler

    def of_unhandled(self, job: int | None, error: str | None) -> tuple[Any, ...]:
        said = error or ""
        facts = self._error_of_nothing(said) if job is None else self._failure_of(job, said)
        self._unhandled.append((said, facts))
        return job, facts

    def _failure_of(self, job: int, error: str) -> Error:
        found = _ERRORED.fullmatch(error)
        if found is None:
            return _raised(error)
        status, facts = self._statuses.get(job, ("", None))
        return JobFailed(job, self._kinds[job], found[1], facts if status == "aborted" else None)

    def _error_of_nothing(self, error: str) -> Error:
        if error in self._failed_nodes:
            return SchedulerFailed(*self._failed_nodes[error])
        if found := _DEPENDS.fullmatch(error):
            return NotScheduled(found[1], found[2] or found[3])
        if (found := _LOST_WITH.match(error)) and int(found[1]) in self._lost:
            return self._lost[int(found[1])]
        if found := _NOBODY.fullmatch(error):
            listed = _STUCK.match(found[2])
            stuck = [int(rank) for rank in listed[1].split(", ")] if listed and "…" not in error else [*self._stuck]
            # Where the text is cut, or says no number, those that have been lost are counted.
            return NobodyLeft(int(found[1]), len(self._lost), tuple(rank for rank in stuck if rank < self._ranks))
        return _raised(error)

    def of_raised(self, error: str | None) -> tuple[Any, ...]:
        self._raised = error, _raised(error or "Exception")
        return (self._raised[1],)

    def of_unexecuted(self, error: str | None) -> tuple[Any, ...]:
        facts = None if error is None else _raised(error)
        self._raised = error, facts
        return (facts,)

    def of_by_hand(self, job: int, status: str, error: str | None) -> tuple[Any, ...]:
        return job, status, None if error is None else _raised(error)

    def of_end(self, error: str | None) -> tuple[Any, ...]:
        if error is None:
            return (None,)
        if self._unhandled and error == scrub("WorkflowError: " + "; ".join(said for said, _ in self._unhandled)):
            errors = tuple(facts for _, facts in self._unhandled[:MOST_ERRORS])
            return (WorkflowFailed(len(self._unhandled), errors),)
        return (_raised(error),)

    def of_traceback(self, job: int | None, of: str, errors: Any) -> tuple[Any, ...]:
        return job, of, tuple(each._replace(error=_raised(each.error)) for each in errors)


def _raised(error: str) -> Raised:
    """Type and message of an error; no type, if that is not what it begins with."""
    found = _NAME.fullmatch(error)
    return Raised("", error) if found is None else Raised(found[1], found[2] or "")


def _fault(what: str) -> Fault:
    for pattern, fault in _FAULTS:
        if found := pattern.fullmatch(what):
            try:
                return fault(found)
            except ValueError:
                break
    return Other(what)


def _ns(seconds: str) -> int:
    """Nanoseconds, of a number of seconds; at most as many as a trace can tell."""
    try:
        return min(int(Decimal(seconds) * 10**9), 2**63 - 1)
    except ArithmeticError:
        return 0
