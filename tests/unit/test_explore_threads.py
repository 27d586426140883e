"""Exploring threads of ranks: who gets a lock, an item, or goes on first; what is left out leads to nothing new."""

import asyncio
import math
import queue
import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import pytest
from all_schedules import ends_of

from bsbpool_sim import RankErrors, explore, simulate
from bsbpool_sim import mpi as MPI


def only(exploration):
    (finding,) = exploration.findings
    return finding


def together(*functions):
    """Run each function in a thread."""
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# -- what is found, and what is right ------------------------------------------------------------------


def in_opposite_orders(comm):
    a, b = threading.Lock(), threading.Lock()

    def take(first, then):
        with first, then:
            pass

    together(lambda: take(a, b), lambda: take(b, a))


def in_one_order(comm):
    a, b = threading.Lock(), threading.Lock()

    def take():
        with a, b:
            pass

    together(take, take)


def notified_before_the_wait(comm):
    condition = threading.Condition()

    def wait():
        with condition:
            condition.wait()

    def notify():
        with condition:
            condition.notify()

    together(wait, notify)


def waits_for_a_flag(comm):
    condition, done = threading.Condition(), []

    def wait():
        with condition:
            condition.wait_for(lambda: done)

    def notify():
        with condition:
            done.append(True)
            condition.notify()

    together(wait, notify)


def counts_in_two_sections(comm):
    lock, count = threading.Lock(), [0]

    def add():
        with lock:
            found = count[0]
        with lock:
            count[0] = found + 1

    together(add, add)
    assert count == [2]


def counts_in_one_section(comm):
    lock, count = threading.RLock(), [0]

    def add():
        with lock, lock:
            count[0] += 1

    together(add, add)
    assert count == [2]


def drops_the_last_item(comm):
    items, got, over = queue.Queue(), [], threading.Event()

    def consume():
        while not over.is_set():
            try:
                got.append(items.get_nowait())
            except queue.Empty:
                time.sleep(0.01)

    def produce():
        for number in range(2):
            items.put(number)
        over.set()

    together(consume, produce)
    assert got == [0, 1]


def ends_with_the_last_item(comm):
    items, got = queue.Queue(1), []

    def consume():
        while (item := items.get()) is not None:
            got.append(item)

    def produce():
        for item in (0, 1, None):
            items.put(item)

    together(consume, produce)
    assert got == [0, 1]


def workers(check):
    todo, done = queue.SimpleQueue(), queue.SimpleQueue()
    for item in (0, 1, None, None):
        todo.put(item)

    def work():
        while (item := todo.get()) is not None:
            done.put(item)

    together(work, work)
    assert check([done.get(), done.get()]) == [0, 1]


def takes_results_as_they_come(comm):
    workers(list)


def sorts_results(comm):
    workers(sorted)


def appends_as_threads_end(comm):
    found = []

    def work(number):
        time.sleep(3600 * number)
        found.append(number)

    together(lambda: work(0), lambda: work(1))
    assert found == [0, 1]


def sends_of_threads(comm, check):
    if comm.rank:
        assert check([comm.recv(source=0), comm.recv(source=0)]) == [0, 1]
    else:
        together(lambda: comm.send(0, 1), lambda: comm.send(1, 1))


def takes_sends_of_threads_as_they_come(comm):
    sends_of_threads(comm, list)


def sorts_sends_of_threads(comm):
    sends_of_threads(comm, sorted)


def probes_and_then_receives(comm):
    if comm.rank:
        comm.send(1, 0)
        comm.Barrier()
        comm.send(2, 0)
        return

    def take():
        comm.probe(source=1)
        comm.recv(source=1)

    first, then = threading.Thread(target=take), threading.Thread(target=take)
    first.start(), then.start()
    first.join()
    comm.Barrier()
    then.join()


def takes_what_it_has_probed(comm):
    if comm.rank:
        comm.send(1, 0), comm.send(2, 0)
        return
    together(lambda: comm.mprobe(source=1).recv(), lambda: comm.mprobe(source=1).recv())


@pytest.mark.parametrize(
    ("program", "ranks", "kind"),
    [
        (in_opposite_orders, 1, "deadlock"),
        (notified_before_the_wait, 1, "deadlock"),
        (counts_in_two_sections, 1, "failure"),
        (drops_the_last_item, 1, "failure"),
        (takes_results_as_they_come, 1, "failure"),
        (appends_as_threads_end, 1, "failure"),
        (takes_sends_of_threads_as_they_come, 2, "failure"),
        (probes_and_then_receives, 2, "deadlock"),
    ],
)
def test_a_mistake_of_threads_is_found(program, ranks, kind):
    assert only(explore(program, ranks, checks=())).kind == kind


