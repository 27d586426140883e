"""Threads of a simulated rank: each is a task of the kernel, which runs until it waits.

This file has `threading.Thread` and functions based on it, the current thread, the names and numbers of threads, and
the end of a rank that has started threads. Waiting belongs in `locks`; `threading.local` is in `thread_locals`.
"""

from __future__ import annotations

import _thread
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from greenlet import GreenletExit, getcurrent

from ..errors import CannotSimulateError
from ..kernel import Rank, Task
from ..places import is_ctrl_c
from ..thread_turns import GOES_ON, GOING_ON, ThreadOperation, turns_of
from ..virtual import FIRST_PROCESS, real
from .locks import Waiter, asked, never_goes_on, park_until_given, until
from .process import PROCESS, Process

OF_THREADS: dict[str, Callable[..., Any]] = {}

_F = TypeVar("_F", bound=Callable[..., Any])


def _for(*names: str) -> Callable[[_F], _F]:
    def keep(function: _F) -> _F:
        OF_THREADS.update(dict.fromkeys(names, function))
        return function

    return keep


# -- what a rank has of threads --------------------------------------------------------------------------------


class Threads:
    """The threads of one rank.

    :param rank: whose they are.
    """

    def __init__(self, rank: Rank):
        self.rank = rank
        #: those that were started and have not ended, by their tasks.
        self.alive: dict[Task, threading.Thread] = {}
        #: of all tasks of this rank but its program, once they were asked for.
        self.numbers: dict[Task, int] = {}
        #: how many names of a kind were given.
        self.named: dict[str, int] = {}
        #: the event loops of `asyncio` that tasks have set.
        self.loops: dict[Task, Any] = {}
        #: what to call before the rank waits for its threads, at its end.
        self.at_end: list[Callable[[], Any]] = []
        #: `stack_size`, `settrace` and `setprofile` of this rank, which have no effect.
        self.settings: dict[str, Any] = {}
        self.main_has_ended = False
        self.waiting_for_main: list[Waiter] = []
        self._main: threading.Thread | None = None

    def main(self) -> threading.Thread:
        """Return the main thread."""
        if self._main is None:
            self._main = _made(_MainThread, "MainThread", FIRST_PROCESS + self.rank.index, False)
        return self._main

    def name(self, kind: str, first: int) -> int:
        """Return the number of the next name of a kind."""
        self.named[kind] = number = self.named.get(kind, first - 1) + 1
        return number


#: The key of a rank's threads in what the rank keeps; it has none there if nobody asked for any.
THREADS = "threads"


def threads_of(rank: Rank) -> Threads:
    """Return the threads of a rank."""
    threads: Threads | None = rank.kept.get(THREADS)
    if threads is None:
        threads = rank.kept[THREADS] = Threads(rank)
    return threads


class _Run:
    """Stands in the dictionary of a thread that a task has started, and runs it."""

    __slots__ = ("ended", "task", "waiting")

    def __init__(self, task: Task):
        self.task = task
        self.ended = False
        #: those that join it.
        self.waiting: list[Waiter] = []


_RUN = "_simulated"
#: The class of the main thread, which typeshed leaves out.
_MainThread: type[threading.Thread] = vars(threading)["_MainThread"]


def _run_of(thread: threading.Thread) -> _Run | None:
    return thread.__dict__.get(_RUN)


def _made(kind: type[threading.Thread], name: str, ident: int, daemon: bool) -> threading.Thread:
    """A thread that nobody starts, since it runs already."""
    thread = kind.__new__(kind)
    threading.Thread.__init__(thread, name=name, daemon=daemon)
    thread.__dict__["_started"]._flag = True
    _number(thread, ident)
    return thread


def _number(thread: Any, ident: int) -> None:
    """Give a thread that runs its number."""
    thread._ident = thread._native_id = ident
    if (handle := getattr(_thread, "_make_thread_handle", None)) is not None:  # from Python 3.13 on
        thread._handle = handle(ident)


# -- who runs --------------------------------------------------------------------------------------------------


@_for("threading.get_ident", "threading.get_native_id", "_thread.get_ident", "_thread.get_native_id")
def ident(task: Task) -> int:
    """Return the number of the thread for a task."""
    rank = task.rank
    if task is rank.main:
        return FIRST_PROCESS + rank.index
    numbers = threads_of(rank).numbers
    if task not in numbers:
        numbers[task] = (FIRST_PROCESS + rank.index) + ((threads_of(rank).name("ident", 1)) << 32)
    return numbers[task]


@_for("threading.current_thread")
def current_thread(task: Task) -> threading.Thread:
    """Return the thread for a task. For a task that no program started, it is made when it is first asked for."""
    if task is task.rank.main:
        return threads_of(task.rank).main()
    if task.thread is None:
        task.thread = _made(threading._DummyThread, task.name, ident(task), True)
        task.thread.__dict__[_RUN] = _Run(task)
    thread: threading.Thread = task.thread
    return thread


@_for("threading.main_thread")
def _main_thread(task: Task) -> threading.Thread:
    return threads_of(task.rank).main()


