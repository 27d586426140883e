"""The local world: one rank, which is this process; tasks are threads, and the clock is the real one."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from .base import Channel, World, this_world

#: State of this process; every real world of it shares this one.
PROCESS: dict[str, Any] = {}


class LocalChannel(Channel):
    """A thread-safe mailbox. There is no other rank to send to.

    A condition, and no `queue.SimpleQueue`: in Python 3.11 its `get(timeout)` may sleep for ever, if the thread
    loses its core at the wrong moment.
    """

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._changed = threading.Condition()

    def put(self, item: Any) -> None:
        with self._changed:
            self._items.append(item)
            self._changed.notify()

    def get(self, until: int | None = None) -> Any:
        items = self._items
        with self._changed:
            while not items:
                if until is None:
                    self._changed.wait()
                elif (left := until - time.monotonic_ns()) > 0:
                    self._changed.wait(left / 1e9)
                else:
                    return None
            return items.popleft()

    def send(self, rank: int, message: bytes, parts: Sequence[Any] = (), last: bool = False) -> None:
        raise AssertionError("a single rank has nobody to send to")

    def close(self) -> None:
        pass


class ThreadedWorld(World):
    """What the local world and that of MPI have in common: the machine's clock, threads and folders."""

    def __init__(self) -> None:
        self.state = PROCESS
        self.host = socket.gethostname()

    def now(self) -> int:
        return time.monotonic_ns()

    def mailbox(self) -> LocalChannel:
        return LocalChannel()

    def start(self, name: str, function: Callable[..., Any], *args: Any) -> None:
        def body() -> None:
            this_world(self)
            function(*args)

        threading.Thread(target=body, name=f"bsbpool: {name}", daemon=True).start()

    def task(self) -> object:
        return threading.get_ident()

    def lock(self) -> AbstractContextManager[Any]:
        return threading.RLock()

    def folder(self) -> str:
        return tempfile.mkdtemp(prefix="bsbpool-")


class LocalWorld(ThreadedWorld):
    """One rank: this process."""

    rank = 0
    size = 1

    def channel(self) -> Channel:
        return LocalChannel()

    def window(self, buffer: Any) -> LocalWindow:
        return LocalWindow(buffer)


class LocalWindow:
    """A window where there is one rank only: that rank's buffer, which nobody else can lock."""

    def __init__(self, buffer: Any):
        self._buffer = buffer

    def Lock(self, rank: int, lock_type: int = 0, assertion: int = 0) -> None:
        """Begin an access epoch; always granted."""

    def Unlock(self, rank: int) -> None:
        """End the access epoch."""

    def Get(self, origin: Any, target_rank: int, target: Any = None) -> None:
        """Copy the buffer into `origin`, an mpi4py buffer specification or an array."""
        while isinstance(origin, list | tuple):
            origin = origin[0]
        memoryview(origin).cast("B")[:] = memoryview(self._buffer).cast("B")


#: The local world of this process.
LOCAL = LocalWorld()
