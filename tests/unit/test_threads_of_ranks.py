"""A thread of a simulated rank is a task of the simulation: what it waits for, how it ends, and what is its own."""

import _thread
import contextvars
import importlib
import queue
import sys
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, as_completed, wait
from threading import Lock as BoundLock
from threading import RLock as BoundRLock
from threading import get_ident as bound_get_ident

import pytest

from bsbpool_sim import DeadlockError, RankErrors, simulate
from bsbpool_sim.choices import Kind

#: What `threading` has of it in Python.
PyRLock = vars(threading)["_PyRLock"]
LOCK_OF_THE_MODULE = threading.Lock()
RLOCK_OF_THE_MODULE = threading.RLock()
CONDITION_OF_THE_MODULE = threading.Condition()
LINE_OF_THE_MODULE: queue.SimpleQueue[int] = queue.SimpleQueue()


def run(function, ranks=1, **options):
    return simulate(lambda comm: function(), ranks, **options).results[0]


def started(*functions, **options):
    threads = [threading.Thread(target=function, **options) for function in functions]
    for thread in threads:
        thread.start()
    return threads


def joined(*functions):
    for thread in started(*functions):
        thread.join()


# -- a thread's life -------------------------------------------------------------------------------------


def test_threads_wait_in_virtual_time_side_by_side():
    def program():
        ended = []
        joined(*(lambda n=n: (time.sleep(n), ended.append(n)) for n in (3, 1, 2)))
        return ended, time.monotonic()

    assert run(program) == ([1, 2, 3], 3)


def test_a_thread_has_a_name_a_number_and_a_life():
    def program():
        seen: list = []
        thread = threading.Thread(target=lambda: seen.append((threading.current_thread(), threading.get_ident())))
        before = thread.is_alive(), thread.ident
        thread.start()
        during = thread.is_alive(), threading.active_count(), thread in threading.enumerate()
        thread.join()
        assert seen == [(thread, thread.ident)]
        assert thread.ident != threading.get_ident()
        return before, during, thread.is_alive(), thread.name, threading.active_count()

    assert run(program) == ((False, None), (True, 2, True), False, "Thread-1 (<lambda>)", 1)


def test_each_rank_has_its_own_main_thread_names_and_numbers():
    def program(comm):
        main = threading.main_thread()
        main.name = f"main of {comm.rank}"
        comm.barrier()
        (thread,) = started(lambda: comm.barrier())
        named = threading.current_thread() is main, main.name, main.ident, thread.name, len(threading.enumerate())
        thread.join()
        return named, thread.ident

    first, second = simulate(program, 2).results
    assert [first[0], second[0]] == [(True, f"main of {n}", 1000 + n, "Thread-1 (<lambda>)", 2) for n in (0, 1)]
    assert first[1] != second[1]
    assert threading.main_thread().name == "MainThread"


def test_a_rank_ends_when_its_threads_have_ended_but_for_daemons():
    def program(comm):
        started(lambda: time.sleep(5))
        started(lambda: time.sleep(50), daemon=True)
        return time.monotonic()

    simulation = simulate(program, 1)
    assert simulation.results == [0]
    assert simulation.elapsed == 5


def test_nothing_of_a_daemon_runs_after_its_rank_has_ended():
    ran = []

    def daemon(comm):
        try:
            while True:
                time.sleep(1)
                ran.append(time.monotonic())
        finally:
            comm.send("never", 1)

    def program(comm):
        if comm.rank == 0:
            started(lambda: daemon(comm), daemon=True)
            time.sleep(3.5)
        else:
            time.sleep(10)
            return comm.iprobe(source=0)

    assert simulate(program, 2).results == [None, False]
    assert ran == [1, 2, 3]


def test_an_exception_in_a_thread_is_told_as_python_tells_it_and_ends_the_thread_only(capsys, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)

    def fails():
        raise ValueError("on purpose")

    def program():
        joined(fails, sys.exit)
        return "went on"

    assert run(program) == "went on"
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "Exception in thread Thread-1 (fails):"
    assert said[-1] == "ValueError: on purpose"
    assert [line for line in said if "bsbpool_sim" in line] == []


