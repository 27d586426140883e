"""Reads recorded runs of a real BSB, and makes programs and scripts of them that `simulate` can run.

A file contains the jobs of pools that ran one after the other, with their durations. Showing a run, and traces of this
project's own pool, do not belong here.
"""

from __future__ import annotations

import builtins
import json
import statistics
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from bsbpool.exceptions import RemoteError
from bsbpool.owner import Owner
from bsbpool.text import harmless
from bsbpool.worlds.opening import open_to_read

from .errors import SimulationError
from .script import Script

#: Bytes of a recorded run, at the most: some 400,000 jobs. What is read takes ten times as much memory.
MOST_BYTES = 64 * 10**6
#: No recorded run had more ranks, nor took more seconds: 30 years.
MOST_RANKS, MOST_SECONDS = 1_000_000, 10**9

#: What a job of a recording ended as, or was when the recorded run ended.
STATUSES = ("success", "failed", "cancelled", "aborted", "running", "queued", "pending")


class RecordingError(SimulationError):
    """A file is not a recorded run. The message says where it is wrong, and what would be right."""


@dataclass(frozen=True, slots=True)
class RecordedJob:
    """A job of a recorded run.

    :ivar id: its id in the file.
    :ivar args: its arguments, as text.
    :ivar deps: the ids, in the file, of the jobs that it depends on.
    :ivar status: its last status on main.
    :ivar error: ``Type: message`` of what it raised.
    :ivar takes: seconds that it took, or would have taken.
    :ivar estimated: None if it ran; else whose median `takes` is: ``"strategy"``, ``"pool"`` or ``"run"``.
    """

    id: int
    kind: str
    name: str
    args: str
    deps: tuple[int, ...]
    cache_items: tuple[int, ...]
    status: str
    error: str | None
    takes: float
    estimated: str | None

    @property
    def raises(self) -> Exception | None:
        """The exception of a failed job: a built-in one, or a `RemoteError` that names another one."""
        return recorded_exception(self.error) if self.status == "failed" else None


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded run.

    :ivar path: the file.
    :ivar ranks: how many ranks it ran on.
    :ivar elapsed: seconds that it took.
    :ivar error: what it raised; None if it did not.
    :ivar pools: the jobs of its pools, one pool after the other.
    """

    path: str
    ranks: int
    elapsed: float
    error: str | None
    pools: tuple[tuple[RecordedJob, ...], ...]

    @property
    def jobs(self) -> list[RecordedJob]:
        """All jobs, in the order in which they were queued."""
        return [job for pool in self.pools for job in pool]

    @property
    def fail_fast(self) -> bool:
        """Whether the recorded main stopped at the first error: it raised, and left jobs in the queue."""
        return self.error is not None and any(job.status == "queued" for job in self.jobs)

    @property
    def outcome(self) -> dict[str, int]:
        """The number of jobs with each status in the end, in the order of `STATUSES`."""
        counts = Counter(job.status for job in self.jobs)
        return {status: counts[status] for status in STATUSES if counts[status]}

    @property
    def estimated(self) -> dict[str, int]:
        """The number of jobs that never ran, and have the median time of their strategy, their pool, or the run."""
        return dict(Counter(job.estimated for pool in self.that_run for job in pool if job.estimated))

    @property
    def that_run(self) -> tuple[tuple[RecordedJob, ...], ...]:
        """The pools up to the first that has a failed job: the recorded program ended with that."""
        failed = [any(job.status == "failed" for job in pool) for pool in self.pools]
        return self.pools[: failed.index(True) + 1] if True in failed else self.pools

    def program(self, fail_fast: bool | None = None) -> Callable[[Any], None]:
        """The program to simulate: its main queues what was queued, and a pool that fails ends it.

        :param fail_fast: stop a pool at its first error; None: if the recorded run did.
        """
        stop = self.fail_fast if fail_fast is None else fail_fast
        strategies = {job.name: RecordedStrategy(job.name) for job in self.jobs}

        def program(comm: Any) -> None:
            owner = Owner(comm)
            for jobs in self.that_run:
                with owner.create_job_pool(fail_fast=stop, quiet=True) as pool:
                    if pool.is_main():
                        queued: dict[int, Any] = {}
                        for job in jobs:
                            queued[job.id] = pool.queue(
                                recorded_job,
                                deps=[queued[dep] for dep in job.deps],
                                submitter=strategies[job.name],
                                cache_items=job.cache_items,
                                chunk=job.args,
                                recorded=job.id,
                            )
                    pool.execute()

        return program

    def script(self) -> Script:
        """The script to simulate it with: each job takes its recorded time, and fails if it failed."""
        script = Script()
        for number, jobs in enumerate(self.that_run, 1):
            for place, job in enumerate(jobs):
                script.job(id=place, pool=number, takes=job.takes, raises=job.raises)
        return script


class RecordedStrategy:
    """Stands for the strategy that submitted jobs, of which a recording knows the name only."""

    def __init__(self, name: str):
        self.name = name

    def get_node_name(self) -> str:
        """The name that its jobs have."""
        return self.name


def recorded_job(owner: Any) -> None:
    """What a recorded job does when its time is over: nothing."""


def read_recording(path: str | Path) -> Recording:
    """Read a recorded run.

    :raises RecordingError: the file can't be read, or is no recorded run.
    """
    return _Reader(str(path)).read()


class _Reader:
    """Reads one file. `wrong` makes the error for any mistake in it."""

    def __init__(self, path: str):
        self.path = path
        self.text = ""
        self.place: int | None = None

    def wrong(self, what: str) -> RecordingError:
        """The error for the job that is being read, or for the whole file."""
        if self.place is None:
            return RecordingError(f"{self.path}: {what}")
        return RecordingError(f"{self.path}:{_line_of_job(self.text, self.place)}: job {self.place}: {what}")

    def read(self) -> Recording:
        data = self.load()
        right = f"an integer, from 1 to {MOST_RANKS:,}"
        ranks = self.get(data, "ranks", right, lambda v: _integer(v) and 1 <= v <= MOST_RANKS)
        elapsed = self.get(data, "elapsed", "a number of seconds, 0 or more", lambda v: _number(v) and v >= 0)
        error = self.get(data, "error", "a text, or null", _text_or_null)
        rows = self.get(data, "jobs", "a list of jobs", lambda v: isinstance(v, list))
        if not rows:
            raise self.wrong("'jobs' is empty: a recorded run has at least one job")
        read = []
        for self.place, row in enumerate(rows):
            read.append(self.job(row))
        pools = [list(pool) for _, pool in groupby(read, key=lambda job: job[0].kind)]
        self.check_ids(pools)
        self.place = None
        return Recording(self.path, ranks, elapsed, error, self.with_times(pools))

    def load(self) -> Mapping[str, Any]:
        try:
            with open_to_read(self.path) as file:
                raw = file.read(MOST_BYTES + 1)
            if len(raw) > MOST_BYTES:
                raise self.wrong(f"has more than {MOST_BYTES // 10**6} MB, the most that are read of a recorded run")
            self.text = raw.decode("utf-8-sig")
            data = json.loads(self.text)
        except OSError as error:
            raise self.wrong(f"can't be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise self.wrong("is not text in UTF-8, so no recorded run: that is a JSON file") from None
        except json.JSONDecodeError as error:
            where = f"{self.path}:{error.lineno}:{error.colno}"
            raise RecordingError(f"{where}: is not JSON, so no recorded run: {error.msg}") from None
        except ValueError:
            raise self.wrong("holds a number with thousands of digits; times are seconds, and ids are small") from None
        except RecursionError:
            raise self.wrong("is nested too deeply for a recorded run") from None
        if not isinstance(data, dict):
            raise self.wrong(f"holds {_kind(data)}; a recorded run is an object with 'ranks' and 'jobs'")
        return data

    def get(self, row: Mapping[str, Any], key: str, right: str, good: Callable[[Any], bool]) -> Any:
        if key not in row:
            raise self.wrong(f"has no {key!r}; it is {right}")
        if not good(row[key]):
            shown = _shown(row[key])
            raise self.wrong(f"{key!r} is {shown}; it must be {right}")
        return row[key]

    def job(self, row: Any) -> tuple[RecordedJob, float | None]:
        """The job, and the seconds that it took; None if it never ran."""
        if not isinstance(row, dict):
            raise self.wrong(f"is {_kind(row)}, where a job is an object with 'id', 'kind' and 'name'")

        def text(key: str) -> str:
            value: str = self.get(row, key, "a text", lambda v: isinstance(v, str))
            return value

        def integers(key: str) -> tuple[int, ...]:
            right = "a list of integers"
            values = self.get(row, key, right, lambda v: isinstance(v, list))
            for value in values:
                if not _integer(value):
                    raise self.wrong(f"{key!r} holds {_shown(value)}; it must be {right}")
            return tuple(values)

        def seconds(key: str) -> float | None:
            value: float | None = self.get(row, key, "a number of seconds, or null", lambda v: v is None or _number(v))
            return value

        job = RecordedJob(
            id=self.get(row, "id", "an integer", _integer),
            kind=text("kind"),
            name=text("name"),
            args=text("args"),
            deps=integers("deps"),
            cache_items=integers("cache_items"),
            status=self.get(row, "status", f"one of {', '.join(STATUSES)}", lambda v: v in STATUSES),
            error=self.get(row, "error", "a text, or null", _text_or_null),
            takes=0.0,
            estimated=None,
        )
        started, ended = seconds("started"), seconds("ended")
        if started is None or ended is None:
            return job, None
        if ended < started:
            raise self.wrong(f"ended at {ended:g} s, before it started at {started:g} s; time goes forward")
        return job, ended - started

    def check_ids(self, pools: list[list[tuple[RecordedJob, float | None]]]) -> None:
        """Ids are unique, and dependencies are earlier jobs of the same pool."""
        places: dict[int, int] = {}
        pool_of: dict[int, int] = {}
        every = {job.id for pool in pools for job, _ in pool}
        self.place = -1
        for number, pool in enumerate(pools, 1):
            for job, _ in pool:
                self.place += 1
                if job.id in places:
                    raise self.wrong(f"has id {job.id}, as job {places[job.id]} has; ids are unique")
                for dep in job.deps:
                    if dep not in every:
                        raise self.wrong(f"depends on {dep}, and no job has that id")
                    if dep not in places:
                        raise self.wrong(
                            f"depends on {dep}, which does not come before it; dependencies are queued first"
                        )
                    if pool_of[dep] != number:
                        raise self.wrong(
                            f"of pool {number} ({job.kind}) depends on {dep} of pool {pool_of[dep]}; "
                            "dependencies lie in the same pool, and a new pool begins where 'kind' changes"
                        )
                places[job.id], pool_of[job.id] = self.place, number

    def with_times(self, pools: list[list[tuple[RecordedJob, float | None]]]) -> tuple[tuple[RecordedJob, ...], ...]:
        """The jobs with the times that they took; those that never ran with a median, and so do
        those that were cut off before.
        """
        samples: dict[tuple[str, Any], list[float]] = {}
        for number, pool in enumerate(pools):
            for job, took in pool:
                # One that was aborted was cut off: it would have taken longer.
                if took is not None and job.status != "aborted":
                    for key in _samples_for(job, number):
                        samples.setdefault(key, []).append(took)
        if not samples:
            raise self.wrong("no job of it ever ran, so there are no times to go by")
        medians = {key: statistics.median(times) for key, times in samples.items()}
        done = []
        for number, pool in enumerate(pools):
            jobs = []
            for job, took in pool:
                whose = None
                if took is None or job.status == "aborted":
                    key = next(key for key in _samples_for(job, number) if key in medians)
                    if took is None or took < medians[key]:
                        whose, took = key[0], medians[key]
                jobs.append(replace(job, takes=took, estimated=whose))
            done.append(tuple(jobs))
        return tuple(done)


def _samples_for(job: RecordedJob, pool: int) -> list[tuple[str, Any]]:
    """Whose times tell what this job takes, best first."""
    return [("strategy", job.name), ("pool", pool), ("run", None)]


def recorded_exception(text: str | None) -> Exception:
    """Return the exception of a failed job, made from its text in a recording."""
    if text is None:
        return RemoteError("the recording does not say what it raised")
    name, _, message = text.partition(": ")
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            error = kind(message) if message else kind()
        except TypeError:
            return RemoteError(text)
        if str(error) == message:
            return error
    return RemoteError(text)


def _line_of_job(text: str, place: int) -> int:
    """The line on which the job at that place begins, in a text that is a JSON object with a list of jobs."""
    decode = json.JSONDecoder().raw_decode

    def skip(at: int, marks: str) -> int:
        while text[at].isspace() or text[at] in marks:
            at += 1
        return at

    at = skip(0, "{")
    while True:
        key, at = decode(text, at)
        at = skip(at, ":")
        if key == "jobs":
            break
        at = skip(decode(text, at)[1], ",")
    at = skip(at, "[")
    for _ in range(place):
        at = skip(decode(text, at)[1], ",")
    return text.count("\n", 0, at) + 1


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MOST_SECONDS


def _shown(value: Any) -> str:
    """A value in a message, not too long."""
    if isinstance(value, dict | list):
        return _kind(value)
    if isinstance(value, int) and abs(value) >= 2**63:
        return "a number with too many digits"
    text = harmless(repr(value))
    return text if len(text) <= 60 else text[:59] + "…"


def _text_or_null(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _kind(value: Any) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "null")
