"""The wildcard loop as a program for asyncio, run by two other explorers: simloop's and simloom's loops.

Rank 0's receives are those of a queue, or of a server for streams, the ranks are tasks, and the loop chooses who is
next. `exploring` compares; both need Python 3.12 or newer: ``pip install simloop simloom``. These explore programs of
tasks; nothing else was found that explores programs of ranks in Python.

Each is measured in a process of its own: both collect all garbage after each run, which takes the longer the more other
objects there are. So there are two kinds of process: a script that loads nothing else, and a test that pytest runs, as
which such programs are explored as a rule.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
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


def measured(name: str, kind: str, times: int) -> float:
    """The schedules of a program that an explorer runs in a second of processor time, in this process."""
    explorer, program = explorers()[name], PROGRAMS[kind]
    explorer(program, times)  # once for what is made once
    start = time.process_time()
    explorer(program, times)
    return times / (time.process_time() - start)


#: A script that prints what an expression gives, and a test that does.
_SCRIPT = "import sys; sys.path.insert(0, {folder!r}); import {module}; print('rate', {module}.{call})"
_TEST = """import sys
sys.path.insert(0, {folder!r})
import {module}

def test_it():
    print("rate", {module}.{call})
"""


def rate(module: str, call: str, in_pytest: bool) -> float:
    """What a call of a function of a module here returns, in a process of its own.

    :param in_pytest: whether that is a test, which pytest runs, without plugins: those of this project load it, too.
    """
    code = (_TEST if in_pytest else _SCRIPT).format(folder=str(Path(__file__).parent), module=module, call=call)
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-c", code]
        if in_pytest:
            (Path(name) / "test_it.py").write_text(code)
            command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "test_it.py"]
        environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        printed = subprocess.run(command, cwd=name, env=environment, check=True, capture_output=True, text=True).stdout
    found = re.search(r"rate (\d\S*)", printed)
    assert found is not None, printed
    return float(found[1])
