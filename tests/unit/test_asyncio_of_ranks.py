"""`asyncio` on simulated ranks: each thread of each rank may run an event loop, which waits in virtual time."""

import asyncio
import contextvars
import signal
import subprocess
import sys
import threading
import time

import pytest

from bsbpool_sim import CannotSimulateError, DeadlockError, RankErrors, simulate


def run(coroutine, ranks=1, **options):
    return simulate(lambda comm: asyncio.run(coroutine(comm)), ranks, **options).results


def test_timers_of_many_ranks_go_off_side_by_side():
    async def program(comm):
        told: list = []

        async def after(seconds):
            await asyncio.sleep(seconds)
            told.append(seconds)

        async with asyncio.TaskGroup() as group:
            for seconds in (3, 1, 2):
                group.create_task(after(seconds + comm.rank))
        return told, time.monotonic()

    assert run(program, 3) == [([1 + n, 2 + n, 3 + n], 3 + n) for n in range(3)]


def test_a_time_is_met_to_the_nanosecond():
    async def program(comm):
        await asyncio.sleep(0.1)
        await asyncio.sleep(0.2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(10), 0.7)
        return time.monotonic_ns()

    assert run(program) == [1_000_000_000]


def test_queues_and_events_pass_things_between_coroutines():
    async def program(comm):
        line: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
        done = asyncio.Event()

        async def produce():
            for n in range(3):
                await line.put(n)
                await asyncio.sleep(1)
            done.set()

        task = asyncio.create_task(produce())
        got = [await line.get() for _ in range(3)]
        await done.wait()
        await task
        return got, time.monotonic()

    assert run(program) == [([0, 1, 2], 3)]


def test_a_coroutine_that_waits_for_a_message_keeps_only_its_own_rank_waiting():
    async def program(comm):
        loop = asyncio.get_running_loop()
        if comm.rank == 0:
            await asyncio.sleep(2)
            comm.send("late", 1)
        elif comm.rank == 1:
            assert comm.recv(source=0) == "late"
        else:
            await asyncio.sleep(1)
        assert asyncio.get_running_loop() is loop
        return time.monotonic()

    assert run(program, 3) == [2, 2, 1]


def test_a_thread_runs_what_would_block_the_loop():
    async def program(comm):
        variable = contextvars.ContextVar("variable", default="nothing")
        variable.set("the coroutine's")
        blocking = asyncio.to_thread(lambda: (time.sleep(2), threading.current_thread().name, variable.get()))
        _, name, value = (await asyncio.gather(blocking, asyncio.sleep(1)))[0]
        return name, value, time.monotonic()

    assert run(program, 2) == [("asyncio_0", "the coroutine's", 2)] * 2


def test_another_thread_may_call_a_loop_and_run_one_of_its_own():
    async def program(comm):
        loop, told = asyncio.get_running_loop(), asyncio.Event()

        def other():
            asyncio.run(asyncio.sleep(3))
            loop.call_soon_threadsafe(told.set)

        threading.Thread(target=other).start()
        await told.wait()
        return time.monotonic()

    assert run(program) == [3]


def test_generators_and_results_that_come_as_they_are_done():
    async def program(comm):
        async def count():
            for n in range(3):
                await asyncio.sleep(1)
                yield n

        counted = [n async for n in count()]
        done = [await each for each in asyncio.as_completed([asyncio.sleep(n, n) for n in (2, 3, 1)])]
        return counted, done, time.monotonic()

    assert run(program) == [([0, 1, 2], [1, 2, 3], 6)]


def test_tasks_are_cancelled_in_the_order_in_which_they_were_made():
    async def program(comm):
        told: list = []

        async def waits(n):
            try:
                await asyncio.Event().wait()
            finally:
                told.append((n, asyncio.current_task().get_name()))

        kept = [asyncio.create_task(waits(n)) for n in range(20)]
        await asyncio.sleep(1)
        return told, kept

    ((told, _), *_) = run(program)
    assert told == [(n, f"Task-{n + 2}") for n in range(20)]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: asyncio.open_connection("localhost", 1), "create_connection"),
        (lambda: asyncio.start_server(print, "localhost", 1), "create_server"),
        (lambda: asyncio.create_subprocess_exec("true"), "subprocess_exec"),
    ],
)
def test_what_lives_in_real_time_is_refused_by_name(call, name):
    async def program(comm):
        await call()

    with pytest.raises(RankErrors, match=rf"simulated rank 0 called loop\.{name}\(\), which is refused") as caught:
        run(program)
    assert isinstance(caught.value.by_rank[0], CannotSimulateError)


@pytest.mark.filterwarnings("ignore")  # what waits for ever is thrown away
def test_a_loop_with_nothing_to_wait_for_is_in_a_deadlock():
    async def program(comm):
        await asyncio.sleep(1)
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError, match="rank 0 waits for a call of its event loop, since 1 s"):
        run(program)


def test_a_rank_has_a_loop_of_its_own_to_get_and_to_set():
    def program(comm):
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        comm.barrier()
        assert asyncio.get_event_loop() is loop
        told: list = []
        threading.Thread(target=lambda: told.append(loop.run_until_complete(asyncio.sleep(1, "done")))).start()
        time.sleep(2)
        loop.close()
        return told

    assert simulate(program, 2).results == [["done"]] * 2


def test_nothing_changes_outside():
    before = signal.getsignal(signal.SIGINT), asyncio.all_tasks, asyncio.new_event_loop

    async def program(comm):
        await asyncio.sleep(0)

    async def outside():
        loop = asyncio.get_running_loop()
        run(program, 2)
        assert asyncio.get_running_loop() is loop
        await asyncio.sleep(0)

    asyncio.run(outside())
    assert (signal.getsignal(signal.SIGINT), asyncio.all_tasks, asyncio.new_event_loop) == before


@pytest.mark.unmeasured
def test_a_program_may_be_the_first_to_import_it():
    code = """
import sys
from bsbpool_sim import simulate
def program(comm):
    import asyncio, time
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor() as pool:
        pool.submit(time.sleep, 60).result()
    asyncio.run(asyncio.sleep(3600))
    return time.monotonic()
assert "asyncio" not in sys.modules
print(simulate(program, 2).results)
import asyncio
asyncio.run(asyncio.sleep(0))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert said.stdout == "[3660.0, 3660.0]\n", said.stderr