@_for("threading.enumerate")
def _enumerate(task: Task) -> list[threading.Thread]:
    threads = threads_of(task.rank)
    found = [*threads.alive.values()] if threads.main_has_ended else [threads.main(), *threads.alive.values()]
    here = current_thread(task)
    return found if here in found else [*found, here]


@_for("threading.active_count")
def _active_count(task: Task) -> int:
    return len(_enumerate(task))


@_for("_thread._count")
def _count(task: Task) -> int:
    return len(threads_of(task.rank).alive)


@_for("threading._counter")
def _number_of_thread(task: Task) -> int:
    return threads_of(task.rank).name("Thread", 1)


@_for("threading.Thread.ident", "threading.Thread.native_id")
def _ident_of(task: Task, self: Any) -> int | None:
    number: int | None = real["threading.Thread.ident"].__get__(self)
    return number


# -- a thread's life -------------------------------------------------------------------------------------------


@_for("threading.Thread.start")
def _start(task: Task, self: Any) -> None:
    if not self._initialized:
        raise RuntimeError("thread.__init__() not called")
    if self._started._flag:
        raise RuntimeError("threads can only be started once")
    new = task.kernel.make(task.rank, self.name, _live, self)
    new.thread = self
    self.__dict__[_RUN] = _Run(new)
    _number(self, ident(new))
    threads_of(task.rank).alive[new] = self
    self._started._flag = True  # nobody waits for it
    _begin(new)


def _begin(new: Task) -> None:
    """Let a thread begin, in its turn where time is set aside."""
    rank, kernel = new.rank, new.kernel
    kernel.cluster.has_threads = rank.threaded = True
    turns = turns_of(new)
    if turns is None:
        kernel.begin(new)
    else:
        place = turns.place(new, (GOES_ON, rank.index), None, GOING_ON)
        turns.ask(new, place, ThreadOperation.STEP, partial(kernel.begin, new))


def _live(thread: Any) -> None:
    """What the task of a thread does."""
    task: Any = getcurrent()
    try:
        try:
            thread.run()
        except GreenletExit:
            raise
        except BaseException as error:
            if task.kernel.closing or is_ctrl_c(error):
                raise
            error.__traceback__ = _from_thread_on(error.__traceback__)
            thread._invoke_excepthook(thread)
    finally:
        _ended(task, thread)


def _from_thread_on(trace: Any) -> Any:
    """Without the frames of the simulator that started it."""
    while trace is not None and trace.tb_frame.f_code is not _live.__code__:
        trace = trace.tb_next
    return None if trace is None else trace.tb_next


def _ended(task: Task, thread: Any) -> None:
    threads = threads_of(task.rank)
    threads.alive.pop(task, None)
    threads.numbers.pop(task, None)
    threads.loops.pop(task, None)
    run = _over(thread)
    waiting, run.waiting = run.waiting, []
    for waiter in waiting:
        waiter.release()


def _over(thread: Any) -> _Run:
    """A thread has ended; also for who asks after the simulation."""
    run = _run_of(thread)
    assert run is not None
    run.ended = True
    thread._is_stopped = True
    handle: Any = getattr(thread, "_handle", None)
    if handle is not None:
        handle._set_done()
    return run


@_for("threading.Thread.is_alive")
def _is_alive(task: Task, self: Any) -> bool:
    alive = _lives(self)
    if alive is None:
        if self._started._flag:
            return bool(real["threading.Thread.is_alive"](self))
        return False
    if alive:
        asked(task)
    return alive


def _lives(thread: Any) -> bool | None:
    """Whether a thread of a simulated rank runs; None if it is no such thread, or was not started."""
    run = _run_of(thread)
    if run is not None:
        return not run.ended and not never_goes_on(run.task)
    if isinstance(thread, _MainThread):
        task: Any = getcurrent()
        threads = threads_of(task.rank)
        if thread is threads._main:
            return not threads.main_has_ended
    return None


@_for("threading.Thread.join")
def _join(task: Task, self: Any, timeout: float | None = None) -> None:
    if not self._initialized:
        raise RuntimeError("Thread.__init__() not called")
    if not self._started._flag:
        raise RuntimeError("cannot join thread before it is started")
    if self is current_thread(task):
        raise RuntimeError("cannot join current thread")
    alive = _lives(self)
    if alive is None:
        real["threading.Thread.join"](self, timeout)
    elif alive:
        run = _run_of(self)
        waiting = threads_of(task.rank).waiting_for_main if run is None else run.waiting
        _wait_for_end(task, waiting, f"the end of thread {self.name!r}", timeout)


def _wait_for_end(task: Task, waiting: list[Waiter], why: str, timeout: float | None = None) -> None:
    waiter = Waiter(task)
    waiting.append(waiter)
    limit = until(task, timeout)
    try:
        park_until_given(task, waiter, why, limit)
    finally:
        if not waiter.given:
            waiting.remove(waiter)


# -- threads without objects ------------------------------------------------------------------------------------


