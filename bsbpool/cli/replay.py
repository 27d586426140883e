"""`bsbpool replay`: runs a recorded run again on simulated ranks, exactly or with one change, and writes tests of it.

This file reads options and formats results. Replaying belongs in `bsbpool_sim.replay`.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from bsbpool import __version__
from bsbpool.durations import duration
from bsbpool.errors_and_facts import facts_of, in_words
from bsbpool.sizes import MOST_RANKS
from bsbpool.text import label
from bsbpool.trace.history import History
from bsbpool.trace.summary import Summary, summarise

from . import PoolFailed, console, say
from .arguments import time_with_unit
from .diff import show_difference
from .kinds import FileName
from .outputs import OutputFile, force_option
from .run import indented
from .show import about, read_or_complain
from .tables import (
    MOST_ROWS,
    number_of,
    places,
)
from .what_if import what_if

if TYPE_CHECKING:
    from bsbpool.trace import Trace
    from bsbpool_sim.replay import Replay
    from bsbpool_sim.replay.real_calls import Calls


def speed_of(text: str) -> tuple[int | None, float]:
    """``"2"``, or ``"3:0.5"`` for one rank, as rank and factor."""
    rank, colon, factor = text.rpartition(":")
    try:
        number = float(factor)
        if not (0 < number < math.inf) or (colon and not rank.isdigit()):
            raise ValueError
        return (int(rank) if colon else None), number
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no speed: give a factor above 0, such as 2 (twice as fast), or one for a rank, such as 3:0.5"
        ) from None


def kill_of(text: str) -> tuple[int, float]:
    """``"3@12s"``, as rank and seconds."""
    rank, at, when = text.partition("@")
    if not at or not (rank.isascii() and rank.strip().isdigit()):
        raise click.BadParameter(f"{text!r} says not who dies when: give a rank and a time, such as 3@12s")
    return int(rank), time_with_unit(when)


def job_of(text: str) -> int | str:
    """A job's id, or a pattern of names."""
    return int(text) if text.isascii() and text.isdigit() else text


