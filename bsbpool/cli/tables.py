"""Tables and phrases that several commands share: the outcomes of strategies and ranks, and failed jobs.

Output of a single command belongs in the module of that command.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bsbpool.durations import duration
from bsbpool.errors_and_facts import in_words
from bsbpool.text import label
from bsbpool.trace.events import TracedError
from bsbpool.trace.summary import JobFailure, Summary
from bsbpool.trace.timeline import Timeline

#: Ranks that are told of one by one, and failures.
MOST_ROWS = 16


def show_strategies(out: Console, summary: Summary, timeline: Timeline) -> None:
    """What became of the jobs of each strategy, and what they took."""
    out.print(strategy_table(summary, timeline))
    if summary.cut:
        out.print(cut_off(summary.cut))


def strategy_table(summary: Summary, timeline: Timeline) -> Table:
    """A row for each strategy: what became of its jobs, and what they took."""
    outcomes = [kind for kind in OUTCOMES if kind in summary.outcome]
    table = new_table(show_footer=len(summary.strategies) > 1)
    longest = max((strategy.longest for strategy in summary.strategies), default=0.0)
    table.add_column("", no_wrap=True)
    table.add_column("strategy", "all")
    number_column(table, "jobs", str(summary.jobs))
    for kind in outcomes:
        number_column(table, OUTCOMES[kind], str(summary.outcome[kind]))
    timed = summary.ran - summary.cut
    number_column(table, "total", duration(summary.total) if timed else "·")
    number_column(table, "mean", duration(summary.total / timed) if timed else "·")
    number_column(table, "max", duration(longest) if timed else "·")
    for strategy in summary.strategies:
        counts = []
        for kind in outcomes:
            count = getattr(strategy, kind)
            counts.append(how_many(kind, count))
        times = [strategy.total, strategy.mean, strategy.longest]
        table.add_row(
            timeline.chip(strategy.name),
            Tail(label(strategy.name)),
            str(strategy.jobs),
            *counts,
            *([duration(time) for time in times] if strategy.timed else ["·"] * 3),
        )
    return table


def cut_off(cut: int) -> str:
    """What is said below a table of times if runs were cut off."""
    are = "1 job was cut off and is" if cut == 1 else f"{cut:,} jobs were cut off and are"
    return f"{are} in none of these times: nobody knows what {'it' if cut == 1 else 'they'} would have taken."


class Tail:
    """A text of which the end is shown where there is no room for all of it: node names differ at the end."""

    def __init__(self, text: str):
        self._text = text

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(8, len(self._text)), len(self._text))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.max_width
        yield Text(self._text if len(self._text) <= room else "…" + self._text[1 - room :])


class Head(Tail):
    """A text of which the beginning is shown where there is no room for all of it."""

    def __init__(self, text: str, style: str = ""):
        super().__init__(text)
        self._style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.max_width
        yield Text(self._text if len(self._text) <= room else self._text[: room - 1] + "…", self._style)


#: How a column is headed that counts jobs with an outcome.
OUTCOMES = {
    "succeeded": "ok",
    "failed": "fail",
    "cancelled": "canc",
    "aborted": "abrt",
    "unfinished": "open",
}


def rank_table(summary: Summary) -> Table:
    """A row for each rank: how many jobs it ran, and how much of the time."""
    table = new_table()
    number_column(table, "rank")
    number_column(table, "jobs")
    number_column(table, "busy")
    number_column(table, "utilisation")
    table.add_column("")
    workers = summary.workers
    for rank in summary.by_rank:
        if rank not in workers and not rank.jobs:
            table.add_row(str(rank.rank), "·", "·", "·", Text("main: hands out jobs", "dim"))
            continue
        filled = round(20 * min(1.0, rank.utilisation))
        bar = Text.assemble(("━" * filled, "green"), ("─" * (20 - filled), "dim"))
        table.add_row(str(rank.rank), str(rank.jobs), duration(rank.busy), f"{rank.utilisation:.1%}", bar)
    return table


def workers_text(summary: Summary) -> str:
    """What a table would say in too many rows."""
    workers = summary.workers
    most = max(workers, key=lambda rank: rank.busy)
    least = min(workers, key=lambda rank: rank.busy)
    unused = sum(not rank.jobs for rank in workers)
    text = (
        f"{len(workers)} workers, busy for {summary.utilisation:.1%} of the makespan: "
        f"rank {most.rank} most ({most.utilisation:.1%}, {number_of(most.jobs, 'job')}), "
        f"rank {least.rank} least ({least.utilisation:.1%}, {number_of(least.jobs, 'job')}), "
        f"median {statistics.median(rank.utilisation for rank in workers):.1%}"
    )
    return f"{text}; {unused} ran none." if unused else f"{text}."


def show_failures(out: Console, failures: Sequence[JobFailure], told: Callable[[JobFailure], tuple[str, str]]) -> None:
    """Which jobs failed, where and when, and with what.

    :param told: what the command calls the job, and what it says of it on a line of its own (if not empty).
    """
    for failure in failures[:MOST_ROWS]:
        which, about = told(failure)
        out.print(Text.assemble(("✗ ", "bold bright_red"), (label(in_words(failure.error)), "bold")))
        rank = "" if failure.rank is None else f", on rank {failure.rank}"
        where = f"{label(failure.name)}, {which}{rank}, at {duration(failure.at)}"
        out.print(Padding(Text("\n".join(filter(None, [where, label(about)]))), (0, 0, 0, 2), expand=False))
        for place in places(failure.raised):
            out.print(Text(f"  {place}"), soft_wrap=True)
    if len(failures) > MOST_ROWS:
        out.print(f"and {number_of(len(failures) - MOST_ROWS, 'failure')} more")
    if failures:
        out.print()


def places(raised: Sequence[TracedError]) -> list[str]:
    """Where an error was raised, and its causes, a line each: ``raised at /home/a/program.py:12 in place``."""
    how = {"raised": "raised", "cause": "caused by", "context": "while handling", "member": "member"}
    told = []
    for number, error in enumerate(raised):
        if error.frames:
            file, line, function = error.frames[-1]
            what = how.get(error.how, "raised")
            of = f" {in_words(error.error)}," if number else ""
            told.append(label(f"{what}{of} at {file}:{line} in {function}"))
    return told


def number_of(number: int, what: str) -> str:
    """``3 jobs``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def how_many(outcome: str, count: int) -> Text:
    """A number in a table: a dot for none, red for failures."""
    return Text(f"{count:,}" if count else "·", "bold bright_red" if count and outcome == "failed" else "")


def counts_text(counts: Mapping[str, int]) -> str:
    """``3 succeeded, 1 failed``."""
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def new_table(show_footer: bool = False) -> Table:
    """A table as all commands have it."""
    return Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, show_footer=show_footer)


def number_column(table: Table, title: str, footer: str = "") -> None:
    """Add a column of numbers."""
    table.add_column(title, footer, justify="right", no_wrap=True)
