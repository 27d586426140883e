"""The wildcard loop as a program for asyncio, run by two other explorers: simloop's and simloom's loops.

Rank 0's receives are those of a queue, or of a server for streams, the ranks are tasks, and the loop chooses who is
next. `exploring` compares; both need Python 3.12 or newer: ``pip install simloop simloom``. These explore programs of
tasks; nothing else was found that explores programs of ranks in Python.

    python tests/benchmarks/asyncio_loops.py simloop "a queue" 100

prints the schedules a second of processor time in a process of their own: both collect all garbage after each run,
which takes the longer the more other objects there are.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

#: Senders: one fewer than ranks.
SENDERS = 3

#: The name of a host that both know.
HOST = "driver"

#: Runs each explorer's loop so many times, each with a seed of its own; raises what a run raised.
Runs = Callable[[Callable[[], Any], int], None]


async def queue() -> None:
    """Tasks put their numbers into a queue."""
    box: asyncio.Queue[int] = asyncio.Queue()

    async def send(number: int) -> None:
        await box.put(number)

    async with asyncio.TaskGroup() as group:
        for number in range(SENDERS):
            group.create_task(send(number))
        got = [await box.get() for _ in range(SENDERS)]
    assert sorted(got) == [*range(SENDERS)]


async def streams() -> None:
    """Tasks send their numbers over connections of the simulated network."""
    box: asyncio.Queue[int] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        box.put_nowait(int(await reader.readline()))
        writer.close()

    async def send(number: int) -> None:
        _, writer = await asyncio.open_connection(HOST, 8080)
        writer.write(b"%d\n" % number)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(take, HOST, 8080), asyncio.TaskGroup() as group:
        for number in range(SENDERS):
            group.create_task(send(number))
        got = [await box.get() for _ in range(SENDERS)]
    assert sorted(got) == [*range(SENDERS)]


PROGRAMS: dict[str, Callable[[], Awaitable[None]]] = {"a queue": queue, "streams": streams}


def explorers() -> dict[str, Runs]:
    """Those that are installed, by name."""
    found: dict[str, Runs] = {}
    with contextlib.suppress(ImportError):
        import simloop

        def by_simloop(program: Callable[[], Any], times: int) -> None:
            failed = simloop.explore(program, range(times))
            assert failed is None, failed

        found["simloop"] = by_simloop
    with contextlib.suppress(ImportError):
        import simloom

        def by_simloom(program: Callable[[], Any], times: int) -> None:
            assert not simloom.explore(program, runs=times).failures

        found["simloom"] = by_simloom
    return found


def rate(name: str, kind: str, times: int) -> float:
    """The schedules of a program that an explorer runs in a second of processor time, in a process of its own."""
    command = [sys.executable, __file__, name, kind, str(times)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    explorer, program, count = explorers()[sys.argv[1]], PROGRAMS[sys.argv[2]], int(sys.argv[3])
    explorer(program, count)  # once for what is made once
    start = time.process_time()
    explorer(program, count)
    print(count / (time.process_time() - start))