@pytest.mark.parametrize(
    ("program", "ranks"),
    [
        (in_one_order, 1),
        (waits_for_a_flag, 1),
        (counts_in_one_section, 1),
        (ends_with_the_last_item, 1),
        (sorts_results, 1),
        (sorts_sends_of_threads, 2),
        (takes_what_it_has_probed, 2),
    ],
)
def test_a_right_program_of_threads_is_explored_completely(program, ranks):
    exploration = explore(program, ranks)
    assert (exploration.findings, exploration.complete, exploration.limits) == ([], True, ())


def test_a_lock_that_is_tried_may_be_held():
    tried = set()

    def program(comm):
        lock = threading.Lock()

        def hold():
            with lock:
                pass

        def attempt():
            got = lock.acquire(blocking=False)
            tried.add(got)
            if got:
                lock.release()

        together(hold, attempt)

    assert explore(program, 1).complete
    assert tried == {False, True}


@pytest.mark.parametrize("count", [2, 3])
def test_threads_get_one_lock_in_each_order_and_begin_in_each(count):
    def program(comm):
        lock, order = threading.Lock(), []

        def take(number):
            with lock:
                order.append(number)

        together(*[lambda number=number: take(number) for number in range(count)])
        orders.add((*order,))

    orders = set()
    exploration = explore(program, 1)
    assert (exploration.complete, exploration.schedules) == (True, math.factorial(count) ** 2)
    assert len(orders) == math.factorial(count)


def test_a_schedule_of_threads_is_repeated_from_its_tape():
    finding = only(explore(takes_sends_of_threads_as_they_come, 2, checks=()))
    with pytest.raises(RankErrors):
        simulate(takes_sends_of_threads_as_they_come, 2, late_matching=True, tape=finding.tape)
    assert re.fullmatch(r"Thread-2 .* of rank 0 goes on at send before Thread-1 .* of rank 0", finding.choices[-1].text)


def test_ranks_without_threads_take_no_turns():
    def program(comm):
        lock = threading.Lock()
        with lock:
            queue.SimpleQueue[int]().put(comm.rank)

    exploration = explore(program, 3)
    assert (exploration.complete, exploration.schedules) == (True, 1)


def test_who_waits_for_a_limited_time_gives_up_where_nothing_else_goes_on():
    def program(comm):
        done = threading.Event()

        def work():
            time.sleep(3600)
            done.set()

        thread = threading.Thread(target=work)
        thread.start()
        assert done.wait(timeout=1)
        thread.join()
        assert not threading.Event().wait(timeout=1)

    exploration = explore(program, 1, checks=())
    assert (exploration.findings, exploration.complete) == ([], False)
    assert "timeout" in exploration.limits[0]


def test_a_thread_that_looks_in_a_loop_lets_others_go_on():
    def program(comm):
        lock, done = threading.Lock(), []

        def look():
            while True:
                with lock:
                    if done:
                        return

        def work():
            with lock:
                done.append(True)

        together(look, work)

    exploration = explore(program, 1)
    assert (exploration.findings, exploration.complete) == ([], True)


def test_a_heartbeat_keeps_nobody_waiting():
    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        over = threading.Event()

        def beat():
            while not over.wait(0.1):
                pass

        thread = threading.Thread(target=beat)
        thread.start()
        got = [comm.recv(), comm.recv()]
        over.set()
        thread.join()
        return got

    exploration = explore(program, 3, checks=(), same=lambda results: results[0])
    assert only(exploration).kind == "divergence"


# -- Python's own pools and loops ----------------------------------------------------------------------


def as_they_are_completed(comm):
    with ThreadPoolExecutor(2) as executor:
        futures = [executor.submit(int, number) for number in range(2)]
        assert [future.result() for future in as_completed(futures)] == [0, 1]


def in_order(comm):
    with ThreadPoolExecutor(2) as executor:
        assert [*executor.map(int, range(2))] == [0, 1]


def of_asyncio(comm):
    async def both():
        return await asyncio.gather(asyncio.to_thread(int, 0), asyncio.to_thread(int, 1))

    assert asyncio.run(both()) == [0, 1]


def test_locks_of_what_measures_coverage_are_no_turns():
    """Such a tool runs inside of the threads, and locks what it notes: more often the first time."""
    tool = Path(pytest.importorskip("coverage").__file__).with_name("measuring.py")
    code = compile("def note():\n    with lock:\n        pass\n", str(tool), "exec")
    runs = []

    def program(comm):
        space: dict[str, Any] = {"lock": threading.Lock()}
        exec(code, space)
        runs.append(None)
        thread = threading.Thread(target=lambda: [space["note"]() for _ in range(1 + (len(runs) == 1))])
        thread.start()
        space["note"]()
        thread.join()

    exploration = explore(program, 1, checks=())
    assert (exploration.findings, exploration.complete) == ([], True)


