"""Locks for the threads of simulated ranks: `threading.Lock`, `RLock`, `Condition.wait`, `queue.SimpleQueue`.

The methods of the real classes are replaced, so every lock is virtual, however it was made. Python's other means of
synchronisation (`Event`, `Semaphore`, `Barrier`, `queue.Queue`, futures) are made of these.

The real lock is locked while a task holds it. In addition, the holding task and the waiting tasks are recorded. If
another thread of the process holds a lock, the wait is in real time, and all ranks wait. A task that releases a lock
passes it to the first waiting task.
"""

from __future__ import annotations

import sys
from _queue import SimpleQueue
from _thread import LockType, RLock
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from bsbpool.frames import is_observers, is_own, outward

from ..choices import GoesOn, Kind
from ..kernel import SECOND, Kernel, Rank, Task, nanoseconds
from ..tasks import Reason
from ..thread_turns import OfThreads, ThreadOperation, ThreadTurns, turns_of
from .wait_texts import waits_for

OF_LOCKS: dict[str, Callable[..., Any]] = {}

_F = TypeVar("_F", bound=Callable[..., Any])


def _for(*names: str) -> Callable[[_F], _F]:
    def keep(function: _F) -> _F:
        OF_LOCKS.update(dict.fromkeys(names, function))
        return function

    return keep


#: The real methods: while simulations run, others stand in their place.
_acquire, _release, _locked = LockType.acquire, LockType.release, LockType.locked
_acquire_again, _release_again = RLock.acquire, RLock.release
_get, _put = SimpleQueue.get, SimpleQueue.put

#: Nanoseconds that fit into Python's own timeouts, as seconds.
_LONGEST = (1 << 63) / SECOND


# -- who waits -------------------------------------------------------------------------------------------------


class Waiter:
    """A task that waits until another one lets it continue."""

    __slots__ = ("given", "task")

    def __init__(self, task: Task):
        self.task = task
        self.given = False

    def release(self) -> None:
        """Let the task continue. The method is named as that of a lock, since `Condition.notify` calls it."""
        self.given = True
        self.task.kernel.wake(self.task)


def park_until_given(task: Task, waiter: Waiter, why: Reason, limit: int | None) -> None:
    """Wait until `waiter` is released, or until `limit`; where time is set aside, that only if nothing else goes on."""
    turns = turns_of(task)
    if turns is not None:
        turns.wait(task, lambda: waiter.given, why, limit)
        return
    while not waiter.given and task.kernel.park(why, limit):
        pass


#: What is waited for: the id of a lock or queue, with the rank whose own it is, if each rank has its own.
_Key = int | tuple[int, Rank]

#: By what they wait for, while tasks wait, in the order in which they came.
_queues: dict[_Key, deque[Waiter]] = {}


def wait_until_given(task: Task, key: _Key, why: Callable[[], str], limit: int | None) -> bool:
    """Wait until `give` gives this task what it waits for, or until `limit`. Return whether it has it."""
    waiter = Waiter(task)
    _queues.setdefault(key, deque()).append(waiter)
    try:
        while not waiter.given and task.kernel.park(why, limit):
            pass
    finally:
        if not waiter.given:
            waiting = _queues[key]
            waiting.remove(waiter)
            if not waiting:
                del _queues[key]
    return waiter.given


def give(key: _Key, call: str) -> Task | None:
    """Let one of the waiting tasks continue: the first, or the one that is chosen. Return it; None if none waits."""
    waiting = _queues.get(key)
    while waiting and never_goes_on(waiting[0].task):
        waiting.popleft()
    if not waiting:
        _queues.pop(key, None)
        return None
    chooser = waiting[0].task.kernel.chooser
    if chooser is None or len(waiting) == 1:
        waiter = waiting.popleft()
    else:
        waiter = chooser.one_of(Kind.THREAD, waiting[0].task.rank.index, call, [*waiting], _as_alternative)
        waiting.remove(waiter)
    if not waiting:
        del _queues[key]
    waiter.release()
    return waiter.task


def _as_alternative(waiter: Waiter) -> GoesOn:
    return GoesOn(waiter.task.rank.index, waiter.task.title())


def never_goes_on(task: Task) -> bool:
    """Return whether a task has ended, or its rank is dead."""
    return task.ended_at is not None or task.rank.dead_at is not None


