"""Expands a scenario into its jobs, with what each waits for, in an order in which they can be queued.

Mistakes found here are those of jobs. Whether events, listeners and expectations fit them is checked in `planning`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..kernel import nanoseconds
from .document import Document, KeyPath, ScenarioError
from .model import MOST_JOBS, JobEntry, Model, StrategyEntry
from .patterns import matcher
from .written_values import Takes, shown_yaml

if TYPE_CHECKING:
    from ..recorded import RecordedJob

#: Limits: dependencies of all jobs of a scenario, and names that are compared with patterns.
MOST_WAITS, MOST_COMPARED = 2_000_000, 20_000_000

#: Limits: pairs of letters that are compared for all suggestions, and bytes of all that jobs have and return.
MOST_LETTERS, MOST_BYTES = 2_000_000, 10**9
_TOO_MUCH = (
    f"too much is to be looked up here: jobs may wait for {MOST_WAITS:,} others and cached items in all, and "
    f"{MOST_COMPARED:,} names be compared with patterns"
)
#: Roughly the bytes that a value takes, and each of its letters, with all copies of it.
_VALUE, _LETTER = 100, 10
#: How often the status of a job changes as a rule.
_CHANGES = 3

#: The strategy whose cached methods stand for the cached items of a recording; each has the id as its name.
RECORDED = "recorded"

#: Names that can't be keys of a job's context, since they are options of queue().
_TAKEN = ("submitter", "cache_items", "deps", "args", "kwargs", "f", "self", "chunks", "timeout")


#: Stands in a list of names for an entry that is none, so that the others keep their index.
LEFT_OUT = "\0"


@dataclass(eq=False)
class PlannedJob:
    """One job: an entry of the scenario, with an index."""

    name: str
    entry: JobEntry
    path: KeyPath
    index: int
    phase: int
    scheduler: int | None
    deps: list[str] = field(default_factory=list)
    #: the cached methods that it requires and calls, as (strategy, method).
    caches: tuple[tuple[str, str], ...] = ()
    #: the recorded job that it repeats, if any.
    recorded: RecordedJob | None = None
    #: the cached methods that it calls and does not require.
    calls: tuple[tuple[str, str], ...] = ()

    def fill(self, value: Any) -> Any:
        """Replace ``{i}`` by the index."""
        return filled(value, self.index) if self.entry.repeat else value


def filled(value: Any, index: int) -> Any:
    """Replace ``{i}`` by an index, in all that a value holds; a text that is nothing else becomes a number."""
    if isinstance(value, str):
        return index if value == "{i}" else value.replace("{i}", str(index))
    if isinstance(value, list):
        return [filled(each, index) for each in value]
    if isinstance(value, dict):
        return {filled(key, index): filled(each, index) for key, each in value.items()}
    return value


def _bytes_of(value: Any, index: str) -> int:
    """Roughly the bytes that a value takes when it is filled."""
    if isinstance(value, str):
        return _VALUE + _LETTER * (len(value) + value.count("{i}") * len(index))
    if isinstance(value, dict):
        return _VALUE + sum(_bytes_of(key, index) + _bytes_of(each, index) for key, each in value.items())
    return _VALUE + (sum(_bytes_of(each, index) for each in value) if isinstance(value, list | tuple) else 0)


def nearest(name: str, known: Iterable[str], what: str, most: int) -> tuple[str, int]:
    """Suggest the most similar known name.

    :param most: pairs of letters that may be compared.
    :returns: the suggestion, and how many pairs were.
    """
    names: list[str] = []
    letters = 0
    for each in known:
        names.append(each)
        letters += len(each) * len(name)
        if letters > most:
            break
    if not names:
        return f"there are no {what}", 0
    if letters <= most and (near := difflib.get_close_matches(name, names, n=1, cutoff=0.5)):
        return f"the nearest one is {near[0]!r}", letters
    listed = ", ".join(shown_yaml(each) for each in names[:5])
    return f"there are {listed}" + (" and others" if len(names) > 5 else ""), letters


class Expansion:
    """The jobs of a scenario.

    :ivar jobs: all jobs by name: those of main in an order in which they can be queued, then those of schedulers.
    :ivar phases: names of the pools, in order.
    :ivar strategies: the nodes that jobs belong to, by name.
    :ivar problems: all mistakes.
    :param gaps: kinds of names that may have been removed with the mistakes of a file, of which the model is the rest
        (see `loading.gaps`): those that are missing are not reported.
    """

    def __init__(self, model: Model, document: Document, *, gaps: Set[str]):
        self.model = model
        self.document = document
        self.problems: list[ScenarioError] = []
        # Whether jobs of the file are missing here, so that unknown names are not reported.
        self._lacks_jobs = "jobs" in gaps
        self._gaps = gaps
        self.phases = list(model.workflow) or ["pool"]
        self._numbers = {name: number for number, name in reversed([*enumerate(model.workflow)])}
        self.strategies = dict(model.strategies)
        self.jobs: dict[str, PlannedJob] = {}
        self._matches: dict[str, list[str]] = {}
        # The jobs that main queues in each phase, and those of each scheduler.
        self._by_queue: dict[tuple[int | None, int | None], list[PlannedJob]] = {}
        self._compared = self._waits = self._bytes = 0
        self._letters_left = MOST_LETTERS
        self._read_recording()
        self._expand()
        self._depend()
        for job in self.jobs.values():
            key = (None, job.phase) if job.scheduler is None else (job.scheduler, None)
            self._by_queue.setdefault(key, []).append(job)

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

    @cached_property
    def items(self) -> dict[str, None]:
        """Return the names of all cached items, such as ``golgi.load``."""
        return {f"{name}.{method}": None for name, s in self.strategies.items() for method in s.cached}

    def of_main(self, phase: int) -> Iterator[PlannedJob]:
        """Return the jobs that main queues in a phase."""
        return iter(self._by_queue.get((None, phase), ()))

    def of_scheduler(self, number: int) -> list[PlannedJob]:
        """Return the jobs that a scheduler queues."""
        return self._by_queue.get((number, None), [])

    def queued_by_event(self, event: int) -> Iterator[PlannedJob]:
        """Return the jobs that an event queues."""
        return iter(self._by_queue.get((len(self.model.schedulers) + event, None), ()))

    def _report(self, path: KeyPath, message: str, *, key: bool = False) -> None:
        """Add a mistake at a path; all mistakes are reported together."""
        self.problems.append(self.document.wrong(path, message, key=key))

    def _check_rank(self, path: KeyPath, rank: int, *, key: bool = False) -> None:
        if rank >= self.model.ranks:
            there = f"ranks 0 to {self.model.ranks - 1}" if self.model.ranks > 1 else "rank 0"
            self._report(
                path, f"rank {rank} is not there: there {'are' if self.model.ranks > 1 else 'is'} {there}", key=key
            )

    def check_lookups(self) -> None:
        """Report if what was looked up is incomplete, or will take too long: each event looks at each job's changes."""
        listeners = self.model.pool.listeners
        events = len(self.model.events) + sum(1 + len(each.raises) + len(each.handles) for each in listeners)
        if self._compared > MOST_COMPARED or events * len(self.jobs) * _CHANGES > MOST_COMPARED:
            self.problems.clear()
            self._report(("jobs",), f"{_TOO_MUCH}; let there be fewer jobs, events, listeners or patterns")

    def _nearest(self, name: str, known: Iterable[str], what: str) -> str:
        """Suggest the most similar known name, until many were compared."""
        if self._letters_left <= 0:
            return f"see which {what} there are"
        said, letters = nearest(name, known, what, self._letters_left)
        self._letters_left -= letters
        return said

    def _read_recording(self) -> None:
        """Add the jobs of a recording; each has its id in its name, since the jobs of a strategy share a name."""
        if self.model.recording is None:
            return
        from ..recorded import RecordingError, read_recording  # few scenarios have one

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
                entry = JobEntry.model_construct(
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
        self.strategies[RECORDED] = StrategyEntry(cached=list(items), cleanup_raises=None)

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

    def _phase(self, name: str | None, path: KeyPath) -> int:
        if name is None:
            return 0
        number = self._numbers.get(name)
        if number is None:
            if "phases" not in self._gaps:
                self._report(
                    (*path, "phase"),
                    f"phase {name!r} is not there: "
                    f"{self._nearest(name, self.model.workflow, 'phases: list them under workflow')}",
                )
            return 0
        return number

    def _expand_entry(self, entry: JobEntry, path: KeyPath, scheduler: int | None, phase: int) -> None:
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
        if entry.unloadable and entry.raises is None:
            self._report((*path, "unloadable"), "it is about what the job raises: say what with 'raises'", key=True)
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
        caches, calls = self._caches(entry, path), tuple(dict.fromkeys(self._items(entry.calls, path, "calls")))
        if len(self.jobs) + (entry.repeat or 1) > MOST_JOBS:
            self._report((*path, "repeat"), f"these are more than {MOST_JOBS} jobs altogether")
            self._lacks_jobs = True
            return
        values = _bytes_of([entry.name, entry.context, entry.returns, entry.raises], str(entry.repeat))
        before, self._bytes = self._bytes, self._bytes + (values + (entry.returns_bytes or 0)) * (entry.repeat or 1)
        if self._bytes > MOST_BYTES >= before:
            said = "with what they return, the jobs take more than"
            self._report(path, f"{said} {MOST_BYTES // 10**6:,} MB altogether: let them be fewer, or return less")
            self._lacks_jobs = True
            return
        self._waits += (len(caches) + len(calls)) * (entry.repeat or 1)
        if self._waits > MOST_WAITS:
            self._report(path, f"{_TOO_MUCH}; let there be fewer jobs with so many cached items")
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
            job = PlannedJob(name, entry, path, index, phase, scheduler, [], caches, calls=calls)
            self.jobs[name] = job

    def _check_kind(self, entry: JobEntry, path: KeyPath) -> None:
        if entry.strategy is not None and entry.strategy not in self.strategies and "strategies" not in self._gaps:
            self._report(
                (*path, "strategy"),
                f"strategy {entry.strategy!r} is not there: "
                f"{self._nearest(entry.strategy, self.strategies, 'strategies')}",
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
        if entry.unsendable:
            self._report(
                (*path, "unsendable"),
                f"a {entry.kind} job has arguments that can be pickled: leave it out, or make it a function job",
                key=True,
            )
        if entry.strategy is None and (*path, "strategy") not in self.document.keys:
            self._report((*path, "kind"), f"a {entry.kind} job belongs to a strategy: say which with 'strategy'")
        if entry.context:
            self._report(
                (*path, "context"),
                f"a {entry.kind} job has no context: leave it out, or make it a function job",
                key=True,
            )

    def _caches(self, entry: JobEntry, path: KeyPath) -> tuple[tuple[str, str], ...]:
        items: dict[tuple[str, str], None] = {}
        if entry.strategy in self.strategies:
            items.update({(str(entry.strategy), m): None for m in self.strategies[entry.strategy].cached})
        if entry.caches and entry.kind != "function":
            self._report(
                (*path, "caches"),
                f"a {entry.kind} job caches what its strategy caches: leave this out, or make it a function job",
                key=True,
            )
        items.update(dict.fromkeys(self._items(entry.caches, path, "caches")))
        return tuple(items)

    def _items(self, said: Sequence[str], path: KeyPath, key: str | int) -> Iterator[tuple[str, str]]:
        """Yield the cached methods that a key names."""
        for number, text in enumerate(said):
            where = self._at(path, key, number)
            name, _, method = text.partition(".")
            if name not in self.strategies:
                if "strategies" in self._gaps:
                    continue
                near = self._nearest(name, self.strategies, "strategies")
                self._report(where, f"strategy {name!r} is not there: {near}")
                continue
            methods = self.strategies[name].cached
            if method and method not in methods:
                if "strategies" not in self._gaps:
                    near = self._nearest(method, methods, "cached methods")
                    self._report(where, f"{name} has no cached method {method!r}: {near}")
                continue
            yield from ((name, m) for m in ([method] if method else methods))

    def _at(self, path: KeyPath, key: str | int, number: int) -> KeyPath:
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
                    self._report(where, f"{_TOO_MUCH}; let jobs wait for one that waits for many")
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

    def _miss_job(self, path: KeyPath, pattern: str, *, key: bool = False) -> None:
        """Add the mistake that a pattern matches no job, if all jobs are known, and the pattern was not left out."""
        if not self._lacks_jobs and pattern != LEFT_OUT:
            self._report(path, f"no job matches {pattern!r}: {self._nearest(pattern, self.jobs, 'jobs')}", key=key)
