"""The page of a trace with a million jobs: what it takes to make, to open, and to move about in.

What the browser does is told in processor time of the page's main thread, which other programs on the machine do not
change. Without a GPU the browser composes the picture on the processor as well, in other threads: that is not counted.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from measure import console, environment, table
from page import browsers

from bsbpool.trace import Trace

#: Jobs and ranks of each trace.
SIZES = ((100_000, 64), (1_000_000, 64))
#: Frames of each kind of movement.
FRAMES = 30
#: What is done between two frames, after what is done once before.
MOVEMENTS = (
    ("pan, whole run", "bsbpool.showTime(0, bsbpool.data.span)", "bsbpool.move(0)"),
    ("zoom, far to near", "bsbpool.showTime(0, bsbpool.data.span)", "bsbpool.zoom(0.707)"),
    ("pan, a hundredth", "bsbpool.showTime(0, bsbpool.data.span / 100)", "bsbpool.move(0.03)"),
    ("idle, whole run", "pressed('idle'); bsbpool.showTime(0, bsbpool.data.span)", "bsbpool.move(0)"),
    ("idle, zoom", "bsbpool.showTime(0, bsbpool.data.span)", "bsbpool.zoom(0.707)"),
    ("critical path", "pressed('critical'); bsbpool.showTime(0, bsbpool.data.span)", "bsbpool.move(0)"),
    ("one strategy", "pressed('critical'); document.querySelector('#legend button').click()", "bsbpool.move(0)"),
)  # fmt: skip
PRESSED = "const pressed = id => document.getElementById(id).click();\n"


def show(repetitions: int) -> None:
    missing = browsers.missing()
    if missing:
        console.print(f"The page of a million jobs: {missing}")
        return
    made = table(
        "Making the page: bsbpool show --html",
        ("jobs", "trace, MB", "page, MB", "processor, s", "peak memory, MB"),
    )
    opened = table(
        "Opening it in headless Chromium: a desktop of 1280 by 800 pixels, a telephone of 390 by 844",
        ("jobs", "screen", "main thread, s", "memory, MB", "at its peak, MB"),
    )
    frames = table(
        f"A frame of it: milliseconds of the main thread's processor time, of {FRAMES} frames",
        ("jobs", "screen", "movement", "first", "median", "95 %", "worst"),
    )
    with tempfile.TemporaryDirectory() as folder:
        for jobs, ranks in SIZES:
            trace, page = Path(folder, "large.trace"), Path(folder, "page.html")
            write(trace, jobs, ranks)
            seconds, peak = made_by_command(trace, page)
            sizes = (f"{file.stat().st_size / 1e6:,.1f}" for file in (trace, page))
            made.add_row(f"{jobs:,}", *sizes, f"{seconds:.1f}", f"{peak / 1e6:,.0f}")
            for screen, how in (("desktop", {}), ("telephone", {"width": 390, "height": 844, "scale": 3})):
                with browsers.browser(Path(folder) / f"profile-{jobs}-{screen}") as driver:
                    browsers.look(driver, **how)
                    begin = opened_in(driver, page)
                    opened.add_row(f"{jobs:,}", screen, f"{begin:.2f}", *(f"{b / 1e6:,.0f}" for b in memory(driver)))
                    for movement, times in moved(driver):
                        first, rest = times[0], sorted(times[1:])
                        told = (first, rest[len(rest) // 2], rest[int(0.95 * len(rest))], rest[-1])
                        frames.add_row(f"{jobs:,}", screen, movement, *(f"{ms:.1f}" for ms in told))
    for each in (made, opened, frames):
        console.print(each)
        console.print()


def write(path: Path, jobs: int, ranks: int) -> None:
    """Write a trace of so many jobs on so many ranks: of 8 strategies, in 2 of which jobs wait for two others each."""
    dumps = json.JSONEncoder(separators=(",", ":")).encode
    with path.open("w", encoding="utf-8") as file:
        for line in Trace({"ranks": ranks, "hosts": ["simulated"], "simulated": True}).lines():
            file.write(f"{line}\n")
        file.writelines(f"{dumps(event)}\n" for event in events(jobs, ranks))


def events(jobs: int, ranks: int) -> Iterator[dict[str, Any]]:
    """Its events: jobs of 1 to some 100 ms, each on the rank that is free first."""
    chance = random.Random(1)
    yield {"t": 0, "e": "pool", "pool": 1, "ranks": ranks, "fail_fast": False, "phases": ["main"]}
    for job in range(jobs):
        strategy = job * 8 // jobs
        deps = [job - 2 * ranks, job - 2 * ranks - 7] if strategy % 3 == 2 else []
        context = {"chunk": [job % 100, job // 100 % 100, job // 10_000]}
        what = {"kind": "FunctionJob", "name": f"connectivity.strategy_{strategy}", "context": context}
        yield {"t": 0, "e": "job", "pool": 1, "job": job, **what, "deps": deps, "cache": []}
    yield {"t": 0, "e": "queued", "pool": 1, "jobs": [*range(jobs)]}
    free = [(0, rank) for rank in range(1, ranks)]
    error = {"kind": "raised", "type": "ValueError", "message": "bad chunk"}
    t = 0
    for job in range(jobs):
        t, rank = heapq.heappop(free)
        yield {"t": t, "e": "status", "pool": 1, "job": job, "status": "running", "rank": rank, "error": None}
        start = t + 10_000 + chance.randrange(40_000)
        end = start + 1_000_000 + int(chance.expovariate(1 / (3_000_000 * (1 + job * 8 // jobs % 4))))
        told = end + 5_000 + chance.randrange(2_000_000 if job % 11 == 0 else 20_000)
        heapq.heappush(free, (told, rank))
        yield {"t": told, "e": "message", "pool": 1, "rank": rank, "job": job, "started": start, "ended": end}
        status, why = ("failed", error) if job % 1999 == 1998 else ("success", None)
        yield {"t": told, "e": "status", "pool": 1, "job": job, "status": status, "rank": rank, "error": why}
    yield {"t": max(free)[0], "e": "end", "pool": 1, "error": None}


def made_by_command(trace: Path, page: Path) -> tuple[float, int]:
    """Make the page in a fresh process; the seconds of processor time and the bytes that it took at most."""
    command = [sys.executable, "-m", "bsbpool", "show", os.fspath(trace), "--html", os.fspath(page), "--force"]
    with open(os.devnull, "wb") as nowhere:
        actions = [(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)]
        _, status, usage = os.wait4(os.posix_spawn(sys.executable, command, environment(), file_actions=actions), 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def opened_in(driver: Any, page: Path) -> float:
    """Open the page; the seconds of processor time that its main thread took until it was seen."""
    driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    if (said := browsers.open_page(driver, page)) != "true":
        raise SystemExit(f"the page says {said}")
    return spent(driver, "TaskDuration")


def moved(driver: Any) -> Iterator[tuple[str, list[float]]]:
    """For each movement the milliseconds of its frames; the first may sum up what the others use."""
    for name, before, each in MOVEMENTS:
        yield name, [script_of(driver, before), *(script_of(driver, each) for _ in range(FRAMES))]


def script_of(driver: Any, code: str) -> float:
    """The milliseconds of script, for what code leads to until a frame is drawn."""
    before = spent(driver, "ScriptDuration")
    driver.execute_async_script(f"{PRESSED}{code};\n{browsers.FRAME}")
    return 1000 * (spent(driver, "ScriptDuration") - before)


def spent(driver: Any, what: str) -> float:
    metrics = driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return next(each["value"] for each in metrics if each["name"] == what)


def memory(driver: Any) -> tuple[int, int]:
    """Bytes of memory that the page's process has, and had at most."""
    return max(_of_process(pid) for pid in _below(driver.service.process.pid, _children().get))


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        found.setdefault(parent, []).append(int(folder.name))
    return found


def _below(pid: int, children: Callable[[int], list[int] | None]) -> Iterator[int]:
    yield pid
    for child in children(pid) or ():
        yield from _below(child, children)


def _of_process(pid: int) -> tuple[int, int]:
    """Of the process of a page; nothing of others."""
    try:
        if b"--type=renderer" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return 0, 0
        lines = [line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    except OSError:
        return 0, 0
    told = {line[0]: int(line[1]) * 1024 for line in lines if line and line[0].startswith("Vm")}
    return told["VmRSS:"], told["VmHWM:"]
