"""A listener that records a trace: all events of a pool of this library, or those that BSB's own pool announces."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from ..errors_and_facts import facts_of
from ..worlds import World, find_comm_world, world_of
from .format import describe, scrub
from .recording import FileRecorder

__all__ = ["TraceRecorder"]


@dataclass(slots=True)
class _Known:
    """A job of BSB's own pool.

    :ivar number: its place among those of its pool.
    :ivar job: itself, so that no other one gets its identity.
    :ivar status: the last one that is in the trace.
    """

    number: int
    job: Any
    status: str | None = None


class TraceRecorder:
    """Writes a trace; give it to `add_listener` of a pool, or to `register_listener` of its owner, on every rank.

    Only main writes. For a pool of this library, the trace has all events; for BSB's own pool, those that it announces
    to listeners. Several pools, one after the other or at once, are written to one trace.

    :param path: the file, compressed if its name ends in ``.gz``. An existing file is not overwritten: then the name
        gets a number.
    :param capture: keep the pickled calls of failed jobs in a file beside the trace, as ``bsbpool record --capture
        failed`` does; only in pools of this library.

    :ivar path: the file that is written; before a pool is opened, the requested one.

    >>> import os, tempfile
    >>> import bsbpool
    >>> from bsbpool.trace import TraceRecorder, read_trace
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     recorder = TraceRecorder(os.path.join(folder, "run.trace"))
    ...     with bsbpool.job_pool(quiet=True) as pool:
    ...         pool.add_listener(recorder)
    ...         _ = pool.execute()
    ...     recorder.close()
    ...     read_trace(recorder.path).header["ranks"]
    1
    """

    def __init__(self, path: str | os.PathLike[str], capture: bool = False):
        self.path = os.fspath(path)
        self._capture = capture
        self._recorder: FileRecorder | None = None
        # BSB's own pools by id: their label, and their jobs by identity.
        self._labels: dict[Any, int | str] = {}
        self._jobs: dict[Any, dict[int, _Known]] = {}
        # Status changes that it announced before there was a job to tell which pool it is.
        self._early: list[str] = []

    def open(self, world: World) -> FileRecorder:
        """Create the file when the first pool is recorded; the pool calls it.

        :param world: the world of main.
        :returns: what writes the events.
        :raises OSError: the file can't be written.
        """
        if self._recorder is None:
            self._recorder = world.file_recorder(self.path, self._capture)
            self.path = self._recorder.path
        return self._recorder

    def close(self) -> None:
        """Close the file, if that is wanted before the program ends."""
        if self._recorder is not None:
            self._recorder.close()

    # -- BSB's own pool ------------------------------------------------------------------------------

    def __enter__(self) -> TraceRecorder:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if self._recorder is not None:
            for label in self._labels.values():
                self._recorder.emit("end", label, facts_of(error))
            self._labels.clear()
            self._jobs.clear()
            self._recorder.rest()

    def __call__(self, progress: Any) -> None:
        """Record a notification of BSB's own pool."""
        world = world_of(find_comm_world())
        if world.rank:
            return
        job, about_status = getattr(progress, "job", None), progress.reason.name == "POOL_STATUS_CHANGE"
        jobs = progress.jobs if job is None else (job,)
        if not jobs:
            if about_status:
                self._early.append(progress.status.value)
            return
        recorder = self.open(world)
        pool = jobs[0].pool_id
        label = self._labels.get(pool)
        if label is None:
            label = self._labels[pool] = recorder.label(describe(pool))
            # What that pool is to do at the first error, it does not say.
            phases = [scrub(str(phase)) for phase in getattr(progress.workflow, "phases", ())]
            recorder.emit("pool", label, world.size, False, phases)
            recorder.emit("announced", label)
            for status in self._early:
                recorder.emit("pool_status", label, status)
            self._early.clear()
        if job is not None:
            self._hear_of_job(recorder, label, pool, progress, job)
        elif about_status:
            recorder.emit("pool_status", label, progress.status.value)
        else:
            recorder.emit("ping", label)
        recorder.settle()

    def _hear_of_job(self, recorder: FileRecorder, label: int | str, pool: Any, progress: Any, job: Any) -> None:
        jobs = self._jobs.setdefault(pool, {})
        known = jobs.get(id(job))
        if known is None:
            known = jobs[id(job)] = _Known(len(jobs), job)
            context = describe(dict(job.context))
            recorder.emit("job", label, known.number, type(job).__name__, scrub(str(job.name)), context, (), ())
        if progress.reason.name == "JOB_STATUS_CHANGE":
            # On several ranks it announces a change some time later, with the status that the job has by then; so two
            # changes may come with the same one.
            status = progress.status.value
            if status != known.status:
                known.status = status
                recorder.emit("status", label, known.number, status, None, facts_of(job.error))
