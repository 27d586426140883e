"""`bsbpool replay` with one change: shows the predicted run beside the recorded one.

`replay` reads the options. Predicting belongs in `bsbpool_sim.replay`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from bsbpool.durations import duration
from bsbpool.text import harmless, label
from bsbpool.trace.history import History
from bsbpool.trace.summary import JobFailure, Summary, summarise
from bsbpool.trace.timeline import Timeline

from . import PoolFailed, console
from .consoles import room
from .tables import (
    MOST_ROWS,
    OUTCOMES,
    counts_text,
    how_many,
    new_table,
    number_column,
    number_of,
    rank_table,
    show_failures,
    show_strategies,
    workers_text,
)

if TYPE_CHECKING:
    from bsbpool.trace import Trace
    from bsbpool_sim.replay.whatif import Change


def what_if(path: str, recorded: Trace, change: Change) -> int:
    """Run it with a change, and show that beside what happened."""
    from bsbpool_sim import SimulationError
    from bsbpool_sim.replay.whatif import ASSUMPTIONS
    from bsbpool_sim.replay.whatif import what_if as changed

    try:
        outcome = changed(recorded, change)
    except SimulationError as error:
        raise click.UsageError(f"{path}: {str(error).splitlines()[0]}") from None
    if change.fail and not outcome.failing:
        raise click.UsageError(no_such_job(change.fail, recorded))
    out = console()
    before, after = summarise(History(recorded)), summarise(History(outcome.trace))
    out.print(Text(label(path), "bold"))
    out.print(f"What if {', and '.join(words(change, outcome.failing))}?")
    out.print()
    out.print(compared(before, after))
    out.print()
    timeline = Timeline(after, lanes=MOST_ROWS)
    show_strategies(out, after, timeline)
    out.print()
    out.print(rank_table(after) if len(after.workers) <= MOST_ROWS else workers_text(after))
    out.print()

    def which(failure: JobFailure) -> tuple[str, str]:
        return f"job {failure.job}", ", ".join(f"{key}={value}" for key, value in failure.context.items())

    show_failures(out, after.failures, which)
    out.print(timeline, width=room(out))
    out.print()
    out.print(Text("Assumed: " + "; ".join(ASSUMPTIONS) + ".", "dim"))
    if outcome.main_died is not None:
        raise PoolFailed(
            f"main, rank 0, would have died at {duration(outcome.main_died)}, and nobody else hands out jobs: "
            f"{counts_text(after.outcome)}"
        )
    failed = [error for error in outcome.errors if error is not None]
    if failed or not after.complete:
        raise PoolFailed(f"a pool would have failed: {counts_text(after.outcome)}")
    return 0


def no_such_job(wanted: Collection[int | str], recorded: Trace) -> str:
    """That no job is as --fail says, with the names that there are."""
    names = [*dict.fromkeys(event.name for event in recorded.events if event.e == "job")]
    said = " ".join(map(str, wanted))
    if not names:
        return f"--fail {said}: the trace has no jobs"
    near = difflib.get_close_matches(said, names, n=3)
    listed = [*near, *(name for name in names if name not in near)]
    more = f" and {len(listed) - MOST_ROWS:,} more" if len(listed) > MOST_ROWS else ""
    shown = ", ".join(repr(harmless(name)) for name in listed[:MOST_ROWS])
    return (
        f"--fail {said}: no job of the trace has that id or name; give an id, or a name, or a pattern such as "
        f"'{harmless(listed[0])[:3]}*'. There are {shown}{more}"
    )


def words(change: Change, failing: int) -> list[str]:
    """The change, in words."""
    said = []
    if change.ranks is not None:
        said.append(f"there were {number_of(change.ranks, 'rank')}")
    for rank, factor in change.speed.items():
        who = "all ranks were" if rank is None else f"rank {rank} was"
        said.append(f"{who} {factor:g} times as fast")
    for rank, at in change.kill.items():
        said.append(f"rank {rank} died at {duration(at)}")
    if change.fail:
        said.append(f"{number_of(failing, 'job')} failed ({', '.join(label(str(each)) for each in change.fail)})")
    return said


def compared(before: Summary, after: Summary) -> Any:
    """What happened, and what would have."""
    table = new_table()
    table.add_column("", no_wrap=True)
    for title in ("ranks", "makespan", "", "utilisation"):
        number_column(table, title)
    kinds = [kind for kind in OUTCOMES if kind in before.outcome or kind in after.outcome]
    for kind in kinds:
        number_column(table, OUTCOMES[kind])
    for name, summary in (("recorded", before), ("what if", after)):
        share = ""
        if not summary.complete:
            share = "cut off"
        elif summary is after and before.makespan and before.complete:
            share = f"{summary.makespan / before.makespan - 1:+.1%}"
        table.add_row(
            name,
            str(summary.ranks),
            duration(summary.makespan),
            share,
            f"{summary.utilisation:.1%}",
            *(how_many(kind, summary.outcome.get(kind, 0)) for kind in kinds),
            style="bold" if summary is after else "",
        )
    return table
