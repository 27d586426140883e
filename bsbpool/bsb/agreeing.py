"""Ensures that either all ranks use this pool in BSB, or none does.

BSB opens a pool with a broadcast of its id by main, and then waits for all ranks. So ranks with different pools would
wait for each other for ever. Ranks that use this pool make an additional broadcast first. Ranks with BSB's pool receive
it as the broadcast of the id.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..pool import inside
from ..worlds import world_of
from .undoing import installed, take_all_back


class _Question:
    """Main broadcasts it to ask whether each rank uses this pool. A rank that does not answers by unpickling it."""

    def __reduce__(self) -> Any:
        return _asked, ()


def _asked() -> _Question:
    """The question, as it arrived on this rank."""
    if not installed():
        raise _disagreement(_communicator_asked().allgather(False))
    return _Question()


def _communicator_asked() -> Any:
    """Return the communicator on which BSB waits for the id of a pool."""
    bcast = importlib.import_module("bsb.services.mpi").MPIService.bcast.__code__
    frame = sys._getframe()
    while frame.f_code is not bcast:
        assert frame.f_back is not None
        frame = frame.f_back
    return frame.f_locals["self"]


def _disagreement(answers: Sequence[bool]) -> Exception:
    """Make the error that every rank raises.

    :param answers: by rank, whether it uses this pool.
    """
    has, lacks = ([rank for rank, answer in enumerate(answers) if answer is which] for which in (True, False))
    return _error(f"{_ranks(has)} of {len(answers)} called bsbpool.bsb.install(), {_ranks(lacks)} did not")


def _ranks(ranks: Sequence[int]) -> str:
    named = ", ".join(map(str, ranks[:5])) + (", …" if len(ranks) > 5 else "")
    return f"rank{'s' * (len(ranks) > 1)} {named}"


def _error(what: str) -> Exception:
    error: Exception = importlib.import_module("bsb.exceptions").JobPoolError(
        f"The ranks do not use the same job pool: {what}. Call it on every rank, before the pool is made. From here on "
        "all ranks use BSB's own pool."
    )
    return error


def after_agreeing(create: Callable[..., Any]) -> Callable[..., Any]:
    """BSB's `Scaffold.create_job_pool`, after all ranks have agreed that they use this pool."""

    @functools.wraps(create)
    def create_job_pool(self: Any, *args: Any, **kwargs: Any) -> Any:
        comm = self._comm
        inside.refuse("Can't make a pool", world_of(comm.get_communicator()))
        if comm.get_size() > 1:
            told = comm.bcast(_Question() if comm.get_rank() == 0 else None)
            if not isinstance(told, _Question):
                take_all_back()
                return _refusing(create, told)(self, *args, **kwargs)
            answers = comm.allgather(True)
            if not all(answers):
                take_all_back()
                raise _disagreement(answers)
        return create(self, *args, **kwargs)

    return create_job_pool


def _refusing(create: Callable[..., Any], id: Any) -> Callable[..., Any]:
    """Replaces `create_job_pool` on a rank that uses this pool while main uses BSB's own.

    Main does not ask, and waits for this rank. So the rank takes part in BSB's own pool, and its first job fails. Then
    every rank learns of the error through BSB's pool, and no rank waits.

    :param id: the id of the first pool, as main has broadcast it.
    """
    theirs: Any = importlib.import_module("bsb.services.pool")
    scaffold = importlib.import_module("bsb.core").Scaffold
    ids = [id]
    refused: list[Exception] = []

    @functools.wraps(create)
    def create_job_pool(self: Any, *args: Any, **kwargs: Any) -> Any:
        comm = self._comm
        if ids:
            self._comm = _Told(comm, ids.pop())
        try:
            pool = create(self, *args, **kwargs)
        finally:
            self._comm = comm
        pool._comm = comm
        execute = pool.execute
        problem = f"rank {comm.get_rank()} called bsbpool.bsb.install(), and main (rank 0) did not"

        def refuse(pool_id: Any, job_args: Any) -> Any:
            if not refused:
                refused.append(_error(problem))
            raise refused[0]

        def executes(*args: Any, **kwargs: Any) -> Any:
            dispatcher = theirs.dispatcher
            theirs.dispatcher = refuse
            try:
                return execute(*args, **kwargs)
            except Exception as error:
                if refused:
                    raise refused[0] from error
                raise
            finally:
                theirs.dispatcher = dispatcher
                if refused:
                    scaffold.create_job_pool = create

        pool.execute = executes
        return pool

    scaffold.create_job_pool = create_job_pool
    return create_job_pool


class _Told:
    """A communicator whose next broadcast has been received already."""

    def __init__(self, comm: Any, value: Any):
        self._of, self._value = comm, value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of, name)

    def bcast(self, obj: Any, root: int = 0) -> Any:
        return self._value