def test_the_hook_for_exceptions_of_threads_is_asked(monkeypatch):
    told = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append((args.exc_type, args.thread.name)))
    run(lambda: joined(lambda: 1 / 0))
    assert told == [(ZeroDivisionError, "Thread-1 (<lambda>)")]


@pytest.mark.parametrize(
    ("misuse", "says"),
    [
        (lambda thread: thread.join(), "cannot join thread before it is started"),
        (lambda thread: (thread.start(), thread.start()), "threads can only be started once"),
        (lambda thread: threading.current_thread().join(), "cannot join current thread"),
        (lambda thread: threading.RLock().release(), "cannot release un-acquired lock"),
        (lambda thread: threading.Lock().release(), "release unlocked lock"),
    ],
)
def test_what_python_refuses_is_refused(misuse, says):
    with pytest.raises(RankErrors, match=says):
        run(lambda: misuse(threading.Thread(target=int)))


def test_a_join_has_a_limit():
    def program():
        (thread,) = started(lambda: time.sleep(10))
        thread.join(timeout=4)
        return thread.is_alive(), time.monotonic()

    assert run(program) == (True, 4)


def test_a_timer_goes_off_or_is_cancelled():
    def program():
        told = []
        timers = [threading.Timer(n, told.append, [n]) for n in (2, 1, 3)]
        for timer in timers:
            timer.start()
        time.sleep(2.5)
        timers[2].cancel()
        return told

    simulation = simulate(lambda comm: program(), 1)
    assert simulation.results == [[1, 2]]
    assert simulation.elapsed == 2.5


def test_threads_without_objects(capsys):
    def program():
        told = []
        number = _thread.start_new_thread(lambda x, y: told.append((x, y, threading.get_ident())), (1,), {"y": 2})
        _thread.start_new_thread(lambda: 1 / 0, ())
        time.sleep(1)
        return told == [(1, 2, number)]

    assert run(program)
    assert capsys.readouterr().err.endswith("ZeroDivisionError: division by zero\n")


def test_a_loop_that_asks_whether_a_thread_lives_ends():
    def program():
        (thread,) = started(lambda: time.sleep(0.001))
        while thread.is_alive():
            pass
        return time.monotonic()

    assert run(program) == pytest.approx(0.001, abs=1e-5)


def test_settings_of_threads_are_the_ranks():
    def program(comm):
        before = threading.stack_size(1 << 20), threading.gettrace()
        threading.settrace(lambda *_: None)
        comm.barrier()
        return before, threading.stack_size(), threading.gettrace() is not None

    assert simulate(program, 2).results == [((0, None), 1 << 20, True)] * 2
    assert threading.gettrace() is None


def test_a_thread_starts_with_no_context_variables_and_has_its_own():
    variable = contextvars.ContextVar("variable", default="nothing")

    def program():
        variable.set("main's")
        seen = []

        def look(mine):
            seen.append(variable.get())
            variable.set(mine)
            time.sleep(1)
            seen.append(variable.get())

        joined(lambda: look("a"), lambda: look("b"))
        return seen, variable.get()

    assert run(program) == (["nothing", "nothing", "a", "b"], "main's")


def test_a_rank_that_dies_takes_its_threads_along():
    def program(comm):
        if comm.rank == 0:
            started(lambda: comm.send("never", 1), lambda: (time.sleep(2), comm.send("never", 1)))
            import os

            os._exit(1)
        time.sleep(5)
        return comm.iprobe(source=0)

    assert simulate(program, 2).results == [None, False]