@_for("_thread.start_new_thread", "_thread.start_new", "threading._start_new_thread")
def _start_new_thread(task: Task, function: Any, args: Any, kwargs: Any = None, /) -> int:
    if not callable(function):
        raise TypeError("first arg must be callable")
    if not isinstance(args, tuple):
        raise TypeError("2nd arg must be a tuple")
    threads = threads_of(task.rank)
    name = f"Dummy-{threads.name('Dummy', 1)}"
    new = task.kernel.make(task.rank, name, partial(_live_alone, function, args, kwargs or {}))
    threads.alive[new] = new.thread = _made(threading._DummyThread, name, ident(new), True)
    new.thread.__dict__[_RUN] = _Run(new)
    _begin(new)
    return ident(new)


def _live_alone(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    task: Any = getcurrent()
    try:
        function(*args, **kwargs)
    except (GreenletExit, SystemExit):
        if task.kernel.closing:
            raise
    except BaseException as error:
        if task.kernel.closing or is_ctrl_c(error):
            raise
        trace = error.__traceback__
        text = "".join(traceback.format_exception(type(error), error, trace.tb_next if trace is not None else None))
        print(f"Exception ignored in thread started by: {function!r}\n{text}", end="", file=sys.stderr)
    finally:
        _ended(task, task.thread)


@_for("_thread.interrupt_main")
def _interrupt_main(task: Task, signum: int = 2, /) -> None:
    if task.rank.main is task:
        raise KeyboardInterrupt
    assert task.rank.main is not None
    task.kernel.interrupt(task.rank.main, KeyboardInterrupt())


@_for("_thread.start_joinable_thread")
def _start_joinable_thread(task: Task, *args: Any, **kwargs: Any) -> Any:
    raise CannotSimulateError(
        f"simulated rank {task.rank.index} called _thread.start_joinable_thread(): start a threading.Thread"
    )


@_for("importlib._bootstrap._get_module_lock")
def _get_module_lock(task: Task, name: str) -> Any:
    # Of each module that is being imported: two threads of a rank wait for each other, and two ranks do not.
    return real["importlib._bootstrap._get_module_lock"](f"{name} of rank {task.rank.index}")


# -- settings ---------------------------------------------------------------------------------------------------


@_for("threading.stack_size", "_thread.stack_size")
def _stack_size(task: Task, size: int = 0, /) -> int:
    settings = threads_of(task.rank).settings
    before: int = settings.get("stack_size", 0)
    if size and size < 32768:
        raise ValueError(f"size not valid: {size} bytes")
    settings["stack_size"] = size or before
    return before


@_for("threading.settrace", "threading.settrace_all_threads")
def _settrace(task: Task, function: Any) -> None:
    threads_of(task.rank).settings["trace"] = function


@_for("threading.gettrace")
def _gettrace(task: Task) -> Any:
    return threads_of(task.rank).settings.get("trace")


@_for("threading.setprofile", "threading.setprofile_all_threads")
def _setprofile(task: Task, function: Any) -> None:
    threads_of(task.rank).settings["profile"] = function


@_for("threading.getprofile")
def _getprofile(task: Task) -> Any:
    return threads_of(task.rank).settings.get("profile")


# -- the end of a rank ------------------------------------------------------------------------------------------


@_for("threading._register_atexit")
def _register_atexit(task: Task, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    process: Process | None = task.rank.kept.get(PROCESS)
    # From the function that stands for it. What shared modules register is for the end of all ranks.
    if process is None or not process.owns(sys._getframe(2).f_globals):
        real["threading._register_atexit"](function, *args, **kwargs)
    else:
        threads_of(task.rank).at_end.append(partial(function, *args, **kwargs))


def wait_for_threads(task: Task, raised: BaseException | None = None) -> None:
    """Shut the executors of a rank down when its program has ended, and wait for its threads that are not daemons.

    :param raised: what ended the program.
    """
    threads: Threads | None = task.rank.kept.get(THREADS)
    if threads is None:
        return
    while threads.at_end:
        threads.at_end.pop()()
    _end_executors(threads)
    threads.main_has_ended = True
    waiting, threads.waiting_for_main = threads.waiting_for_main, []
    for waiter in waiting:
        waiter.release()
    after = "" if raised is None else f", after its program raised {type(raised).__name__}"
    while (last := next((thread for thread in threads.alive.values() if not thread.daemon), None)) is not None:
        run = _run_of(last)
        assert run is not None
        _wait_for_end(task, run.waiting, f"the end of thread {last.name!r}, as its last{after}")


def _end_executors(threads: Threads) -> None:
    """What `concurrent.futures` does at the end of a process, which has one of what it keeps for this."""
    module: Any = sys.modules.get("concurrent.futures.thread")
    if module is None:
        return
    for thread in [*threads.alive.values()]:
        queue = module._threads_queues.get(thread)
        if queue is not None:
            executor = vars(thread)["_args"][0]()
            if executor is not None:
                executor.shutdown(wait=False)
            queue.put(None)


def leave_threads(rank: Rank) -> None:
    """Stop the threads that still run when the program of the rank is over, as at the end of a process."""
    threads: Threads | None = rank.kept.get(THREADS)
    if threads is None:
        return
    for task, thread in threads.alive.items():
        task.leave()
        _over(thread)
    threads.alive.clear()
