"""The page of a trace: its size, what it takes to make and to open, and what a frame takes in a real browser."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from measure import HERE, console, median, table, timed

from bsbpool.trace.history import History
from bsbpool.trace.page import page

sys.path.insert(0, str(HERE.parent / "unit"))
import browser as browsers

#: Jobs and ranks. Each job has five events: the last is a trace of a million.
SIZES = ((400, 4), (10_000, 500), (10_000, 1_000), (200_000, 500))


def show(repetitions: int) -> None:
    missing = browsers.missing()
    if missing:
        console.print(f"The page of a trace: {missing}")
        return
    columns = ("jobs", "ranks", "events", "MB", "make, s", "open, s", "frame, ms", "worst", "between, ms")
    rows = table("The page of a trace, in headless Chromium; medians of 60 frames", columns)
    with tempfile.TemporaryDirectory() as folder, browsers.browser(Path(folder) / "profile") as driver:
        browsers.look(driver)
        for jobs, ranks in SIZES:
            trace = browsers.large(jobs, ranks)
            made: list[str] = []
            took = timed(lambda trace=trace, made=made: made.append(page(History(trace), "benchmark")))
            path = Path(folder) / "page.html"
            path.write_text(made[0])
            start = time.perf_counter()
            assert browsers.open_page(driver, path) == "true"
            opened = time.perf_counter() - start
            measured = driver.execute_async_script(browsers.PAN_AND_ZOOM)
            sizes = (f"{jobs:,}", f"{ranks:,}", f"{len(trace):,}", f"{len(made[0]) / 1e6:.2f}")
            drawn, gaps = measured["drawn"], measured["gaps"]
            frames = (f"{median(drawn):.1f}", f"{max(drawn):.1f}", f"{median(gaps):.1f}")
            rows.add_row(*sizes, f"{took:.1f}", f"{opened:.2f}", *frames)
    console.print(rows)