def test_results_of_an_executor_that_come_in_any_order_are_found():
    finding = only(explore(as_they_are_completed, 1, checks=(), schedules=200))
    assert finding.kind == "failure"


def of_mpi4py(comm):
    futures = pytest.importorskip("mpi4py.futures")
    with futures.MPICommExecutor(comm, root=0) as executor:
        if executor is not None:
            assert [*executor.map(abs, [-1, 2])] == [1, 2]


@pytest.mark.parametrize(("program", "ranks"), [(in_order, 1), (of_asyncio, 1), (of_mpi4py, 2)])
@pytest.mark.parametrize("strategy", ["exhaustive", "pct"])
def test_executors_and_event_loops_are_explored_within_the_budget(program, ranks, strategy):
    if program is of_mpi4py:  # ranks that load it themselves own its modules: looking at them takes ten times as long
        pytest.importorskip("mpi4py.futures")
    exploration = explore(program, ranks, checks=(), schedules=40, strategy=strategy, max_events=20_000)
    assert exploration.findings == []
    assert exploration.schedules <= 40


# -- against all orders --------------------------------------------------------------------------------

CALLS = {
    "lock": 22, "nested": 8, "again": 5, "try": 5, "put": 12, "get": 10, "look": 4, "wait": 4, "notify": 6, "set": 3,
    "is set": 3, "send": 6, "any": 4, "one": 3,
}  # fmt: skip


def random_program(seed):
    """Threads of one rank that chance has written; on a second rank, one that sends and receives."""
    chance = random.Random(seed)
    threads, other = chance.choice([2, 2, 3]), chance.random() < 0.3
    calls = [name for name in CALLS if other or name not in ("send", "any", "one")]
    weights = [CALLS[name] for name in calls]

    def steps(most):
        return [(chance.choices(calls, weights)[0], chance.choice([0, 1])) for _ in range(chance.randint(1, most))]

    plans = [steps(4 - threads) for _ in range(threads)]
    return plans, [chance.choice(["send", "any"]) for _ in range(chance.randint(1, 2))] if other else []


def outcomes(plans, other, reduced):
    """What each thread saw, and in which order they had each object, in each schedule."""
    seen = [[] for _ in range(len(plans) + 8)]

    def program(comm):
        if comm.rank:
            for call in other:
                comm.send(None, 0) if call == "send" else seen[-1].append(comm.recv())
            return
        locks, again = [threading.Lock(), threading.Lock()], threading.RLock()
        queues = [queue.SimpleQueue(), queue.Queue()]
        condition, event = threading.Condition(), threading.Event()
        orders = seen[len(plans) :]

        def run(number):
            mine = seen[number]
            for step, (call, which) in enumerate(plans[number]):
                if call == "lock":
                    with locks[which]:
                        orders[which].append(number)
                elif call == "nested":
                    with locks[which]:
                        orders[which].append(number)
                        with locks[1 - which]:
                            orders[1 - which].append(number)
                elif call == "again":
                    with again, again:
                        orders[2].append(number)
                elif call == "try":
                    mine.append(locks[which].acquire(blocking=False))
                    if mine[-1]:
                        orders[which].append(number)
                        locks[which].release()
                elif call == "put":
                    queues[which].put((number, step))
                elif call == "get":
                    mine.append(queues[which].get())
                elif call == "look":
                    try:
                        mine.append(queues[which].get_nowait())
                    except queue.Empty:
                        mine.append(None)
                elif call == "wait":
                    with condition:
                        orders[3].append(number)
                        condition.wait()
                        orders[3].append(number)
                elif call == "notify":
                    with condition:
                        orders[3].append(number)
                        condition.notify()
                elif call == "set":
                    event.set()
                elif call == "is set":
                    mine.append(event.is_set())
                elif call == "send":
                    comm.send((number, step), 1)
                elif call == "any":
                    mine.append(comm.recv())
                else:
                    mine.append(comm.recv(source=MPI.ANY_SOURCE if which else 1))

        together(*[lambda number=number: run(number) for number in range(len(plans))])

    return ends_of(program, 2 if other else 1, seen, reduced)


@pytest.mark.parametrize("seed", range(30))
def test_what_is_left_out_leads_to_nothing_new(seed):
    plans, other = random_program(seed)
    every, tried = outcomes(plans, other, reduced=False), outcomes(plans, other, reduced=True)
    assert {*tried} == {*every}
    assert len(tried) <= len(every)
