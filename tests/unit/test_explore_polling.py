"""Programs that look in a loop until they give up: wherever they count, exploring never says that none fails.

Sleeps are of simulated ranks: they take virtual time, and no test waits.
"""

import asyncio
import contextlib
import contextvars
import datetime
import functools
import itertools
import os
import queue
import sys
import threading
import time

import pytest

from bsbpool_sim import explore
from bsbpool_sim import mpi as MPI

#: So many looks in vain are too many.
MOST = 5
COUNT = 0
OF_CONTEXT: contextvars.ContextVar = contextvars.ContextVar("looks in vain", default=0)


class GaveUpError(Exception):
    pass


def give_up(looks):
    if looks >= MOST:
        raise GaveUpError(looks)


def until_found(look, vain):
    """Look until something is found; call `vain` after each look in vain."""
    while not look():
        vain()


# -- what counts -------------------------------------------------------------------------------------------


def attributes_of_a_thread():
    local = threading.local()
    local.looks = 0

    def vain():
        local.looks += 1
        give_up(local.looks)

    return vain


def items_of_a_simple_queue():
    looks: queue.SimpleQueue = queue.SimpleQueue()

    def vain():
        looks.put(None)
        give_up(looks.qsize())

    return vain


def items_of_a_queue():
    looks: queue.Queue = queue.Queue(MOST)

    def vain():
        try:
            looks.put_nowait(None)
        except queue.Full:
            give_up(MOST)

    return vain


def a_semaphore():
    left = threading.Semaphore(MOST)
    return lambda: give_up(0 if left.acquire(blocking=False) else MOST)


def a_lock_that_is_taken_once():
    lock = threading.Lock()
    return lambda: give_up(0 if lock.acquire(blocking=False) else MOST)


def what_a_cached_function_returns():
    @functools.cache
    def settings():
        return {"looks": 0}

    def vain():
        settings()["looks"] += 1
        give_up(settings()["looks"])

    return vain


def a_limited_cache():
    @functools.lru_cache(maxsize=MOST)
    def settings(name):
        return [0]

    def vain():
        settings("looks")[0] += 1
        give_up(settings("looks")[0])

    return vain


@contextlib.contextmanager
def attempt():
    global COUNT
    COUNT += 1
    give_up(COUNT)
    yield


def a_function_that_a_library_wraps():
    def vain():
        with attempt():
            pass

    return vain


def numbers():
    global COUNT
    while True:
        COUNT += 1
        give_up(COUNT)
        yield


def a_generator_with_a_global():
    return functools.partial(next, numbers())


def counting():
    for looks in itertools.count():
        give_up(looks)
        yield


def a_generator_within_a_generator():
    def outer():
        yield from counting()

    return functools.partial(next, outer())


def a_coroutine_within_a_coroutine():
    class Step:
        def __await__(self):
            yield

    async def inner():
        for looks in range(MOST + 1):
            give_up(looks)
            await Step()

    async def outer():
        await inner()

    made = outer()
    made.send(None)
    return functools.partial(made.send, None)


def a_generator_over_equal_values():
    return functools.partial(next, (None for _ in [None] * MOST))


def a_global_by_its_name():
    def vain():
        globals()["COUNT"] += 1
        give_up(globals()["COUNT"])

    return vain


def an_attribute_of_a_module_by_its_name():
    module = sys.modules[__name__]

    def vain():
        setattr(module, "COUNT", getattr(module, "COUNT") + 1)  # noqa: B009, B010 - a global is changed by a text
        give_up(COUNT)

    return vain


def the_environment():
    os.environ["LOOKS"] = ""

    def vain():
        os.environ["LOOKS"] += "x"
        give_up(len(os.environ["LOOKS"]))

    return vain


class Kind(type):
    looks = 0

    def look(cls):
        Kind.looks += 1
        give_up(Kind.looks)


class OfKind(metaclass=Kind):
    pass


def a_metaclass():
    Kind.looks = 0
    return OfKind.look


def a_context_variable():
    OF_CONTEXT.set(0)

    def vain():
        OF_CONTEXT.set(OF_CONTEXT.get() + 1)
        give_up(OF_CONTEXT.get())

    return vain


def of_clock(clock):
    end = clock() + 1

    def vain():
        if clock() > end:
            give_up(MOST)

    return vain


def a_deadline():
    return of_clock(time.time)


def a_deadline_after_sleeps():
    vain = of_clock(time.monotonic)

    def sleep():
        time.sleep(0.1)
        vain()

    return sleep


def a_deadline_of_mpi():
    return of_clock(MPI.Wtime)


def a_deadline_of_the_day():
    return of_clock(lambda: datetime.datetime.now().timestamp())


def longer_and_longer_sleeps():
    wait = 0.01

    def vain():
        nonlocal wait
        time.sleep(wait)
        wait *= 2
        give_up(MOST if wait > 0.1 else 0)

    return vain


COUNTERS = [
    attributes_of_a_thread, items_of_a_simple_queue, items_of_a_queue, a_semaphore, a_lock_that_is_taken_once,
    what_a_cached_function_returns, a_limited_cache, a_function_that_a_library_wraps,
    a_generator_with_a_global, a_generator_within_a_generator, a_coroutine_within_a_coroutine,
    a_generator_over_equal_values, a_global_by_its_name, an_attribute_of_a_module_by_its_name, the_environment,
    a_metaclass, a_context_variable, a_deadline, a_deadline_after_sleeps, a_deadline_of_mpi, a_deadline_of_the_day,
    longer_and_longer_sleeps,
]  # fmt: skip


