"""`bsbpool diff`: shows the first difference of two traces, and which strategies took longer.

This file formats differences. Finding them belongs in `bsbpool.trace.comparing`.
"""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bsbpool.durations import duration
from bsbpool.facts import Fact
from bsbpool.text import label
from bsbpool.trace import Trace
from bsbpool.trace.comparing import Difference, EventMapping, StrategyChange, first_difference, strategy_changes
from bsbpool.trace.history import History
from bsbpool.trace.summary import Summary, summarise

from . import console
from .kinds import FileName
from .show import read_or_complain
from .tables import MOST_ROWS, Tail, cut_off, new_table, number_column, number_of

#: What the header tells that makes two runs comparable, or not.
_HEADER = ("ranks", "simulated", "seed")


@click.command(short_help="Compare two traces: the first difference, and what took longer.")
@click.argument("a", metavar="A", type=FileName())
@click.argument("b", metavar="B", type=FileName())
@click.option("--times", is_flag=True, help="Compare times too, to the nanosecond, and memory.")
@click.option(
    "--context",
    metavar="N",
    type=click.IntRange(0, 100),
    default=3,
    show_default=True,
    help="How many events to show before and after the first difference.",
)
def diff(a: str, b: str, times: bool, context: int) -> int:
    """Compare two traces event by event, and show the first difference.

    Times, and the memory of ranks, are not compared, since those of two runs on real ranks always differ; a table by
    strategy shows what took longer. Events are numbered: event 5 is line 6 of the file, since line 1 is the header.

    \b
    Find what the failing run did differently
      bsbpool diff good.trace bad.trace
    Check that two simulations are equal to the nanosecond
      bsbpool diff one.trace other.trace --times

    Exit status: 0: they are equal; 1: they differ; 2: one can't be read.
    """
    left, right = read_or_complain(a), read_or_complain(b)
    found = first_difference(left, right, times=times, context=context)
    out = console()
    out.print(
        Text.assemble(("A  ", "bold red"), (label(a), "bold"), f"  {number_of(len(left), 'event')}"), soft_wrap=True
    )
    out.print(
        Text.assemble(("B  ", "bold green"), (label(b), "bold"), f"  {number_of(len(right), 'event')}"), soft_wrap=True
    )
    show_headers(out, left, right)
    out.print()
    if found is None:
        what = "The same events, in the same order" + (
            ", at the same times." if times else "; times and memory don't count here."
        )
        out.print(Text(what, "bold"))
    else:
        show_difference(out, found)
    out.print()
    show_time_changes(out, summarise(History(left)), summarise(History(right)))
    return 0 if found is None else 1


def show_headers(out: Console, left: Trace, right: Trace) -> None:
    """What of the two runs was not the same from the beginning."""
    for key in _HEADER:
        one, other = left.header.get(key), right.header.get(key)
        if one != other:
            out.print(f"   {key}: {json.dumps(one)} in A, {json.dumps(other)} in B", style="dim")


def show_difference(out: Console, found: Difference) -> None:
    """The first event in which they differ, with what is around it."""
    a, b = found.numbers
    where = f"event {a:,}" if a == b else f"event {a:,} of A, {b:,} of B"
    if found.left is None or found.right is None:
        ended = "A" if found.left is None else "B"
        what = f"{ended} ends there"
    elif "e" in found.fields:
        what = f"A has {found.left['e']}, B has {found.right['e']}"
    else:
        what = f"{found.left['e']} with another {' and '.join(found.fields)}"
    out.print(Text(f"They part at {where}: {what}.", "bold"))
    out.print()
    for place, common in enumerate(found.before, a - len(found.before)):
        line(out, " ", place, common)
    for sign, number, event, after in (
        ("A", a, found.left, found.after_left),
        ("B", b, found.right, found.after_right),
    ):
        line(out, sign, number, event, found.fields)
        for further, each in enumerate(after, number + 1):
            line(out, sign, further, each)


def line(out: Console, sign: str, number: int, event: EventMapping | None, differing: tuple[str, ...] = ()) -> None:
    """An event on a line of its own; the fields that differ stand out."""
    style = {"A": "red", "B": "green"}.get(sign, "dim")
    text = Text.assemble((f"{sign} {number:>7}  ", style))
    if event is None:
        text.append("(the end)", style)
    else:
        text.append(f"{duration(event['t'] / 1e9):>9}  {event['e']:<11}", style)
        if "t" in differing:
            text.append(f" t={event['t']}", f"bold underline {style}")
        for key, value in event.items():
            if key not in ("t", "e") and value is not None:
                shown = label(value if isinstance(value, str) else _told(value))
                text.append(f" {key}={shown}", f"bold underline {style}" if key in differing else style)
    out.print(text, soft_wrap=True)


def _told(value: object) -> str:
    """A value of an event: errors and faults in words."""
    return str(value) if isinstance(value, Fact) else json.dumps(value, ensure_ascii=False)


def show_time_changes(out: Console, left: Summary, right: Summary) -> None:
    """What took how long in each, and which strategies took longer."""
    if left.complete and right.complete:
        span = _change(left.makespan, right.makespan)
        out.print(f"Makespan {duration(left.makespan)} in A, {duration(right.makespan)} in B ({span}).")
    else:
        # A run that was cut off is not a shorter one.
        told = [
            f"{duration(run.makespan)} in {name}" + ("" if run.complete else ", which was cut off there")
            for name, run in (("A", left), ("B", right))
        ]
        out.print(f"Makespan {'; '.join(told)}.")
    changes = strategy_changes(left, right)
    if not changes:
        return
    out.print()
    out.print(change_table(changes[:MOST_ROWS]))
    if len(changes) > MOST_ROWS:
        out.print(f"and {len(changes) - MOST_ROWS:,} that changed less")
    for name, run in (("A", left), ("B", right)):
        if run.cut:
            out.print(f"In {name} {cut_off(run.cut)}")


def change_table(changes: tuple[StrategyChange, ...]) -> Table:
    """A row for each strategy: how many jobs ran, and what they took."""
    table = new_table()
    table.add_column("strategy")
    for title in ("ran\nin A", "\nin B", "mean\nin A", "\nin B", "total\nin A", "\nin B", "B is"):
        number_column(table, title)
    for change in changes:
        a, b = change.left, change.right
        table.add_row(
            Tail(label(change.name)),
            *(f"{side.ran:,}" if side.ran else "·" for side in (a, b)),
            *(duration(side.mean) if side.timed else "·" for side in (a, b)),
            *(duration(side.total) if side.timed else "·" for side in (a, b)),
            _of_strategy(change) if a.timed and b.timed else "·",
        )
    return table


def _of_strategy(change: StrategyChange) -> str:
    """How much longer the jobs of a strategy ran; one of them, where others were cut off."""
    if change.cut:
        by = _change(change.left.mean, change.right.mean)
        return by if by == _SAME else f"{by} a job"
    return _change(change.left.total, change.right.total)


_SAME = "the same"


def _change(before: float, after: float) -> str:
    """How much longer the second is: ``1.25 s longer``."""
    if abs(after - before) < 1e-9:
        return _SAME
    return f"{duration(abs(after - before))} {'longer' if after > before else 'shorter'}"
