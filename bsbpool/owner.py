"""An owner of pools, for programs that have none. BSB's `Scaffold` is another owner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any

from .mpi import MPIService
from .pool.job_pool import JobPool
from .pool.progress import PoolProgress, Workflow
from .values import shown

__all__ = ["Owner", "job_pool"]


class Owner:
    """Gives a pool its communicator, caches and strategies; each rank makes one.

    :param comm: an mpi4py communicator; by default COMM_WORLD where there is MPI, else this process alone.
    :param placement: placement strategies by name, for placement jobs.
    :param connectivity: connectivity strategies by name, for connectivity jobs.

    >>> from bsbpool import Owner
    >>> owner = Owner()
    >>> with owner.create_job_pool(quiet=True) as pool:
    ...     job = pool.queue(lambda owner: sorted(owner.placement))
    ...     _ = pool.execute()
    ...     job.result
    []
    """

    def __init__(
        self,
        comm: Any = None,
        placement: Mapping[str, Any] | None = None,
        connectivity: Mapping[str, Any] | None = None,
    ):
        self._comm = comm if hasattr(comm, "get_communicator") else MPIService(comm)
        self._pool_cache: dict[int, list[Callable[[], Any]]] = {}
        self._listeners: list[tuple[Callable[[PoolProgress], Any], float | None]] = []
        self._pools = 0
        self.placement = dict(placement if placement is not None else {})
        self.connectivity = dict(connectivity if connectivity is not None else {})

    def register_pool_cached_item(self, id: int, cleanup: Callable[[], Any]) -> None:
        """Register a cached item: `cleanup` is called when no unfinished job requires it any more.

        :param id: the id of the item, as jobs give it in `cache_items`.
        :param cleanup: a function without arguments that frees the item.
        """
        self._pool_cache.setdefault(id, []).append(cleanup)

    def register_listener(self, listener: Callable[[PoolProgress], Any], max_wait: float | None = None) -> None:
        """Add a listener to every pool that is made from now on.

        :param listener: called with each notification, see `JobPool.add_listener`.
        :param max_wait: seconds without a notification after which it gets a ping.
        """
        self._listeners.append((listener, max_wait))

    def remove_listener(self, listener: Callable[[PoolProgress], Any]) -> None:
        """Remove a listener from the pools that are made from now on.

        :param listener: the listener.
        :raises ValueError: it is not registered.
        """
        kept = [each for each in self._listeners if not _same(each[0], listener)]
        if len(kept) == len(self._listeners):
            raise ValueError(f"{shown(listener)} is not registered as a listener of this owner")
        self._listeners = kept

    def create_job_pool(
        self,
        fail_fast: bool | None = None,
        quiet: bool = False,
        workflow: Workflow | None = None,
        job_timeout: float | None = None,
        retries: int = 0,
    ) -> JobPool:
        """Make a new pool; every rank does, and opens it with ``with``.

        :param fail_fast: stop at the first error that no listener handles.
        :param quiet: show no progress.
        :param workflow: the phases of which this pool is a part.
        :param job_timeout: seconds that each job may run; see `JobPool`.
        :param retries: how many times a job runs again whose rank was lost.
        :returns: the pool.
        """
        self._pools += 1
        pool = JobPool(
            self._pools, self, fail_fast=bool(fail_fast), workflow=workflow, job_timeout=job_timeout, retries=retries
        )
        for listener, max_wait in self._listeners:
            pool.add_listener(listener, max_wait)
        if not quiet and pool.is_main() and pool._world.watched:
            from .listeners import progress_listener

            listener, max_wait = progress_listener()
            pool.add_listener(listener, max_wait)
        return pool


def _same(a: Any, b: Any) -> bool:
    """Whether two listeners are the same; Python creates a bound method anew at each access."""
    if type(a) is MethodType and type(b) is MethodType:
        return a.__self__ is b.__self__ and a.__func__ is b.__func__
    return a is b


def job_pool(
    comm: Any = None,
    *,
    fail_fast: bool = False,
    workflow: Workflow | None = None,
    quiet: bool = False,
    job_timeout: float | None = None,
    retries: int = 0,
) -> JobPool:
    """Make a pool with an owner of its own; every rank does.

    :param comm: an mpi4py communicator; by default COMM_WORLD where there is MPI, else this process alone.
    :param fail_fast: stop at the first error that no listener handles.
    :param workflow: the phases of which this pool is a part.
    :param quiet: show no progress.
    :param job_timeout: seconds that each job may run; see `JobPool`.
    :param retries: how many times a job runs again whose rank was lost.
    :returns: the pool; ``with`` opens it.

    >>> import bsbpool
    >>> def square(owner, x):
    ...     return x * x
    >>> with bsbpool.job_pool(quiet=True) as pool:
    ...     jobs = [pool.queue(square, (x,)) for x in range(4)] if pool.is_main() else []
    ...     results = pool.execute(return_results=True)
    >>> [results[job] for job in jobs]
    [0, 1, 4, 9]
    """
    return Owner(comm).create_job_pool(fail_fast, quiet, workflow, job_timeout, retries)
