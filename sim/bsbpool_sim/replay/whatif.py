"""What-if: runs a recorded run again on simulated ranks, with a change.

The order of events is not forced, as in an exact replay: main queues the recorded jobs, jobs take the recorded time and
end as recorded, and the pool decides. What was queued while the pool executed comes at the recorded time. `ASSUMPTIONS`
lists what is assumed where a recording does not tell.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bsbpool.exceptions import JobPoolError
from bsbpool.facts import Error, Raised
from bsbpool.owner import Owner
from bsbpool.pool import JobPool
from bsbpool.pool.port import PoolPort
from bsbpool.pool.progress import PoolJobUpdateProgress, PoolProgress, Workflow
from bsbpool.trace import Trace
from bsbpool.trace.clock_offsets import Offset, offsets
from bsbpool.trace.events import CancelTried, JobQueued
from bsbpool.trace.history import History, JobHistory

from ..cluster import Cluster
from ..errors import HorizonError, RankErrors
from ..kernel import SECOND
from ..mpi.communicators import Comm, self_comm
from ..script import Script, ScriptRuntime
from ..simulation import simulate
from .ending import HORIZON, ReplayError, check_size, of_main
from .recorded_pool import Recorded, recorded_pools
from .recorded_stubs import Named, job_class, raised_again, raised_by_job

#: What is taken for granted, in sentences.
ASSUMPTIONS = (
    "jobs take as long as they took; those that never ran, the median of their strategy",
    "what was queued or cancelled while a pool executed comes at the same time after it began",
    "messages, and ranks between two jobs, take as long as they took as a rule",
    "main takes as long as it took before each pool and between them, and ranks are ready as late as they were",
)

_SAME_CLOCK = Offset(0, 0)


@dataclass(frozen=True)
class Change:
    """The change of a recorded run.

    :param ranks: how many ranks there are; None: as many as were recorded.
    :param speed: by rank (None: all others): the factor by which its jobs are faster.
    :param kill: by rank: seconds after which it dies.
    :param fail: jobs that fail: their ids, or patterns of their names.
    """

    ranks: int | None = None
    speed: Mapping[int | None, float] = field(default_factory=dict)
    kill: Mapping[int, float] = field(default_factory=dict)
    fail: Collection[int | str] = ()


@dataclass
class Prediction:
    """What would have happened.

    :ivar trace: the trace of that run.
    :ivar errors: what each pool raised; None where it raised nothing.
    :ivar failing: how many jobs were made to fail.
    :ivar main_died: seconds after which main died before its last pool had ended; None if it did not.
    """

    trace: Trace
    errors: list[BaseException | None]
    failing: int
    main_died: float | None = None


@dataclass
class JobPlan:
    """What a job does: it takes so many nanoseconds, and raises that."""

    ns: int
    error: Error | None


@dataclass
class PoolPlan:
    """A pool, as it is to run.

    :ivar before: nanoseconds that main takes before it opens the pool, and before it executes it.
    :ivar early: what is done to it before it executes; late: what is, later, with the nanoseconds since then.
    :ivar late_ranks: for each rank that was ready after main, by how many nanoseconds.
    :ivar limits: by job: nanoseconds that it may run for.
    :ivar unscheduled: nodes whose schedulers fail, with the error.
    """

    recorded: Recorded
    before: tuple[int, int]
    early: list[JobQueued | CancelTried] = field(default_factory=list)
    late: list[tuple[int, JobQueued | CancelTried]] = field(default_factory=list)
    unscheduled: list[tuple[str, Error]] = field(default_factory=list)
    jobs: list[JobPlan] = field(default_factory=list)
    late_ranks: list[int] = field(default_factory=list)
    limits: dict[int, int] = field(default_factory=dict)
    handled: set[int] = field(default_factory=set)
    failed: bool = False


def what_if(trace: Trace, change: Change) -> Prediction:
    """Run a recorded run again with a change.

    :param trace: the recording.
    :param change: what is different.
    :returns: the trace of the changed run, and what its pools raised.
    :raises ReplayError: the trace has no pool, one of BSB's own, pools that were open at the same time, or absurd
        times.
    :raises SimulationError: the change can't be simulated.

    >>> from bsbpool.trace import read_trace
    >>> from bsbpool_sim.replay import Change, what_if
    >>> outcome = what_if(read_trace("docs/night/night.trace"), Change(ranks=8))
    >>> outcome.trace.header["ranks"], len(outcome.errors)
    (8, 1)
    """
    run = ChangedRun(trace, change)
    try:
        simulation = simulate(
            run.program, run.ranks, script=run, latency=run.costs.latency, horizon=HORIZON,
            max_events=100_000 + 200 * len(trace) + 2_000 * run.ranks,
        )  # fmt: skip
    except HorizonError as error:
        why = "its times add up to more than 300 years" if "virtual time" in str(error) else "too much happens in it"
        raise ReplayError(f"then it would not end: {why}") from None
    except RankErrors as error:
        raise ReplayError(f"then its program could not go on: {error.message}") from None
    return Prediction(simulation.trace, run.errors, run.failing, simulation.died.get(0))


def plans_of(trace: Trace) -> list[PoolPlan]:
    """How the pools of a trace are to run again."""
    events = of_main(trace)
    plans: list[PoolPlan] = []
    by_label: dict[int | str, PoolPlan] = {}
    opened = executing = last = events[0].t if events else 0
    pools = iter(recorded_pools(events))
    executed = False
    for event in events:
        t = event.t
        if event.e == "pool":
            plan = by_label[event.pool] = PoolPlan(next(pools), (t - last, 0))
            plans.append(plan)
            opened, executed = t, False
        plan = by_label[event.pool]
        if event.e == "pool_status" and event.status == "executing":
            executing, executed = t, True
            plan.before = (plan.before[0], t - opened)
        elif event.e == "job" or (event.e == "cancel" and event.done):
            if executed:
                plan.late.append((t - executing, event))
            else:
                plan.early.append(event)
        elif event.e == "ready" and executed:
            plan.late_ranks.append(t - executing)
        elif event.e == "limit":
            if event.ns is None:
                plan.limits.pop(event.job, None)
            else:
                plan.limits[event.job] = event.ns
        elif event.e == "scheduled" and event.error is not None:
            plan.unscheduled.append((event.node, event.error))
        elif event.e == "end":
            plan.failed = event.error is not None
        if plan is plans[-1]:
            last = t
    medians = Medians(History(trace))
    for plan, history in zip(plans, medians.history.pools, strict=True):
        recorded = plan.recorded
        plan.jobs = [JobPlan(medians.takes(job), recorded.failed.get(job.id)) for job in history.jobs.values()]
        for job, limit in plan.limits.items():
            if job in recorded.overdue:
                plan.jobs[job].ns = 10 * limit  # nobody knows what it would have taken
        plan.handled = {job for job in recorded.failed if job not in recorded.unhandled}
    return plans


class Medians:
    """What jobs took, and what those would have taken that never ran."""

    def __init__(self, history: History):
        self.history = history
        samples: dict[str | None, list[int]] = {}
        for pool in history.pools:
            for job in pool.jobs.values():
                # One that was interrupted at its limit would have taken longer.
                if job.outcome is not None and job.status != "aborted":
                    took = max(0, job.outcome[1] - job.outcome[0])
                    samples.setdefault(job.name, []).append(took)
                    samples.setdefault(None, []).append(took)
        self._medians = {name: round(statistics.median(times)) for name, times in samples.items()}

    def takes(self, job: JobHistory) -> int:
        """Nanoseconds."""
        if job.outcome is not None:
            return max(0, job.outcome[1] - job.outcome[0])
        ran = 0
        if job.running is not None:
            ran = (self.history.last if job.finished is None else job.finished) - job.running
        return max(ran, self._medians.get(job.name, self._medians.get(None, 0)))


class Costs(NamedTuple):
    """What comes on top of jobs.

    :ivar latency: seconds that a message takes.
    :ivar overhead: nanoseconds that a rank is taken up by telling of a job's end and beginning the next.
    """

    latency: float
    overhead: int


def costs_of(trace: Trace) -> Costs:
    """What they were, as a rule, from what passed on a rank between jobs of which the other was ready before the end.

    Where the rank had the other one already, it began before main had heard of that end: that is overhead. Else two
    messages passed.
    """
    there: list[int] = []
    fetched: list[int] = []
    clocks = offsets(trace)
    for pool in History(trace).pools:
        ran: dict[int, list[JobHistory]] = {}
        for job in pool.jobs.values():
            if job.outcome is not None:
                ran.setdefault(job.rank, []).append(job)
        for rank, jobs in ran.items():
            jobs.sort(key=lambda job: job.outcome or ())
            clock = clocks.get((pool.id, rank), _SAME_CLOCK)
            at_hand: list[int] = []
            for one, other in itertools.pairwise(jobs):
                assert one.outcome is not None and other.outcome is not None
                started, (_, ended, received) = other.outcome[0], one.outcome
                if other.queued <= received:
                    (at_hand if started - clock.ns < received else fetched).append(started - ended)
            if len(at_hand) > 1:  # a rank that was paused once, however long, is not the rule
                at_hand.sort()
                at_hand[-1] = at_hand[-2]
            there += at_hand
    overhead = max(0, round(statistics.fmean(there))) if there else 0
    round_trip = statistics.median(fetched) - overhead if fetched else statistics.median(there) if there else 0
    return Costs(max(0.0, round_trip / 2 / SECOND), overhead)


class ChangedRun(Script):
    """A recorded run with a change, as a script: it stands where a script stands, and has the program too."""

    def __init__(self, trace: Trace, change: Change):
        super().__init__()
        self.plans = plans_of(trace)
        self.errors: list[BaseException | None] = []
        self.costs = costs_of(trace)
        most = max(plan.recorded.ranks for plan in self.plans)
        check_size(trace, most)
        self._most = most
        self.ranks = change.ranks or most
        self.failing = 0
        self._make_fail(trace, change.fail)
        self._befall(change)

    def _make_fail(self, trace: Trace, fail: Collection[int | str]) -> None:
        from fnmatch import fnmatchcase

        pools = History(trace).pools
        names = {job.name for pool in pools for job in pool.jobs.values()}
        # A name that there is means that name, whatever it would mean as a pattern: it may hold * or [].
        patterns = [each for each in fail if isinstance(each, str) and each not in names]
        for plan, pool in zip(self.plans, pools, strict=True):
            for job in pool.jobs.values():
                if job.id in fail or job.name in fail or any(fnmatchcase(job.name, pattern) for pattern in patterns):
                    plan.jobs[job.id].error = Raised("RuntimeError", "made to fail")
                    plan.handled.discard(job.id)
                    self.failing += 1

    def _befall(self, change: Change) -> None:
        for rank in [*change.kill, *(each for each in change.speed if each is not None)]:
            if not 0 <= rank < self.ranks:
                raise ReplayError(f"there is no rank {rank}: there are ranks 0 to {self.ranks - 1}")
        dies = dict(change.kill)
        first = self.plans[0]
        for rank, at in first.recorded.deaths.items():
            if 0 < rank < self.ranks:
                dies.setdefault(rank, at / SECOND)
        for rank in range(self.ranks):
            speed = change.speed.get(rank, change.speed.get(None, 1.0))
            if speed != 1.0 or rank in dies:
                self.rank(rank, slower=1 / speed, dies=dies.get(rank))

    # -- a script ----------------------------------------------------------------------------------

    def make_runtime(self, cluster: Cluster) -> ScriptRuntime:
        """Make the object that acts as the recording and the change say."""
        self._kernel = cluster.kernel
        self._acting = _Acting(self, cluster)
        return self._acting

    # -- a program ---------------------------------------------------------------------------------

    def program(self, comm: Comm) -> None:
        """What each rank runs."""
        owner = Owner(comm)
        alone = Owner(self_comm(comm.cluster, comm.world_rank))
        for plan in self.plans:
            mine = alone if plan.recorded.ranks == 1 and self._most > 1 else owner
            if mine is alone and comm.rank:
                continue
            if comm.rank == 0:
                self._acting.plan = plan
                self._pause(plan.before[0])
            recorded = plan.recorded
            pool = JobPool(
                recorded.label, mine, recorded.fail_fast, Workflow(recorded.phases), retries=recorded.retries
            )
            pool.add_listener(_Handles(plan))
            PoolPort(pool).expect_no_pings(HORIZON)  # it needs no pings, which would be many in weeks of virtual time
            if comm.rank and plan.late_ranks:
                late = statistics.median(plan.late_ranks) - self.costs.latency * SECOND - self.costs.overhead
                self._pause(sum(plan.before) + max(0, round(late)))
            error: BaseException | None = None
            try:
                with pool:
                    if comm.rank == 0:
                        self._prepare(pool, plan)
                    pool.execute()
            except Exception as raised:
                error = raised
            if comm.rank == 0:
                self.errors.append(error)
            if error is not None and not plan.failed:
                return  # the recorded program never met that, and would hardly have gone on

    def _pause(self, ns: int) -> None:
        """Let so many nanoseconds pass for main, which is no faster on fast ranks."""
        until = self._kernel.now + ns
        while self._kernel.now < until:
            self._kernel.park("what main did meanwhile", until)

    def _prepare(self, pool: JobPool, plan: PoolPlan) -> None:
        for event in plan.early:
            _do(pool, plan, event)
        self._pause(plan.before[1])
        if plan.late or plan.unscheduled:

            def schedule(node: Named) -> None:
                if node is first:
                    began = self._kernel.now
                    for after, event in plan.late:
                        self._pause(began + after - self._kernel.now)
                        _do(pool, plan, event)
                else:
                    raise raised_again(dict(plan.unscheduled)[node.name])

            first = Named("what came later")
            pool.schedule([first, *(Named(name) for name, _ in plan.unscheduled)], schedule)


def _do(pool: JobPool, plan: PoolPlan, event: JobQueued | CancelTried) -> None:
    port = PoolPort(pool)
    jobs = port.jobs
    try:
        if event.e == "job":
            job_class(event.kind)(
                pool, event.name, dict(event.context), [jobs[dep] for dep in event.deps], event.cache,
                plan.recorded.told.get(event.job), None, plan.limits.get(event.job),
            )  # fmt: skip
        else:
            port.cancel(jobs[event.job], event.reason)
    except JobPoolError:
        pass  # the pool is closing: it had no more to do, or has failed


class _Handles:
    """The listener that handles what was handled."""

    def __init__(self, plan: PoolPlan):
        self._plan = plan

    def __call__(self, progress: PoolProgress) -> bool:
        return isinstance(progress, PoolJobUpdateProgress) and progress.job.id in self._plan.handled


class _Acting(ScriptRuntime):
    """Lets jobs take their time, and end as they ended."""

    def __init__(self, run: ChangedRun, cluster: Cluster):
        super().__init__(run, cluster)
        self.plan: PoolPlan | None = None
        self._overhead = run.costs.overhead
        self._by_key: dict[Any, PoolPlan] = {}

    def introduce(self, key: Any, job: int, name: str, context: Mapping[str, Any]) -> None:
        assert self.plan is not None
        self._by_key[key] = self.plan

    def perform(self, key: Any, job: int, function: Callable[[], Any]) -> Any:
        plan = self._by_key[key].jobs[job]
        if plan.ns:
            self._kernel.compute(plan.ns, f"job {job} to end")
        if plan.error is not None:
            raise raised_by_job(plan.error)
        return function()

    def send(self, rank: int) -> None:
        if rank and self._overhead:
            self._kernel.compute(self._overhead, "its message to be sent")
