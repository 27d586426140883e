"""What is virtual, or forbidden, for a simulated rank while a simulation runs: clocks, threads, MPI.

The one file of the simulator that touches the real ones. Everything is decided at each call by who calls:
a simulated rank gets the substitute, anybody else in the process (other threads, the hub) the real thing.
So simulations may run in several threads at once, and only the first and the last install and restore.

Out of reach is what a program took before: `from time import monotonic` or `comm = MPI.COMM_WORLD` at the
import of a module that was imported before the simulation. Take them inside the program, or as
``time.monotonic`` and ``MPI.COMM_WORLD``.
"""

from __future__ import annotations

import _thread
import importlib
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from greenlet import getcurrent

from . import mpi
from .errors import CannotSimulateError
from .kernel import SECOND, Task, nanoseconds

#: What `time.time` gives at virtual time 0: 2000-01-01, 00:00 UTC.
EPOCH = 946_684_800

_lock = threading.Lock()
_users = 0
_undo: list[Callable[[], None]] = []


@contextmanager
def substitutes() -> Iterator[None]:
    """While active, a simulated rank has virtual clocks, simulated MPI, and no thread, process or socket."""
    global _users
    with _lock:
        if _users == 0:
            _install()
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                while _undo:
                    _undo.pop()()


def _install() -> None:
    _hook_once()
    for name, substitute in _CLOCKS.items():
        _real[name] = getattr(time, name)
        _replace(time, name, substitute)
    # Python 3.11 has no audit event for a new thread, and none of them has one for multiprocessing's spawn.
    _replace(_thread, "start_new_thread", _forbidding("_thread.start_new_thread", _thread.start_new_thread))
    if hasattr(threading, "_start_new_thread"):
        _replace(threading, "_start_new_thread", _thread.start_new_thread)
    try:
        import _posixsubprocess as posix
    except ImportError:  # pragma: no cover  (not on Windows)
        pass
    else:
        _replace(posix, "fork_exec", _forbidding("subprocess.Popen", posix.fork_exec))
    _install_mpi()


def _replace(owner: Any, name: str, value: Any) -> None:
    before = getattr(owner, name)
    _undo.append(lambda: setattr(owner, name, before))
    setattr(owner, name, value)


# -- clocks ----------------------------------------------------------------------------------------------

_real: dict[str, Any] = {}


def _sleep(seconds: float) -> None:
    task = getcurrent()
    if not isinstance(task, Task):
        return _real["sleep"](seconds)  # type: ignore[no-any-return]
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    if not seconds:
        # Others run, and an event is counted: a loop of such sleeps meets the horizon.
        task.kernel.park("its turn, after a sleep of 0 s", task.kernel.now)
    task.kernel.compute(nanoseconds(seconds), "the end of its sleep")
    return None


def _clock(name: str, offset: int) -> Callable[[], float]:
    def clock() -> float:
        task = getcurrent()
        if not isinstance(task, Task):
            return _real[name]()  # type: ignore[no-any-return]
        return offset + task.kernel.read_clock() / SECOND

    def clock_ns() -> int:
        task = getcurrent()
        if not isinstance(task, Task):
            return _real[name]()  # type: ignore[no-any-return]
        return offset * SECOND + task.kernel.read_clock()

    substitute = clock_ns if name.endswith("_ns") else clock
    substitute.__name__ = substitute.__qualname__ = name
    return substitute


_CLOCKS: dict[str, Callable[..., Any]] = {"sleep": _sleep}
for _name in ("monotonic", "perf_counter", "process_time", "thread_time", "time"):
    for _form in (_name, _name + "_ns"):
        _CLOCKS[_form] = _clock(_form, EPOCH if _name == "time" else 0)
_real.update({name: getattr(time, name) for name in _CLOCKS})


# -- threads, processes, sockets -------------------------------------------------------------------------