def test_two_threads_that_import_one_module_wait_for_each_other(tmp_path, monkeypatch):
    (tmp_path / "slowly_imported.py").write_text("import time\ntime.sleep(1)\nDONE = True\n")
    monkeypatch.syspath_prepend(tmp_path)

    def imports(seen):
        seen.append(importlib.import_module("slowly_imported").DONE)

    def program():
        seen: list = []
        joined(lambda: imports(seen), lambda: imports(seen))
        return seen, time.monotonic()

    assert run(program) == ([True, True], 1)


def test_attributes_of_a_local_object_are_those_of_each_thread():
    def program(comm):
        class Counter(threading.local):
            kind = "counter"

            def __init__(self, start, step=1):
                self.start, self.step, self.count = start, step, 0

            def add(self):
                self.count += self.step
                return self.count

            @property
            def total(self):
                return self.start + self.count

        counter, plain, told = Counter(comm.rank, step=2), threading.local(), []
        counter.add()
        plain.x = "main's"

        def work(n):
            for _ in range(n):
                counter.add()
                time.sleep(1)
            plain.x = n
            time.sleep(1)
            told.append((counter.total, counter.kind, dict(plain.__dict__)))
            del plain.x
            assert not hasattr(plain, "x")

        joined(lambda: work(1), lambda: work(2))
        return told, counter.total, plain.x

    assert simulate(program, 2).results == [
        ([(n + 2, "counter", {"x": 1}), (n + 4, "counter", {"x": 2})], n + 2, "main's") for n in (0, 1)
    ]


def test_a_local_object_that_a_rank_made_works_outside():
    local, told = run(threading.local), []
    local.x = 1
    thread = threading.Thread(target=lambda: told.append(hasattr(local, "x")))
    thread.start()
    thread.join()
    assert told == [False]
    assert local.x == 1


# -- locks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lock",
    [threading.Lock, threading.RLock, BoundLock, BoundRLock, threading.Condition, lambda: threading.Semaphore(1),
     PyRLock, lambda: LOCK_OF_THE_MODULE, lambda: RLOCK_OF_THE_MODULE,
     lambda: CONDITION_OF_THE_MODULE],
)  # fmt: skip
def test_a_lock_lets_one_thread_in_whoever_made_it(lock):
    def program():
        kept, inside, order = lock(), [], []

        def work(n):
            with kept:
                inside.append(n)
                assert inside == [n]
                time.sleep(1)
                inside.remove(n)
                order.append(n)

        joined(*(lambda n=n: work(n) for n in range(3)))
        return order, time.monotonic()

    assert run(program) == ([0, 1, 2], 3)


def test_a_lock_that_is_taken_twice_knows_its_thread():
    def program():
        lock, seen = threading.RLock(), []
        with lock, lock:
            joined(lambda: seen.append(lock.acquire(blocking=False)))
        joined(lambda: seen.append(lock.acquire(blocking=False)))
        return seen

    assert run(program) == [False, True]


def test_a_lock_is_waited_for_until_a_limit():
    def program():
        lock = threading.Lock()
        lock.acquire()
        said = lock.acquire(timeout=2), lock.acquire(blocking=False), lock.locked(), time.monotonic()
        lock.release()
        return said, lock.locked()

    assert run(program) == ((False, False, True, 2), False)


@pytest.mark.parametrize(
    ("arguments", "error"), [((False, 1), ValueError), ((True, -2), ValueError), ((True, 1e20), OverflowError)]
)
def test_a_limit_that_is_none_is_refused(arguments, error):
    def program():
        lock = threading.Lock()
        lock.acquire()
        lock.acquire(*arguments)

    with pytest.raises(RankErrors) as caught:
        run(program)
    assert isinstance(caught.value.by_rank[0], error)


def test_a_lock_may_be_released_by_another_thread():
    def program():
        lock = threading.Lock()
        lock.acquire()
        started(lambda: (time.sleep(2), lock.release()))
        lock.acquire()
        return time.monotonic()

    assert run(program) == 2


