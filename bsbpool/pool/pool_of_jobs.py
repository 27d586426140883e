"""What a job needs of the pool that it is a part of, and how it refers to it.

Jobs themselves belong in `jobs`, and the pool in `job_pool`.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from contextlib import AbstractContextManager
from contextvars import Context
from typing import Any, Protocol, TypeVar

from ..engine.engine import Engine
from ..engine.state import JobState
from ..engine.status import JobStatus

J = TypeVar("J", bound=JobState)
J_contra = TypeVar("J_contra", bound=JobState, contravariant=True)


class _ManualJobs(Protocol[J_contra]):
    def run(self, job: J_contra, timeout: float | None) -> bool: ...
    def finish(self, job: J_contra, value: Any, error: BaseException | None) -> None: ...
    def set_status(self, job: J_contra, status: JobStatus) -> None: ...


class PoolOfJobs(Protocol[J]):
    """What a job needs of the pool that it is a part of: `bsbpool.pool.JobPool` has it."""

    _checked: Any  # the last function of which a job was made
    _ref: PoolRef

    @property
    def id(self) -> Any:
        """The id of the pool."""

    @property
    def owner(self) -> Any:
        """The owner of the pool."""

    @property
    def _engine(self) -> Engine[J]: ...
    @property
    def _lock(self) -> AbstractContextManager[Any]: ...
    @property
    def _manual(self) -> _ManualJobs[J]: ...
    @property
    def _job_limit(self) -> int | None: ...

    def _put(self, job: J, deps: Iterable[J] | None) -> None: ...
    def _limit(self, job: J, limit: int | None) -> None: ...
    def _cancel(self, job: J, reason: str | None) -> bool: ...
    def _result_of(self, job: J) -> Any: ...
    def _handed_in(self) -> Context: ...
    def _check_not_at_jobs(self, what: str) -> None: ...


class PoolRef(weakref.ref[Any]):
    """How jobs refer to their pool: weakly. An open pool is found by its id; one that is closed is freed with its jobs
    as soon as nobody refers to it, and does not wait for Python's garbage collector.

    :ivar id: the id of the pool.
    :ivar rank: the rank in the pool.
    """

    __slots__ = ("id", "rank")
    id: Any
    rank: int
