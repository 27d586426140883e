"""The invariants of the trace of every pool on simulated ranks, event by event, for every program, script and seed.

They only use the trace, and do not depend on the code of the pool; the rules of statuses are stated here a second time
on purpose. Notifications of listeners, results of jobs and actions of ranks that are not in the trace are checked
elsewhere: for scenarios in `scenario.expecting`, for random cases in tests/property.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from bsbpool.facts import Cancelled, Died, Killed
from bsbpool.trace.events import (
    RECORDS,
    AlreadyStarted,
    Cached,
    CalledBack,
    CancelTried,
    Event,
    Freed,
    JobQueued,
    JobsReturned,
    JobStatusChanged,
    LimitSet,
    NodeScheduling,
    OutcomeReceived,
    Pinged,
    PoolEnded,
    PoolEvent,
    PoolOpened,
    PoolStatusChanged,
    RankGone,
    RankReady,
    RankStuck,
    RetriesSet,
    SetByHand,
    SomethingRaised,
    Unexecuted,
    Unhandled,
)

from .traced_jobs import ENDED as ENDED
from .traced_jobs import TracedJob

#: Which status may follow which.
MAY_FOLLOW = {
    "pending": ("queued", "cancelled"),
    "queued": ("running", "cancelled"),
    "running": ("success", "failed", "aborted", "queued"),
}

#: Nanoseconds that a job which was interrupted at its limit has to come to its end.
GRACE = 1_000_000_000

#: Nothing but these comes between what the engine decided at a time and the closing of the pool.
_OF_A_STOP = ("status", "traceback", "pool_status", "cancel", "raised", "unhandled", "resumed", "by_hand")

#: What a scheduler that was called before the end may still do.
_AFTER_THE_END = ("scheduled", "traceback", "cancel")


class Broken(NamedTuple):
    """An invariant that does not hold.

    :ivar event: the number of the event in the trace at which that shows.
    :ivar t: its time, in nanoseconds.
    :ivar what: what is wrong.
    """

    event: int
    t: int
    what: str


def broken(events: Iterable[Event]) -> list[Broken]:
    """Return the invariants that do not hold in a trace of simulated ranks.

    :param events: those of the trace, in order.
    """
    found: list[Broken] = []
    pools: dict[int | str, _Pool] = {}
    before = 0
    last = 0
    for number, event in enumerate(events):
        last = number
        if event.t < before:
            found.append(Broken(number, event.t, f"time goes back, from {before}"))
        before = event.t
        if event.e == "fault":
            if event.rank == 0 and isinstance(event.what, Died | Killed):
                for pool in pools.values():
                    pool.main_died = True
            continue
        if event.e == "receive":
            continue
        if event.e == "pool":
            pools[event.pool] = _Pool(event, found)
        pools[event.pool].take(number, event)
    for pool in pools.values():
        pool.finish(last, before)
    return found


class _Pool:
    """The part of a trace that is about one pool."""

    def __init__(self, event: PoolOpened, found: list[Broken]):
        self.found = found
        self.label = event.pool
        self.ranks: int = event.ranks
        self.fail_fast: bool = event.fail_fast
        self.retries = 0
        self.main_died = False
        self.jobs: list[TracedJob] = []
        self.status = ""
        self.over = False
        self.ready: dict[int, None] = {}
        self.lost: dict[int, None] = {}
        # By rank: the job that it is at, as main knows; when its last job had ended, by its clock; jobs given up there.
        self.busy: dict[int, int] = {}
        self.free_at: dict[int, int] = {}
        self.stuck: dict[int, int] = {}
        # Jobs that somebody asked back, and from which rank.
        self.called_back: dict[int, int] = {}
        # What must come next of a job, at which time: by job (time, statuses, why).
        self.due: dict[int, tuple[int, tuple[str, ...], str]] = {}
        # Jobs that were cancelled while main may have waited for a rank's answer: it tells of these when that has come.
        self.told_later: dict[int, None] = {}
        # Jobs that the program runs or ends by hand, and that have not ended.
        self.in_hand: dict[int, None] = {}
        # Jobs that ended without a reason but that the pool stopped: it has to have stopped, then.
        self.stopped: list[tuple[int, int, int]] = []
        self.why_stopped = False
        self.unhandled: dict[int, None] = {}
        self.errors = 0
        self.held: dict[int, dict[int, None]] = {}
        self.required: Counter[int] = Counter()
        # By job: what its rank held when it started that nobody required, and is to be freed before it.
        self.stale: dict[int, tuple[int, dict[int, None]]] = {}
        self.number, self.t = 0, 0

    def wrong(self, what: str) -> None:
        self.found.append(Broken(self.number, self.t, f"pool {self.label}: {what}"))

    def take(self, number: int, event: PoolEvent) -> None:
        """Check the next event."""
        kind, t = event.e, event.t
        if t > self.t and (self.due or self.stale):
            self._time_goes_on()
        self.number, self.t = number, t
        if self.over and kind not in _AFTER_THE_END:
            self.wrong(f"{kind} comes after its end")
        handler = _HANDLERS.get(kind)
        try:
            if handler is not None:
                handler(self, event)
        except IndexError:
            self.wrong(f"{kind} names a job that is not there")
        if self.stopped and kind not in _OF_A_STOP and self.status != "closing":
            self._stop_is_missing()

    def finish(self, number: int, t: int) -> None:
        """Check what must hold at the end of the pool."""
        if self.main_died:
            return
        self._time_goes_on()
        self.number, self.t = number, t
        if self.stopped and self.status != "closing":
            self._stop_is_missing()

    # -- what has to have come by the time at which something else does ------------------------------------

    def _time_goes_on(self) -> None:
        if self.in_hand:
            return  # main may wait for a job that it runs itself, and tells of all else later
        later = {id: due for id, due in self.due.items() if id in self.told_later and self.called_back}
        for id, (t, statuses, why) in self.due.items():
            if not self.main_died and id not in later:
                self.wrong(f"job {id} is {self.jobs[id].status}, and not {' or '.join(statuses)}, at {t}: {why}")
        self.due = later
        for id, (rank, items) in self.stale.items():
            if items and rank not in self.lost and not self.main_died and self.status != "closing":
                self.wrong(f"rank {rank} starts job {id} and keeps {[*items]}, which nobody requires")
        self.stale.clear()

    def _stop_is_missing(self) -> None:
        id, number, t = self.stopped[0]
        self.found.append(
            Broken(number, t, f"pool {self.label}: job {id} is {self.jobs[id].status} for no reason: nothing stopped")
        )
        self.stopped.clear()

    # -- jobs ------------------------------------------------------------------------------------------------

    def _job(self, event: JobQueued) -> None:
        id = event.job
        if id != len(self.jobs):
            self.wrong(f"job {id} is added as number {len(self.jobs)}")
        if self.status == "closing":
            self.wrong(f"job {id} is added as the pool closes")
        job = TracedJob(event)
        self.jobs.append(job)
        if job.cache:
            self.required.update(job.cache)
        for dep in job.deps:
            self.jobs[dep].dependents.append(id)
            job.waits_for += self.jobs[dep].status != "success"
        if bad := [dep for dep in job.deps if self.jobs[dep].status in ENDED[1:]]:
            self.due[id] = (self.t, ("cancelled",), f"job {bad[0]}, which it waits for, is {self.jobs[bad[0]].status}")

    def _limit(self, event: LimitSet) -> None:
        self.jobs[event.job].limit = event.ns

    def _retries(self, event: RetriesSet) -> None:
        self.retries = event.times

    def _by_hand(self, event: SetByHand) -> None:
        self.jobs[event.job].by_hand = True
        self.in_hand[event.job] = None

    def _cancel(self, event: CancelTried) -> None:
        id = event.job
        job = self.jobs[id]
        if not event.done:
            if job.status in ("pending", "queued") and self.status != "closing" and id not in self.due:
                # What made it too late has happened, and is told now.
                self.due[id] = (self.t, ("queued", "running", "cancelled"), "cancelling it is said to come too late")
            return
        if job.status not in ("pending", "queued", "cancelled"):
            self.wrong(f"job {id} is {job.status}, and is said to be cancelled")
        job.unwanted = True
        job.reasons.append(event.reason)
        if job.status != "cancelled":
            self.due[id] = (self.t, ("cancelled",), "it is said to be cancelled")
            if self.called_back:
                self.told_later[id] = None

    def _call_back(self, event: CalledBack) -> None:
        self.jobs[event.job].unwanted = True
        self.jobs[event.job].reasons.append(event.reason)
        self.called_back[event.job] = event.rank

    def _started(self, event: AlreadyStarted) -> None:
        self.called_back.pop(event.job, None)

    def _status(self, event: JobStatusChanged) -> None:
        id, status, rank = event.job, event.status, event.rank
        job = self.jobs[id]
        if status not in MAY_FOLLOW.get(job.status, ()):
            self.wrong(f"job {id} goes from {job.status} to {status}")
        if self.status == "closing":
            self.wrong(f"job {id} becomes {status} after the pool has closed")
        if status in ENDED:
            self.in_hand.pop(id, None)
            if isinstance(event.error, Cancelled) and id in self.called_back:
                self.wrong(f"job {id} is cancelled, and rank {self.called_back[id]} has not given it back")
            if why := job.wrong_reason(status, event.error, any(self.jobs[d].status in ENDED[1:] for d in job.deps)):
                self.wrong(f"job {id} becomes {status}: {why}")
        due = self.due.pop(id, None)
        if due is not None and job.unwanted and (job.status, status) == ("pending", "queued"):
            self.due[id] = due  # that came before it was cancelled, and is told now
        elif due is not None and status not in due[1]:
            self.wrong(f"job {id} becomes {status}, and not {' or '.join(due[1])}: {due[2]}")
        old, job.status = job.status, status
        if status == "queued":
            self._becomes_queued(id, job, old)
        elif status == "running":
            self._becomes_running(id, job, rank)
        else:
            self._ends(id, job, status, due is not None)
        job.since = self.t

    def _becomes_queued(self, id: int, job: TracedJob, old: str) -> None:
        if old == "running":
            if job.rank not in self.lost:
                self.wrong(f"job {id} is queued again, and rank {job.rank} was not lost")
            if job.losses > self.retries:
                self.wrong(f"job {id} is queued again after {job.losses} losses, with {self.retries} retries")
            job.rank = None
        self._has_dependencies(id, job, "queued")

    def _has_dependencies(self, id: int, job: TracedJob, what: str) -> None:
        if job.waits_for and not job.by_hand:
            open_ = [dep for dep in job.deps if self.jobs[dep].status != "success"]
            self.wrong(f"job {id} is {what}, and job {open_[0]}, which it waits for, is {self.jobs[open_[0]].status}")

    def _becomes_running(self, id: int, job: TracedJob, rank: int | None) -> None:
        self._has_dependencies(id, job, "running")
        job.rank = rank
        job.started_at = self.t
        if rank is None:
            if not job.by_hand:
                self.wrong(f"job {id} runs nowhere")
            return
        if rank not in self.ready or rank in self.lost:
            self.wrong(f"job {id} is given to rank {rank}, which is {'lost' if rank in self.lost else 'not there'}")
        at = self.busy.get(rank)
        if at is not None and not self._never_came(self.jobs[at]):
            # One that was sent ahead and can't be packed fails while another one runs.
            self.due[id] = (self.t, ("failed",), f"it is given to rank {rank}, which is at job {at}")
            return
        self.busy[rank] = id
        if held := self.held.get(rank):
            stale = {item: None for item in held if self.required[item] <= 0}
            if stale:
                self.stale[id] = (rank, stale)

    @staticmethod
    def _never_came(job: TracedJob) -> bool:
        """Whether a job was ended by hand before its rank got it."""
        return job.by_hand and job.ended_at is not None and job.ended_at == job.started_at

    def _ends(self, id: int, job: TracedJob, status: str, was_due: bool) -> None:
        again, job.ended_at = job.ended_at is not None, self.t
        if job.cache:
            self.required.subtract(job.cache)
        rank = job.rank
        if rank is not None and self.busy.get(rank) == id and not job.by_hand and rank not in self.stuck:
            del self.busy[rank]
        told = job.unwanted or job.by_hand or was_due
        if status == "cancelled" and not (told or any(self.jobs[dep].status in ENDED[1:] for dep in job.deps)):
            self.stopped.append((id, self.number, self.t))
        if status == "aborted" and not (was_due or job.by_hand or rank in self.stuck):
            self.stopped.append((id, self.number, self.t))
        if status == "success" and not (was_due or job.by_hand):
            self.wrong(f"job {id} is a success, and no rank said so")
        if status != "success":
            for dependent in job.dependents:
                other = self.jobs[dependent]
                if other.status == "pending" and dependent not in self.due:
                    self.due[dependent] = (self.t, ("cancelled",), f"job {id}, which it waits for, is {status}")
        elif not again:
            for dependent in job.dependents:
                other = self.jobs[dependent]
                other.waits_for -= 1
                if self.status == "executing" and other.status == "pending" and not other.waits_for:
                    why = "all that it waits for has succeeded"
                    self.due.setdefault(dependent, (self.t, ("queued", "cancelled"), why))

    # -- ranks -------------------------------------------------------------------------------------------------

    def _ready(self, event: RankReady) -> None:
        if event.rank in self.ready:
            self.wrong(f"rank {event.rank} is there a second time")
        self.ready[event.rank] = None

    def _lost(self, event: RankGone) -> None:
        rank = event.rank
        if rank in self.lost or rank == 0:
            self.wrong(f"rank {rank} is lost{' again' if rank else ''}")
        self.lost[rank] = None
        self.held.pop(rank, None)
        self.called_back = {job: other for job, other in self.called_back.items() if other != rank}
        id = self.busy.pop(rank, None)
        stuck = self.stuck.pop(rank, None)
        if id is None or stuck is not None or self.jobs[id].status != "running" or self.jobs[id].by_hand:
            return
        job = self.jobs[id]
        job.losses += 1
        again = job.losses <= self.retries
        why = f"it was lost with rank {rank}, for the {job.losses}. time, with {self.retries} retries"
        self.due[id] = (self.t, ("queued",) if again else ("aborted",), why)

    def _message(self, event: OutcomeReceived) -> None:
        rank, id, started, ended = event.rank, event.job, event.started, event.ended
        job = self.jobs[id]
        if rank in self.lost:
            self.wrong(f"rank {rank} is lost, and its word on job {id} counts")
        if self.busy.get(rank) != id:
            self.wrong(f"rank {rank} tells of job {id}, and is at {self.busy.get(rank, 'none')}")
        if not self.free_at.get(rank, 0) <= started <= ended <= self.t:
            self.wrong(
                f"job {id} ran from {started} to {ended} on rank {rank}, which was free at {self.free_at.get(rank)}"
            )
        self.free_at[rank] = ended
        late = [dep for dep in job.deps if (self.jobs[dep].ended_at or 0) > started] if job.deps else []
        if late and not job.by_hand:
            self.wrong(f"job {id} started at {started}, before job {late[0]} had ended, which it waits for")
        self.busy.pop(rank, None)
        self.stuck.pop(rank, None)
        if job.status != "running" or job.by_hand:
            return
        over = job.limit is not None and ended - started > job.limit
        statuses: tuple[str, ...] = ("failed", "aborted") if over else ("success", "failed", "aborted")
        if job.limit is None or ended - started < job.limit:
            statuses = statuses[:-1]
        self.due[id] = (self.t, statuses, f"rank {rank} has told of its end, from {started} to {ended}")

    def _stuck(self, event: RankStuck) -> None:
        rank, id = event.rank, event.job
        job = self.jobs[id]
        if job.limit is None or self.t - job.since < job.limit + GRACE:
            self.wrong(f"job {id} is given up, and is not past its limit for long")
        self.stuck[rank] = id
        self.due[id] = (self.t, ("aborted",), "it is past its limit, and can't be interrupted")

    def _returned(self, event: JobsReturned) -> None:
        rank = event.rank
        if rank in self.lost:
            self.wrong(f"rank {rank} is lost, and gives back {[*event.jobs]}")
        for id in event.jobs:
            self._comes_back(id, rank)
            if self.jobs[id].status not in ("queued", "cancelled") and not self.jobs[id].by_hand:
                self.wrong(f"rank {rank} gives back job {id}, which is {self.jobs[id].status}")

    def _comes_back(self, id: int, rank: int) -> None:
        """A rank has given back a job that it may have been asked for."""
        if self.called_back.pop(id, None) == rank and self.jobs[id].status == "queued":
            self.due[id] = (self.t, ("cancelled",), f"it was called back, and rank {rank} gave it back")

    # -- cached items --------------------------------------------------------------------------------------------

    def _cached(self, event: Cached) -> None:
        self.held.setdefault(event.rank, {}).update(dict.fromkeys(event.items))
        # Who takes in items drops what stands behind its job.
        for id in [job for job, rank in self.called_back.items() if rank == event.rank]:
            if self.jobs[id].status == "queued":
                self._comes_back(id, event.rank)

    def _freed(self, event: Freed) -> None:
        rank, id = event.rank, event.job
        held = self.held.get(rank, {})
        # Jobs that were queued too late, or are cancelled at this very time, require nothing any more.
        doomed: Counter[int] = Counter()
        for job, (_, statuses, _) in self.due.items():
            if "queued" not in statuses:
                doomed.update(self.jobs[job].cache)
        for item in event.items:
            if item not in held and rank:
                self.wrong(f"rank {rank} is to free {item}, which it does not hold")
            held.pop(item, None)
            # The job before it, if that could not be packed, has failed, and is told to have after this.
            failed = self.busy.get(rank, id) != id
            if self.required[item] > doomed[item] and self.status == "executing" and id is not None and not failed:
                self.wrong(f"rank {rank} is to free {item}, which unfinished jobs require")
            if id in self.stale:
                self.stale[id][1].pop(item, None)

    # -- the pool --------------------------------------------------------------------------------------------------

    def _pool_status(self, event: PoolStatusChanged) -> None:
        old, self.status = self.status, event.status
        right = {"": ("scheduling",), "scheduling": ("executing", "scheduling", "closing"),
                 "executing": ("closing", "scheduling")}  # fmt: skip
        if self.status not in right.get(old, ()):
            self.wrong(f"it goes from {old or 'nothing'} to {self.status}")
        if self.status == "closing":
            if self.stopped and not self.why_stopped:
                self.wrong(f"it stops, and job {self.stopped[0][0]} with it, for no reason")
            self.stopped.clear()
            for id, job in enumerate(self.jobs):
                if job.status not in ENDED:
                    self.wrong(f"it closes, and job {id} is {job.status}")

    def _scheduling(self, event: NodeScheduling) -> None:
        if self.status == "closing":
            self.wrong(f"{event.node} is being scheduled after the pool has closed")

    def _ping(self, event: Pinged) -> None:
        if self.status == "closing":
            self.wrong("it pings after it has closed")

    def _unhandled(self, event: Unhandled) -> None:
        id = event.job
        self.errors += 1
        self.why_stopped = self.why_stopped or self.fail_fast or id is None
        if id is None:
            return
        if id in self.unhandled or self.jobs[id].status not in ("failed", "aborted"):
            self.wrong(f"job {id} is {self.jobs[id].status}, and counts as an error")
        self.unhandled[id] = None

    def _raised(self, event: SomethingRaised) -> None:
        self.errors += 1
        self.why_stopped = True

    def _unexecuted(self, event: Unexecuted) -> None:
        self.why_stopped = True

    def _end(self, event: PoolEnded) -> None:
        self.over = True
        if self.errors and event.error is None:
            self.wrong("execute() ends well, and there were errors that nobody handled")
        if self.status != "closing":
            self.wrong(f"execute() ends, and it is {self.status}")
        for rank, items in self.held.items():
            if items:
                self.wrong(f"it ends, and rank {rank} still holds {[*items]}")


#: What checks an event, by its kind.
_HANDLERS: dict[str, Callable[[_Pool, Any], None] | None] = {kind: getattr(_Pool, f"_{kind}", None) for kind in RECORDS}
