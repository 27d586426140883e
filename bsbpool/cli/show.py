"""`bsbpool show`: shows a trace in the terminal, and writes it as a page, for Perfetto, or as a picture for a paper.

This file formats the numbers of a trace. Computing them belongs in `bsbpool.trace.summary`; the page and the files
have modules of their own in `bsbpool.trace`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bsbpool.durations import duration
from bsbpool.errors_and_facts import in_words
from bsbpool.text import label
from bsbpool.trace.history import History
from bsbpool.trace.ideal import ideal_schedule
from bsbpool.trace.summary import JobFailure, Run, Summary, summarise
from bsbpool.trace.timeline import Timeline

from . import console, say
from .arguments import numbers_of_ranks
from .consoles import room
from .idle_table import show_efficiency, show_idle
from .kinds import FileName, better_command
from .outputs import OutputFile, claim, force_option
from .tables import (
    MOST_ROWS,
    Head,
    Tail,
    counts_text,
    new_table,
    number_column,
    number_of,
    places,
    rank_table,
    show_failures,
    show_strategies,
    workers_text,
)

if TYPE_CHECKING:
    from bsbpool.trace import Trace

_T = TypeVar("_T")

#: Jobs of the critical path that are told of one by one.
MOST_STEPS = 8


@click.command(short_help="Show a trace: in the terminal, as a page, for Perfetto, as a picture.")
@click.argument("trace", metavar="TRACE", type=FileName())
@click.option(
    "--html",
    metavar="FILE",
    type=FileName(readable=False),
    help="Write a page for the browser, in which one can zoom and search. It is one file and needs no network.",
)
@click.option(
    "--perfetto",
    metavar="FILE",
    type=FileName(readable=False),
    help="Write Chrome's trace-event format, to open in ui.perfetto.dev; compressed if FILE ends in .gz.",
)
@click.option(
    "--svg",
    metavar="FILE",
    type=FileName(readable=False),
    help="Write a picture for a paper, with lanes, axis and legend.",
)
@click.option(
    "--efficiency",
    "ranks",
    type=numbers_of_ranks,
    metavar="N,N,…",
    help="Only report how well the ranks were used, and predict it for N ranks.",
)
@force_option
def show(
    trace: str, html: str | None, perfetto: str | None, svg: str | None, ranks: tuple[int, ...] | None, force: bool
) -> None:
    """Show what happened in a run, real or simulated.

    TRACE is the trace of a run. The output shows strategies, ranks and pools, why ranks idled, the critical path, the
    time of an ideal schedule, the slowest jobs, failures, and a timeline of the ranks. The options write a file
    instead.

    \b
    Show failures, and what took how long
      bsbpool show run.trace
    Write a page for the browser
      bsbpool show run.trace --html run.html
    Write a picture for a paper, and a file for ui.perfetto.dev
      bsbpool show run.trace --svg run.svg
      bsbpool show run.trace --perfetto run.json.gz
    Would more ranks help?
      bsbpool show run.trace --efficiency 2,4,8,16

    A file is replaced if bsbpool wrote it and nobody has changed it since; --force replaces other files too. TRACE
    itself is never replaced.

    No code of a trace is executed, neither by this command nor by the page. But the files contain names, contexts and
    error messages of the run: check them before you publish a file.

    Exit status: 0: success, even if the run failed; 2: TRACE can't be read, or a file can't be written.
    """
    wanted = {"--html": ("page", html), "--perfetto": ("perfetto", perfetto), "--svg": ("picture", svg)}
    outputs = {
        kind: OutputFile(file, kind, option, (trace,), force)
        for option, (kind, file) in wanted.items()
        if file is not None
    }
    if ranks is not None:
        if options := [option for option, (_, file) in wanted.items() if file is not None]:
            raise click.UsageError(
                f"--efficiency tells it in the terminal, and writes no file: leave out {' and '.join(options)}"
            )
        show_efficiency(console(), trace, read_or_complain(trace), ranks)
        return
    claim([*outputs.values()])
    history, warnings = _complaining(History.of_file, trace)
    for warning in warnings:
        say(f"bsbpool: warning: {warning}", err=True)
    title = label(Path(trace).name)
    lacks = what_it_lacks(history)
    contents = {}
    if "page" in outputs:
        from bsbpool.trace.page import page

        contents["page"] = page(history, title, [*warnings, *lacks]).encode()
    if "perfetto" in outputs:
        from bsbpool.trace.perfetto import perfetto_json

        contents["perfetto"] = perfetto_json(history, title, compressed=outputs["perfetto"].path.endswith(".gz"))
    if "picture" in outputs:
        from bsbpool.trace.svg import picture

        contents["picture"] = picture(history).encode()
    for kind, content in contents.items():
        output = outputs[kind]
        output.write(content)
        say(f"{output.path}: {len(content) / 1e6:.2f} MB", err=output.to_standard_output)
    if outputs:
        for lack in lacks:
            click.echo(f"bsbpool: warning: {lack}", err=True)
    else:
        show_history(console(), trace, history)


def read_or_complain(path: str) -> Trace:
    """Read a trace; warnings about it go to the standard error.

    :raises click.UsageError: it can't be read.
    """
    from bsbpool.trace import read_trace

    trace = _complaining(read_trace, path)
    for warning in trace.warnings:
        say(f"bsbpool: warning: {warning}", err=True)
    return trace


def _complaining(read: Callable[[str], _T], path: str) -> _T:
    """What reading a trace gives.

    :raises click.UsageError: it can't be read.
    """
    from bsbpool.trace import TraceError

    try:
        return read(path)
    except TraceError as error:
        better = better_command(path, "trace")
        raise click.UsageError(f"{error}; {better}" if better else str(error)) from None


def what_it_lacks(history: History) -> list[str]:
    """A sentence on what is not in a trace of BSB's own pool; none if there is no such pool."""
    sizes = [pool.ranks for pool in history.pools if pool.announced]
    if not sizes:
        return []
    where = ", and, on several ranks, where and how long they ran" if max(sizes) > 1 else ""
    return [f"BSB's own pool does not announce what its jobs depend on{where}: that is not known here."]


