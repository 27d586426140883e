"""The MPI service: what programs ask of MPI, with or without MPI. Pools don't use it; they live in a world."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ._util import MockModule
from .exceptions import JobPoolError
from .pool import inside
from .pool.protocol import pack_error, unpack_error
from .trace.format import describe_error
from .worlds import find_comm_world, world_of
from .worlds.launcher import without_mpi4py

__all__ = ["MPIModule", "MPIService"]


class MPIModule(MockModule):
    """Stands in for `mpi4py.MPI` where that can't be imported."""

    @property
    def COMM_WORLD(self) -> Any:
        """None: every process is on its own.

        :raises DependencyError: an MPI launcher started this process.
        """
        return without_mpi4py()


class MPIService:
    """The ranks of a communicator, or this process alone.

    :param comm: an mpi4py communicator; by default COMM_WORLD where there is MPI.
    """

    def __init__(self, comm: Any = None):
        self._comm = comm if comm is not None else find_comm_world()

    def get_communicator(self) -> Any:
        """The communicator; None where there is no MPI."""
        return self._comm

    def get_rank(self) -> int:
        """This rank, from 0."""
        return int(self._comm.Get_rank()) if self._comm is not None else 0

    def get_size(self) -> int:
        """The number of ranks."""
        return int(self._comm.Get_size()) if self._comm is not None else 1

    def _check(self, call: str) -> None:
        """Refuse a collective call from within a job: it would wait for ever.

        :raises JobPoolError: a pool runs this code, and ranks that wait for it would have to take part.
        """
        if inside.is_inside():
            inside.refuse(f"Can't call {call}", world_of(self._comm))

    def barrier(self) -> None:
        """Wait for all ranks."""
        self._check("barrier()")
        if self._comm is not None:
            self._comm.Barrier()

    def abort(self, errorcode: int = 1) -> Any:
        """End all ranks at once; without MPI, exit this process.

        :param errorcode: the exit status.
        """
        if self._comm is not None:
            return self._comm.Abort(errorcode)
        raise SystemExit(errorcode)

    def bcast(self, obj: Any, root: int = 0) -> Any:
        """The object of rank `root`, on every rank."""
        self._check("bcast()")
        return self._comm.bcast(obj, root=root) if self._comm is not None else obj

    def gather(self, obj: Any, root: int = 0) -> Any:
        """On rank `root`, the list of the objects of all ranks; None elsewhere."""
        self._check("gather()")
        return self._comm.gather(obj, root=root) if self._comm is not None else [obj]

    def allgather(self, obj: Any) -> Any:
        """The list of the objects of all ranks, on every rank."""
        self._check("allgather()")
        return self._comm.allgather(obj) if self._comm is not None else [obj]

    def window(self, buffer: Any) -> Any:
        """A window (Lock, Get, Unlock) over the buffers of all ranks."""
        self._check("window()")
        return world_of(self._comm).window(buffer)

    @contextlib.contextmanager
    def try_all(self, default_exception: BaseException | None = None) -> Iterator[None]:
        """An error on one rank is an error on all. Every rank enters.

        :param default_exception: what the ranks raise that had no error of their own; by default a
            `JobPoolError` that names the ranks that had one, and the first of these errors.
        """
        self._check("try_all()")
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
        reports = self.allgather(describe_error(error))
        if error is not None:
            raise error
        failed = [rank for rank, report in enumerate(reports) if report is not None]
        if failed:
            if default_exception is not None:
                raise default_exception
            ranks = f"rank {failed[0]}" if len(failed) == 1 else f"ranks {', '.join(map(str, failed))}"
            raise JobPoolError(f"An error on {ranks} is an error on all: {reports[failed[0]]}")

    @contextlib.contextmanager
    def try_main(self) -> Iterator[None]:
        """An error on main is that error on all. Every rank enters; errors of other ranks stay there."""
        self._check("try_main()")
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
        main = self.get_rank() == 0
        packed = self.bcast(
            pack_error(error, "main") if main and error is not None and self._comm is not None else None
        )
        if error is not None:
            raise error
        if packed is not None:
            raise unpack_error(packed)
