"""The lock service: several ranks may read at a time, or one may write.

If mpilock is installed, it is used. The replacement here always grants the lock, which is correct for one rank only.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from ._util import MockModule
from .mpi import MPIService

__all__ = ["MPILockModule"]


class MPILockModule(MockModule):
    """Stands in for `mpilock` where that can't be imported.

    >>> from bsbpool.mpilock import Controller
    >>> controller = Controller()
    >>> with controller.write():
    ...     print("nobody else writes")
    nobody else writes
    >>> with controller.single_write() as fence:
    ...     fence.guard()
    ...     fence.share("written once")
    >>> fence.collect()
    'written once'
    """

    def sync(self, comm: Any = None, master: int = 0) -> Controller:
        """Make a controller of locks for the ranks of a communicator.

        :param comm: an mpi4py communicator; None for COMM_WORLD.
        :param master: the rank that keeps the locks.
        :returns: the controller; this one grants every lock at once.
        """
        return Controller(comm, master)


class Controller:
    """Grants every lock at once.

    :param comm: an mpi4py communicator.
    :param master: the rank that keeps the locks.

    :ivar master: the rank that keeps the locks.
    :ivar rank: this rank.
    :ivar closed: whether `close` was called.
    """

    def __init__(self, comm: Any = None, master: int = 0):
        self.master = master
        self.rank = MPIService(comm).get_rank()
        self.closed = False

    def close(self) -> None:
        """Give the locks up."""
        self.closed = True

    def read(self) -> Lock:
        """Take the lock to read.

        :returns: a context in which nobody writes.
        """
        return Lock()

    def write(self) -> Lock:
        """Take the lock to write.

        :returns: a context in which nobody else reads or writes.
        """
        return Lock()

    def single_write(self, handle: Any = None, rank: int | None = None) -> Fence:
        """Let one rank write.

        :param handle: what the context gives, in place of the fence.
        :param rank: that rank; by default the master.
        :returns: a context; what follows `Fence.guard` in it, that rank alone runs.
        """
        return Fence(self.rank == (self.master if rank is None else rank), handle)


class Lock:
    """A lock that is always granted."""

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


class _Guarded(Exception):
    """Ends the body of a fence on the ranks that it keeps out."""


class Fence:
    """Lets one rank through.

    :param access: whether this is the rank.
    :param handle: what `__enter__` gives, if not the fence.
    """

    def __init__(self, access: bool, handle: Any = None):
        self._access = access
        self._handle = handle
        self._shared: Any = None

    def __enter__(self) -> Any:
        return self if self._handle is None else self._handle

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        return isinstance(error, _Guarded)

    def guard(self) -> None:
        """Skip the rest of the body, but on the one rank."""
        if not self._access:
            raise _Guarded

    def share(self, obj: Any) -> None:
        """Called by the one rank: hand an object to all.

        :param obj: the object.
        """
        self._shared = obj

    def collect(self) -> Any:
        """Called by all, after the context.

        :returns: the object that was shared.
        """
        return self._shared