def test_events_barriers_and_conditions():
    def program():
        event, barrier, condition = threading.Event(), threading.Barrier(3), threading.Condition()
        told = []

        def work(n):
            event.wait()
            barrier.wait()
            with condition:
                told.append(n)
                condition.notify_all()

        threads = started(lambda: work(1), lambda: work(2))
        time.sleep(1)
        event.set()
        barrier.wait()
        with condition:
            assert condition.wait_for(lambda: len(told) == 2, timeout=5)
        for thread in threads:
            thread.join()
        return sorted(told), time.monotonic()

    assert run(program) == ([1, 2], 1)


@pytest.mark.parametrize("made", [queue.Queue, queue.LifoQueue, queue.SimpleQueue, lambda: LINE_OF_THE_MODULE])
def test_queues_pass_things_between_threads(made):
    def program():
        line = made()

        def produce():
            for n in range(3):
                time.sleep(1)
                line.put(n)

        started(produce)
        got = [(line.get(timeout=10), time.monotonic()) for _ in range(3)]
        with pytest.raises(queue.Empty):
            line.get(timeout=2)
        with pytest.raises(queue.Empty):
            line.get_nowait()
        return got, time.monotonic()

    assert run(program) == ([(0, 1), (1, 2), (2, 3)], 5)


def test_numbers_of_threads_are_virtual_by_names_bound_in_the_program():
    def program():
        from threading import get_ident

        return get_ident()

    assert run(program) == 1000
    assert bound_get_ident() == threading.get_ident()


# -- executors -------------------------------------------------------------------------------------------


def sleeps(seconds):
    time.sleep(seconds)
    return seconds


def test_an_executor_runs_its_calls_in_virtual_time():
    def program():
        with ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(sleeps, n) for n in (3, 1, 2)]
            first, rest = wait(futures, return_when=FIRST_COMPLETED)
            done = [future.result() for future in as_completed(futures)]
            mapped = [*pool.map(abs, (-1, -2))]
        return [future.result() for future in first], len(rest), done, mapped, time.monotonic()

    # Those that end at one instant come in the order in which they were submitted.
    assert run(program) == ([1], 2, [1, 3, 2], [1, 2], 3)


def test_an_executor_that_nobody_shuts_down_ends_with_its_rank():
    def program(comm):
        pool = ThreadPoolExecutor(2)
        futures = [pool.submit(time.sleep, 4) for _ in range(3)]
        comm.keep = pool, futures

    assert simulate(program, 2).elapsed == 8


def test_names_of_an_executors_threads_are_the_ranks():
    def program():
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: threading.current_thread().name).result()

    assert simulate(lambda comm: program(), 2).results == ["ThreadPoolExecutor-0_0"] * 2


def test_what_a_future_raised_is_raised():
    def program():
        with ThreadPoolExecutor() as pool:
            pool.submit(lambda: 1 / 0).result()

    with pytest.raises(RankErrors, match="ZeroDivisionError"):
        run(program)


# -- deadlocks and choices -------------------------------------------------------------------------------


def test_one_report_has_threads_and_ranks_with_what_they_wait_for_and_where():
    def program(comm):
        lock = threading.Lock()
        if comm.rank == 1:
            return comm.recv(source=0)

        def other():
            with lock:
                comm.recv(source=1)

        started(other, name="the other")
        time.sleep(1)
        lock.acquire()

    with pytest.raises(DeadlockError) as caught:
        simulate(program, 2)
    first, second, third = str(caught.value).splitlines()[1:]
    assert "rank 0 waits for a threading.Lock that rank 0 (the other) holds, since 1 s, at" in first
    assert "test_threads_of_ranks.py" in first
    assert "rank 1 waits for" in second
    assert "rank 0 (the other) waits for" in third
    assert "in other" in third


