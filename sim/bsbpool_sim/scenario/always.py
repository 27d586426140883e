"""Invariants of every run of a scenario, whatever it expects: ranks leave, each job ends once, and others.

The expectations of a scenario itself belong in `expecting`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import chain
from typing import Any

from bsbpool.durations import exact_duration
from bsbpool.engine.status import TRANSITIONS, JobStatus
from bsbpool.errors_and_facts import describe_error, own_facts
from bsbpool.exceptions import WorkflowError
from bsbpool.facts import DependencyFailed, Died, Killed, Stopped

from ..invariants import ENDED, broken
from .expanding import PlannedJob
from .observed import MOST_FAILURES, Observed
from .patterns import matcher

#: Maximal wait of a pool, in nanoseconds.
MAX_WAIT = 60 * 10**9

#: Which statuses may follow which, by their names.
_MAY_FOLLOW = {before.value: {after.value for after in TRANSITIONS[before]} for before in JobStatus}

#: Nanoseconds after which a call of the pool has seen that there is nothing to wait for any more.
_A_WHILE = 200_000_000

_DIED = RuntimeError("died")
_DEATHS = Died, Killed


def check_what_always_holds(seen: Observed) -> None:
    """Add a failure for each rule that does not hold."""
    _ranks_left(seen)
    _changes_are_allowed(seen)
    _ran_as_told(seen)
    _results_are_theirs(seen)
    _dependencies_held(seen)
    _listeners_heard(seen)
    _code_is_called_rightly(seen)
    _calls_come_back(seen)
    _failures_are_raised(seen)
    _causes_are_first(seen)
    _caches_are_empty(seen)
    _ranks_free_as_told(seen)
    _pings_are_due(seen)
    _invariants(seen)


def _ranks_left(seen: Observed) -> None:
    """Check that every rank leaves execute(), with an error if main has one, or has not executed the pool."""
    main = _of_pool(seen, seen.stage.outcomes.get(0, _DIED))
    failed = main is not None or not seen.plan.model.pool.executes
    for rank in range(seen.plan.model.ranks):
        if rank in seen.outcome.died:
            continue
        if rank not in seen.stage.outcomes:
            seen.fail((), "always", f"rank {rank} leaves execute()", "it never did")
            continue
        error = _of_pool(seen, seen.stage.outcomes[rank])
        if isinstance(error, WorkflowError) and error.reported_by_main and len(error.exceptions) > 1:
            seen.fail((), "always", f"rank {rank} tells what its clean-up functions raised", "it says that main does")
        if rank and error is None and 0 in seen.outcome.died and _let_go(seen, rank):
            continue
        if rank and (error is None) == failed:
            expected = f"rank {rank} leaves execute() " + (
                "with an error, as main" if failed else "without an error, as main"
            )
            seen.fail((), "always", expected, describe_error(error) or "it left without an error")
        elif (
            rank
            and error is not None
            and not isinstance(error, WorkflowError)
            and not any(error is each for each in seen.stage.raised)
        ):
            seen.fail((), "always", f"rank {rank} raises a WorkflowError", describe_error(error) or "")


def _of_pool(seen: Observed, error: BaseException | None) -> BaseException | None:
    """How a rank left, without what only clean-up functions of its own raised."""
    if type(error) is not ExceptionGroup:
        return error
    raised = {*map(id, seen.stage.raised)}  # which the run keeps
    return None if all(id(each) in raised for each in error.exceptions) else error


def _let_go(seen: Observed, rank: int) -> bool:
    """Whether main, before it died, let a rank go from all pools, with no error of which it had to tell."""
    told = seen.stage.runtime.cluster.let_go.get(rank, 0)
    return told == len(seen.plan.phases) and not any(e.e in ("unhandled", "raised", "unexecuted") for e in seen.events)


def _main_died_at(seen: Observed) -> int | None:
    """Virtual nanoseconds at which main died; None if it did not."""
    return next((rank.dead_at for rank in seen.stage.runtime.kernel.dead if rank.index == 0), None)


def _pings_are_due(seen: Observed) -> None:
    """Check that listeners get a ping whenever there was no notification for the maximal wait, and no earlier."""
    listeners, kinds = seen.plan.model.pool.listeners, ("status", "pool_status", "job", "ping")
    if not listeners or any(e.e == "fault" and e.rank == 0 and not isinstance(e.what, _DEATHS) for e in seen.events):
        return
    if any(each.run is not None and each.by is not None for each in seen.plan.model.events):
        return  # a listener that runs a job hears nothing until that has ended
    wait = min([MAX_WAIT, *(each.max_wait for each in listeners if each.max_wait is not None)])
    told: int | None = None
    for number, event in enumerate(seen.events):
        if event.e not in kinds:
            continue
        if event.e == "ping" and told is not None and event.t - told != wait:
            seen.fail((), "always", f"a ping when nothing was told for {exact_duration(wait)}",
                      f"one after {exact_duration(event.t - told)}", event.t, number)  # fmt: skip
            return
        if told is not None and event.t - told > wait:
            seen.fail((), "always", f"a ping when nothing was told for {exact_duration(wait)}",
                      f"none for {exact_duration(event.t - told)}", event.t, number)  # fmt: skip
            return
        told = event.t
        if event.e == "pool_status" and event.status != "executing":
            told = None


def _invariants(seen: Observed) -> None:
    """Check the rules of every trace."""
    for rule in broken(seen.outcome.trace.events)[:MOST_FAILURES]:
        seen.fail((), "always", "what every pool holds to", rule.what, rule.t)


def _changes_are_allowed(seen: Observed) -> None:
    """Check that each job ends once, by allowed changes of status."""
    for name in seen.added:
        before = "pending"
        for change in seen.history.get(name, ()):
            if change.status not in _MAY_FOLLOW[before]:
                seen.fail(
                    (),
                    "always",
                    f"{name} does not go from {before} to {change.status}",
                    str(change),
                    change.t,
                    change.event,
                )
            before = change.status
        if 0 not in seen.outcome.died and before not in ENDED:
            seen.fail((), "always", f"{name} ends", f"it is {before} when main has left")


def _ran_as_told(seen: Observed) -> None:
    """Check that each job runs where main says, and as often."""
    ran: dict[str, list[tuple[int, int]]] = {}
    for rank, log in seen.stage.log.items():
        for kind, t, what in log:
            if kind == "starts":
                ran.setdefault(what, []).append((t, rank))
    by_hand = {seen.name(e): None for e in seen.events if e.e == "by_hand"}
    for name, changes in seen.history.items():
        if name in by_hand:
            continue
        told = [c.rank for c in changes if c.status == "running"]
        starts = sorted(ran.get(name, ()))
        ended = bool(changes) and changes[-1].status in ("success", "failed")
        if seen.plan.jobs[name].entry.unsendable and seen.plan.model.ranks > 1:
            told, ended = [], False  # no rank can get it
        if len(starts) > len(told) or (ended and not starts) or any(rank not in told for _, rank in starts):
            if not told and 0 in seen.outcome.died:
                continue  # main died before it could record it
            said = " and ".join(f"on rank {rank}" for rank in told) or "nowhere"
            did = " and ".join(f"on rank {rank}" for _, rank in starts) or "nowhere"
            seen.fail((), "always", f"{name} runs {said}", f"it ran {did}", starts[-1][0] if starts else None)


def _results_are_theirs(seen: Observed) -> None:
    """Check that the result of each job is what it returned."""
    by_hand = {seen.name(e): None for e in seen.events if e.e == "by_hand"}
    for name, value in seen.stage.results.items():
        returned = seen.stage.returned.get(name)
        unpicklable = seen.plan.jobs[name].entry.unpicklable
        if name not in by_hand and value != returned and not unpicklable:
            last = seen.last(name)
            seen.fail(
                (), "always", f"the result of {name} is what it returned: {_short(returned)}", _short(value),
                last.t if last else None,
            )  # fmt: skip


def _dependencies_held(seen: Observed) -> None:
    """Check that each job starts after its dependencies have succeeded, and is cancelled if one has not.

    Who queues a job by hand does not let it wait for them.
    """
    at_once = {seen.name(e): None for e in seen.events if e.e == "by_hand" and e.status == "queued"}
    for job in seen.plan.jobs.values():
        if not job.deps or job.name not in seen.added or job.name in at_once:
            continue
        start = next((c for c in seen.history[job.name] if c.status in ("queued", "running")), None)
        for name in job.deps:
            last = seen.last(name)
            if start is not None and (last is None or last.status != "success" or last.event > start.event):
                seen.fail(
                    (), "always", f"{job.name} starts after {name} has succeeded", str(start), start.t, start.event
                )
            elif last is not None and last.status in ENDED[1:] and seen.status(job.name) != "cancelled":
                seen.fail(
                    (), "always", f"{job.name} is cancelled, since {name} is {last.status}", seen.status(job.name)
                )


def _listeners_heard(seen: Observed) -> None:
    """Check that each listener gets each change and each ping once, in order; up to its death, if main dies."""
    if not seen.stage.heard:
        return
    died = 0 in seen.outcome.died
    everything = [
        (seen.name(e), e.status) if e.e == "status" else (None, "ping")
        for e in seen.events
        if e.e in ("status", "ping")
    ]
    for listener, heard in seen.stage.heard.items():
        got, told = [(name, status) for _, name, status in heard], everything
        if died:  # what its `finally` blocks tell comes when all is over, and counts for nothing
            got, told = got[: len(told)], told[: len(got)]
        if got == told:
            continue
        place = next((n for n, (a, b) in enumerate(zip(got, told, strict=False)) if a != b), min(len(got), len(told)))
        expected = _word(told[place]) if place < len(told) else "nothing more"
        at = heard[place][0] if place < len(heard) else None
        seen.fail(
            (),
            "always",
            f"listener {listener} is told, as number {place + 1}: {expected}",
            _word(got[place]) if place < len(got) else "nothing more",
            at,
        )


def _code_is_called_rightly(seen: Observed) -> None:
    """Check what code of the program sees beside jobs: see `Witness`."""
    witness, died = seen.stage.witness, 0 in seen.outcome.died
    for who, of_whom in witness.strange:
        seen.fail((), "always", f"{who} has the context variables with which it was handed in", f"those of {of_whom}")
    for name in witness.wrong_results:
        seen.fail((), "always", "execute() returns the results of the jobs that succeeded", f"{name} is wrong")
    added = [seen.name(e) for e in seen.events if e.e == "job"]
    statuses: list[tuple[str | None, str]] = []
    for event in seen.events:
        if event.e == "pool_status":
            statuses.append((None if event.status == "scheduling" else statuses[-1][1], event.status))
    for listener in seen.stage.heard:
        for got, told, what in (
            (witness.added.get(listener, []), added, "that jobs were added"),
            (witness.statuses.get(listener, []), statuses, "how the status of the pool changed"),
        ):
            if [*got] != told and not (died and [*got][: len(told)] == told[: len(got)]):
                seen.fail((), "always", f"listener {listener} is told {what}: {_short(told)}", _short(got))
    for name, told_of in witness.asked.items():
        status = seen.stage.jobs[name].status.value
        if not died and told_of != [status]:
            seen.fail((), "always", f"the callback of {name} is called once, when it is {status}", str(told_of))


def _calls_come_back(seen: Observed) -> None:
    """Check that what events of the file called has come back, and that listeners are left as often as entered."""
    for number, since in seen.stage.witness.begun.items():
        event = seen.plan.model.events[number]
        ended = [seen.last(name) for name in [event.run] if name is not None]
        over = all(each is not None and each.status in ("success", "failed") for each in ended)
        late = max([since, *(each.t for each in ended if each is not None)]) + _A_WHILE < seen.outcome.elapsed
        if over and late and 0 not in seen.outcome.died:
            seen.fail(("events", number), "always", "what it calls comes back", "it never did", since)
    witness, many = seen.stage.witness, len(seen.plan.model.pool.listeners)
    if seen.outcome.died or seen.plan.model.workflow:
        return
    if witness.entered != len(witness.left):
        seen.fail(
            (), "always", f"listeners are left {witness.entered} times, as they were entered", f"{len(witness.left)}"
        )
    errors = {rank: error for rank, error in seen.stage.outcomes.items() if error is not None}
    told = sum(error is not None for error in witness.left)
    if told != many * len(errors):
        seen.fail((), "always", f"{many * len(errors)} listeners are left with an error", f"{told} are")


def _failures_are_raised(seen: Observed) -> None:
    """Check that the failures that no listener handles are errors of the pool, and the others are not."""
    over = {e.pool: None for e in seen.events if e.e == "end"}
    unhandled = {(e.pool, e.job): None for e in seen.events if e.e == "unhandled"}
    fits = [matcher(pattern) for each in seen.plan.model.pool.listeners for pattern in each.handles]
    for event in seen.events:
        if event.e != "status" or event.pool not in over or event.status not in ("failed", "aborted"):
            continue
        if event.status == "aborted" and (event.error is None or isinstance(event.error, Stopped)):
            continue
        name = seen.name(event)
        handled = any(fit(name) for fit in fits)
        if handled and seen.stage.raised:
            continue  # who raises has handled nothing
        if handled == ((event.pool, event.job) in unhandled):
            what = "is handled by a listener" if handled else "is an error, since no listener handles it"
            seen.fail((), "always", f"what became of {name} {what}", "it is not", event.t)


def _causes_are_first(seen: Observed) -> None:
    """Check that a job that was cancelled since others did not succeed has the error of the first of these as cause."""
    jobs = seen.stage.jobs
    # By name: the jobs whose errors may be its cause. Each stands there once, however many ways lead to it.
    first: dict[str, dict[str, None]] = {}
    for name, job in jobs.items():
        if isinstance(own_facts(job.error), DependencyFailed):
            first[name] = {root: None for dep in seen.plan.jobs[name].deps for root in first.get(dep, ())}
            if not any(job.error.__cause__ is jobs[root].error for root in first[name]):
                seen.fail((), "always", f"{name} is cancelled, and the cause is the first error",
                          describe_error(job.error.__cause__) or "there is none")  # fmt: skip
        elif job.status.ended and job.status is not JobStatus.SUCCESS:
            first[name] = {name: None}


def _caches_are_empty(seen: Observed) -> None:
    """Check that no rank frees an item that an unfinished job requires, and that all are freed in the end."""
    requiring: dict[tuple[str, str], list[PlannedJob]] = {}
    died_at = _main_died_at(seen)
    for job in seen.plan.jobs.values():
        if job.scheduler is None and job.name in seen.added:
            for pair in job.caches:
                requiring.setdefault(pair, []).append(job)
    for rank, owner in seen.stage.owners.items():
        if rank in seen.outcome.died:
            continue
        if owner._pool_cache:
            items = ", ".join(seen.stage.items[i] for i in owner._pool_cache)
            seen.fail((), "always", f"rank {rank} has freed all cached items in the end", f"it still has {items}")
        for item, _, t in seen.frees(rank):
            if died_at is not None and t >= died_at:
                break  # with main, all jobs are gone
            strategy, method = item.split(".", 1)
            for job in requiring.get((strategy, method), ()):
                last = seen.last(job.name)
                if seen.added[job.name] < t and (last is None or last.t > t or last.status not in ENDED):
                    seen.fail((), "always", f"rank {rank} keeps {item} while {job.name} requires it", "it frees it", t)
                    break


class _Actions:
    """What a rank has done, to be looked up: a large scenario has many orders to free.

    :param log: that of `ScenarioRun.log`.
    """

    def __init__(self, log: Sequence[tuple[str, int, Any]]):
        self._log = log
        #: by job: where it stands that it started, the last time.
        self.starts: dict[str, int] = {}
        self._frees: dict[Any, list[int]] = {}
        for place, (kind, _, what) in enumerate(log):
            if kind == "starts":
                self.starts[what] = place
            elif kind == "frees":
                self._frees.setdefault(what, []).append(place)

    def has_started(self, job: str, since: int) -> bool:
        """Whether it has started a job since a time, in nanoseconds."""
        return job in self.starts and self._log[self.starts[job]][1] >= since

    def has_freed(self, item: Any, since: int, before: str) -> bool:
        """Whether it has freed an item since a time, before it started a job."""
        places = self._frees.get(item, [])
        earlier = bisect_left(places, self.starts[before])
        return earlier > 0 and self._log[places[earlier - 1]][1] >= since

    def start_of(self, job: str) -> int:
        """When it started a job, in nanoseconds."""
        return self._log[self.starts[job]][1]


def _ranks_free_as_told(seen: Observed) -> None:
    """Check that a rank frees what main says before the job that it gets with that, or else before its next one."""
    orders, given = [], dict[int, list[tuple[int, str]]]()
    for number, event in enumerate(seen.events):
        if event.e == "freed" and event.job is not None and event.rank not in seen.outcome.died:
            orders.append((number, event))
        elif event.e == "status" and event.status == "running" and event.rank is not None:
            given.setdefault(event.rank, []).append((number, seen.name(event)))
    ranks = {rank: _Actions(seen.stage.log.get(rank, [])) for rank in {event.rank: None for _, event in orders}}
    for number, event in orders:
        did, jobs = ranks[event.rank], given.get(event.rank, [])
        later = (jobs[place][1] for place in range(bisect_left(jobs, (number, "")), len(jobs)))
        before = next((name for name in chain([seen.name(event)], later) if did.has_started(name, event.t)), None)
        if before is None:
            continue
        items = (seen.stage.items[id] for id in event.items)
        kept = [item for item in items if not did.has_freed(item, event.t, before)]
        if kept:
            what = f"rank {event.rank} frees {kept[0]} before {before}, as it was told"
            seen.fail((), "always", what, "it keeps it", did.start_of(before))
            return


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _word(told: tuple[str | None, str]) -> str:
    return " ".join(part for part in told if part)
