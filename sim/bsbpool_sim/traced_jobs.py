"""What a trace has said about one job so far, for the invariants of traces; and whether the reason of its end is one.

The invariants of pools are in `invariants`.
"""

from __future__ import annotations

from collections.abc import Sequence

from bsbpool.facts import Cancelled, DependencyFailed, Error, LeftRank, LostRank, Overdue, Stopped
from bsbpool.trace.events import JobQueued

#: The statuses of a job that has ended.
ENDED = ("success", "failed", "cancelled", "aborted")

#: Characters of a reason that a trace is sure to have.
_SURE = 100


class TracedJob:
    """What the trace has said about one job so far."""

    def __init__(self, event: JobQueued):
        self.deps: Sequence[int] = event.deps
        self.cache: Sequence[int] = event.cache
        #: how many of its dependencies have not succeeded.
        self.waits_for = 0
        self.status = "pending"
        self.rank: int | None = None
        self.limit: int | None = None
        self.since: int = event.t
        self.started_at: int | None = None
        self.ended_at: int | None = None
        self.losses = 0
        self.by_hand = False
        #: whether somebody has asked for it to be cancelled, and with which reasons.
        self.unwanted = False
        self.reasons: list[str | None] = []
        self.dependents: list[int] = []

    def wrong_reason(self, status: str, error: Error | None, doomed: bool) -> str:
        """What is wrong with the reason of its end; empty if nothing is.

        :param status: how it ends, with that error.
        :param doomed: whether one that it waits for has not succeeded.
        """
        if status == "success":
            return "" if error is None else f"it has an error, {error.kind}"
        if self.by_hand:
            return ""
        if error is None:
            return "nothing says why"
        if status == "failed":
            return ""
        return self._not_cancelled(error, doomed) if status == "cancelled" else self._not_aborted(error)

    def _not_cancelled(self, error: Error, doomed: bool) -> str:
        if isinstance(error, DependencyFailed):
            return "" if doomed else "nothing that it waits for has failed"
        if isinstance(error, Cancelled):
            said = [reason and reason[:_SURE] for reason in self.reasons]
            given = error.reason and error.reason[:_SURE]
            return "" if given in said else f"the reason is {given!r}, and those who wanted that said {said}"
        return "" if isinstance(error, Stopped) and not error.running else f"its error is {error.kind}"

    def _not_aborted(self, error: Error) -> str:
        if isinstance(error, Overdue):
            return "" if error.limit == self.limit else f"its limit is {self.limit}, and {error.limit} is said to be"
        if isinstance(error, LostRank | LeftRank):
            return "" if error.times == self.losses else f"it was lost {self.losses} times, and {error.times} are told"
        return "" if isinstance(error, Stopped) and error.running else f"its error is {error.kind}"
