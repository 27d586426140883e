"""Tables for the terminal: why ranks idled, and the efficiency of a run.

The numbers are computed in `bsbpool.trace.idle` and `bsbpool.trace.efficiency`, and runs on other numbers of ranks in
`bsbpool_sim.replay.whatif`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bsbpool.durations import duration
from bsbpool.text import label
from bsbpool.trace.efficiency import efficiency
from bsbpool.trace.history import History
from bsbpool.trace.idle import Cause, Idle, idle_times
from bsbpool.trace.timeline import Timeline

from .tables import MOST_ROWS, new_table, number_column

if TYPE_CHECKING:
    from bsbpool.trace import Trace

#: Jobs that ranks waited for which are told of.
MOST_WAITS = 4

_HEADS = {
    Cause.NOT_READY: "no job\nready",
    Cause.NOT_QUEUED: "no job\nqueued",
    Cause.MAIN: "main\nbusy",
    Cause.MESSAGE: "message\nunder way",
    Cause.BETWEEN: "between\ntwo jobs",
    Cause.ABSENT: "rank not\nthere",
    Cause.LOST: "rank\nlost",
    Cause.TAIL: "tail of\nthe pool",
    Cause.NO_POOL: "no pool\nopen",
    Cause.UNTOLD: "not\ntold",
}


def show_idle(out: Console, history: History, timeline: Timeline) -> None:
    """Why ranks idled, and the jobs that they waited for; nothing if none idled."""
    idle = idle_times(history)
    if not idle.total:
        return
    told = efficiency(history, idle)
    out.print(idle_table(idle))
    waits = idle.waits[:MOST_WAITS]
    if waits:
        out.print("Most of it waited for the end of" if len(idle.waits) > 1 else "It waited for the end of")
    for wait in waits:
        pool = history.pools[wait.pool]
        job = pool.jobs[wait.job]
        which = f"job {job.id}{f' of pool {pool.id}' if len(history.pools) > 1 else ''} on rank {wait.rank}"
        what = f" {label(job.name)}, {label(which)}: {duration(wait.idle / 1e9)}"
        out.print(Text.assemble("  ", timeline.chip(job.name), what))
    if told is not None:
        factors = f"load balance {told.load_balance:.1%}, serialisation {told.serialisation:.1%}"
        out.print(f"Efficiency {told.total:.1%}: {factors}, transfer {told.transfer:.1%}, multiplied.")
    out.print()


def show_efficiency(out: Console, path: str, recorded: Trace, numbers: Sequence[int]) -> None:
    """The efficiency of a run, and what it would be on other numbers of ranks.

    :raises click.UsageError: the run can't be simulated.
    """
    from bsbpool_sim import SimulationError
    from bsbpool_sim.replay.whatif import ASSUMPTIONS, Change, what_if

    table = new_table()
    for title in ("ranks", "makespan", "speedup", "efficiency", "load\nbalance", "seriali-\nsation", "transfer"):
        number_column(table, title)
    table.add_column("")
    first = History(recorded)
    for ranks in (None, *numbers):
        try:
            history = first if ranks is None else History(what_if(recorded, Change(ranks)).trace)
        except SimulationError as error:
            raise click.UsageError(f"{path}: {str(error).splitlines()[0]}") from None
        span, told = history.last - history.first, efficiency(history)
        factors = [] if told is None else [told.total, told.load_balance, told.serialisation, told.transfer]
        table.add_row(
            str(history.ranks if ranks is None else ranks),
            duration(span / 1e9),
            f"{(first.last - first.first) / span:.2f}" if span else "·",
            *([f"{factor:.1%}" for factor in factors] or ["·"] * 4),
            Text("recorded" if ranks is None else "what if", "dim"),
        )
    out.print(table)
    out.print()
    out.print(Text("Assumed: " + "; ".join(ASSUMPTIONS) + ".", "dim"))


def idle_table(idle: Idle) -> Table:
    """How long each rank idled, if they are few, and all of them, and for how much of that each cause goes."""
    causes = list(idle.by_cause)
    few = 1 < len(idle.ranks) <= MOST_ROWS
    times = [idle.total, *(idle.by_cause[cause] for cause in causes)]
    told = [duration(ns / 1e9) for ns in times]
    shares = [f"{ns / idle.total:.1%}" for ns in times]
    table = new_table(show_footer=few)
    number_column(table, "rank", "all\nshare")
    for head, time, share in zip(["idle", *(_HEADS[cause] for cause in causes)], told, shares, strict=True):
        number_column(table, head, f"{time}\n{share}")
    for rank in idle.ranks if few else ():
        mine = [rank.total, *(rank.by_cause[cause] for cause in causes)]
        table.add_row(str(rank.rank), *(duration(ns / 1e9) if ns else "·" for ns in mine))
    if not few:
        table.add_row("all" if len(idle.ranks) > 1 else str(idle.ranks[0].rank), *told)
        table.add_row("share", *shares)
    return table
