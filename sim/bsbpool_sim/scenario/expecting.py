"""Compares the outcome of a scenario with what it expects, and with what always holds.

The outcome is the trace, and what the program of the scenario noted. Running it belongs to `running`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bsbpool import wording
from bsbpool.durations import exact_duration
from bsbpool.engine.status import TRANSITIONS, JobStatus
from bsbpool.errors import describe_error, in_words
from bsbpool.exceptions import WorkflowError
from bsbpool.facts import Error
from bsbpool.trace.events import Event

from ..invariants import broken
from .document import KeyPath
from .model import Bounds, Occurrence
from .planning import Plan, PlannedJob, matcher
from .program import ScenarioRun

#: How many events of the trace a report shows before and after the failed one.
AROUND = 4
#: How many failures a report has in detail.
MOST_FAILURES = 8

#: Maximal wait of a pool, in nanoseconds.
MAX_WAIT = 60 * 10**9

ENDED = ("success", "failed", "cancelled", "aborted")


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


@dataclass
class Change:
    """A job took a status."""

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
    :ivar failures: the expectations that do not hold.
    """

    seed: int
    kind: str
    error: str | None
    elapsed: int
    trace: Any
    stage: ScenarioRun
    died: Mapping[int, float]
    failures: list[Failure] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether all expectations hold."""
        return not self.failures


class Checker:
    """Compares one outcome with what its scenario expects; collects `failures`."""

    def __init__(self, plan: Plan, outcome: Outcome):
        self.plan = plan
        self.outcome = outcome
        self.stage = outcome.stage
        self.expect = plan.model.expect
        self.events: list[Event] = [e for e in outcome.trace.events if e.e not in ("message", "receive")]
        self.failures: list[Failure] = []
        self.history: dict[str, list[Change]] = {name: [] for name in plan.jobs}
        self.added: dict[str, int] = {}
        for number, event in enumerate(self.events):
            if event.e == "status":
                change = Change(number, event.t, event.status, event.rank, event.error)
                self.history[self.name(event)].append(change)
            elif event.e == "job":
                self.added[self.name(event)] = event.t

    def name(self, event: Any) -> str:
        """The name of the job that an event of the trace is about."""
        return self.name_of(event.pool, event.job)

    def name_of(self, pool: Any, id: int) -> str:
        """The name of a job, by its pool and id."""
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

    def check(self) -> list[Failure]:
        """Return all failures: first how main left, then the expectations of the scenario, then what always holds."""
        self._outcome()
        self._events_happened()
        self._errors()
        self._statuses()
        self._counts()
        self._results()
        self._order()
        self._pings()
        self._elapsed()
        self._ran_on()
        self._caches()
        self._refused()
        self._others()
        if self.outcome.kind not in ("deadlock", "horizon"):
            self._always()
        return self.failures

    # -- how it ended ----------------------------------------------------------------------------------------

    def _outcome(self) -> None:
        expect, outcome = self.expect, self.outcome
        wanted = expect.outcome or ("deadlock" if expect.deadlock is not None else "error" if expect.errors else "ok")
        if outcome.kind != wanted:
            path: KeyPath = ("expect", "outcome") if expect.outcome is not None else ("expect",)
            said = outcome.kind if outcome.error is None else f"{outcome.kind}: {outcome.error}"
            self.fail(path, "outcome", wanted, said, outcome.elapsed, len(self.events) - 1)
        elif expect.deadlock is not None and not matcher(f"*{expect.deadlock}*")(outcome.error or ""):
            self.fail(("expect", "deadlock"), "deadlock", expect.deadlock, str(outcome.error), outcome.elapsed)

    def _events_happened(self) -> None:
        for number, why, t in self.stage.troubles:
            self.fail(("events", number), f"events: number {number + 1}", "it happens", f"it can't: {why}", t)
        for number, event in enumerate(self.plan.model.events):
            if number not in self.stage.happened:
                when = (
                    f"at {exact_duration(event.at)}"
                    if event.at is not None
                    else f"when {event.when and event.when.text}"
                )
                self.fail(
                    ("events", number),
                    f"events: number {number + 1}",
                    f"it happens {when}",
                    f"it never did; all was over at {exact_duration(self.outcome.elapsed)}",
                )
        for number, listener in enumerate(self.plan.model.pool.listeners):
            for condition in listener.raises:
                if (listener.name, condition.text) not in self.stage.raised_by:
                    self.fail(
                        ("pool", "listeners", number, "raises", condition.text),
                        f"listener {listener.name}",
                        f"it raises when {condition.text}",
                        "it was never told of that",
                    )

    def _errors(self) -> None:
        wanted = self.expect.errors
        if wanted is None:
            return
        left: dict[str, list[str]] = {}
        for owner, error in self.stage.errors:
            left.setdefault(owner, []).append(in_words(error))
        for key, pattern in wanted.items():
            path, fits = ("expect", "errors", key), matcher(pattern)
            owners = self.plan.match(key) or [key]
            for owner in owners:
                mine = left.get(owner, [])
                good = next((text for text in mine if fits(text)), None)
                if good is not None:
                    mine.remove(good)
                    continue
                last = self._last(owner)
                if mine:
                    happened = mine.pop(0)
                elif last is not None:
                    happened = f"no error of {owner}, which is {last}"
                else:
                    happened = f"no error of {owner}"
                self.fail(
                    path, f"errors: {owner}", pattern, happened, last.t if last else None, last.event if last else None
                )
        for owner, text in [(owner, text) for owner, texts in left.items() for text in texts]:
            last = self._last(owner)
            self.fail(
                ("expect", "errors"),
                "errors",
                f"no error of {owner}",
                text,
                last.t if last else None,
                last.event if last else None,
            )

    def _last(self, name: str) -> Change | None:
        changes = self.history.get(name)
        return changes[-1] if changes else None

    # -- jobs ------------------------------------------------------------------------------------------------

    def _statuses(self) -> None:
        for pattern, wanted in self.expect.statuses.items():
            wrong = [name for name in self.plan.match(pattern) if self.status(name) != wanted]
            for name in wrong[:MOST_FAILURES]:
                last = self._last(name)
                self.fail(
                    ("expect", "statuses", pattern),
                    f"statuses: {name}",
                    wanted,
                    str(last or self.status(name)),
                    last.t if last else None,
                    last.event if last else None,
                )

    def _counts(self) -> None:
        for status, bounds in self.expect.counts.items():
            count = sum(self.status(name) == status for name in self.plan.jobs)
            if not bounds.hold(count):
                changes = [c for name in self.plan.jobs for c in self.history[name] if c.status == status]
                last = max(changes, key=lambda c: c.event, default=None)
                self.fail(
                    ("expect", "counts", status),
                    f"counts: {status}",
                    _bounds(bounds, str),
                    str(count),
                    last.t if last else None,
                    last.event if last else None,
                )

    def _results(self) -> None:
        for pattern, wanted in self.expect.results.items():
            for name in self.plan.match(pattern):
                value = self.plan.jobs[name].fill(wanted)
                if name not in self.stage.results:
                    last = self._last(name)
                    self.fail(
                        ("expect", "results", pattern),
                        f"results: {name}",
                        repr(value),
                        f"no result: it is {last or self.status(name)}",
                        last.t if last else None,
                        last.event if last else None,
                    )
                elif self.stage.results[name] != value:
                    last = self._last(name)
                    self.fail(
                        ("expect", "results", pattern),
                        f"results: {name}",
                        repr(value),
                        repr(self.stage.results[name]),
                        last.t if last else None,
                    )

    def _ran_on(self) -> None:
        for pattern, ranks in self.expect.ran_on.items():
            for name in self.plan.match(pattern):
                start = next((c for c in self.history[name] if c.status == "running"), None)
                if start is None or start.rank not in ranks:
                    said = " or ".join(f"rank {rank}" for rank in ranks)
                    self.fail(
                        ("expect", "ran_on", pattern),
                        f"ran_on: {name}",
                        said,
                        f"rank {start.rank}" if start else "it never ran",
                        start.t if start else None,
                        start.event if start else None,
                    )

    # -- order and time ----------------------------------------------------------------------------------------

    def _order(self) -> None:
        position, before = -1, "the beginning"
        for number, happens in enumerate(self.expect.order):
            places = list(self._places(happens))
            found = next((place for place in places if place > position), None)
            if found is None:
                said = f"it never happened after {before}"
                if position >= 0:
                    said += f" ({exact_duration(self.events[position].t)})"
                at, event = None, None
                if places:
                    event = places[-1]
                    at = self.events[event].t
                    said += "; it happened before"
                elif not places:
                    said = "it never happened"
                self.fail(
                    ("expect", "order", number),
                    f"order: {happens.text}",
                    f"{happens.text} after {before}",
                    said,
                    at,
                    event if event is not None else position if position >= 0 else None,
                )
                return
            position, before = found, happens.text

    def _places(self, happens: Occurrence) -> Iterator[int]:
        if happens.kind == "job":
            changes = [
                c
                for name in self.plan.match(happens.pattern)
                for c in self.history[name]
                if c.status in happens.statuses
            ]
            yield from sorted(c.event for c in changes)
            return
        for number, event in enumerate(self.events):
            if (
                (happens.kind == "ping" and event.e == "ping")
                or (happens.kind == "lost" and event.e == "lost" and event.rank == int(happens.pattern))
                or (happens.kind == "phase" and event.e == "pool" and event.pool == happens.pattern)
            ):
                yield number

    def _pings(self) -> None:
        wanted = self.expect.pings
        if wanted is None:
            return
        pings = [(number, e.t) for number, e in enumerate(self.events) if e.e == "ping"]
        last = pings[-1] if pings else (None, None)
        if isinstance(wanted, Bounds):
            if not wanted.hold(len(pings)):
                self.fail(("expect", "pings"), "pings", _bounds(wanted, str), str(len(pings)), last[1], last[0])
        elif wanted != tuple(t for _, t in pings):
            said = ", ".join(exact_duration(t) for _, t in pings[:20]) or "none"
            self.fail(
                ("expect", "pings"), "pings", ", ".join(map(exact_duration, wanted)) or "none", said, last[1], last[0]
            )

    def _elapsed(self) -> None:
        wanted = self.expect.elapsed
        if wanted is not None and not wanted.hold(self.outcome.elapsed):
            self.fail(
                ("expect", "elapsed"),
                "elapsed",
                _bounds(wanted, exact_duration),
                exact_duration(self.outcome.elapsed),
                self.outcome.elapsed,
                len(self.events) - 1,
            )

    # -- caches ------------------------------------------------------------------------------------------------

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

    def _caches(self) -> None:
        for rank, wanted in self.expect.freed.items():
            frees = self.frees(rank)
            # Items that are freed at the same time have no order.
            same = sorted((f.item, f.before or "") for f in wanted) == sorted((i, b or "") for i, b, _ in frees)
            jobs = [f.before for f in wanted]
            if not same or jobs != [b for _, b, _ in frees]:
                self.fail(
                    ("expect", "freed", rank),
                    f"freed: rank {rank}",
                    _freed((f.item, f.before) for f in wanted),
                    _freed((i, b) for i, b, _ in frees),
                    frees[-1][2] if frees else None,
                )
        for item, bounds in self.expect.loaded.items():
            count = self.stage.loaded.get(item, 0)
            if not bounds.hold(count):
                self.fail(
                    ("expect", "loaded", item), f"loaded: {item}", f"{_bounds(bounds, str)} times", f"{count} times"
                )
        peak = self.expect.peak_cached
        if peak is not None and not peak.hold(self.stage.peak):
            self.fail(("expect", "peak_cached"), "peak_cached", _bounds(peak, str), str(self.stage.peak))

    def _refused(self) -> None:
        wanted = self.expect.cancels_refused
        refused = [(n, e) for n, e in enumerate(self.events) if e.e == "cancel" and not e.done]
        if wanted is not None and not wanted.hold(len(refused)):
            number, event = refused[-1] if refused else (None, None)
            self.fail(
                ("expect", "cancels_refused"),
                "cancels_refused",
                _bounds(wanted, str),
                str(len(refused)),
                None if event is None else event.t,
                number,
            )

    def _others(self) -> None:
        if self.expect.others is None:
            return
        expect = self.expect
        kinds = {"ping": expect.pings is not None, "lost": any(h.kind == "lost" for h in expect.order)}
        for number, event in enumerate(self.events):
            refused = event.e == "cancel" and not event.done and expect.cancels_refused is None
            if refused or not kinds.get(event.e, True):
                self.fail(("expect", "others"), "others", "nothing else happens", self.told(event), event.t, number)

    # -- what always holds ---------------------------------------------------------------------------------------

    def _always(self) -> None:
        self._ranks_left()
        self._changes_are_allowed()
        self._ran_as_told()
        self._results_are_theirs()
        self._dependencies_held()
        self._listeners_heard()
        self._caches_are_empty()
        self._pings_are_due()
        self._invariants()

    def _ranks_left(self) -> None:
        """Check that every rank leaves execute(), with an error if main has one."""
        main = self.stage.outcomes.get(0, _DIED)
        for rank in range(self.plan.model.ranks):
            if rank in self.outcome.died:
                continue
            if rank not in self.stage.outcomes:
                self.fail((), "always", f"rank {rank} leaves execute()", "it never did")
                continue
            error = self.stage.outcomes[rank]
            if rank and (error is None) != (main is None):
                expected = f"rank {rank} leaves execute() " + (
                    "without an error, as main" if main is None else "with an error, as main"
                )
                self.fail((), "always", expected, describe_error(error) or "it left without an error")
            elif (
                rank
                and error is not None
                and not isinstance(error, WorkflowError)
                and not any(error is each for each in self.stage.raised)
            ):
                self.fail((), "always", f"rank {rank} raises a WorkflowError", describe_error(error) or "")

    def _pings_are_due(self) -> None:
        """Check that listeners get a ping whenever there was no notification for the maximal wait, and no earlier."""
        listeners, kinds = self.plan.model.pool.listeners, ("status", "pool_status", "job", "ping")
        if not listeners or 0 in self.outcome.died or any(e.e == "fault" and e.rank == 0 for e in self.events):
            return
        wait = min([MAX_WAIT, *(each.max_wait for each in listeners if each.max_wait is not None)])
        told: int | None = None
        for number, event in enumerate(self.events):
            if event.e not in kinds:
                continue
            if event.e == "ping" and told is not None and event.t - told != wait:
                self.fail((), "always", f"a ping when nothing was told for {exact_duration(wait)}",
                          f"one after {exact_duration(event.t - told)}", event.t, number)  # fmt: skip
                return
            if told is not None and event.t - told > wait:
                self.fail((), "always", f"a ping when nothing was told for {exact_duration(wait)}",
                          f"none for {exact_duration(event.t - told)}", event.t, number)  # fmt: skip
                return
            told = event.t
            if event.e == "pool_status" and event.status != "executing":
                told = None

    def _invariants(self) -> None:
        """Check the rules of every trace."""
        for rule in broken(self.outcome.trace.events)[:MOST_FAILURES]:
            self.fail((), "always", "what every pool holds to", rule.what, rule.t)

    def _changes_are_allowed(self) -> None:
        """Check that each job ends once, by allowed changes of status."""
        for name in self.added:
            changes = self.history.get(name, [])
            before = JobStatus.PENDING
            for change in changes:
                status = JobStatus(change.status)
                if status not in TRANSITIONS[before]:
                    self.fail(
                        (),
                        "always",
                        f"{name} does not go from {before.value} to {change.status}",
                        str(change),
                        change.t,
                        change.event,
                    )
                before = status
            if 0 not in self.outcome.died and not before.ended:
                self.fail((), "always", f"{name} ends", f"it is {before.value} when main has left")

    def _ran_as_told(self) -> None:
        """Check that each job runs where main says, and as often."""
        ran: dict[str, list[tuple[int, int]]] = {}
        for rank, log in self.stage.log.items():
            for kind, t, what in log:
                if kind == "starts":
                    ran.setdefault(what, []).append((t, rank))
        by_hand = {self.name(e): None for e in self.events if e.e == "by_hand"}
        for name, changes in self.history.items():
            if name in by_hand:
                continue
            told = [c.rank for c in changes if c.status == "running"]
            starts = sorted(ran.get(name, ()))
            ended = bool(changes) and changes[-1].status in ("success", "failed")
            if len(starts) > len(told) or (ended and not starts) or any(rank not in told for _, rank in starts):
                if not told and 0 in self.outcome.died:
                    continue  # main died before it could record it
                said = " and ".join(f"on rank {rank}" for rank in told) or "nowhere"
                did = " and ".join(f"on rank {rank}" for _, rank in starts) or "nowhere"
                self.fail((), "always", f"{name} runs {said}", f"it ran {did}", starts[-1][0] if starts else None)

    def _results_are_theirs(self) -> None:
        """Check that the result of each job is what it returned."""
        by_hand = {self.name(e): None for e in self.events if e.e == "by_hand"}
        for name, value in self.stage.results.items():
            returned = self.stage.returned.get(name)
            unpicklable = self.plan.jobs[name].entry.unpicklable
            if name not in by_hand and value != returned and not unpicklable:
                last = self._last(name)
                self.fail(
                    (), "always", f"the result of {name} is what it returned: {_short(returned)}", _short(value),
                    last.t if last else None,
                )  # fmt: skip

    def _dependencies_held(self) -> None:
        """Check that each job starts after its dependencies have succeeded, and is cancelled if one has not."""
        for job in self.plan.jobs.values():
            if not job.deps or job.name not in self.added:
                continue
            start = next((c for c in self.history[job.name] if c.status in ("queued", "running")), None)
            for name in job.deps:
                last = self._last(name)
                if start is not None and (last is None or last.status != "success" or last.event > start.event):
                    self.fail(
                        (), "always", f"{job.name} starts after {name} has succeeded", str(start), start.t, start.event
                    )
                elif last is not None and last.status in ENDED[1:] and self.status(job.name) != "cancelled":
                    self.fail(
                        (), "always", f"{job.name} is cancelled, since {name} is {last.status}", self.status(job.name)
                    )

    def _listeners_heard(self) -> None:
        """Check that each listener gets each change and each ping once, in order."""
        if 0 in self.outcome.died:
            return
        told = [
            (self.name(e), e.status) if e.e == "status" else (None, "ping")
            for e in self.events
            if e.e in ("status", "ping")
        ]
        for listener, heard in self.stage.heard.items():
            got = [(name, status) for _, name, status in heard]
            if got == told:
                continue
            place = next(
                (n for n, (a, b) in enumerate(zip(got, told, strict=False)) if a != b), min(len(got), len(told))
            )
            expected = _word(told[place]) if place < len(told) else "nothing more"
            at = heard[place][0] if place < len(heard) else None
            self.fail(
                (),
                "always",
                f"listener {listener} is told, as number {place + 1}: {expected}",
                _word(got[place]) if place < len(got) else "nothing more",
                at,
            )

    def _caches_are_empty(self) -> None:
        """Check that no rank frees an item that an unfinished job requires, and that all are freed in the end."""
        requiring: dict[tuple[str, str], list[PlannedJob]] = {}
        for job in self.plan.jobs.values():
            if job.scheduler is None and job.name in self.added:
                for pair in job.caches:
                    requiring.setdefault(pair, []).append(job)
        for rank, owner in self.stage.owners.items():
            if rank in self.outcome.died:
                continue
            if owner._pool_cache:
                items = ", ".join(self.stage.items[i] for i in owner._pool_cache)
                self.fail((), "always", f"rank {rank} has freed all cached items in the end", f"it still has {items}")
            for item, _, t in self.frees(rank):
                strategy, method = item.split(".", 1)
                for job in requiring.get((strategy, method), ()):
                    last = self._last(job.name)
                    if self.added[job.name] < t and (last is None or last.t > t or last.status not in ENDED):
                        self.fail(
                            (), "always", f"rank {rank} keeps {item} while {job.name} requires it", "it frees it", t
                        )
                        break

    # -- in words ------------------------------------------------------------------------------------------------

    def told(self, event: Event) -> str:
        """An event of the trace, as a person tells it."""
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
        elif event.e == "traceback":
            places = [each.frames[-1] for each in event.errors if each.frames]
            facts["where"] = "{}:{}, in {}".format(*places[0]) if places else "nobody knows where"
        if event.e in ("status", "job", "cancel"):
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


_DIED = RuntimeError("died")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _word(told: tuple[str | None, str]) -> str:
    return " ".join(part for part in told if part)


def _bounds(bounds: Bounds, show: Any) -> str:
    if bounds.least == bounds.most:
        return str(show(bounds.least))
    parts = [
        f"at least {show(bounds.least)}" if bounds.least is not None else "",
        f"at most {show(bounds.most)}" if bounds.most is not None else "",
    ]
    return " and ".join(part for part in parts if part)


def _freed(frees: Any) -> str:
    said = [f"{item} {f'before {before}' if before is not None else 'at the end'}" for item, before in frees]
    return ", ".join(said) or "nothing"


__all__ = ["Checker", "Failure", "Outcome"]