_THREAD = ("a real thread", "whose timing no simulation can repeat: let another rank or a job do it")
_PROCESS = ("a real process", "which lives in real time: run it before simulate(), and use its result here")
_SOCKET = ("a socket", "whose other end lives in real time: use the communicator, or it before simulate()")
_FORBIDDEN = {
    "_thread.start_new_thread": _THREAD,
    "_thread.start_joinable_thread": _THREAD,
    "subprocess.Popen": _PROCESS,
    "os.exec": _PROCESS,
    "os.fork": _PROCESS,
    "os.forkpty": _PROCESS,
    "os.posix_spawn": _PROCESS,
    "os.spawn": _PROCESS,
    "os.startfile": _PROCESS,
    "os.system": _PROCESS,
    "_winapi.CreateProcess": _PROCESS,
    "socket.__new__": _SOCKET,
    # From Python 3.13 on. Ours is no such event, so this sleep was imported by name before the simulation.
    "time.sleep": ("a real sleep", "taken before the simulation: write `import time` and `time.sleep(…)`"),
}
_hooked = False


def _refuse(event: str) -> None:
    task = getcurrent()
    if isinstance(task, Task):
        what, instead = _FORBIDDEN[event]
        raise CannotSimulateError(f"simulated rank {task.rank.index} tried to start {what}, {instead}")


def _audit(event: str, _: Any) -> None:  # pragma: no cover  (Python traces no audit hooks)
    if event in _FORBIDDEN:
        _refuse(event)


def _hook_once() -> None:
    # An audit hook can't be removed; it costs a dictionary lookup for each event.
    global _hooked
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked = True


def _forbidding(event: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def start(*args: Any, **kwargs: Any) -> Any:
        _refuse(event)
        return real(*args, **kwargs)

    return start


# -- mpi4py ----------------------------------------------------------------------------------------------


class _Dispatching(types.ModuleType):
    """The real `mpi4py.MPI`, whose attributes are the simulator's for a simulated rank."""

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_") or not isinstance(getcurrent(), Task):
            return super().__getattribute__(name)
        try:
            return getattr(mpi, name)
        except AttributeError:
            value = super().__getattribute__(name)
            if isinstance(value, int | str):
                return value
            raise


class _StandIn(types.ModuleType):
    """`mpi4py.MPI` where the real one is not imported."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if isinstance(getcurrent(), Task) or sys.modules.get("mpi4py.MPI") is self:
            return getattr(mpi, name)
        # Kept by a module that was first imported during a simulation, and is used for real after it.
        return getattr(importlib.import_module("mpi4py.MPI"), name)


class _Options(types.SimpleNamespace):
    """`mpi4py.rc`: takes every option, and heeds none."""

    def __call__(self, **options: Any) -> None:
        self.__dict__.update(options)


def _install_mpi() -> None:
    module = sys.modules.get("mpi4py.MPI")
    if module is not None:
        before = type(module)
        module.__class__ = _Dispatching
        _undo.append(lambda: setattr(module, "__class__", before))
        return
    package = sys.modules.get("mpi4py")
    if package is None:
        package = types.ModuleType("mpi4py", "The simulator's stand-in for mpi4py.")
        package.__path__ = []
        package.rc = _Options()  # type: ignore[attr-defined]
        package.__version__ = "4.0"  # type: ignore[attr-defined]
        sys.modules["mpi4py"] = package
        _undo.append(lambda: _forget("mpi4py", package))
    stand_in = _StandIn("mpi4py.MPI", "The simulator's stand-in for mpi4py.MPI.")
    sys.modules["mpi4py.MPI"] = stand_in
    package.MPI = stand_in  # type: ignore[attr-defined]
    _undo.append(lambda: delattr(package, "MPI"))
    _undo.append(lambda: _forget("mpi4py.MPI", stand_in))


def _forget(name: str, module: types.ModuleType) -> None:
    if sys.modules.get(name) is module:
        del sys.modules[name]
