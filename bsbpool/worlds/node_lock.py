"""A lock between the processes of one node: several may read, or one may write, and waiting processes sleep in the
kernel.

It consists of two files in memory, which are in no folder. A writer locks the first one, the gate, while it writes, and
waits until no process reads; a reader passes through the gate. So no reader overtakes a waiting writer. When a process
dies, the kernel releases its locks.

The purpose of the lock, and the lock between nodes, belong to its users.
"""

from __future__ import annotations

import os
import secrets
import stat
import struct
import sys
import threading
import weakref

if sys.platform == "linux":
    import fcntl

#: On top of both files: the token, and the number under which the process that made them has the second one.
_HEAD = struct.Struct("=QQ")

#: Bits of a token: of the process, of the number of its first file, and random ones.
_PROCESS, _FILE, _RANDOM = 22, 16, 26


class NodeLock:
    """The lock, as one of its processes has it, whose threads take turns too. It is not re-entrant.

    :ivar token: by which other processes of this node find it: a number of 64 bits, never 0.
    """

    def __init__(self, token: int, files: tuple[int, int], size: int):
        self.token = token
        self._gate, self._data = files
        self._size = size
        self._complete = False
        # The kernel tells processes apart, and not their threads.
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._reading = 0
        self._close = weakref.finalize(self, _close, files)

    def join(self, number: int) -> None:
        """Register one of the `size` processes, which takes this lock from now on."""
        os.pwrite(self._gate, b"\1", _HEAD.size + number)

    def complete(self) -> bool:
        """Return whether all have joined, so that this lock alone keeps them apart."""
        if not self._complete:
            self._complete = os.pread(self._gate, self._size, _HEAD.size) == b"\1" * self._size
        return self._complete

    def lock_gate(self) -> None:
        """Wait until nobody else has locked the gate, and lock it."""
        self._turn.acquire()
        fcntl.flock(self._gate, fcntl.LOCK_EX)

    def unlock_gate(self) -> None:
        fcntl.flock(self._gate, fcntl.LOCK_UN)
        self._turn.release()

    def begin_reading(self) -> None:
        """Read from now on; the gate is locked by the caller."""
        with self._counting:
            self._reading += 1
            fcntl.flock(self._data, fcntl.LOCK_SH)

    def end_reading(self) -> None:
        with self._counting:
            self._reading -= 1
            if not self._reading:
                fcntl.flock(self._data, fcntl.LOCK_UN)

    def wait_for_readers(self) -> None:
        """Wait until no process reads; the gate is locked by the caller, so that nobody begins to."""
        fcntl.flock(self._data, fcntl.LOCK_EX)
        fcntl.flock(self._data, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the files; what this process had locked is unlocked."""
        self._close()


def made(size: int) -> NodeLock | None:
    """Make a lock.

    :param size: for how many processes.
    :returns: the lock; None where the system has no such files.
    """
    if sys.platform != "linux":
        return None
    files = os.memfd_create("bsbpool-lock"), os.memfd_create("bsbpool-lock")
    if os.getpid() >> _PROCESS or files[0] >> _FILE:
        _close(files)
        return None
    token = (os.getpid() << _FILE | files[0]) << _RANDOM | secrets.randbits(_RANDOM)
    for file in files:
        os.pwrite(file, _HEAD.pack(token, files[1]), 0)
    return NodeLock(token, files, size)


def found(token: int, size: int) -> NodeLock | None:
    """Find the lock that another process of this node has made.

    :param token: the token of that lock.
    :param size: for how many processes it is.
    :returns: the lock; None if it is not of this node, or can't be reached.
    """
    files: list[int] = []
    process, number = token >> (_FILE + _RANDOM), token >> _RANDOM & (1 << _FILE) - 1
    try:
        while len(files) < 2:
            path = f"/proc/{process}/fd/{number}"
            if not stat.S_ISREG(os.stat(path).st_mode):  # opening a device may have effects
                raise OSError("another file")
            files.append(os.open(path, os.O_RDWR | os.O_CLOEXEC))
            head, number = _HEAD.unpack(os.pread(files[-1], _HEAD.size, 0))
            if head != token:
                raise OSError("another file")
    except (OSError, struct.error):
        _close(files)
        return None
    return NodeLock(token, (files[0], files[1]), size)


def _close(files: list[int] | tuple[int, int]) -> None:
    for file in files:
        os.close(file)