@click.command(short_help="Run a recorded run again, exactly or with a change.")
@click.argument("trace", metavar="TRACE", type=FileName())
@click.option(
    "--ranks",
    type=click.IntRange(1, MOST_RANKS),
    metavar="N",
    help="What if there were N ranks?",
)
@click.option(
    "--speed",
    "speeds",
    type=speed_of,
    multiple=True,
    metavar="[RANK:]FACTOR",
    help="What if all ranks (or one) were faster by a factor?",
)
@click.option(
    "--kill",
    "kills",
    type=kill_of,
    multiple=True,
    metavar="RANK@TIME",
    help="What if a rank died at a time, such as 3@12s?",
)
@click.option(
    "--fail", "fails", type=job_of, multiple=True, metavar="JOB", help="What if a job (its id, or a pattern) failed?"
)
@click.option(
    "--to-scenario",
    "scenario",
    type=FileName(readable=False),
    metavar="FILE",
    help="Write a scenario file of the run, which pytest runs. It replaces a file only if bsbpool wrote it and "
    "nobody has changed it.",
)
@click.option(
    "--jobs",
    "jobs",
    type=click.Choice(["recorded", "real"]),
    default="recorded",
    help="real: run the jobs whose calls were kept (bsbpool record --capture failed). Needs --trust.",
)
@click.option("--job", "job", metavar="[POOL:]JOB", help="Run one job again in this process. Needs --trust.")
@click.option("--pdb", is_flag=True, help="With --job: open the debugger where the job fails.")
@click.option("--trust", is_flag=True, help="Trust the author of TRACE.calls, whose code this runs.")
@click.option(
    "--round",
    "rounding",
    type=time_with_unit,
    metavar="TIME",
    help="With --to-scenario: round times, for example to 10ms.",
)
@click.option("--minimal", is_flag=True, help="With --to-scenario: keep only what the failure needs.")
@force_option
def replay(
    trace: str,
    ranks: int | None,
    speeds: tuple[tuple[int | None, float], ...],
    kills: tuple[tuple[int, float], ...],
    fails: tuple[int | str, ...],
    scenario: str | None,
    rounding: float | None,
    minimal: bool,
    jobs: str,
    job: str | None,
    pdb: bool,
    trust: bool,
    force: bool,
) -> int | None:
    """Run a recorded run again on simulated ranks.

    TRACE is the trace of a run. Its pools run again, in virtual time, on the same number of simulated ranks. Jobs take
    the recorded time and end as recorded, and main receives all messages in the recorded order. So the pools decide and
    fail as they did. Each event is compared with the trace.

    The options --ranks, --speed, --kill and --fail change one thing, and the result is shown beside the recorded one.

    \b
    Repeat a failure
      bsbpool replay run.trace
    Predict the run on 256 ranks, or with a rank that dies after 12 s
      bsbpool replay run.trace --ranks 256
      bsbpool replay run.trace --kill 3@12s
    Run a failed job again, in the debugger
      bsbpool replay run.trace --job 17 --trust --pdb
    Make a test of the run, or of what its failure needs
      bsbpool replay run.trace --to-scenario scenarios/that_night.yaml --minimal

    Exit status: 0: the run is repeated exactly, even if it failed (with a change: all pools succeed); 1: it is not; 2:
    TRACE or an option can't be used.
    """
    if scenario is None and (minimal or rounding is not None):
        raise click.UsageError("--round and --minimal are about the file that --to-scenario writes")
    if (jobs == "real" or job is not None) and not trust:
        raise click.UsageError(
            f"this runs code from {label(trace)}.calls, whoever wrote it: say --trust if you know who that was"
        )
    if pdb and job is None:
        raise click.UsageError("--pdb is for one job: say which with --job")
    _check_once("--speed", [rank for rank, _ in speeds])
    _check_once("--kill", [rank for rank, _ in kills])
    changes = [
        option
        for option, value in {"--ranks": ranks, "--speed": speeds, "--kill": kills, "--fail": fails}.items()
        if value not in (None, ())
    ]
    # What is done, each with the options that are about it alone; the first of them would hide the others.
    asked = {
        "--job": job is not None,
        "--to-scenario": scenario is not None,
        "--jobs real": jobs == "real",
        **dict.fromkeys(changes, True),
    }
    first, *others = [option for option, given in asked.items() if given] or [""]
    if others and first not in changes:
        raise click.UsageError(f"{first} and {others[0]} don't go together: {_ALONE[first]}")
    output = None
    if scenario is not None:
        output = OutputFile(scenario, "scenario", "--to-scenario", (trace, f"{trace}.calls"), force)
        output.check()
    recorded = read_or_complain(trace)
    if job is None and recorded.header["ranks"] > MOST_RANKS and (ranks is None or scenario is not None):
        raise click.UsageError(
            f"{label(trace)}: recorded on {recorded.header['ranks']:,} ranks, and {MOST_RANKS:,} can be simulated"
        )
    if job is not None:
        return one_job(trace, recorded, job, pdb)
    if output is not None:
        return write_scenario(trace, recorded, output, rounding, minimal)
    if ranks is not None or speeds or kills or fails:
        from bsbpool_sim.replay.whatif import Change

        return what_if(trace, recorded, Change(ranks, dict(speeds), dict(kills), fails))
    return exactly(trace, recorded, calls_of(trace, recorded) if jobs == "real" else None)


def _check_once(option: str, of: Sequence[int | None]) -> None:
    """Refuse an option that says two things of a rank, of which one would be lost; None: of all ranks."""
    for rank in of:
        if of.count(rank) > 1:
            who = "all ranks" if rank is None else f"rank {rank}"
            raise click.UsageError(f"{option} is given twice for {who}: give it once")


#: What options do that go with no other of these, nor with a change.
_ALONE = {
    "--job": "--job runs one job in this process, and nothing else",
    "--to-scenario": "--to-scenario writes the run as it was recorded; a scenario can be changed by hand",
    "--jobs real": "--jobs real repeats the run as it was recorded",
}


# -- exactly -------------------------------------------------------------------------------------------