def until(task: Task, timeout: float | None) -> int | None:
    """Return the virtual time at which a wait that begins now times out after `timeout` seconds; None: never."""
    return None if timeout is None else task.kernel.now + max(0, nanoseconds(timeout))


def asked(task: Task) -> None:
    """Note that a task tried something without waiting, in vain. If it tries in a loop, it waits for time to pass."""
    task.kernel.read_clock()


# -- Lock ------------------------------------------------------------------------------------------------------


class _Holder:
    """The task that holds a lock, and how often. It refers to the lock, so that no other object gets the lock's id."""

    __slots__ = ("count", "lock", "task")

    def __init__(self, task: Task, count: int, lock: Any):
        self.task = task
        self.count = count
        self.lock = lock


#: By the lock, while a task holds it.
_held: dict[_Key, _Holder] = {}


def forget_locks(kernel: Kernel) -> None:
    """Forget which locks are held by tasks of a simulation that is over."""
    for key in [key for key, holder in _held.items() if holder.task.kernel is kernel]:
        del _held[key]


def _in_time(task: Task, blocking: bool, timeout: float) -> int | None:
    """Until when to wait, by the rules of `Lock.acquire`."""
    if not blocking and timeout != -1:
        raise ValueError("can't specify a timeout for a non-blocking call")
    if timeout < 0 and timeout != -1:
        raise ValueError("timeout value must be a non-negative number")
    if timeout > _LONGEST:
        raise OverflowError("timeout value is too large")
    return None if timeout == -1 else until(task, timeout)


def _wait_for_lock(
    task: Task, lock: Any, key: _Key, blocking: bool, timeout: float, give_back: Callable[[Task, Any], None]
) -> bool:
    """Wait for a lock that another task of this simulation holds. Returns whether this one holds it now."""
    limit = _in_time(task, blocking, timeout)
    if not blocking or timeout == 0:
        asked(task)
        return False
    try:
        return wait_until_given(task, key, partial(_why_lock, task, lock, key), limit)
    except BaseException:
        if _held[key].task is task:  # it was handed over at the instant at which the task was interrupted
            give_back(task, lock)
        raise


def _why_lock(task: Task, lock: Any, key: _Key) -> str:
    kind = "Lock" if isinstance(lock, LockType) else "RLock"
    holder = _held.get(key)
    return waits_for(task, f"a threading.{kind}" + ("" if holder is None else f" that {holder.task.who()} holds"))


def _others(task: Task, holder: _Holder | None) -> bool:
    """Whether a task of this simulation holds a lock."""
    return holder is not None and holder.task.kernel is task.kernel and not never_goes_on(holder.task)


def _take(task: Task, lock: Any, blocking: bool = True, timeout: float = -1) -> bool:
    if (turns := turns_of(task)) is not None and not _beside_the_program():
        return _take_in_turn(task, lock, id(lock), turns, blocking, timeout)
    if not _acquire(lock, False):
        holder = _held.get(id(lock))
        if _others(task, holder):
            return _wait_for_lock(task, lock, id(lock), blocking, timeout, _lock_release)
        # One that died holding it has left it to this one. Else somebody holds it who runs in real time.
        if (holder is None or holder.task.kernel is not task.kernel) and not _acquire(lock, blocking, timeout):
            asked(task)
            return False
    _held[id(lock)] = _Holder(task, 1, lock)
    return True


def _place(turns: OfThreads, task: Task, lock: Any, key: _Key) -> ThreadTurns:
    kernel = task.kernel

    def free(operation: ThreadOperation) -> bool:
        holder = _held.get(key)
        return operation is not ThreadOperation.ACQUIRE or (
            holder is None or holder.task.kernel is not kernel or never_goes_on(holder.task)
        )

    kind = "Lock" if isinstance(lock, LockType) else "RLock"
    return turns.place(task, ("lock", key), lock, f"threading.{kind}", free)


def _take_in_turn(
    task: Task, lock: Any, key: _Key, turns: OfThreads, blocking: bool, timeout: float, count: int = 1
) -> bool:  # fmt: skip
    """Take a lock where time is set aside."""
    limit = _in_time(task, blocking, timeout)
    holder = _held.get(key)
    if holder is not None and holder.task is task and not blocking:
        return False
    place, why = _place(turns, task, lock, key), partial(_why_lock, task, lock, key)
    if blocking and timeout != 0:
        if not turns.turn(task, place, ThreadOperation.ACQUIRE, why, limit):
            return False
    else:
        turns.turn(task, place, ThreadOperation.LOOK, why)
        if _others(task, _held.get(key)):
            return False
    if key not in _held:  # else one that died holding it has left it to this one
        (_acquire if isinstance(lock, LockType) else _acquire_again)(lock)
    _held[key] = _Holder(task, count, lock)
    return True


