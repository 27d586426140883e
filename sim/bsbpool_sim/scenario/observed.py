"""What was observed in one run of a scenario: its trace and the notes of its program, by job, and as text.

Whether this is correct is decided in `expecting` and `always`.
"""

from __future__ import annotations

from typing import Any

from bsbpool import wording
from bsbpool.durations import exact_duration
from bsbpool.errors_and_facts import in_words
from bsbpool.trace.events import Event

from .document import KeyPath
from .outcome import Failure, Outcome, StatusChange
from .planning import Plan

#: How many events of the trace a report shows before and after the failed one.
AROUND = 4
#: How many failures a report has in detail.
MOST_FAILURES = 8


class Observed:
    """What was observed in one run of a scenario, by job and in order. It also collects the `failures`.

    :ivar events: the events of the trace that are not about messages.
    :ivar history: by job: how its status changed.
    :ivar added: by job: when it was queued.
    """

    def __init__(self, plan: Plan, outcome: Outcome):
        self.plan = plan
        self.outcome = outcome
        self.stage = outcome.stage
        self.expect = plan.model.expect
        self.events: list[Event] = [e for e in outcome.trace.events if e.e not in ("message", "receive")]
        self.failures: list[Failure] = []
        self.history: dict[str, list[StatusChange]] = {name: [] for name in plan.jobs}
        self.added: dict[str, int] = {}
        for number, event in enumerate(self.events):
            if event.e == "status":
                change = StatusChange(number, event.t, event.status, event.rank, event.error)
                self.history[self.name_of(event.pool, event.job)].append(change)
            elif event.e == "job":
                self.added[self.name_of(event.pool, event.job)] = event.t

    def name(self, event: Any) -> str:
        """Return the name of the job that an event of the trace is about."""
        return self.name_of(event.pool, event.job)

    def name_of(self, pool: Any, id: int) -> str:
        """Return the name of a job, given its pool and id."""
        job = self.stage.by_id.get((pool, id))
        return job.name if job is not None else f"job {id}"

    def status(self, name: str) -> str:
        """Return the last status of a job."""
        if self.history[name]:
            return self.history[name][-1].status
        return "pending" if name in self.added else "not queued"

    def fail(
        self, path: KeyPath, what: str, expected: str, happened: str, at: int | None = None, event: int | None = None
    ) -> None:
        """Add a failure; the arguments are its fields."""
        self.failures.append(Failure(path, what, expected, happened, at, event))

    def last(self, name: str) -> StatusChange | None:
        """Return the last change of a job; None if there is none."""
        changes = self.history.get(name)
        return changes[-1] if changes else None

    def frees(self, rank: int) -> list[tuple[str, str | None, int]]:
        """Return what a rank freed: item, before which job (None: at the end of the pool), and when."""
        found: list[tuple[str, str | None, int]] = []
        following: str | None = None
        for kind, t, what in reversed(self.stage.log.get(rank, [])):
            if kind == "starts":
                following = what
            elif kind == "leaves":
                following = None
            else:
                found.append((what, following, t))
        return found[::-1]

    def told(self, event: Event) -> str:
        """Return an event of the trace in words."""
        facts = event._asdict()
        if event.e == "status":
            facts["on"] = f" on rank {event.rank}" if event.rank is not None and event.status != "queued" else ""
            facts["why"] = "" if event.error is None else f" ({in_words(event.error)})"
        elif event.e == "job":
            deps = [self.name_of(event.pool, dep) for dep in event.deps]
            facts["after"] = f", after {', '.join(deps[:4])}{', …' if len(deps) > 4 else ''}" if deps else ""
        elif event.e == "cancel":
            facts["done"] = "done" if event.done else "too late"
        elif event.e in ("cached", "freed"):
            facts["items"] = ", ".join(self.stage.items.get(i, str(i)) for i in event.items)
        elif event.e == "limit":
            facts["limit"] = wording.of_limit(event.ns)
        elif event.e == "traceback":
            places = [each.frames[-1] for each in event.errors if each.frames]
            facts["where"] = "{}:{}, in {}".format(*places[0]) if places else "nobody knows where"
        if event.e in ("status", "job", "cancel", "limit"):
            facts["name"] = self.name(event)
        return wording.event(event.e, facts)

    def around(self, failure: Failure) -> list[str]:
        """Return the events around a failure; the failed one is marked."""
        if not self.events:
            return []
        centre = failure.event
        if centre is None:
            at = failure.at if failure.at is not None else self.events[-1].t
            centre = next((n for n, e in reversed(list(enumerate(self.events))) if e.t <= at), 0)
        first = max(0, centre - AROUND)
        shown = self.events[first : centre + AROUND + 1]
        width = max(len(exact_duration(e.t)) for e in shown)
        return [
            f"{'>' if first + n == failure.event else ' '} {exact_duration(e.t):>{width}}  {self.told(e)}"
            for n, e in enumerate(shown)
        ]
