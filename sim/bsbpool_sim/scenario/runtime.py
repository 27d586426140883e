"""Executes a scenario in one simulation: lets jobs take their time and end as it says, and makes its events happen.

What main and the other ranks run is in `program`. What each fault does to ranks and links belongs to
`bsbpool_sim.script`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bsbpool.durations import exact_duration
from bsbpool.exceptions import JobInterrupted
from bsbpool.facts import Interrupted, Killed
from bsbpool.pool import JobStatus
from bsbpool.pool.port import PoolPort
from bsbpool.text import scrub
from bsbpool.trace.events import record_of
from bsbpool.worlds import Role

from ..random_streams import stream
from ..script import Script, ScriptRuntime
from .expanding import PlannedJob
from .model import BY_SOMEBODY, EventEntry
from .program import ScenarioRun, occurs
from .unsendable import Unpicklable, unloadable
from .written_values import Occurrence

if TYPE_CHECKING:
    from ..cluster import Cluster, PoolKey


#: Events at one instant after which a run is given up: those of any scenario, and for each of its jobs.
MOST_AT_ONCE, MOST_OF_A_JOB = 30_000, 1000


class ScenarioScript(Script):
    """The script of a run of a scenario."""

    def __init__(self, stage: ScenarioRun):
        super().__init__()
        self._stage = stage
        for rank, factor in stage.plan.model.slow.items():
            self.rank(rank, slower=float(factor))

    def make_runtime(self, cluster: Cluster) -> ScriptRuntime:
        """Make the object that executes the scenario."""
        return ScenarioRuntime(self, cluster, self._stage)


class ScenarioRuntime(ScriptRuntime):
    """Executes a scenario in one simulation: its jobs and events."""

    def __init__(self, script: Script, cluster: Cluster, stage: ScenarioRun):
        super().__init__(script, cluster)
        self.kernel = cluster.kernel
        self.cluster = cluster
        self._stage = stage
        stage.runtime = self
        # What never lets time go on is found long before the horizon.
        self.kernel.most_at_once = MOST_AT_ONCE + MOST_OF_A_JOB * len(stage.plan.jobs)
        self._waiting: list[tuple[int, EventEntry]] = []
        for number, event in enumerate(stage.plan.model.events):
            if event.raises is not None or event.by is not None or (event.cancel is not None and event.at == 0):
                continue  # listeners and main execute these
            if event.at is not None:
                self.kernel.fault(event.at, self._happen, (number, event))
            else:
                self._waiting.append((number, event))
        self._forward = cluster.recorder.record
        if self._waiting:
            cluster.recorder.record, cluster.recorder.folds = self._record, False

    def dissolve(self) -> None:
        """Drop the reference to the run, which refers to this, once it is over."""
        del self._stage

    # -- jobs ------------------------------------------------------------------------------------------------

    def introduce(self, key: PoolKey, job: int, name: str, context: Mapping[str, Any]) -> None:
        """Note a job that was queued."""
        stage = self._stage
        assert stage.coming is not None
        stage.by_id[stage.plan.phases[key[1] - 1], job] = stage.coming

    def perform(self, key: PoolKey, job: int, function: Callable[[], Any]) -> Any:
        """Execute a job as the scenario says."""
        stage = self._stage
        planned = stage.by_id[stage.plan.phases[key[1] - 1], job]
        owner = stage.owners[self.kernel.task.rank.index]
        owner.log.append(("starts", self.kernel.now, planned.name))
        owner.current = planned
        return function()

    def strike(self, key: PoolKey, job: int, function: Callable[[], Any]) -> Any:
        """Run a job that a chosen fault strikes."""
        return self.perform(key, job, function)

    def act(self, job: PlannedJob) -> Any:
        """Execute a job: let its time pass, then end it as the scenario says."""
        self._let_time_pass(job)
        if job.entry.kills:
            self.kill((self.kernel.task.rank, Killed(scrub(job.name))))
        return self._end(job)

    def _let_time_pass(self, job: PlannedJob) -> None:
        entry, kernel, name = job.entry, self.kernel, job.name
        ns = entry.takes.draw(lambda: stream(self._stage.seed, f"duration of {name}"))
        start, slowness = kernel.now, kernel.task.rank.slowness
        while True:
            try:
                if left := max(0, ns - round((kernel.now - start) / slowness)):
                    kernel.compute(left, f"job {name!r} to end, which takes {exact_duration(ns)}")
                while entry.hangs:
                    kernel.park(f"job {name!r} to end, which hangs")
                break
            except JobInterrupted:
                if not entry.uninterruptible:
                    raise

    def _end(self, job: PlannedJob) -> Any:
        """What a job returns, or raises."""
        entry, name, error = job.entry, job.name, None
        if entry.raises is not None:
            error = unloadable(entry.raises.make()) if entry.unloadable else entry.raises.make()
        elif job.recorded is not None:
            error = job.recorded.raises
        if error is not None:
            self._stage.raised.append(error)
            raise error
        value = Unpicklable() if entry.unpicklable else job.fill(entry.returns)
        if entry.returns_bytes is not None:
            value = (name.encode() * (1 + entry.returns_bytes // len(name)))[: entry.returns_bytes]
        self._stage.returned[name] = value
        return value

    # -- events ----------------------------------------------------------------------------------------------

    def _record(self, event: tuple[Any, ...]) -> None:
        """Note an event of the trace, and let happen what waited for it."""
        self._forward(event)
        if event[0] not in ("status", "ping", "lost", "pool"):
            return
        event = record_of(event)
        for each in self._waiting[:]:
            when = each[1].when
            assert when is not None
            if self._is(when, event):
                self._waiting.remove(each)
                self.kernel.fault(self.kernel.now, self._happen, each)

    def _is(self, when: Occurrence, event: Any) -> bool:
        """Whether an event of the trace is what an occurrence says."""
        if event.e == "status":
            return when.kind == "job" and occurs(when, self._stage.by_id[event.pool, event.job].name, event.status)
        if event.e == "lost":
            return when.kind == "lost" and event.rank == int(when.pattern)
        return when.kind == event.e if event.e == "ping" else when.kind == "phase" and event.pool == when.pattern

    def _happen(self, what: tuple[int, EventEntry]) -> None:
        number, event = what
        kernel, stage = self.kernel, self._stage
        stage.happened[number] = None
        if any(getattr(event, action) is not None for action in BY_SOMEBODY):
            if stage.pool is None:
                stage.troubles.append((number, "there was no pool yet", kernel.now))
            else:
                PoolPort(stage.pool).start(Role.EVENT, stage.execute_event, number, event)
        elif event.interrupt is not None:
            main = kernel.ranks[0].main
            assert main is not None
            if main.ended_at is not None or main.rank.dead_at is not None:
                stage.troubles.append((number, "main was gone by then", kernel.now))
                return
            self.cluster.recorder.emit("fault", 0, Interrupted())
            error = KeyboardInterrupt()
            stage.raised.append(error)
            kernel.interrupt(main, error)
        elif event.kill is not None:
            self.kill((kernel.ranks[event.kill], Killed(None)))
        elif event.kill_rank_of is not None:
            job = stage.jobs.get(event.kill_rank_of)
            if job is None or job.status is not JobStatus.RUNNING:
                said = "is not queued" if job is None else f"is {job.status.value}"
                stage.troubles.append((number, f"{event.kill_rank_of} {said} then", kernel.now))
            else:
                self.kill((kernel.ranks[job._rank], Killed(None)))
        elif event.pause is not None:
            self.pause((kernel.ranks[event.pause.rank], event.pause.length))
        elif event.slow is not None:
            self.slow_down((kernel.ranks[event.slow.rank], float(event.slow.by)))
        else:
            delay = event.delay
            assert delay is not None
            self.delay((delay.source, delay.to, delay.by))