def _release_in_turn(task: Task, lock: Any, key: _Key) -> None:
    """Wait for the turn to give a lock back, where time is set aside."""
    if key in _held and (turns := turns_of(task)) is not None and not _beside_the_program():
        turns.turn(task, _place(turns, task, lock, key), ThreadOperation.RELEASE, "its turn to give a lock back")


def _beside_the_program() -> bool:
    """Whether it is not the program that asks, but Python's import, or what measures coverage or runs tests."""
    if any(each.f_code.co_filename.startswith("<frozen importlib") for each in islice(outward(sys._getframe(2)), 5)):
        return True
    asks = next((each for each in outward(sys._getframe(2)) if not is_own(each)), None)
    return asks is not None and is_observers(asks)


@_for("_thread.LockType.acquire", "_thread.LockType.acquire_lock")
def _lock_acquire(task: Task, lock: Any, blocking: bool = True, timeout: float = -1) -> bool:
    return _take(task, lock, blocking, timeout)


@_for("_thread.LockType.__enter__")
def _lock_enter(task: Task, lock: Any) -> bool:
    return _take(task, lock)


@_for("_thread.LockType.release", "_thread.LockType.release_lock")
def _lock_release(task: Task, lock: Any) -> None:
    try:
        _release_in_turn(task, lock, id(lock))
    finally:  # also if it is interrupted meanwhile
        _hand_over(task, lock)


def _hand_over(task: Task, lock: Any) -> None:
    if id(lock) in _queues and _locked(lock) and (then := give(id(lock), "Lock.release")) is not None:
        _held[id(lock)] = _Holder(then, 1, lock)
        return
    _held.pop(id(lock), None)
    _release(lock)


@_for("_thread.LockType.__exit__")
def _lock_exit(task: Task, lock: Any, *exc: object) -> None:
    _lock_release(task, lock)


@_for("_thread.LockType.locked", "_thread.LockType.locked_lock")
def _lock_locked(task: Task, lock: Any) -> bool:
    if (turns := turns_of(task)) is not None:
        turns.turn(task, _place(turns, task, lock, id(lock)), ThreadOperation.LOOK, "its turn to look at a lock")
    locked = _locked(lock)
    if locked:
        asked(task)
    return locked


# -- RLock -----------------------------------------------------------------------------------------------------
# Each rank has its own state of each: Python's library has many for all of the process, as in `cached_property`. The
# real one tells real threads apart, and all tasks are in one; it is taken once, for whichever task of a rank holds it.


def _take_again(task: Task, lock: Any, blocking: bool = True, timeout: float = -1, count: int = 1) -> bool:
    key = (id(lock), task.rank)
    holder = _held.get(key)
    if (
        (holder is None or holder.task is not task)
        and (turns := turns_of(task)) is not None
        and not _beside_the_program()
    ):
        return _take_in_turn(task, lock, key, turns, blocking, timeout, count)
    if holder is None:
        if not _acquire_again(lock, blocking, timeout):
            return False
    elif holder.task is task:
        holder.count += count
        return True
    elif _others(task, holder) and not _wait_for_lock(task, lock, key, blocking, timeout, _give_back):
        return False
    _held[key] = _Holder(task, count, lock)
    return True


def _given_back(task: Task, lock: Any) -> _Holder:
    holder = _held.get((id(lock), task.rank))
    if holder is None or holder.task is not task:
        raise RuntimeError("cannot release un-acquired lock")
    return holder


def _give_back(task: Task, lock: Any) -> None:
    key = (id(lock), task.rank)
    _release_in_turn(task, lock, key)
    then = give(key, "RLock.release") if key in _queues else None
    if then is not None:
        _held[key] = _Holder(then, 1, lock)
    else:
        del _held[key]
        _release_again(lock)


@_for("_thread.RLock.acquire")
def _rlock_acquire(task: Task, lock: Any, blocking: bool = True, timeout: float = -1) -> bool:
    return _take_again(task, lock, blocking, timeout)


@_for("_thread.RLock.__enter__")
def _rlock_enter(task: Task, lock: Any) -> bool:
    return _take_again(task, lock)


