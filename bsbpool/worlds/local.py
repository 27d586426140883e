"""The local world: one rank, which is this process. Tasks are threads; the clock is the machine's."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..exceptions import JobInterrupted
from .base import Channel, Interruptible, Role, World, this_world

if TYPE_CHECKING:
    from ..trace.recording import FileRecorder, Sink

try:
    import resource
except ImportError:  # no Unix
    resource = None  # type: ignore[assignment]

#: State of this process; every real world of it shares this one.
PROCESS: dict[str, Any] = {}


class ProcessChannel(Channel):
    """Base of the channels of real processes."""

    def perform(self, job: int, function: Callable[[], Any]) -> Any:
        process = os.getpid()
        try:
            return function()
        finally:
            if os.getpid() != process:
                # A forked copy of this rank would answer main a second time, and can use neither MPI nor locks.
                complaint = (
                    f"bsbpool: job {job} forked, and the child came back to the pool: it ends here, the job goes on in "
                    "its parent. Let the child end itself, by os._exit(), or use subprocess or multiprocessing.\n"
                )
                os.write(2, complaint.encode())
                os._exit(1)


class LocalChannel(ProcessChannel):
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
    """Base of the local world and that of MPI: the machine's clock, threads and folders."""

    def __init__(self) -> None:
        self.state = PROCESS
        self.host = socket.gethostname()

    now = staticmethod(time.monotonic_ns)

    def mailbox(self) -> LocalChannel:
        return LocalChannel()

    def start(self, role: Role, function: Callable[..., Any], *args: Any, name: str | None = None) -> None:
        def body() -> None:
            this_world(self)
            function(*args)

        # The process waits for schedulers, which are the user's code. If one were cut off, locks of its libraries,
        # such as h5py's, would stay taken, and Python would wait for them for ever when it ends.
        daemon = role is not Role.SCHEDULER
        threading.Thread(target=body, name=f"bsbpool: {name or role.value}", daemon=daemon).start()

    def task(self) -> object:
        return threading.get_ident()

    def interruptible(self) -> Interruptible:
        return InterruptibleThread()

    def lock(self) -> AbstractContextManager[Any]:
        return threading.RLock()

    def folder(self) -> str:
        return tempfile.mkdtemp(prefix="bsbpool-")

    def hosts(self) -> Sequence[str]:
        """Return the names of the hosts by rank; one name if all ranks are on it; none if they are not known."""
        return (self.host,)

    def recording(self) -> Sink | None:
        from .trace_files import process_recorder

        return process_recorder(self.size, self.hosts())

    def file_recorder(self, path: str, capture: bool = False) -> FileRecorder:
        from .trace_files import open_recorder

        return open_recorder(path, capture, self.size, self.hosts())

    def memory(self) -> int:
        if resource is None:
            return 0
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak


class InterruptibleThread(Interruptible):
    """Runs a function in a thread, in which Python can raise an exception between two bytecodes.

    Python raises the exception some time after it was requested, but it must not do so after the function has ended. So
    there is one *claim*: either the thread takes it when the function has ended, or the task that interrupts takes it;
    `list.pop` is atomic. If the thread comes second, it waits for the exception, and no other exception follows.
    """

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._claim = [True]
        self._sent = False
        self.interrupted = False

    def run(self, function: Callable[[], Any]) -> Any:
        result: Any = None
        error: BaseException | None = None
        # The exception may be raised anywhere in this block, and nowhere outside.
        try:
            try:
                result = function()
            except BaseException as raised:
                error = raised
            if not self._take_claim():
                while not self._sent:
                    time.sleep(0.0001)
                # Whether it was raised and caught, or is pending: one is raised now, and none after it. Taking it
                # back instead, which Python offers too, leaves 3.11 looking for it for ever, and hanging if traced.
                _raise_in(self._thread, JobInterrupted)
                while True:
                    time.sleep(0)
        except JobInterrupted as raised:
            error = raised
        if error is not None:
            try:
                raise error
            finally:
                error = None  # no cycle with the frame of its traceback
        return result

    def _take_claim(self) -> bool:
        try:
            return self._claim.pop()
        except IndexError:
            return False

    def interrupt(self) -> bool:
        if not self._take_claim():
            return False
        self.interrupted = True
        _raise_in(self._thread, JobInterrupted)
        self._sent = True
        return True

    def frame(self) -> FrameType | None:
        return sys._current_frames().get(self._thread)

    code = run.__code__


def _raise_in(thread: int, kind: type[BaseException]) -> None:
    """Let Python raise an exception in a thread, in place of one that is pending.

    While an exception is pending, each traced thread of Python 3.11 that calls a function spins: its interpreter looks
    for the exception again and again. If the target thread is in C code, this may last for ever: under a debugger, or
    while coverage is measured, main would hang. So this thread raises an exception in itself too, after which Python
    stops looking. The target thread still raises its own when it returns from C code.
    """
    me = ctypes.c_ulong(threading.get_ident())
    there, exception, mine = ctypes.c_ulong(thread), ctypes.py_object(kind), ctypes.py_object(_Looked)
    interrupt = ctypes.pythonapi.PyThreadState_SetAsyncExc
    if sys.version_info >= (3, 12) or thread == me.value:
        interrupt(there, exception)
        return
    try:
        # No Python function is called in this block.
        interrupt(there, exception)
        interrupt(me, mine)
        while True:
            pass
    except _Looked:
        pass


class _Looked(BaseException):
    """Raised by a thread in itself, so that Python stops looking for the exception of another thread."""


class LocalWorld(ThreadedWorld):
    """One rank: this process."""

    rank = 0
    size = 1

    def members(self) -> tuple[Any, ...]:
        return (os.getpid(),)

    def channel(self) -> Channel:
        return LocalChannel()

    def window(self, buffer: Any) -> LocalWindow:
        return LocalWindow(buffer)


class LocalWindow:
    """A window of one rank: its own buffer, which nobody else can lock."""

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
