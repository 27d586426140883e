"""Expands a scenario into its jobs with their dependencies, and checks whether its parts fit together.

`model` checks each part on its own. Mistakes found here: a part names another that does not exist, or two parts
contradict each other.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..kernel import nanoseconds
from ..recorded import RecordedJob, RecordingError, read_recording
from .document import Document, KeyPath, ScenarioError
from .model import ACTIONS, BY_SOMEBODY, MOST_JOBS, Event, Job, Model, Occurrence, Scheduler, Strategy, Takes, shown

#: The ways in which main can leave, besides with an exception that is named.
OUTCOMES = ("ok", "error", "deadlock", "horizon", "died")

#: Limits: dependencies of all jobs of a scenario, and names that are compared with patterns.
MOST_WAITS, MOST_COMPARED = 2_000_000, 20_000_000

#: The strategy whose cached methods stand for the cached items of a recording; each has the id as its name.
RECORDED = "recorded"

#: Names that can't be keys of a job's context, since they are options of queue().
_TAKEN = ("submitter", "cache_items", "deps", "args", "kwargs", "f", "self", "chunks", "timeout")


@dataclass(eq=False)
class PlannedJob:
    """One job: an entry of the scenario, with an index."""

    name: str
    entry: Job
    path: KeyPath
    index: int
    phase: int
    scheduler: int | None
    deps: list[str] = field(default_factory=list)
    #: the cached methods that it requires and calls, as (strategy, method).
    caches: tuple[tuple[str, str], ...] = ()
    #: the recorded job that it repeats, if any.
    recorded: RecordedJob | None = None

    def fill(self, value: Any) -> Any:
        """Replace ``{i}`` by the index."""
        return _fill(value, self.index) if self.entry.repeat else value


def _fill(value: Any, index: int) -> Any:
    if isinstance(value, str):
        return index if value == "{i}" else value.replace("{i}", str(index))
    if isinstance(value, list):
        return [_fill(each, index) for each in value]
    if isinstance(value, dict):
        return {_fill(key, index): _fill(each, index) for key, each in value.items()}
    return value


def matcher(pattern: str) -> Callable[[str], Any]:
    """Whether a text matches a pattern, in which ``*`` is any text and ``?`` any character."""
    if "*" not in pattern and "?" not in pattern:
        return pattern.__eq__
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL).fullmatch


def nearest(name: str, known: Iterable[str], what: str) -> str:
    """Suggest the most similar known name."""
    names = list(known)
    if not names:
        return f"there are no {what}"
    if near := difflib.get_close_matches(name, names[:5000], n=1, cutoff=0.5):
        return f"the nearest one is {near[0]!r}"
    listed = ", ".join(map(repr, names[:5]))
    return f"there are {listed}" + (" and others" if len(names) > 5 else "")


class Plan:
    """A scenario whose parts fit together.

    :ivar jobs: all jobs by name: those of main in an order in which they can be queued, then those of schedulers.
    :ivar phases: names of the pools, in order.
    :ivar strategies: the nodes that jobs belong to, by name.
    :ivar problems: all mistakes.
    :param partial: the model is the rest of one that has mistakes. Then nothing is raised, and missing names are not
        reported, since they may have been removed.
    :raises ScenarioError: the parts do not fit together; it has all mistakes.
    """

    def __init__(self, model: Model, document: Document, *, partial: bool = False):
        self.model = model
        self.document = document
        self.problems: list[ScenarioError] = []
        # Whether jobs of the file are missing here, so that unknown names are not reported.
        self._lacks_jobs = partial
        self._partial = partial
        self.phases = list(model.workflow) or ["pool"]
        self.strategies = dict(model.strategies)
        self.jobs: dict[str, PlannedJob] = {}
        self._matches: dict[str, list[str]] = {}
        # The jobs that main queues in each phase, and those of each scheduler.
        self._by_queue: dict[tuple[int | None, int | None], list[PlannedJob]] = {}
        self._compared = self._waits = 0
        self._check_ground()
        self._check_strategies()
        self._read_recording()
        self._expand()
        self._depend()
        for job in self.jobs.values():
            key = (None, job.phase) if job.scheduler is None else (job.scheduler, None)
            self._by_queue.setdefault(key, []).append(job)
        self._check_schedulers()
        self._check_events()
        self._check_expectations()
        if self.problems and not partial:
            raise ScenarioError.of(self.problems)

    # -- what others ask -------------------------------------------------------------------------------

    def match(self, pattern: str) -> list[str]:
        """Return the names of the jobs that a pattern matches, in order."""
        found = self._matches.get(pattern)
        if found is None:
            if pattern in self.jobs:
                found = [pattern]
            else:
                fits = matcher(pattern)
                if "*" not in pattern and "?" not in pattern:
                    found = []  # it is not a job, otherwise it would be among them
                else:
                    self._compared += len(self.jobs)
                    found = [name for name in self.jobs if fits(name)] if self._compared <= MOST_COMPARED else []
            self._matches[pattern] = found
        return found

    @property
    def items(self) -> list[str]:
        """Return the names of all cached items, such as ``golgi.load``."""
        return [f"{name}.{method}" for name, s in self.strategies.items() for method in s.cached]

    def of_main(self, phase: int) -> Iterator[PlannedJob]:
        """Return the jobs that main queues in a phase."""
        return iter(self._by_queue.get((None, phase), ()))

    def of_scheduler(self, number: int) -> list[PlannedJob]:
        """Return the jobs that a scheduler queues."""
        return self._by_queue.get((number, None), [])

    # -- ranks, phases, strategies -----------------------------------------------------------------------

    def _report(self, path: KeyPath, message: str, *, key: bool = False) -> None:
        """Add a mistake at a path; all mistakes are reported together."""
        self.problems.append(self.document.wrong(path, message, key=key))

    def _check_rank(self, path: KeyPath, rank: int, *, key: bool = False) -> None:
        if rank >= self.model.ranks:
            there = f"ranks 0 to {self.model.ranks - 1}" if self.model.ranks > 1 else "rank 0"
            self._report(
                path, f"rank {rank} is not there: there {'are' if self.model.ranks > 1 else 'is'} {there}", key=key
            )

    def _check_ground(self) -> None:
        if self.model.pool.job_timeout == 0:
            self._report(("pool", "job_timeout"), "job_timeout is a time above 0, such as 10s")
        for rank in self.model.slow:
            self._check_rank(("slow", rank), rank, key=True)
        seen: dict[str, None] = {}
        for number, phase in enumerate(self.model.workflow):
            if phase in seen:
                self._report(("workflow", number), f"phase {phase!r} stands here a second time")
            seen[phase] = None

    def _check_strategies(self) -> None:
        for name, strategy in self.model.strategies.items():
            if not re.fullmatch(r"[^\s.*?]+", name):
                self._report(
                    ("strategies", name),
                    f"{name!r} is no name for a strategy: leave out blanks, dots, * and ?",
                    key=True,
                )
            for number, method in enumerate(strategy.cached):
                path = ("strategies", name, "cached", number)
                if not method.isidentifier() or method.startswith("_") or method in _METHODS:
                    self._report(path, f"{shown(method)} is no name for a cached method: take a word such as load")
                if method in strategy.cached[:number]:
                    self._report(path, f"method {method!r} stands here a second time")

    # -- jobs --------------------------------------------------------------------------------------------

    def _read_recording(self) -> None:
        """Add the jobs of a recording; each has its id in its name, since the jobs of a strategy share a name."""
        if self.model.recording is None:
            return
        path: KeyPath = ("recording",)
        try:
            recording = read_recording(Path(self.document.file).parent / self.model.recording)
        except RecordingError as error:
            self._report(path, f"no recording can be taken from there: {error}")
            self._lacks_jobs = True
            return
        if len(recording.pools) > len(self.phases):
            self._report(
                path,
                f"this recording has {len(recording.pools)} pools, and each is a phase: name them under workflow, "
                "such as [placement, connectivity]",
            )
            self._lacks_jobs = True
            return
        if RECORDED in self.strategies:
            self._report(
                ("strategies", RECORDED), "this is the strategy of the recording's own items: take another", key=True
            )
        names = {job.id: f"{job.name} {job.id}" for job in recording.jobs}
        items: dict[str, None] = {}
        for phase, pool in enumerate(recording.pools):
            for job in pool:
                entry = Job.model_construct(
                    name=names[job.id],
                    context={"chunk": job.args, "recorded": job.id},
                    after=[names[dep] for dep in job.deps],
                    takes=Takes("fixed", (nanoseconds(job.takes),)),
                )
                cached = [str(item) for item in job.cache_items]
                items.update(dict.fromkeys(cached))
                self.jobs[entry.name] = PlannedJob(
                    entry.name, entry, path, 0, phase, None, [], tuple((RECORDED, item) for item in cached), job
                )
        self.strategies[RECORDED] = Strategy(cached=list(items))

    def _expand(self) -> None:
        for number, entry in enumerate(self.model.jobs):
            self._expand_entry(entry, ("jobs", number), None, self._phase(entry.phase, ("jobs", number)))
        for s, scheduler in enumerate(self.model.schedulers):
            phase = self._phase(scheduler.phase, ("schedulers", s))
            for number, entry in enumerate(scheduler.jobs):
                path = ("schedulers", s, "jobs", number)
                if entry.phase is not None and entry.phase != scheduler.phase:
                    self._report(
                        (*path, "phase"), "the job of a scheduler is in the phase of its scheduler: leave this out"
                    )
                self._expand_entry(entry, path, s, phase)
        for e, event in enumerate(self.model.events):
            for number, entry in enumerate(event.queue or ()):
                path = ("events", e, "queue", number)
                self._expand_entry(entry, path, len(self.model.schedulers) + e, self._phase(entry.phase, path))

    def queued_by_event(self, event: int) -> Iterator[PlannedJob]:
        """Return the jobs that an event queues."""
        number = len(self.model.schedulers) + event
        return (job for job in self.jobs.values() if job.scheduler == number)

    def _phase(self, name: str | None, path: KeyPath) -> int:
        if name is None:
            return 0
        if name not in self.model.workflow:
            if not self._partial:
                self._report(
                    (*path, "phase"),
                    f"phase {name!r} is not there: "
                    f"{nearest(name, self.model.workflow, 'phases: list them under workflow')}",
                )
            return 0
        return self.model.workflow.index(name)

    def _expand_entry(self, entry: Job, path: KeyPath, scheduler: int | None, phase: int) -> None:
        endings = [
            key
            for key in ("returns", "raises", "hangs", "kills", "unpicklable", "returns_bytes")
            if key in entry.model_fields_set
        ]
        if len(endings) > 1:
            self._report(
                (*path, endings[1]),
                f"a job ends in one way, and this one has {endings[0]!r} already: leave one out",
                key=True,
            )
        if entry.repeat is None and "{i}" in entry.name:
            self._report((*path, "name"), "the name holds {i}, and there is no repeat: say how many with 'repeat: 10'")
            self._lacks_jobs = True
        if entry.repeat is not None and "{i}" not in entry.name:
            self._report((*path, "name"), "with repeat, names must differ: put {i} into the name, which is the index")
            self._lacks_jobs = True
            return
        if entry.timeout == 0:
            self._report((*path, "timeout"), "a timeout is a time above 0, such as 10s")
        self._check_kind(entry, path)
        caches = self._caches(entry, path)
        if len(self.jobs) + (entry.repeat or 1) > MOST_JOBS:
            self._report((*path, "repeat"), f"these are more than {MOST_JOBS} jobs altogether")
            self._lacks_jobs = True
            return
        for index in range(entry.repeat or 1):
            name = entry.name.replace("{i}", str(index)) if entry.repeat else entry.name
            if "*" in name or "?" in name:
                self._report((*path, "name"), f"{name!r} holds * or ?, which patterns have: take another name")
                self._lacks_jobs = True
                return
            if name in self.jobs:
                line = self.document.place((*self.jobs[name].path, "name"))[0]
                self._report((*path, "name"), f"job {name!r} is there already, on line {line}: names are unique")
                return
            job = PlannedJob(name, entry, path, index, phase, scheduler, [], caches)
            self.jobs[name] = job

    def _check_kind(self, entry: Job, path: KeyPath) -> None:
        if entry.strategy is not None and entry.strategy not in self.strategies and not self._partial:
            self._report(
                (*path, "strategy"),
                f"strategy {entry.strategy!r} is not there: {nearest(entry.strategy, self.strategies, 'strategies')}",
            )
        if entry.kind == "function":
            for key in entry.context:
                if not str(key).isidentifier() or key in _TAKEN:
                    self._report(
                        (*path, "context", key),
                        f"{key!r} can't be in a context: take a word that has no meaning in queue()",
                        key=True,
                    )
            return
        if entry.strategy is None and (*path, "strategy") not in self.document.keys:
            self._report((*path, "kind"), f"a {entry.kind} job belongs to a strategy: say which with 'strategy'")
        if entry.context:
            self._report(
                (*path, "context"),
                f"a {entry.kind} job has no context: leave it out, or make it a function job",
                key=True,
            )

    def _caches(self, entry: Job, path: KeyPath) -> tuple[tuple[str, str], ...]:
        items: dict[tuple[str, str], None] = {}
        if entry.strategy in self.strategies:
            items.update({(str(entry.strategy), m): None for m in self.strategies[entry.strategy].cached})
        if entry.caches and entry.kind != "function":
            self._report(
                (*path, "caches"),
                f"a {entry.kind} job caches what its strategy caches: leave this out, or make it a function job",
                key=True,
            )
        for number, text in enumerate(entry.caches):
            where = self._at(path, "caches", number)
            name, _, method = text.partition(".")
            if name not in self.strategies:
                if self._partial:
                    continue
                self._report(where, f"strategy {name!r} is not there: {nearest(name, self.strategies, 'strategies')}")
                continue
            methods = self.strategies[name].cached
            if method and method not in methods:
                if not self._partial:
                    near = nearest(method, methods, "cached methods")
                    self._report(where, f"{name} has no cached method {method!r}: {near}")
                continue
            items.update({(name, m): None for m in ([method] if method else methods)})
        return tuple(items)

    def _at(self, path: KeyPath, key: str, number: int) -> KeyPath:
        """Return the path of one of several texts, or of the only one."""
        return (*path, key, number) if (*path, key, number) in self.document.values else (*path, key)

    def _depend(self) -> None:
        # By entry: the paths of patterns that were reported already; an entry may stand for many jobs.
        wrong: dict[KeyPath, dict[KeyPath, None]] = {}
        for job in self.jobs.values():
            deps: dict[str, None] = {}
            told: dict[KeyPath, None] = wrong.setdefault(job.path, {})
            for number, text in enumerate(job.entry.after):
                pattern = job.fill(text) if "{i}" in text else text
                where = self._at(job.path, "after", number)
                found = self.match(str(pattern))
                self._waits += len(found)
                if self._compared > MOST_COMPARED or self._waits > MOST_WAITS:
                    self._report(
                        where,
                        f"too much is to be looked up here: jobs may wait for {MOST_WAITS:,} others in all, and "
                        f"{MOST_COMPARED:,} names be compared with patterns; let jobs wait for one that waits for many",
                    )
                    return
                if not found and where not in told:
                    self._miss_job(where, str(pattern))
                    told[where] = None
                for name in found:
                    if name != job.name:
                        if self._may_depend(job, self.jobs[name], where, told):
                            deps[name] = None
                    elif pattern == name and where not in told:
                        told[where] = None
                        self._report(where, f"{name!r} waits for itself: nothing would ever start it")
            job.deps = list(deps)
        self._sort()

    def _may_depend(self, job: PlannedJob, other: PlannedJob, where: KeyPath, told: dict[KeyPath, None]) -> bool:
        """Whether a job can wait for another one; if it can't, the mistake is added once for each path."""
        count = len(self.problems)
        if where not in told:
            self._check_dependency(job, other, where)
        if len(self.problems) > count:
            told[where] = None
        return where not in told

    def _check_dependency(self, job: PlannedJob, other: PlannedJob, where: KeyPath) -> None:
        if job.phase != other.phase:
            self._report(
                where,
                f"{other.name!r} is in another phase: a job waits for jobs of its own phase, and each "
                "phase for the one before",
            )
        if other.scheduler is not None and (job.scheduler is None or job.scheduler < other.scheduler):
            count = len(self.model.schedulers)
            by = f"scheduler {self.model.schedulers[other.scheduler].name!r}" if other.scheduler < count else "an event"
            self._report(
                where,
                f"{other.name!r} is queued by {by}, after {job.name!r}: a job waits for jobs that are queued before it",
            )

    def _sort(self) -> None:
        """Sort jobs topologically; otherwise they keep their order."""
        done: dict[str, PlannedJob] = {}
        for start in self.jobs:
            way: dict[str, Iterator[str]] = {start: iter(self.jobs[start].deps)} if start not in done else {}
            while way:
                name = next(reversed(way))
                for dep in way[name]:
                    if dep in way:
                        ring = [*list(way)[list(way).index(dep) :], dep]
                        number = next(
                            (
                                n
                                for n, t in enumerate(self.jobs[name].entry.after)
                                if dep in self.match(str(self.jobs[name].fill(t)))
                            ),
                            0,
                        )
                        said = " waits for ".join(map(repr, ring if len(ring) < 8 else [*ring[:3], "…", *ring[-3:]]))
                        self._report(
                            self._at(self.jobs[name].path, "after", number), f"dependencies go in a circle: {said}"
                        )
                        return
                    if dep not in done:
                        way[dep] = iter(self.jobs[dep].deps)
                        break
                else:
                    done[name] = self.jobs[name]
                    del way[name]
        self.jobs = done
        self._matches.clear()

    # -- schedulers ----------------------------------------------------------------------------------------

    def _check_schedulers(self) -> None:
        before: dict[str, Scheduler] = {}
        for number, scheduler in enumerate(self.model.schedulers):
            path: KeyPath = ("schedulers", number)
            if scheduler.name in before or scheduler.name in self.jobs:
                self._report((*path, "name"), f"{scheduler.name!r} is there already: names are unique")
            for n, name in enumerate(scheduler.depends_on):
                if name not in before and not self._partial:
                    self._report(
                        (*path, "depends_on", n),
                        f"scheduler {name!r} does not come before this one: "
                        f"{nearest(name, before, 'schedulers before it')}",
                    )
            self._check_patterns(path, "cancels", scheduler.cancels)
            before[scheduler.name] = scheduler

    def _check_patterns(self, path: KeyPath, key: str, patterns: Iterable[str]) -> None:
        for number, pattern in enumerate(patterns):
            if not self.match(pattern):
                self._miss_job(self._at(path, key, number), pattern)

    def _miss_job(self, path: KeyPath, pattern: str, *, key: bool = False) -> None:
        """Add the mistake that a pattern matches no job, if all jobs are known."""
        if not self._lacks_jobs:
            self._report(path, f"no job matches {pattern!r}: {nearest(pattern, self.jobs, 'jobs')}", key=key)

    # -- events ----------------------------------------------------------------------------------------------

    def _check_events(self) -> None:
        names: dict[str, None] = {}
        for number, listener in enumerate(self.model.pool.listeners):
            path: KeyPath = ("pool", "listeners", number)
            if listener.max_wait == 0:
                self._report((*path, "max_wait"), "max_wait is a time above 0, such as 100ms")
            if listener.name in names:
                self._report((*path, "name"), f"listener {listener.name!r} is there already: give each its name")
            names[listener.name] = None
            self._check_patterns(path, "handles", listener.handles)
            for condition in listener.raises:
                self._check_occurrence((*path, "raises", condition.text), condition, key=True)
                self._check_told((*path, "raises", condition.text), condition, key=True)
        for number, event in enumerate(self.model.events):
            self._check_event(event, ("events", number), names)

    def _check_event(self, event: Event, path: KeyPath, listeners: Mapping[str, None]) -> None:
        if (event.at is None) == (event.when is None) and not (self._partial and event.at is None):
            self._report(path, "an event happens at a time or when something happens: give one of 'at' and 'when'")
        actions = [name for name in ACTIONS if getattr(event, name) is not None]
        if len(actions) != 1 and not (self._partial and not actions):
            said = ", ".join({"raises": "raise", "set_status": "set"}.get(name, name) for name in ACTIONS)
            self._report(path, f"an event does one thing, and this does {len(actions)}: give one of {said}")
        if event.when is not None:
            self._check_occurrence((*path, "when"), event.when)
            if event.by is not None or event.raises is not None:
                self._check_told((*path, "when"), event.when)
        if event.cancel is not None:
            self._check_patterns(path, "cancel", event.cancel)
        elif event.reason is not None:
            self._report((*path, "reason"), "a reason belongs to cancel", key=True)
        if event.by is not None and actions[0] not in ("raises", *BY_SOMEBODY):
            self._report((*path, "by"), "'by' names the listener that raises, cancels, queues, sets or runs", key=True)
        if event.by is not None and event.by not in listeners and not self._partial:
            self._report(
                (*path, "by"), f"listener {event.by!r} is not there: {nearest(event.by, listeners, 'listeners')}"
            )
        if event.raises is not None and not listeners and not self._partial:
            self._report(path, "a listener raises, and there is none: add one under pool, listeners")
        for key, name in [*(("set", name) for name in event.set_status or ()), ("run", event.run),
                          ("kill_rank_of", event.kill_rank_of)]:  # fmt: skip
            if name is not None and name not in self.jobs:
                where = (*path, "set", name) if key == "set" else (*path, key)
                self._miss_job(where, name, key=key == "set")
        if event.kill is not None:
            self._check_rank((*path, "kill"), event.kill)
        if event.pause is not None:
            self._check_rank((*path, "pause", "rank"), event.pause.rank)
        if event.slow is not None:
            self._check_rank((*path, "slow", "rank"), event.slow.rank)
        if event.delay is not None:
            self._check_rank((*path, "delay", "from"), event.delay.source)
            self._check_rank((*path, "delay", "to"), event.delay.to)

    def _check_occurrence(self, path: KeyPath, happens: Occurrence, *, key: bool = False) -> None:
        """Check that the subject of an occurrence exists."""
        if happens.kind == "job" and not self.match(happens.pattern):
            self._miss_job(path, happens.pattern, key=key)
        if happens.kind == "lost":
            self._check_rank(path, int(happens.pattern), key=key)
        if happens.kind == "phase" and happens.pattern not in self.model.workflow and not self._partial:
            self._report(
                path,
                f"phase {happens.pattern!r} is not there: {nearest(happens.pattern, self.model.workflow, 'phases')}",
                key=key,
            )

    def _check_told(self, path: KeyPath, happens: Occurrence, *, key: bool = False) -> None:
        """Check that a listener is notified of an occurrence."""
        if happens.kind not in ("job", "ping"):
            self._report(
                path,
                f"a listener is told of jobs and of pings, and not that {happens.text}: wait for one of those",
                key=key,
            )

    # -- expectations ------------------------------------------------------------------------------------------

    def _check_expectations(self) -> None:
        expect = self.model.expect
        if expect.outcome is not None and expect.outcome not in OUTCOMES and not expect.outcome[:1].isupper():
            near = difflib.get_close_matches(expect.outcome, OUTCOMES, n=1)
            self._report(
                ("expect", "outcome"),
                f"{expect.outcome!r} is no outcome: "
                + (f"did you mean {near[0]}?" if near else f"there are {', '.join(OUTCOMES)}, and names of exceptions"),
            )
        if expect.deadlock is not None and expect.outcome not in (None, "deadlock"):
            self._report(
                ("expect", "outcome"), f"a deadlock is expected, so that the outcome can't be {expect.outcome!r}"
            )
        schedulers = [s.name for s in self.model.schedulers]
        for key in expect.errors or ():
            if key != "pool" and key not in schedulers and not self.match(key) and not self._lacks_jobs:
                self._report(
                    ("expect", "errors", key),
                    f"no job or scheduler matches {key!r}: {nearest(key, [*self.jobs, *schedulers], 'jobs')}",
                    key=True,
                )
        for part, said in (("statuses", expect.statuses), ("results", expect.results), ("ran_on", expect.ran_on)):
            for key in said:
                if not self.match(key):
                    self._miss_job(("expect", part, key), key, key=True)
        for name, ranks in expect.ran_on.items():
            for rank in ranks:
                self._check_rank(("expect", "ran_on", name), rank)
        for number, happens in enumerate(expect.order):
            self._check_occurrence(("expect", "order", number), happens)
        for rank, freeings in expect.freed.items():
            self._check_rank(("expect", "freed", rank), rank, key=True)
            for number, freeing in enumerate(freeings):
                path: KeyPath = ("expect", "freed", rank, number)
                self._check_item(path, freeing.item)
                if freeing.before is not None and not self.match(freeing.before):
                    self._miss_job(path, freeing.before)
        for item in expect.loaded:
            self._check_item(("expect", "loaded", item), item, key=True)
        if expect.others is not None:
            covered = {name for pattern in expect.statuses for name in self.match(pattern)}
            left = [name for name in self.jobs if name not in covered]
            if left and not self._lacks_jobs:
                self._report(
                    ("expect", "others"),
                    f"'others: none' goes with the status of each job, and {left[0]!r} has none: add it to statuses",
                    key=True,
                )

    def _check_item(self, path: KeyPath, item: str, *, key: bool = False) -> None:
        if item not in self.items and not self._partial:
            self._report(
                path, f"cached item {item!r} is not there: {nearest(item, self.items, 'cached items')}", key=key
            )


#: The attributes of a strategy that cached methods can't have as their name.
_METHODS = ("name", "scaffold", "get_node_name", "get_indicators", "place", "connect")

__all__ = ["OUTCOMES", "Plan", "PlannedJob", "matcher", "nearest"]
