"""Turns a scenario into a program for `simulate`: a pool on every rank, its jobs, its nodes and its listeners.

The pool is the real one. The scenario replaces what surrounds it: the user's functions, nodes and listeners; the
cluster is in `runtime`. The expected outcome belongs to `expecting`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from bsbpool import Owner
from bsbpool.errors_and_facts import describe_error
from bsbpool.exceptions import JobPoolError
from bsbpool.facts import Error
from bsbpool.pool import (
    Job,
    JobPool,
    JobStatus,
    PoolJobAddedProgress,
    PoolJobUpdateProgress,
    PoolProgress,
    PoolProgressReason,
    PoolStatusProgress,
    Workflow,
)
from bsbpool.pool.caching import cache_id, pool_cache

from .blaming import owners_of_errors
from .expanding import PlannedJob
from .model import EventEntry, Listener, Scheduler
from .patterns import matcher
from .planning import Plan
from .unsendable import Unpicklable
from .witness import Witness
from .written_values import ErrorToRaise, Occurrence

if TYPE_CHECKING:
    from ..cluster import Cluster
    from ..kernel import Kernel
    from ..mpi.communicators import Comm

#: Up to this number of jobs, the result of each job is compared with what it returned.
MOST_RESULTS = 2000

#: Errors that a task of the program may raise; any other error ends the simulation.
_ERRORS = (Exception, KeyboardInterrupt, SystemExit)


class Runtime(Protocol):
    """Interface of the simulation for a run of a scenario, as `runtime.ScenarioRuntime` implements it."""

    kernel: Kernel
    cluster: Cluster

    def act(self, job: PlannedJob) -> Any:
        """Execute a job: let its time pass, then end it as the scenario says."""

    def dissolve(self) -> None:
        """Drop the reference to the run, once it is over."""


class ScenarioRun:
    """One run of a scenario: its state, and what is observed beside the trace.

    :ivar outcomes: by rank: the exception that its program raised, or None; a rank that never left is missing.
    :ivar results: by name: the results of jobs, read from the pool.
    :ivar returned: by name: what jobs returned when they ran last.
    :ivar log: by rank, in order: ("starts", ns, job), ("frees", ns, item) and, when it leaves a pool,
        ("leaves", ns, phase).
    :ivar loaded: by cached item: how often it was computed.
    :ivar heard: by listener: its notifications as (ns, job, status); job is None for a ping.
    :ivar witness: what its code sees beside that.
    :ivar troubles: events that could not be executed: (index of the event, why, ns).
    :ivar refused: when the pool refused to run a job by hand, or to set its status, if the scenario expects that.
    """

    def __init__(self, plan: Plan, seed: int):
        self.plan = plan
        self.seed = seed
        self.outcomes: dict[int, BaseException | None] = {}
        self.errors: list[tuple[str, Error]] = []
        self.results: dict[str, Any] = {}
        self.returned: dict[str, Any] = {}
        self.statuses: dict[str, str] = {}
        self.log: dict[int, list[tuple[str, int, str]]] = {}
        self.loaded: dict[str, int] = {}
        self.peak = 0
        self.heard: dict[str, list[tuple[int, str | None, str]]] = {}
        self.witness = Witness()
        self.troubles: list[tuple[int, str, int]] = []
        self.refused: list[int] = []
        #: the indices of the events that have happened, and the errors that listeners have raised.
        self.happened: dict[int, None] = {}
        self.raised_by: dict[tuple[str, str], None] = {}
        self.owners: dict[int, StageOwner] = {}
        #: the jobs by name; and their plans by pool and id.
        self.jobs: dict[str, Any] = {}
        self.by_id: dict[tuple[str, int], PlannedJob] = {}
        #: exceptions that events raised; any other exception is a real error.
        self.raised: list[BaseException] = []
        self.coming: PlannedJob | None = None
        self.pool: JobPool | None = None
        self.runtime: Runtime
        self.items = {
            cache_id(_Named(name), method): f"{name}.{method}"
            for name, s in plan.strategies.items()
            for method in s.cached
        }
        self.classes = {name: _strategy_class(name, tuple(s.cached)) for name, s in plan.strategies.items()}

    def now(self) -> int:
        """The virtual time in nanoseconds."""
        return self.runtime.kernel.now

    def dissolve(self) -> None:
        """Drop the references of what ran on ranks to this, once the run is over: this refers to that."""
        for owner in self.owners.values():
            owner.dissolve()
        self.pool = None
        self.runtime.dissolve()

    # -- the program of a rank -------------------------------------------------------------------------------

    def program(self, comm: Comm) -> None:
        """Run the phases of the scenario on one rank, one pool after the other."""
        rank, error = comm.rank, None
        owner = self.owners[rank] = StageOwner(comm, self, rank)
        phases = self.plan.phases
        workflow = Workflow(phases) if self.plan.model.workflow else None
        for name, method in self.plan.held.get(rank, ()):
            getattr(owner.placement[name], method)()
        try:
            for number, phase in enumerate(phases):
                self.witness.begins(phase, workflow)
                self._open(owner, number, phase, workflow)
                if workflow is not None:
                    workflow.next_phase()
        except _ERRORS as raised:
            if isinstance(raised, KeyboardInterrupt) and not any(raised is each for each in self.raised):
                raise  # Ctrl-C
            error = raised
        self.outcomes[rank] = error

    def _open(self, owner: StageOwner, number: int, phase: str, workflow: Workflow | None) -> None:
        options = self.plan.model.pool
        job_timeout = None if options.job_timeout is None else options.job_timeout / 1e9
        pool = JobPool(phase, owner, options.fail_fast, workflow, job_timeout, options.retries)
        for listener in options.listeners:
            max_wait = None if listener.max_wait is None else listener.max_wait / 1e9
            told = ScenarioListener(self, listener)
            self.witness.handed_in(f"listener {listener.name}", partial(pool.add_listener, told, max_wait))
        with pool:
            if not pool.is_main():
                try:
                    pool.execute()
                finally:
                    owner.log.append(("leaves", self.now(), phase))
                return
            self.pool = pool
            self._fill(pool, owner, number)
            results: dict[Any, Any] | None = None
            try:
                if not options.executes:
                    return
                if len(self.plan.jobs) <= MOST_RESULTS:
                    results = pool.execute(return_results=True)
                else:
                    pool.execute()
            except BaseExceptionGroup as group:
                self.errors += owners_of_errors(
                    group.exceptions, self.jobs, [each.name for each in self.plan.model.schedulers]
                )
                raise
            finally:
                owner.log.append(("leaves", self.now(), phase))
                self._take_stock(pool, results)

    def _fill(self, pool: JobPool, owner: StageOwner, phase: int) -> None:
        for job in self.plan.of_main(phase):
            self.put(pool, owner, job)
        schedulers = [
            s
            for s in enumerate(self.plan.model.schedulers)
            if self.plan.phases[phase] == (s[1].phase or self.plan.phases[0])
        ]
        nodes: dict[str, Node] = {}
        for number, scheduler in schedulers:
            nodes[scheduler.name] = Node(
                self, owner, number, scheduler, [nodes[name] for name in scheduler.depends_on if name in nodes]
            )
        if nodes:
            pool.schedule(nodes.values())
        for number, event in enumerate(self.plan.model.events):
            if event.at == 0 and event.cancel is not None and event.by is None and phase == 0:
                self.cancel(number, event)

    def put(self, pool: JobPool, owner: StageOwner, job: PlannedJob) -> None:
        """Queue a job."""
        missing = next((name for name in job.deps if name not in self.jobs), None)
        if missing is not None:
            raise LookupError(f"{job.name} can't be queued: {missing}, which it waits for, never was")
        deps = [self.jobs[name] for name in job.deps]
        entry = job.entry
        limit: dict[str, Any] = {} if entry.timeout is None else {"timeout": entry.timeout / 1e9}
        self.coming = job
        if entry.kind == "placement":
            queue: Callable[[], Any] = partial(
                pool.queue_placement, owner.placement[str(entry.strategy)], job.index, deps, **limit
            )
        elif entry.kind == "connectivity":
            node = owner.connectivity[str(entry.strategy)]
            queue = partial(pool.queue_connectivity, node, [job.index], [job.index], deps, **limit)
        else:
            submitter: Any = job.name if job.recorded is None else _Named(job.recorded.name)
            if entry.strategy is not None:
                submitter = owner.placement[entry.strategy]
            items = [cache_id(owner.placement[name], method) for name, method in job.caches]
            context = {**job.fill(entry.context)}
            chunks = context.pop("chunks", None)
            arguments = (Unpicklable(),) if entry.unsendable else ()
            queue = partial(
                pool.queue,
                work,
                arguments,
                deps=deps,
                cache_items=items,
                submitter=submitter,
                chunks=chunks,
                context=context,
                **limit,
            )
        queued = self.witness.handed_in(f"job {job.name}", queue) if self.plan.model.ranks == 1 else queue()
        self.witness.queued(job.name, queued, len(self.jobs))
        self.jobs[job.name] = queued

    def _take_stock(self, pool: JobPool, results: dict[Any, Any] | None) -> None:
        wanted = {name for pattern in self.plan.model.expect.results for name in self.plan.match(pattern)}
        for name in self.jobs if len(self.jobs) <= MOST_RESULTS else wanted:
            job = self.jobs.get(name)
            if job is None or job.pool_id != pool.id:
                continue
            self.witness.given(results, name, job)
            if job.status is JobStatus.SUCCESS:
                self.results[name] = job.result
                self.witness.has_ended(name, job)

    # -- what events do --------------------------------------------------------------------------------------

    def cancel(self, number: int, event: EventEntry) -> None:
        """Cancel the jobs that an event names, if they are queued."""
        assert event.cancel is not None
        self.happened[number] = None
        names = [name for pattern in event.cancel for name in self.plan.match(pattern) if name in self.jobs]
        for name in names:
            self.jobs[name].cancel(event.reason)
        if not names:
            self.troubles.append((number, f"no job that matches {event.cancel[0]!r} was queued by then", self.now()))

    def execute_event(self, number: int, event: EventEntry) -> None:
        """Execute an event in a listener, or in a task of main."""
        self.witness.begun[number] = self.now()
        self._do(number, event)
        del self.witness.begun[number]

    def _do(self, number: int, event: EventEntry) -> None:
        if event.cancel is not None:
            self.cancel(number, event)
            return
        self.happened[number] = None
        pool = self.pool
        assert pool is not None
        try:
            for job in self.plan.queued_by_event(number):
                self.put(pool, self.owners[0], job)
            for name, status in (event.set_status or {}).items():
                self._set(self.jobs[name], status)
            for name, limit in (event.limit or {}).items():
                self.jobs[name].timeout = limit / 1e9
            if event.run is not None:
                self.jobs[event.run].run()
        except (JobPoolError, KeyError) as error:
            refused = isinstance(error, JobPoolError) and event.queue is None
            if refused and self.plan.model.expect.by_hand_refused is not None:
                self.refused.append(self.now())
            else:
                self.troubles.append((number, describe_error(error) or "", self.now()))

    @staticmethod
    def _set(job: Any, status: str) -> None:
        if status == "success":
            job.set_result("set by hand")
        elif status == "failed":
            job.set_exception(RuntimeError("set by hand"))
        else:
            job.change_status(JobStatus(status))


class _Named:
    def __init__(self, name: str):
        self.name = name

    def get_node_name(self) -> str:
        """The name of the node."""
        return self.name


class StrategyNode(_Named):
    """A node that jobs belong to, on one rank."""

    def __init__(self, name: str, owner: StageOwner):
        super().__init__(name)
        self.scaffold = owner

    def get_indicators(self) -> dict[str, Any]:
        """Return the indicators of a placement job: none."""
        return {}

    def place(self, chunk: Any, indicators: Any) -> Any:
        """Execute a placement job."""
        return self.scaffold.act()

    def _get_connect_args_from_job(self, pre: Any, post: Any) -> tuple[Any, Any]:
        return pre, post

    def connect(self, pre: Any, post: Any) -> Any:
        """Execute a connectivity job."""
        return self.scaffold.act()


@functools.lru_cache(maxsize=256)
def _strategy_class(name: str, methods: tuple[str, ...]) -> type[StrategyNode]:
    """The class of the strategies of a name, with methods that are cached; to make one takes as long as some runs."""

    def method(item: str, name: str) -> Any:
        def cached(self: StrategyNode) -> str:
            loaded = self.scaffold.stage.loaded
            loaded[item] = loaded.get(item, 0) + 1
            return item

        cached.__name__ = name
        return pool_cache(cached)

    return type("Strategy", (StrategyNode,), {each: method(f"{name}.{each}", each) for each in methods})


class StageOwner(Owner):
    """The owner of the pools on one rank; it notes what is cached and freed."""

    def __init__(self, comm: Comm, stage: ScenarioRun, rank: int):
        nodes = {name: kind(name, self) for name, kind in stage.classes.items()}
        super().__init__(comm, nodes, nodes)
        self.stage = stage
        self.log = stage.log[rank] = []
        self.current: PlannedJob

    def register_pool_cached_item(self, id: int, cleanup: Callable[[], Any]) -> None:
        """Note that a cached item was registered, and register it."""

        def noted() -> None:
            self.log.append(("frees", self.stage.now(), self.stage.items[id]))
            cleanup()
            if raises is not None:
                self.stage.raised.append(error := raises.make())
                raise error

        strategy = self.stage.plan.strategies.get(self.stage.items[id].partition(".")[0])
        raises = None if strategy is None else strategy.cleanup_raises
        super().register_pool_cached_item(id, noted)
        self.stage.peak = max(self.stage.peak, len(self._pool_cache))

    def dissolve(self) -> None:
        """Drop the references to the run, and to the nodes, which refer to this."""
        self.placement.clear()
        self.connectivity.clear()
        del self.stage

    def act(self) -> Any:
        """Execute the job that runs on this rank as the scenario says."""
        job, runtime = self.current, self.stage.runtime
        if self.stage.plan.model.ranks == 1:
            self.stage.witness.is_called(f"job {job.name}")
        for name, method in (*job.caches, *job.calls):
            getattr(self.placement[name], method)()
        return runtime.act(job)


def work(owner: StageOwner, *arguments: Any) -> Any:
    """Do the work of a function job."""
    return owner.act()


class Node(_Named):
    """A node that queues jobs while the pool executes."""

    def __init__(
        self, stage: ScenarioRun, owner: StageOwner, number: int, scheduler: Scheduler, depends_on: list[Node]
    ):
        super().__init__(scheduler.name)
        self.stage, self.owner, self.number, self.scheduler = stage, owner, number, scheduler
        self.depends_on = depends_on

    def queue(self, pool: JobPool) -> None:
        """Queue the jobs of the node; the pool calls it."""
        stage, scheduler = self.stage, self.scheduler
        kernel = stage.runtime.kernel
        while scheduler.at is not None and kernel.now < scheduler.at:
            kernel.park(f"the time at which {self.name} begins", scheduler.at)
        kernel.compute(scheduler.takes, f"scheduler {self.name} to queue its jobs")
        for place, job in enumerate(stage.plan.of_scheduler(self.number)):
            if place and scheduler.every:
                kernel.compute(scheduler.every, f"scheduler {self.name} to queue the next job")
            stage.put(pool, self.owner, job)
        for pattern in scheduler.cancels:
            for name in stage.plan.match(pattern):
                if name in stage.jobs:
                    stage.jobs[name].cancel(f"{self.name} said so")
        if scheduler.raises is not None:
            raise scheduler.raises.make()


class ScenarioListener:
    """A listener that acts as the scenario says, and records its notifications."""

    def __init__(self, stage: ScenarioRun, listener: Listener):
        self._stage = stage
        self._name, self._called = listener.name, f"listener {listener.name}"
        self._heard = stage.heard.setdefault(listener.name, [])
        self._handles = [matcher(pattern) for pattern in listener.handles]
        #: actions, each to be done once: (when, at, function).
        self._to_do: list[tuple[Occurrence | None, int | None, Callable[[], Any]]] = [
            (when, None, partial(self._raise, error, when.text)) for when, error in listener.raises.items()
        ]
        first = stage.plan.model.pool.listeners[0].name
        for number, event in enumerate(stage.plan.model.events):
            if event.raises is not None and (event.by or first) == listener.name:
                self._to_do.append((event.when, event.at, partial(self._raise, event.raises, number)))
            elif event.by == listener.name:
                self._to_do.append((event.when, event.at, partial(stage.execute_event, number, event)))

    def _raise(self, error: ErrorToRaise, what: int | str) -> None:
        raised = error.make()
        if isinstance(what, int):
            self._stage.happened[what] = None
        else:
            self._stage.raised_by[self._name, what] = None
        self._stage.raised.append(raised)
        raise raised

    def __enter__(self) -> None:
        self._stage.witness.entered += 1

    def __exit__(self, *error: object) -> bool:
        self._stage.witness.left.append(error[1])
        return True  # which makes no error unseen

    def __call__(self, progress: PoolProgress) -> bool:
        """Note a notification, and do what the scenario says of it."""
        now, name, status, witness = self._stage.now(), "", "", self._stage.witness
        if progress.reason is not PoolProgressReason.MAX_TIMEOUT_PING:  # there may be very many of these
            witness.is_called(self._called)
        if isinstance(progress, PoolJobUpdateProgress):
            name, status = self._name_of(progress.job), progress.status.value
            self._heard.append((now, name, status))
        elif isinstance(progress, PoolJobAddedProgress):
            witness.added.setdefault(self._name, []).append(self._name_of(progress.job))
        elif isinstance(progress, PoolStatusProgress):
            witness.told(self._name, progress.old_status, progress.status)
        elif progress.reason is PoolProgressReason.MAX_TIMEOUT_PING:
            status = "ping"
            self._heard.append((now, None, status))
        for each in self._to_do[:]:
            when, at, do = each
            due = now >= at if at is not None else when is not None and occurs(when, name, status)
            if due:
                self._to_do.remove(each)
                do()
        return status in ("failed", "aborted") and any(fit(name) for fit in self._handles)

    def _name_of(self, job: Job) -> str:
        assert self._stage.pool is not None
        return self._stage.by_id[str(self._stage.pool.id), job.id].name


def occurs(when: Occurrence, name: str, status: str) -> bool:
    """Return whether something is the occurrence that an event waits for: a job takes a status, or a ping comes."""
    if when.kind == "ping":
        return status == "ping"
    return status in when.statuses and bool(matcher(when.pattern)(name))