def never_called_right(program, ranks=2):
    exploration = explore(program, ranks, seconds=30, checks=())
    assert exploration.findings or not exploration.complete
    assert exploration.findings or exploration.limits


@pytest.mark.parametrize("counter", COUNTERS)
def test_who_counts_looks_anywhere_is_not_where_it_was(counter):
    def program(comm):
        global COUNT
        if comm.rank:
            return comm.send("work", 0)
        COUNT = 0
        until_found(lambda: comm.iprobe(source=1), counter())
        return comm.recv(source=1)

    never_called_right(program)


# -- loops whose variables do not tell how far they are ----------------------------------------------------


def over_equal_values(look):
    for _ in [None] * MOST:
        if look():
            return
    give_up(MOST)


def over_a_constant(look):
    for delay in (0.1, 0.1, 0.1, 0.1, 0.1):
        if look():
            return
        time.sleep(delay)
    give_up(MOST)


def over_a_variable(look):
    delays = [0.1] * MOST
    for delay in delays:
        if look():
            return
        time.sleep(delay)
    give_up(MOST)


def in_the_handler_of_an_exception(look):
    looks: list = []
    for _ in [None] * MOST:
        try:
            looks.pop()
        except IndexError:
            if look():
                return
        looks.clear()
    give_up(MOST)


def within_a_loop_over_jobs(look):
    for _ in range(2):
        for _ in itertools.repeat(None, MOST):
            if look():
                break
        else:
            give_up(MOST)


def within_a_loop_that_counts(look):
    rounds = 0
    while True:
        for _ in itertools.repeat(None, MOST):
            if look():
                return
        rounds += 1
        give_up(rounds * MOST)


def in_a_function_of_python(look):
    give_up(0 if any(map(lambda _: look(), [None] * MOST)) else MOST)  # noqa: C417 - C code calls, so that no loop is in the code


def in_a_comprehension(look):
    give_up(0 if any([look() for _ in [None] * MOST]) else MOST)  # noqa: C419 - the loop of a comprehension is what is tried


def that_sorts(look):
    sorted([None] * MOST, key=lambda _: look())
    give_up(0 if look() else MOST)


LOOPS = [
    over_equal_values, over_a_constant, over_a_variable, within_a_loop_over_jobs, within_a_loop_that_counts,
    in_a_function_of_python, in_a_comprehension, that_sorts, in_the_handler_of_an_exception,
]  # fmt: skip


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_over_equal_values_has_moved_on_at_each_look(loop):
    def program(comm):
        if comm.rank:
            return comm.send("work", 0)
        return loop(lambda: comm.iprobe(source=1))

    never_called_right(program)


# -- threads and event loops -------------------------------------------------------------------------------


def test_a_thread_that_sets_an_event_after_some_sleeps_lets_others_give_up():
    def program(comm):
        if comm.rank:
            return comm.send("work", 0)
        late, over = threading.Event(), threading.Event()

        def watch():
            for _ in [None] * 2:
                time.sleep(0.01)
            late.set()

        thread = threading.Thread(target=watch)
        thread.start()
        while not comm.iprobe(source=1):
            if late.is_set():
                give_up(MOST)
        over.set()
        thread.join()
        return comm.recv(source=1)

    never_called_right(program)


@pytest.mark.parametrize("of", ["timer", "queue", "future"])
def test_a_limit_of_a_thread_may_come_before_what_it_waits_for(of):
    def program(comm):
        if comm.rank:
            return comm.send("work", 0)
        found: queue.Queue = queue.Queue()

        def poll():
            while not comm.iprobe(source=1):
                time.sleep(0.01)
            found.put(comm.recv(source=1))

        if of == "timer":
            late = threading.Event()
            timer = threading.Timer(1, late.set)
            timer.start()
            until_found(lambda: comm.iprobe(source=1), lambda: give_up(MOST if late.is_set() else 0))
            return timer.cancel()
        if of == "future":
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(1) as executor:
                return executor.submit(poll).result(timeout=0.05)
        thread = threading.Thread(target=poll)
        thread.start()
        try:
            return found.get(timeout=0.05)
        finally:
            thread.join()

    never_called_right(program)


@pytest.mark.parametrize("of", ["another task", "a time limit", "callbacks"])
def test_an_event_loop_goes_on_while_one_of_its_tasks_looks(of):
    def program(comm):
        if comm.rank:
            return comm.send("work", 0)

        async def poll():
            while not comm.iprobe(source=1):
                await asyncio.sleep(0.01 if of == "a time limit" else 0)

        async def watch(task):
            for _ in [None] * MOST:
                if task.done():
                    return
                await asyncio.sleep(0)
            give_up(MOST)

        async def both():
            task = asyncio.create_task(poll())
            await asyncio.gather(task, watch(task))

        if of == "another task":
            asyncio.run(both())
        elif of == "a time limit":
            asyncio.run(asyncio.wait_for(poll(), 0.05))
        else:
            loop, looks = asyncio.new_event_loop(), itertools.count()

            def look():
                if comm.iprobe(source=1) or next(looks) == MOST:
                    loop.stop()
                else:
                    loop.call_soon(look)

            loop.call_soon(look)
            loop.run_forever()
            give_up(next(looks))
        return comm.recv(source=1)

    never_called_right(program)