def show_history(out: Console, path: str, history: History) -> None:
    """All that the terminal shows of a trace."""
    summary = summarise(history)
    timeline = Timeline(summary, lanes=MOST_ROWS)
    out.print(Text(label(path), "bold"))
    out.print(f"{about(history)}, {number_of(summary.jobs, 'job')} in {number_of(len(summary.pools), 'pool')}.")
    out.print()
    if not summary.jobs:
        out.print("No job was queued.")
        return
    out.print(f"{counts_text(summary.outcome)}.".capitalize())
    for lack in what_it_lacks(history):
        out.print(lack)
    out.print()
    show_strategies(out, summary, timeline)
    out.print()
    if len(summary.pools) > 1 or any(pool.error or pool.ended is None for pool in summary.pools):
        out.print(pool_table(summary))
        out.print()
    # Whether there is something to say of ranks: BSB's own pool does not tell which of several ran what.
    ranks = bool(summary.runs) or not any(pool.announced for pool in summary.pools)
    if ranks:
        out.print(rank_table(summary) if len(summary.workers) <= MOST_ROWS else workers_text(summary))
        out.print()
        show_idle(out, history, timeline)
    show_times(out, history, summary, timeline)
    if summary.ran > summary.cut:
        out.print(slowest_table(history, summary, timeline))
        out.print()
    pools = len(summary.pools) > 1

    def told(failure: JobFailure) -> tuple[str, str]:
        where = f" of pool {summary.pools[failure.pool].pool}" if pools else ""
        context = ", ".join(f"{key}={value}" for key, value in failure.context.items())
        return f"job {failure.job}{where}", context

    show_failures(out, summary.failures, told)
    show_raised(out, history)
    show_running(out, history)
    if ranks:
        out.print(timeline, width=room(out))


def show_raised(out: Console, history: History) -> None:
    """What schedulers, listeners, callbacks and clean-ups raised, and where."""
    found = [errors for pool in history.pools for errors in pool.raised]
    for errors in found[:MOST_ROWS]:
        out.print(Text.assemble(("✗ ", "bold bright_red"), (label(in_words(errors[0].error)), "bold")))
        for place in places(errors):
            out.print(Text(f"  {place}"), soft_wrap=True)
    if len(found) > MOST_ROWS:
        out.print(f"and {number_of(len(found) - MOST_ROWS, 'error')} more")
    if found:
        out.print()


def about(history: History) -> str:
    """How many events there are, of which ranks, and where those were."""
    hosts = dict.fromkeys(history.header.get("hosts", ()))
    ranks = history.ranks if history.pools else history.header.get("ranks", 1)
    if history.header.get("simulated"):
        where = number_of(ranks, "simulated rank")
    elif len(hosts) > 1:
        where = f"{number_of(ranks, 'rank')} on {number_of(len(hosts), 'host')}"
    else:
        where = " on ".join([number_of(ranks, "rank"), *map(label, hosts)])
    return f"{number_of(history.events, 'event')} of {where}"


def show_times(out: Console, history: History, summary: Summary, timeline: Timeline) -> None:
    """The makespan, and how far it is from what could be."""
    span = summary.makespan
    if any(pool.announced for pool in summary.pools):  # without dependencies there is no critical path
        out.print(f"Makespan {duration(span)}.")
        out.print()
        return
    workers = "the workers were busy" if history.ranks > 1 else "main was busy"
    out.print(f"Makespan {duration(span)}; {workers} for {summary.utilisation:.1%} of it.")
    path = summary.critical_path
    steps = sum(len(pool.path) for pool in summary.pools)
    share = f", {path / span:.0%} of the makespan" if span else ""
    chain = (
        f"{number_of(steps, 'job')} that waited for each other" if steps > 1 else "no job that ran waited for another"
    )
    out.print(f"Critical path {duration(path)}{share}: {chain}.")
    show_path(out, history, summary, timeline)
    ideal = ideal_schedule(history)
    what = "all of these jobs" if summary.ran == summary.jobs else "the jobs that ran"
    told = f"Ideal schedule {duration(ideal.packed)} for {what}, on as many workers"
    if ideal.packed - ideal.bound > 1e-9 + 0.001 * ideal.bound:
        told += f" (none can take less than {duration(ideal.bound)})"
    compared = f": this one took {span / ideal.packed:,.2f} times that." if ideal.packed else "."
    out.print(told + compared)
    out.print()


