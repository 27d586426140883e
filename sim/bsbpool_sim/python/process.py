"""The state of a process that each rank of a whole program has: streams, arguments, paths, environment, exit handlers.

Nothing is exchanged when another rank runs. If Python keeps one of these in an attribute of a module or of an object,
the class of that object is replaced by one whose attributes check which rank runs. Only the working directory, which
belongs to the operating system, is changed, and only if a rank has changed it. A rank's modules are in `modules`.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import traceback
import types
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TypeVar

from greenlet import getcurrent

from ..kernel import Task
from ..virtual import real

#: The key of a rank's process in what the rank keeps.
PROCESS = "process"

_F = TypeVar("_F", bound=Callable[..., Any])

#: Attributes of `sys` that each rank has to itself.
OF_SYS = (
    "argv", "path", "meta_path", "stdin", "stdout", "stderr", "excepthook", "displayhook", "unraisablehook",
    "orig_argv",
)  # fmt: skip


class Common:
    """What the ranks of one simulation share of their processes.

    :param on_move: called when a rank has changed its working directory.
    :ivar put: names of the environment's variables that ranks have set or removed, also for C code.
    """

    def __init__(self, on_move: Callable[[], None]) -> None:
        self.on_move = on_move
        self.put: set[bytes] = set()


class Process:
    """What one rank has of a process.

    :param common: what it has in common with the others.
    :param owns: whether a module's namespace is one of this rank's own.
    :param sys: its attributes of `sys`, those of `OF_SYS`.
    :param environment: as `os.environ` keeps it.
    :param folder: its working directory.
    """

    def __init__(
        self,
        common: Common,
        owns: Callable[[dict[str, Any]], bool],
        sys: dict[str, Any],
        environment: dict[Any, Any],
        folder: str,
    ):
        self.common = common
        self.owns = owns
        self.sys = sys
        self.environment = environment
        self.folder = folder
        self.at_exit: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
        #: its objects of `weakref.finalize` that wait, in order; see `finalizers`.
        self.finalizers: dict[Any, Process] = {}
        #: what it calls when a test next runs on it, in order: this undoes settings of tests that are over.
        self.pending: list[Callable[[], None]] = []
        #: the streams that it began with, until it ends.
        self.streams: list[Any] = []
        #: the exit status, once its program has ended.
        self.status: int | None = None
        #: whether it prints nothing any more.
        self.muted = False
        #: its attributes of `threading`.
        self.threading: dict[str, Any] = {"excepthook": threading.__excepthook__}
        #: what loggers, and logging's manager, have on this rank, by the object's id.
        self.logging: dict[int, dict[str, Any]] = {}
        #: those objects, and what they had outside of the ranks.
        self.logging_outside: dict[int, tuple[Any, dict[str, Any]]] = {}
        #: what tables of logging have on this rank, by their names.
        self.level_names: dict[str, dict[Any, Any]] = {}
        #: what makes the records of its log; None: what makes those of who simulates.
        self.record_factory: Any = None
        #: the handlers that it made.
        self.handlers: weakref.WeakSet[Any] = weakref.WeakSet()

    def run_at_exit(self) -> None:
        """Call the functions registered with `atexit`, the last one first."""
        while self.at_exit:
            function, args, kwargs = self.at_exit.pop()
            try:
                function(*args, **kwargs)
            except (SystemExit, Exception) as error:  # whatever it raises, Python goes on with the others, too
                shown = f" {function!r}:" if sys.version_info >= (3, 13) else f": {function!r}"
                trace = None if error.__traceback__ is None else error.__traceback__.tb_next  # without this function
                text = "".join(traceback.format_exception(type(error), error, trace))
                write_complaint(f"Exception ignored in atexit callback{shown}\n{text}")


def write_complaint(text: str) -> None:
    """Write to the standard error of the rank, unless it has none or has closed it."""
    with suppress(Exception):
        sys.stderr.write(text)


def current_process() -> Process | None:
    """Return the `Process` of the running rank; None if no rank runs, or it has none."""
    task = getcurrent()
    return task.rank.kept.get(PROCESS) if isinstance(task, Task) else None


# -- attributes that ask who runs ----------------------------------------------------------------------------


def property_of_rank(name: str, kept: Callable[[Process, Any], dict[str, Any]]) -> property:
    """Make a property for an attribute that each rank with a `Process` has for itself.

    :param kept: where a rank keeps those of an object.
    """

    def space(self: Any) -> dict[str, Any]:
        process = current_process()
        attributes: dict[str, Any] = self.__dict__ if process is None else kept(process, self)
        return attributes

    return property_in(name, space)


def property_in(name: str, space: Callable[[Any], dict[str, Any]]) -> property:
    """Make a property for an attribute of an object that is kept elsewhere.

    :param space: called with the object, returns where it is kept now.
    """

    def get(self: Any) -> Any:
        try:
            return space(self)[name]
        except KeyError:
            raise AttributeError(f"{self!r} has no attribute {name!r}", name=name, obj=self) from None

    def put(self: Any, value: Any) -> None:
        space(self)[name] = value

    def delete(self: Any) -> None:
        del space(self)[name]

    return property(get, put, delete)


def reclassed(instance: Any, properties: dict[str, Any]) -> Callable[[], None]:
    """Give an object a class with these properties; return a function that undoes this."""
    before = type(instance)
    names: dict[str, Any] = {"__module__": before.__module__, **properties}
    if before is types.ModuleType:
        # Python's import makes new modules by calling the class of `sys`.
        names["__new__"] = lambda _, name, doc=None: types.ModuleType(name, doc)
    instance.__class__ = type(before.__name__, (before,), names)
    return lambda: setattr(instance, "__class__", before)


def _nothing(*_: Any) -> None:
    pass


class _ForC:
    """Stands in `sys` for a stream, where code in C looks for it. Its attributes are those of the running rank's
    stream. What goes to none is dropped, as Python does it.
    """

    def __init__(self, name: str, outside: Any):
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_outside", outside)

    def _now(self) -> Any:
        process = current_process()
        return self._outside if process is None else process.sys[self._name]

    def __getattr__(self, name: str) -> Any:
        stream = self._now()
        return _nothing if stream is None and name in ("write", "flush") else getattr(stream, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._now(), name, value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __next__(self) -> str:
        return str(next(self._now()))


def environment() -> dict[Any, Any]:
    """Return a copy of the environment, encoded as `os.environ` keeps it, so that nothing is decoded when another rank
    runs.
    """
    kept: Any = os.environ
    return dict(kept._data)


@contextmanager
def environments(common: Common) -> Iterator[None]:
    """While active, each rank with a `Process` has its environment and its working directory."""
    folder, before = os.getcwd(), environment()
    with ExitStack() as undo:
        keep = {"_data": property_of_rank("_data", lambda process, _: {"_data": process.environment})}
        for name in ("environ", "environb"):
            if hasattr(os, name):
                undo.callback(reclassed(getattr(os, name), keep))
        undo.callback(_restore, folder, before, common)
        yield


@contextmanager
def processes(common: Common) -> Iterator[None]:
    """While active, each rank with a `Process` has the settings in it."""
    streams = {name: sys.__dict__[name] for name in ("stdin", "stdout", "stderr")}
    with ExitStack() as undo:
        for name, stream in streams.items():
            sys.__dict__[name] = _ForC(name, stream)
        undo.callback(sys.__dict__.update, streams)
        undo.callback(reclassed(sys, {name: property_of_rank(name, lambda process, _: process.sys) for name in OF_SYS}))
        undo.callback(threading.__dict__.update, excepthook=threading.__dict__["excepthook"])
        hook = property_of_rank("excepthook", lambda process, _: process.threading)
        undo.callback(reclassed(threading, {"excepthook": hook}))
        threading.__dict__["excepthook"] = functools.partial(_of_thread, threading.__dict__["excepthook"])
        undo.enter_context(environments(common))
        yield


def _of_thread(outside: Any, raised: Any) -> None:
    """Stands in `threading`, whose own code takes it from there: what a thread has raised is for its rank's hook."""
    process = current_process()
    hook = outside if process is None else process.threading.get("excepthook")
    (hook or threading.__excepthook__)(raised)