@_for("_thread.RLock.release")
def _rlock_release(task: Task, lock: Any) -> None:
    holder = _given_back(task, lock)
    if holder.count > 1:
        holder.count -= 1
    else:
        _give_back(task, lock)


@_for("_thread.RLock.__exit__")
def _rlock_exit(task: Task, lock: Any, *exc: object) -> None:
    _rlock_release(task, lock)


@_for("_thread.RLock.locked")
def _rlock_locked(task: Task, lock: Any) -> bool:
    return (id(lock), task.rank) in _held


@_for("_thread.RLock._is_owned")
def _is_owned(task: Task, lock: Any) -> bool:
    return _recursion_count(task, lock) > 0


@_for("_thread.RLock._recursion_count")
def _recursion_count(task: Task, lock: Any) -> int:
    holder = _held.get((id(lock), task.rank))
    return holder.count if holder is not None and holder.task is task else 0


@_for("_thread.RLock._release_save")
def _release_save(task: Task, lock: Any) -> int:
    count = _given_back(task, lock).count
    _give_back(task, lock)
    return count


@_for("_thread.RLock._acquire_restore")
def _acquire_restore(task: Task, lock: Any, count: int) -> None:
    _take_again(task, lock, count=count)


# -- Condition -------------------------------------------------------------------------------------------------


@_for("threading.Condition.wait")
def _wait(task: Task, self: Any, timeout: float | None = None) -> bool:
    if not self._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    waiter, lock = Waiter(task), self._lock
    self._waiters.append(waiter)
    # By the lock: a condition made before the simulation has kept the methods that its lock had then.
    saved = lock._release_save() if hasattr(lock, "_release_save") else lock.release()
    limit = until(task, timeout)
    why = partial(waits_for, task, "a threading.Condition to be notified")
    try:
        park_until_given(task, waiter, why, limit)
        return waiter.given
    finally:
        if not waiter.given:
            self._waiters.remove(waiter)
        if hasattr(lock, "_acquire_restore"):
            lock._acquire_restore(saved)
        else:
            lock.acquire()


@_for("threading.Event.is_set")
def _is_set(task: Task, self: Any) -> bool:
    if (turns := turns_of(task)) is not None:
        lock = self._cond._lock
        turns.turn(
            task, _place(turns, task, lock, id(lock)), ThreadOperation.LOOK, "its turn to look at a threading.Event"
        )
    return bool(self._flag)


# -- SimpleQueue -----------------------------------------------------------------------------------------------


def _why_item(task: Task) -> Callable[[], str]:
    return partial(waits_for, task, "an item of a queue.SimpleQueue")


def _place_of_queue(turns: OfThreads, task: Task, queue: Any) -> ThreadTurns:
    def free(operation: ThreadOperation) -> bool:
        return operation is not ThreadOperation.GET or not queue.empty()

    return turns.place(task, ("queue", queue), queue, "queue.SimpleQueue", free, queue.qsize)


@_for("_queue.SimpleQueue.get")
def _queue_get(task: Task, self: Any, block: bool = True, timeout: float | None = None) -> Any:
    if block and timeout is not None and timeout < 0:
        raise ValueError("'timeout' must be a non-negative number")
    limit = until(task, timeout)
    if (turns := turns_of(task)) is not None:
        operation = ThreadOperation.GET if block and timeout != 0 else ThreadOperation.LOOK
        turns.turn(task, _place_of_queue(turns, task, self), operation, _why_item(task), limit)
        return _get(self, False)
    while block and self.empty():
        if not wait_until_given(task, id(self), _why_item(task), limit):
            break
    if not block and self.empty():
        asked(task)
    return _get(self, False)


@_for("_queue.SimpleQueue.get_nowait")
def _queue_get_nowait(task: Task, self: Any) -> Any:
    return _queue_get(task, self, False)


@_for("_queue.SimpleQueue.put")
def _queue_put(task: Task, self: Any, item: Any, block: bool = True, timeout: float | None = None) -> None:
    if (turns := turns_of(task)) is not None:
        turns.turn(
            task, _place_of_queue(turns, task, self), ThreadOperation.PUT, "its turn to put into a queue.SimpleQueue"
        )
    _put(self, item)
    if id(self) in _queues:
        give(id(self), "SimpleQueue.put")


@_for("_queue.SimpleQueue.put_nowait")
def _queue_put_nowait(task: Task, self: Any, item: Any) -> None:
    _queue_put(task, self, item)