def show_path(out: Console, history: History, summary: Summary, timeline: Timeline) -> None:
    """The jobs of the critical path, with what each of them took; of many those that took longest."""
    steps = [history.pools[place].jobs[id] for place, pool in enumerate(summary.pools) for id in pool.path]
    times = [(interval[1] - interval[0]) / 1e9 for job in steps if (interval := job.interval(history.last))]
    longest = sorted(range(len(steps)), key=lambda place: (-times[place], place))[:MOST_STEPS]
    parts = []
    for place in sorted(longest):
        what = f" {label(steps[place].name)}, job {steps[place].id}: {duration(times[place])}"
        parts.append(Text.assemble("  ", timeline.chip(steps[place].name), what))
    for part in parts:
        out.print(part)
    if len(steps) > len(longest):
        out.print(f"  and {number_of(len(steps) - len(longest), 'job')} that took less")


def show_running(out: Console, history: History) -> None:
    """Which jobs ran where, if the trace stops in their midst, as it does when main was killed, or all were."""
    hosts = () if history.header.get("simulated") else history.header.get("hosts", ())
    running = [
        (pool, job, job.running)
        for pool in history.pools
        if pool.ended is None
        for job in pool.jobs.values()
        if job.running is not None and job.outcome is None and job.finished is None
    ]
    for pool, job, since in running[:MOST_ROWS]:
        which = f"{job.name}, job {job.id}{f' of pool {pool.id}' if len(history.pools) > 1 else ''}"
        host = hosts[min(job.rank, len(hosts) - 1)] if hosts else ""
        where = f"on rank {job.rank}{f' on {host}' if host else ''}, since {duration((since - history.first) / 1e9)}"
        out.print(Text.assemble(("… ", "bold"), (label(which), "bold"), f" ran {label(where)}, where the trace stops"))
        if job.context:
            out.print(label("  " + ", ".join(f"{key}={value}" for key, value in job.context.items())))
    if len(running) > MOST_ROWS:
        out.print(f"and {number_of(len(running) - MOST_ROWS, 'job')} more that ran then")
    if running:
        out.print()


def pool_table(summary: Summary) -> Table:
    """A row for each pool: its jobs, when it was, its critical path, and how it ended."""
    table = new_table()
    number_column(table, "pool")
    for title in ("jobs", "from", "took", "critical\npath"):
        number_column(table, title)
    table.add_column("ended with")
    for pool in summary.pools[:MOST_ROWS]:
        took = (summary.makespan if pool.ended is None else pool.ended) - pool.started
        if pool.error:
            ended = Head(label(in_words(pool.error)), "bright_red")
        else:
            ended = Head("not ended where the trace stops" if pool.ended is None else "success", "dim")
        path = "·" if pool.announced else duration(pool.critical_path)
        times = (duration(pool.started), duration(took), path)
        table.add_row(label(str(pool.pool)), f"{pool.jobs:,}", *times, ended)
    if len(summary.pools) > MOST_ROWS:
        table.add_row("", "", "", "", "", f"and {number_of(len(summary.pools) - MOST_ROWS, 'pool')} more")
    return table


def slowest_table(history: History, summary: Summary, timeline: Timeline) -> Table:
    """For each strategy the job that took longest, and how much longer than the others."""
    slowest: dict[str, Run] = {}
    for run in summary.runs:
        if run.cut:
            continue
        if run.name not in slowest or run.seconds > slowest[run.name].seconds:
            slowest[run.name] = run
    pools = len(summary.pools) > 1
    table = new_table()
    table.add_column("", no_wrap=True)
    table.add_column("slowest of")
    if pools:
        number_column(table, "pool")
    for title in ("job", "rank", "from", "took", "x mean"):
        number_column(table, title)
    table.add_column("context")
    means = {strategy.name: strategy.mean for strategy in summary.strategies}
    order = sorted(slowest.values(), key=lambda run: -run.seconds)
    for run in order[:MOST_ROWS]:
        context = history.pools[run.pool].jobs[run.job].context
        table.add_row(
            timeline.chip(run.name),
            Tail(label(run.name)),
            *([label(str(summary.pools[run.pool].pool))] if pools else []),
            str(run.job),
            str(run.rank),
            duration(run.started),
            duration(run.seconds),
            f"{run.seconds / means[run.name]:.1f}" if means[run.name] else "·",
            Head(label(", ".join(f"{key}={value}" for key, value in context.items())), "dim"),
        )
    return table