def _restore(folder: str, environment: dict[Any, Any], common: Common) -> None:
    if os.getcwd() != folder:
        os.chdir(folder)
    for key in common.put:
        if key in environment:
            os.putenv(key, environment[key])
        else:
            os.unsetenv(key)


# -- functions of modules ------------------------------------------------------------------------------------

#: What they do for a rank, by name, as `virtual.VIRTUAL`; without a `Process` the rank gets the real ones.
OF_PROCESS: dict[str, Callable[..., Any]] = {}


def _for(*names: str) -> Callable[[_F], _F]:
    def keep(function: _F) -> _F:
        OF_PROCESS.update(dict.fromkeys(names, function))
        return function

    return keep


def _process(task: Task) -> Process | None:
    found: Process | None = task.rank.kept.get(PROCESS)
    return found


@_for("os.putenv")
def _putenv(task: Task, name: Any, value: Any, /) -> None:
    real["os.putenv"](name, value)
    _note(task, name)


@_for("os.unsetenv")
def _unsetenv(task: Task, name: Any, /) -> None:
    real["os.unsetenv"](name)
    _note(task, name)


def _note(task: Task, name: Any) -> None:
    process = _process(task)
    if process is not None:
        process.common.put.add(os.fsencode(name))


@_for("os.chdir")
def _chdir(task: Task, path: Any) -> None:
    real["os.chdir"](path)
    _moved(task)


@_for("os.fchdir")
def _fchdir(task: Task, fd: int) -> None:
    real["os.fchdir"](fd)
    _moved(task)


def _moved(task: Task) -> None:
    process = _process(task)
    if process is not None:
        process.folder = os.getcwd()
        process.common.on_move()


@_for("atexit.register")
def _register(task: Task, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    process = _process(task)
    # From the function that stands for atexit.register. What shared modules register is for the end of all ranks.
    caller = sys._getframe(2).f_globals
    if process is None or not process.owns(caller):
        return real["atexit.register"](function, *args, **kwargs)
    process.at_exit.append((function, args, kwargs))
    return function


@_for("atexit.unregister")
def _unregister(task: Task, function: Callable[..., Any], /) -> None:
    process = _process(task)
    real["atexit.unregister"](function)
    if process is not None:
        process.at_exit = [each for each in process.at_exit if each[0] != function]
