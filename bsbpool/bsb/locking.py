"""The lock of a network's file, for which ranks of one node wait asleep.

BSB's ranks take turns at the file with mpilock. A rank that waits there spins, on a core that the rank with the lock
may need. So while this is installed, ranks of one node wait for each other in the kernel (`NodeLock`) before they take
mpilock's lock; then no other rank of the node competes for it. When all ranks of the communicator wait in this way,
mpilock's lock is not needed, and is not taken.

The nesting, promotion and fences of locks remain mpilock's: only the two windows in which it keeps its state are
replaced. They are created as before, by all ranks together, also with ranks that do not use this.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from ..worlds import world_of

#: The versions of mpilock whose locks are these two windows.
KNOWN = ("2.1.0", "2.2.0", "2.2.1")


def waits_asleep(mpilock: types.ModuleType) -> Callable[..., Any]:
    """Return what replaces `mpilock.sync`.

    :param mpilock: the module, of one of the versions that are `KNOWN`.
    """

    # mypy knows no class of a module that is an argument: mpilock is not needed to import this.
    class Controller(mpilock.WindowController):  # type: ignore[misc,name-defined]
        """mpilock's, whose ranks wait in the kernel."""

        _count_window: Any
        _write_window: Any
        _node_lock: Any = None

        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **kwargs)
            if self._size > 1 and self._rank != self._master and (token := self._token()):
                self._node_lock = world_of(self._comm).node_lock(token)
            if self._node_lock is not None:
                self._node_lock.join(self._rank)
                self._count_window = _Readers(self._count_window, self._node_lock)
                self._write_window = _Gate(self._write_window, self._node_lock)

        def _window(self, buffer: Any) -> Any:
            if self._size > 1 and self._rank == self._master and buffer is self._write_buffer:
                self._node_lock = world_of(self._comm).node_lock()
                if self._node_lock is not None:
                    buffer[0] = self._node_lock.token  # mpilock keeps nothing in it
            return super()._window(buffer)

        def _token(self) -> int:
            """Read what the master has written before the window was created."""
            read = self._write_buffer.copy()
            self._write_window.Lock(self._master)
            self._write_window.Get(read, self._master)
            self._write_window.Unlock(self._master)
            return int(read[0])

    def sync(*args: Any, **kwargs: Any) -> Any:
        return Controller(*args, **kwargs)

    return sync


class _Window:
    """A window of mpilock's, and the lock that is taken before it, and in place of it when all ranks take that."""

    def __init__(self, window: Any, lock: Any):
        self._window = window
        self._lock = lock
        #: whether the window is used as well, in what has begun.
        self._both = False

    def Flush(self, rank: int) -> None:
        if self._both:
            self._window.Flush(rank)

    def Free(self) -> None:
        self._window.Free()
        self._lock.close()


class _Gate(_Window):
    """The window that a rank locks while it writes, and while it begins to read."""

    def Lock(self, rank: int) -> None:
        self._lock.lock_gate()
        self._both = not self._lock.complete()
        if self._both:
            self._window.Lock(rank)

    def Get(self, origin: Any, rank: int) -> None:
        if self._both:
            self._window.Get(origin, rank)

    def Unlock(self, rank: int) -> None:
        if self._both:
            self._window.Unlock(rank)
        self._lock.unlock_gate()


class _Readers(_Window):
    """The window in which mpilock counts who reads."""

    def __init__(self, window: Any, lock: Any):
        super().__init__(window, lock)
        #: whether this rank is counted in the window.
        self._counted = False

    def Lock(self, rank: int, kind: int) -> None:
        self._both = self._counted or not self._lock.complete()
        if self._both:
            self._window.Lock(rank, kind)

    def Accumulate(self, origin: Any, rank: int, op: Any) -> None:
        """Count this rank in, or out."""
        enters = bool(origin[0][0] > 0)
        if enters:
            self._lock.begin_reading()
            self._counted = self._both
        if self._counted:
            self._window.Accumulate(origin, rank, op=op)
        if not enters:
            self._counted = False
            self._lock.end_reading()

    def Get(self, origin: Any, rank: int) -> None:
        """Give the number of those that read, which a writer asks for until it is 0."""
        self._lock.wait_for_readers()
        origin[0][0] = 0
        if self._both:
            self._window.Get(origin, rank)

    def Unlock(self, rank: int) -> None:
        if self._both:
            self._window.Unlock(rank)
