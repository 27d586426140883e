"""Programs whose job pools run under a script, as one says with `explore(script=…)`: right ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import bsbpool
from bsbpool.exceptions import WorkflowError
from bsbpool_sim import Script


class Scripted(NamedTuple):
    """A program that runs under a script.

    :ivar program: the function that each rank runs.
    :ivar script: makes the script.
    """

    name: str
    ranks: int
    jobs: int
    program: Callable[[Any], Any]
    script: Callable[[], Script]


def two_phases(comm):
    """Places cells, and connects them; a phase whose jobs fail in part is followed by the next one all the same."""
    came = {}
    for phase, count in (("place", 2), ("connect", 3)):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                jobs = {f"{phase} {i}": pool.queue(print, submitter=f"{phase} {i}") for i in range(count)}
            try:
                pool.execute()
            except WorkflowError:
                assert phase == "connect", "all cells are placed"
            if pool.is_main():
                came |= {name: job.error or job.result for name, job in jobs.items()}
    if came:
        assert [came.pop(f"place {i}") for i in range(2)] == ["cells"] * 2, came
        assert str(came.pop("connect 1")) == "the disk is full", came
        assert came == {"connect 0": "many", "connect 2": "few"}, came


def disk_runs_full():
    """All cells are placed. Of what is connected, the first takes longer, and the second finds the disk full."""
    return (
        Script(latency=50e-6)
        .job("place *", takes=1.0, returns="cells")
        .job("* 1", raises=OSError("the disk is full"))
        .job(id=0, takes=3.0, returns="many")
        .job("connect *", takes=1.0, returns="few")
    )


SCRIPTED = [Scripted("scripted/two_phases", 3, 5, two_phases, disk_runs_full)]