def exactly(path: str, recorded: Trace, calls: Calls | None = None) -> int:
    """Replay it, and say whether the same happened."""
    from bsbpool_sim.replay import ReplayError
    from bsbpool_sim.replay import replay as replayed

    history = History(recorded)
    try:
        result = replayed(recorded, None if calls is None else calls.for_replay)
    except ReplayError as error:
        raise click.UsageError(f"{path}: {error}") from None
    out = console()
    summary = summarise(history)
    out.print(Text(label(path), "bold"))
    out.print(
        f"{about(history)}, {number_of(summary.jobs, 'job')} in {number_of(len(summary.pools), 'pool')}, "
        f"{duration(summary.makespan)}."
    )
    if calls is not None:
        out.print(f"{number_of(calls.ran, 'job')} of {len(calls)} that failed ran for real.")
        for (_, job), why in [*calls.missing.items()][:MOST_ROWS]:
            out.print(f"  not job {job}: {label(why)}", soft_wrap=True)
    out.print()
    if not result.same:
        show_divergence(out, result, recorded.header.get("bsbpool"))
        return 1
    how = f": {number_of(result.events, 'event')} of main, in the same order."
    out.print(Text.assemble(("✓ ", "bold green"), ("The same happened again", "bold"), how))
    if not result.complete:
        show_cut(out, history)
    for raised in result.errors:
        if raised is None:
            continue
        out.print()
        out.print("The run failed then, and fails now:")
        out.print()
        out.print(indented(traceback_text(raised)), soft_wrap=True)
    show_places(out, history, summary)
    return 0


def show_places(out: Console, history: History, summary: Summary) -> None:
    """Where errors were raised in the recorded run, as its trace has it."""
    found = [(f"job {failure.job}, {failure.name}", places(failure.raised)) for failure in summary.failures]
    found += [(in_words(errors[0].error), places(errors)) for pool in history.pools for errors in pool.raised]
    found = [(who, where) for who, where in found if where]
    if not found:
        return
    out.print()
    for who, where in found[:MOST_ROWS]:
        out.print(label(who), soft_wrap=True)
        for place in where:
            out.print(f"  {place}", soft_wrap=True)
    if len(found) > MOST_ROWS:
        out.print(f"and {number_of(len(found) - MOST_ROWS, 'error')} more")


def show_divergence(out: Console, result: Replay, version: object) -> None:
    """Where the replay parts from the record, which that version of this library made."""
    assert result.difference is not None
    after = f", after {number_of(result.events, 'event')} that were. A is the record, B the replay."
    out.print(Text.assemble(("✗ ", "bold bright_red"), ("Not the same", "bold"), after))
    if result.why is not None:
        out.print(f"  Here {label(result.why)}.", soft_wrap=True)
    show_difference(out, result.difference)
    if isinstance(version, str) and version != __version__:
        out.print(
            f"It was recorded with bsbpool {label(version)}, and this is {__version__}; that one may decide otherwise: "
            f"with `pip install bsbpool=={label(version)}` it is the same pool again.", soft_wrap=True,
        )  # fmt: skip


def show_cut(out: Console, history: History) -> None:
    """A trace without an end: what was going on there."""
    out.print()
    out.print("The trace ends in the midst of the run: it was killed, or the file was cut. Then ran:")
    running = [(pool, job) for pool in history.pools for job in pool.jobs.values() if job.status == "running"]
    for _, job in running[:MOST_ROWS]:
        since = ((job.running or 0) - history.first) / 1e9
        out.print(f"  job {job.id}, {label(job.name)}, on rank {job.rank}, since {duration(since)}", soft_wrap=True)
    if len(running) > MOST_ROWS:
        out.print(f"  and {number_of(len(running) - MOST_ROWS, 'job')} more")
    if not running:
        out.print("  no job")


def traceback_text(error: BaseException) -> str:
    """What a pool raised, as Python prints it, without the lines of code, which are those of the replay."""
    seen: set[int] = set()

    def bare(each: BaseException | None) -> None:
        if each is None or id(each) in seen:
            return
        seen.add(id(each))
        each.__traceback__ = None
        each.__dict__.pop("__notes__", None)
        each.__context__ = None
        bare(each.__cause__)
        for inner in getattr(each, "exceptions", ()):
            bare(inner)

    bare(error)
    return "".join(traceback.format_exception(error)).rstrip()


