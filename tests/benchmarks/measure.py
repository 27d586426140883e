"""What the benchmarks share: the machine, the clock, a table, the job, and the paths of fresh processes."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent

console = Console(highlight=False, width=100)


#: The ratios that were measured in this run, by what they are of; lower is better where the name says "time" or "cost".
ratios: dict[str, float] = {}


def note(name: str, ratio: float) -> None:
    """Keep a ratio for the history, which `--save` writes."""
    ratios[name] = ratio


def noop(owner):
    """The job of all benchmarks."""


def machine() -> str:
    """What the numbers were measured on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{platform.system()} {platform.machine()}, {cores} cores, {python}{load}"


def timed(call: Callable[..., object], *args: object) -> float:
    """The seconds of processor time that a call takes, with no garbage of others left to collect.

    For what runs on one thread and never waits: it takes these seconds on a machine that has nothing else to do,
    whatever else this one does.
    """
    gc.collect()
    start = time.process_time()
    call(*args)
    return time.process_time() - start


def median(values: Iterable[float]) -> float:
    """What lies in the middle of them."""
    return statistics.median(values)


def table(title: str, columns: Sequence[str]) -> Table:
    """A table of numbers."""
    made = Table(box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", show_edge=False)
    for column in columns:
        made.add_column(column, justify="right", no_wrap=True)
    return made


def environment() -> dict[str, str]:
    """The environment of a fresh process that imports what this one does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
