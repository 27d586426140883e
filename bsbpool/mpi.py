"""The MPI service: MPI operations for programs, with or without MPI. Pools use a world instead."""

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
    """Stands in for `mpi4py.MPI` where that can't be imported.

    >>> from bsbpool.mpi import MPIModule
    >>> MPIModule("no_such_package.MPI").COMM_WORLD  # None: each process is on its own
    """

    @property
    def COMM_WORLD(self) -> Any:
        """None: every process is on its own.

        :raises DependencyError: an MPI launcher started this process.
        """
        return without_mpi4py()


class MPIService:
    """The ranks of a communicator, or this process alone.

    :param comm: an mpi4py communicator; by default COMM_WORLD where there is MPI.

    >>> from bsbpool_sim import simulate
    >>> from bsbpool.mpi import MPIService
    >>> def program(comm):
    ...     service = MPIService(comm)
    ...     return service.get_rank(), service.get_size(), service.bcast("from main" if comm.rank == 0 else None)
    >>> simulate(program, ranks=2).results
    [(0, 2, 'from main'), (1, 2, 'from main')]
    """

    def __init__(self, comm: Any = None):
        self._comm = comm if comm is not None else find_comm_world()

    def get_communicator(self) -> Any:
        """Return the communicator.

        :returns: the communicator; None where there is no MPI.
        """
        return self._comm

    def get_rank(self) -> int:
        """Return this process's rank.

        :returns: the rank, from 0.
        """
        return int(self._comm.Get_rank()) if self._comm is not None else 0

    def get_size(self) -> int:
        """Return the number of ranks.

        :returns: the size of the communicator; 1 where there is no MPI.
        """
        return int(self._comm.Get_size()) if self._comm is not None else 1

    def _check(self, call: str) -> None:
        """Refuse a collective call from within a job: it would wait for ever.

        :raises JobPoolError: a pool runs this code, and ranks that wait for it would have to take part.
        """
        if self._comm is not None and inside.is_inside(world := world_of(self._comm)):
            inside.refuse(f"Can't call {call}", world)

    def barrier(self) -> None:
        """Wait until all ranks have called it.

        :raises JobPoolError: it was called within a job.
        """
        self._check("barrier()")
        if self._comm is not None:
            self._comm.Barrier()

    def abort(self, errorcode: int = 1) -> Any:
        """End all ranks immediately; without MPI, exit this process.

        :param errorcode: the exit status.
        :returns: whatever the communicator's `Abort` returns; MPI's does not return.
        :raises SystemExit: there is no MPI.
        """
        if self._comm is not None:
            return self._comm.Abort(errorcode)
        raise SystemExit(errorcode)

    def bcast(self, obj: Any, root: int = 0) -> Any:
        """Broadcast an object from one rank to all.

        :param obj: the object; only that of rank `root` matters.
        :param root: the rank that sends.
        :returns: the object of rank `root`, on every rank.
        :raises JobPoolError: it was called within a job.
        """
        self._check("bcast()")
        return self._comm.bcast(obj, root=root) if self._comm is not None else obj

    def gather(self, obj: Any, root: int = 0) -> Any:
        """Collect an object of each rank on one rank.

        :param obj: this rank's object.
        :param root: the rank that receives.
        :returns: on rank `root` the list of the objects, by rank; None elsewhere.
        :raises JobPoolError: it was called within a job.
        """
        self._check("gather()")
        return self._comm.gather(obj, root=root) if self._comm is not None else [obj]

    def allgather(self, obj: Any) -> Any:
        """Collect an object of each rank on every rank.

        :param obj: this rank's object.
        :returns: the list of the objects, by rank.
        :raises JobPoolError: it was called within a job.
        """
        self._check("allgather()")
        return self._comm.allgather(obj) if self._comm is not None else [obj]

    def window(self, buffer: Any) -> Any:
        """Open a window for one-sided reads of the buffers of all ranks. Collective.

        :param buffer: this rank's memory, as bytes.
        :returns: the window, with `Lock`, `Get` and `Unlock` as in mpi4py.
        :raises JobPoolError: it was called within a job.
        """
        self._check("window()")
        return world_of(self._comm).window(buffer)

    @contextlib.contextmanager
    def try_all(self, default_exception: BaseException | None = None) -> Iterator[None]:
        """Make an error on one rank an error on all. Every rank enters the context.

        :param default_exception: raised on the ranks that had no error themselves; by default a `JobPoolError` that
            names the ranks that failed, and the first of their errors.
        :returns: a context manager.
        :raises JobPoolError: another rank failed, or it was called within a job.
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
        """Raise an error of main on all ranks. Every rank enters the context; errors of other ranks stay on their rank.

        :returns: a context manager.
        :raises JobPoolError: it was called within a job.
        """
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