# -- calls that were kept ------------------------------------------------------------------------------


def calls_of(path: str, recorded: Trace) -> Calls:
    """The calls beside a trace.

    :raises click.UsageError: there are none.
    """
    from bsbpool.trace import TraceError
    from bsbpool_sim.replay.real_calls import Calls

    try:
        return Calls(path, recorded)
    except TraceError as error:
        raise click.UsageError(f"{error} (bsbpool record --capture failed keeps the calls of failed jobs)") from None


def one_job(path: str, recorded: Trace, which: str, pdb: bool) -> int:
    """Run one job again in this process. Returns 0 if it fails as it did."""
    from bsbpool.owner import Owner
    from bsbpool.tracebacks import describe_with_causes

    calls = calls_of(path, recorded)
    pool, _, id = which.rpartition(":")
    found = [(p, j) for p, j in calls.jobs if str(j) == id and (not pool or str(p) == pool)]
    if len(found) != 1:
        there = ", ".join(f"{p}:{j}" for p, j in (found or calls.jobs)[:MOST_ROWS])
        cut = "; the end of the file is missing: the run was killed, or the file was cut" if calls.cut else ""
        what = "several pools have a job" if found else "there is no call of a job"
        raise click.UsageError(f"{what} {which!r} in {label(path)}.calls; those that are there: {there or 'none'}{cut}")
    ((pool_id, job),) = found
    was = next(
        (
            e.error
            for e in recorded.events
            if e.e == "status" and (e.pool, e.job) == (pool_id, job) and e.error is not None
        ),
        None,
    )
    out = console()
    out.print(f"job {job}, {label(calls.name(pool_id, job))}, of pool {label(str(pool_id))}, in this process")
    out.print(f"  then: {label(in_words(was))}", soft_wrap=True)
    try:
        function = calls.function(pool_id, job, Owner())
    except Exception as error:
        why = describe_with_causes(error)
        raise click.UsageError(f"the call of job {job} can't be made again here: {why}") from None
    try:
        value = function()
    except Exception as error:
        now = facts_of(error)
        out.print(f"  now:  {label(in_words(now))}", soft_wrap=True)
        out.print()
        mine = error.__traceback__
        theirs = mine if mine is None or mine.tb_next is None else mine.tb_next
        traceback.print_exception(error.with_traceback(theirs))
        if pdb:
            import pdb as debugger

            debugger.post_mortem(theirs)
        return 0 if now == was else 1
    out.print(f"  now:  it returned {label(repr(value)[:200])}", soft_wrap=True)
    return 1


# -- as a scenario -------------------------------------------------------------------------------------


def write_scenario(path: str, recorded: Trace, output: OutputFile, rounding: float | None, minimal: bool) -> int:
    """Write a scenario of it, and say what is in it."""
    from bsbpool_sim.replay import ReplayError
    from bsbpool_sim.replay.export import to_scenario
    from bsbpool_sim.scenario import parse
    from bsbpool_sim.scenario.document import LARGEST

    file = output.path
    ns = None if rounding is None else max(1, round(rounding * 1e9))
    try:
        text = to_scenario(recorded, round_to=ns, minimal=minimal, name=label(Path(path).name))
    except ReplayError as error:
        raise click.UsageError(f"{path}: {error}") from None
    content = text.encode()
    if len(content) > LARGEST:
        raise click.UsageError(
            f"{path}: the scenario has {len(content) // 1000:,} kB, and {LARGEST // 1000} kB are read: "
            "--round makes jobs alike, which are then written as one, and --minimal leaves jobs out"
        )
    output.write(content)
    made = parse(text, file)
    result = made.run()
    if not result.ok:
        raise PoolFailed(f"{file} does not come out as it expects: see bsbpool run {file}")
    jobs = number_of(len(made.plan.jobs), "job")
    said = f"{file}: {jobs} on {number_of(made.model.ranks, 'rank')}, comes out as it expects"
    say(said, err=output.to_standard_output)
    return 0