@pytest.mark.parametrize(
    ("wait_for_it", "what"),
    [
        (lambda: queue.Queue().get(), "an item of a queue"),
        (lambda: queue.SimpleQueue().get(), "an item of a queue.SimpleQueue"),
        (lambda: threading.Event().wait(), "a threading.Event to be set"),
        (lambda: threading.Semaphore(0).acquire(), "a threading.Semaphore"),
        (lambda: threading.Barrier(2).wait(), "the others at a threading.Barrier"),
        (lambda: ThreadPoolExecutor().submit(threading.Event().wait).result(), "the result of a future"),
        (lambda: joined(threading.Event().wait), "the end of thread 'Thread-1 (wait)'"),
        (lambda: started(threading.Event().wait), "the end of thread 'Thread-1 (wait)', as its last"),
    ],
)
def test_a_report_says_what_is_waited_for(wait_for_it, what):
    with pytest.raises(DeadlockError) as caught:
        run(wait_for_it)
    assert caught.value.waits_for[0] == what


def test_who_goes_on_among_threads_is_a_choice_that_a_tape_repeats():
    class Last:
        def __init__(self):
            self.kinds = set()

        def pick(self, choice):
            self.kinds.add(choice.kind)
            if choice.kind is Kind.THREAD:
                assert str(choice).endswith("(which thread goes on at Lock.release of rank 0)")
                assert str(choice.alternatives[0]) == "Thread-2 (<lambda>) of rank 0"
            return choice.count - 1

    def program(comm):
        lock, order = threading.Lock(), []

        def work(n):
            with lock:
                order.append(n)
                time.sleep(1)

        joined(*(lambda n=n: work(n) for n in range(3)))
        return order

    policy = Last()
    chosen = simulate(program, 1, policy=policy)
    assert simulate(program, 1).results == [[0, 1, 2]]
    assert chosen.results != [[0, 1, 2]]
    assert Kind.EVENT in policy.kinds
    assert simulate(program, 1, tape=chosen.tape).results == chosen.results


def test_the_same_threads_come_in_the_same_order_each_time():
    def program(comm):
        order = []

        def work(n):
            for _ in range(3):
                time.sleep(n % 3)
                order.append((n, threading.get_ident()))

        with ThreadPoolExecutor(4) as pool:
            for future in as_completed([pool.submit(work, n) for n in range(9)]):
                future.result()
        return order

    assert simulate(program, 2, policy="shuffled").results == simulate(program, 2, policy="shuffled").results


# -- MPI -------------------------------------------------------------------------------------------------


def test_threads_of_one_rank_send_and_receive():
    def program(comm):
        other = 1 - comm.rank
        got = {}

        def talk(tag):
            comm.send((comm.rank, tag), other, tag=tag)
            got[tag] = comm.recv(source=other, tag=tag)

        joined(*(lambda tag=tag: talk(tag) for tag in range(3)))
        return got

    assert simulate(program, 2).results == [{tag: (other, tag) for tag in range(3)} for other in (1, 0)]


def test_mpi_knows_which_thread_is_the_main_thread():
    def program(comm):
        from mpi4py import MPI

        told = [MPI.Is_thread_main()]
        joined(lambda: told.append(MPI.Is_thread_main()))
        return told, MPI.Query_thread() == MPI.THREAD_MULTIPLE

    assert simulate(program, 1).results == [([True, False], True)]


# -- nothing changes outside -----------------------------------------------------------------------------


def test_real_threads_are_real_while_a_simulation_runs():
    seen = []
    lock, go = threading.RLock(), threading.Event()

    def other():
        go.wait()
        with lock, lock:
            seen.append((threading.current_thread().name, threading.get_ident()))

    thread = threading.Thread(target=other, name="real")
    thread.start()

    def program():
        joined(lambda: None)
        return threading.active_count()

    go.set()
    assert run(program) == 1
    thread.join()
    assert seen == [("real", thread.ident)]
    assert not thread.is_alive()


def test_what_threads_of_ranks_leave_behind_is_over():
    kept = []
    before = threading.enumerate()

    def program():
        kept.extend(started(lambda: time.sleep(1)))
        kept.extend(started(threading.Event().wait, daemon=True))

    run(program)
    assert [thread.is_alive() for thread in kept] == [False, False]
    assert threading.enumerate() == before
