"""`bsbpool run`: runs a recorded run, or scenarios, on simulated ranks, and shows the result.

This file formats results. Reading files belongs in `bsbpool_sim.recorded` and `bsbpool_sim.scenario`, and computing
numbers from a trace in `bsbpool.trace`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from bsbpool.durations import duration
from bsbpool.errors_and_facts import in_words
from bsbpool.exceptions import WorkflowError
from bsbpool.sizes import MOST_RANKS
from bsbpool.text import label, visible
from bsbpool.trace import Trace
from bsbpool.trace.summary import JobFailure, Summary, summarise
from bsbpool.trace.timeline import Timeline

from . import PoolFailed, console, say
from .arguments import numbers_of_ranks, scenario_files, time_with_unit
from .consoles import room
from .exploring_report import Progress
from .kinds import FileName, better_command
from .outputs import OutputFile, claim, force_option
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
    from bsbpool_sim.recorded import Recording


@click.command(short_help="Run a recorded run, or scenarios, on simulated ranks.")
@click.argument("files", metavar="FILE", nargs=-1, required=True, type=FileName())
@click.option(
    "--ranks",
    type=numbers_of_ranks,
    metavar="N[,N…]",
    help="The number of ranks; several numbers are compared. Default: the recorded number.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Draw the order of simultaneous events from the seed N. Default: the order in which they were scheduled. "
    "For scenarios: run them with this seed only.",
)
@click.option(
    "--tape",
    metavar="TAPE",
    help="For a scenario: order simultaneous events as in this tape of `bsbpool explore`.",
)
@click.option(
    "--faults",
    type=click.IntRange(min=0),
    metavar="N",
    help="With --tape: the number of faults per schedule with which `bsbpool explore` made the tape.",
)
@click.option(
    "--latency",
    type=time_with_unit,
    metavar="TIME",
    help="The time that each message takes, such as 50us. Default: 0.",
)
@click.option(
    "--fail-fast/--keep-going",
    default=None,
    help="Stop a pool at its first error, or run all jobs that can run. Default: as recorded.",
)
@click.option(
    "--trace",
    metavar="FILE",
    type=FileName(readable=False),
    help="Also write the trace of the run, for `bsbpool show` and `diff`. "
    "It only replaces the trace of a simulated run.",
)
@force_option
def run(
    files: tuple[str, ...],
    ranks: tuple[int, ...] | None,
    seed: int | None,
    tape: str | None,
    faults: int | None,
    latency: float | None,
    fail_fast: bool | None,
    trace: str | None,
    force: bool,
) -> None:
    """Run a recorded run, or scenarios, on simulated ranks, in virtual time.

    FILE is the recording of a reconstruction by BSB, in JSON. Its pools run one after the other. Each job takes the
    recorded time, and fails if it failed. The output shows strategies, ranks, failures, and a timeline of the ranks.

    FILE can also be a scenario in YAML, or a folder of scenarios; several can be given. The output has a line for each,
    and a report for each that failed. Of the options, --seed, --tape and --faults apply to scenarios.

    \b
    Show what happened on the cluster
      bsbpool run scenarios/recordings/bsb_reconstruction_4_ranks_failing.json
    Compare numbers of ranks
      bsbpool run scenarios/recordings/bsb_reconstruction_4_ranks.json --ranks 2,4,16,128
    Predict the effect of a slow network
      bsbpool run scenarios/recordings/bsb_reconstruction_4_ranks.json --ranks 16 --latency 5ms

    \b
    Show the run in a browser
      bsbpool run recording.json --trace run.trace
      bsbpool show run.trace --html run.html

    \b
    Run all scenarios
      bsbpool run scenarios

    Exit status: 0: all pools succeeded, or all scenarios passed; 1: one failed; 2: FILE or an option can't be used.
    """
    scenarios = scenario_files(files)
    if scenarios:
        stopping = "--fail-fast" if fail_fast else "--keep-going"
        given = {"--ranks": ranks, "--latency": latency, stopping: fail_fast, "--trace": trace}
        for option, value in given.items():
            if value is not None:
                raise click.UsageError(f"{option} is for recorded runs: a scenario says this itself")
        if faults is not None and tape is None:
            raise click.UsageError("--faults is about a tape, which chooses them: give the --tape too")
        run_scenarios(scenarios, seed, tape, faults or 0)
    elif tape is not None or faults is not None:
        raise click.UsageError(f"{'--faults' if tape is None else '--tape'} is for scenarios")
    elif len(files) > 1:
        raise click.UsageError("one recorded run at a time, please: only scenarios (.yaml) can be several")
    else:
        run_recording(files[0], ranks, seed, latency or 0.0, fail_fast, trace, force)


# -- scenarios -----------------------------------------------------------------------------------------


def run_scenarios(files: Sequence[str], seed: int | None, tape: str | None = None, faults: int = 0) -> None:
    """Run scenarios, with a line for each; one that can't be used does not keep others from running."""
    from bsbpool_sim.errors import TapeError
    from bsbpool_sim.exploring.scenarios import run_tape
    from bsbpool_sim.scenario import ScenarioError, load

    out = console()
    failed, unusable = 0, []
    for file in files:
        try:
            scenario = load(file)
        except ScenarioError as error:
            unusable.append(error)
            for line in str(error).splitlines():
                say(f"bsbpool: {line}", err=True)
            continue
        if tape is None:
            with Progress() as progress:
                result = scenario.run(seed, functools.partial(progress.count, f"seeds of {visible(file)}"))
        else:
            try:
                result = run_tape(scenario, tape, seed=seed, faults=faults)
            except TapeError as error:
                raise click.UsageError(str(error)) from None
        said = f" ({len(result.outcomes)} seeds)" if len(result.outcomes) > 1 else ""
        mark = Text("✓ ", "bold green") if result.ok else Text("✗ ", "bold bright_red")
        out.print(Text.assemble(mark, label(scenario.title), said, f"  {visible(file)}"), soft_wrap=True)
        if not result.ok:
            failed += 1
            out.print()
            out.print(indented(result.report()), soft_wrap=True)
            out.print()
    if unusable:
        raise click.UsageError(f"{number_of(len(unusable), 'scenario')} of {len(files)} can't be used")
    if failed:
        raise PoolFailed(f"{number_of(failed, 'scenario')} of {len(files)} did not come out as expected")


def indented(text: str) -> Text:
    """The lines of a text a bit to the right, and what a terminal can't show as `label` shows it."""
    return Text("\n".join(f"  {label(line)}".rstrip() for line in text.splitlines()))


# -- recorded runs -------------------------------------------------------------------------------------


def run_recording(
    file: str,
    ranks: tuple[int, ...] | None,
    seed: int | None,
    latency: float,
    fail_fast: bool | None,
    trace: str | None,
    force: bool,
) -> None:
    """Run a recorded run, on each of these numbers of ranks."""
    from bsbpool_sim.recorded import RecordingError, read_recording

    output = None if trace is None else OutputFile(trace, "trace", "--trace", (file,), force)
    claim([] if output is None else [output])
    try:
        recording = read_recording(file)
    except RecordingError as error:
        better = better_command(file, "recording")
        raise click.UsageError(f"{file}: {better}" if better else str(error)) from None
    stop = recording.fail_fast if fail_fast is None else fail_fast
    if ranks is None and recording.ranks > MOST_RANKS:
        raise click.UsageError(
            f"{file}: recorded on {recording.ranks:,} ranks, and {MOST_RANKS:,} can be simulated: say --ranks"
        )
    wanted = ranks or (recording.ranks,)
    if output is not None and len(wanted) > 1:
        raise click.UsageError("--trace is for one number of ranks: a trace tells of one run")
    results = [simulated(recording, n, seed, latency, stop) for n in wanted]
    if output is not None:
        output.write_trace(results[0].trace)
    out = console()
    show_recording(out, recording)
    show_assumptions(out, recording, stop, latency)
    if len(results) == 1:
        show_run(out, recording, results[0])
    else:
        one_worker = results[0] if wanted[0] <= 2 else simulated(recording, 2, seed, latency, stop)
        show_comparison(out, results, one_worker)
    failed = [result for result in results if result.error is not None]
    if failed:
        raise PoolFailed(_failure_line(failed, len(results)))


@dataclass(frozen=True)
class RunResult:
    """What came of the run on so many ranks; error: what the pool that failed raised."""

    ranks: int
    trace: Trace
    summary: Summary
    error: WorkflowError | None


def simulated(recording: Recording, ranks: int, seed: int | None, latency: float, fail_fast: bool) -> RunResult:
    """Run it on so many simulated ranks."""
    from bsbpool_sim import RankErrors, SimulationError, simulate

    error: Any = None
    try:
        simulation = simulate(
            recording.program(fail_fast),
            ranks,
            script=recording.script(),
            seed=seed or 0,
            policy=None if seed is None else "shuffled",
            latency=latency,
        )
    except RankErrors as raised:
        simulation, error = raised.simulation, raised.by_rank.get(0)
        if not isinstance(error, WorkflowError):
            raise
    except SimulationError as trouble:
        raise click.ClickException(f"on {ranks} ranks: {str(trouble).splitlines()[0]}") from None
    return RunResult(ranks, simulation.trace, summarise(simulation.trace), error)


# -- what was recorded, and what is made of it ---------------------------------------------------------


def show_recording(out: Console, recording: Recording) -> None:
    """What the file holds."""
    counts = {_SAID.get(status, status): count for status, count in recording.outcome.items()}
    out.print(Text(visible(recording.path), "bold"))
    out.print(
        f"Recorded on {number_of(recording.ranks, 'rank')}, {duration(recording.elapsed)}, "
        f"{number_of(len(recording.jobs), 'job')} in {number_of(len(recording.pools), 'pool')}: {counts_text(counts)}."
    )


_SAID = {
    "success": "succeeded",
    "queued": "left queued",
    "pending": "left pending",
    "running": "left running",
}
_WHOSE = {"strategy": "of their strategy", "pool": "of their pool", "run": "of the run"}


def show_assumptions(out: Console, recording: Recording, fail_fast: bool, latency: float) -> None:
    """What the simulation takes for granted."""
    took = f"jobs take as long as they took on the {number_of(recording.ranks, 'recorded rank')}"
    said = [f"{took}, on any number of ranks"]
    estimated = recording.estimated
    if estimated:
        whose = " and ".join(f"the median {_WHOSE[key]} ({estimated[key]})" for key in _WHOSE if key in estimated)
        verb = "takes" if sum(estimated.values()) == 1 else "take"
        said.append(f"{number_of(sum(estimated.values()), 'job')} that never ran {verb} {whose}")
    if fail_fast:
        said.append("a pool stops at its first error" + (", as it did" if recording.fail_fast else ""))
    elif recording.error is not None:
        said.append("a pool goes on after an error")
    dropped = len(recording.pools) - len(recording.that_run)
    if dropped:
        verb = "does" if dropped == 1 else "do"
        said.append(f"{number_of(dropped, 'pool')} after the one that failed {verb} not run")
    if latency:
        said.append(f"a message takes {duration(latency)}")
    out.print(f"Assumed: {'; '.join(said)}.", style="dim")


# -- one run -------------------------------------------------------------------------------------------


def show_run(out: Console, recording: Recording, result: RunResult) -> None:
    """All about one run."""
    summary = result.summary
    timeline = Timeline(summary, lanes=MOST_ROWS)
    workers = len(summary.workers)
    out.print()
    out.print(
        f"On {number_of(result.ranks, 'simulated rank')} ({number_of(workers, 'worker')}): "
        f"{counts_text(summary.outcome)}."
    )
    out.print()
    show_strategies(out, summary, timeline)
    out.print()
    out.print(rank_table(summary) if workers <= MOST_ROWS else workers_text(summary))
    out.print()
    out.print(
        f"Makespan {duration(summary.makespan)}; recorded on {number_of(recording.ranks, 'rank')}: "
        f"{duration(recording.elapsed)}."
    )
    share = f", {summary.critical_path / summary.makespan:.0%} of it" if summary.makespan else ""
    if set(summary.outcome) == {"succeeded"}:
        meaning = "no number of ranks is faster"
    else:
        meaning = "the longest chain of jobs, of those that ran"
    out.print(f"Critical path {duration(summary.critical_path)}{share}: {meaning}.")
    out.print()
    show_failures(out, summary.failures, which_failed)
    out.print(timeline, width=room(out))


def which_failed(failure: JobFailure) -> tuple[str, str]:
    """Which job of the recording failed, and what it was about."""
    return f"job {failure.context['recorded']}", str(failure.context["chunk"])


# -- several runs --------------------------------------------------------------------------------------


def show_comparison(out: Console, results: Sequence[RunResult], baseline: RunResult) -> None:
    """A row for each number of ranks, and what to make of it."""
    best = best_of(results)
    same_work = _same_work([*results, baseline])
    table = new_table()
    table.add_column("", no_wrap=True)
    for title in ("ranks", "workers", "makespan", "speed-up", "utili-\nsation", "critical\npath"):
        number_column(table, title)
    outcomes = [kind for kind in OUTCOMES if any(kind in result.summary.outcome for result in results)]
    for kind in outcomes:
        number_column(table, OUTCOMES[kind])
    for result in results:
        summary = result.summary
        span, path = summary.makespan, summary.critical_path
        table.add_row(
            Text("▶" if result is best else "", "bold green"),
            str(result.ranks),
            str(len(summary.workers)),
            duration(span),
            f"{baseline.summary.makespan / span:.2f}x" if same_work and span else "·",
            f"{summary.utilisation:.1%}",
            f"{path / span:.0%}" if span else "·",
            *(how_many(kind, summary.outcome.get(kind, 0)) for kind in outcomes),
            style="bold" if result is best else "",
        )
    out.print()
    out.print(table)
    out.print()
    out.print(reading(results, best))


def best_of(results: Sequence[RunResult]) -> RunResult | None:
    """The fewest ranks that come within 1% of the shortest makespan; None if the runs did other work each."""
    if not _same_work(results):
        return None
    shortest = min(result.summary.makespan for result in results)
    return next(result for result in results if result.summary.makespan <= 1.01 * shortest)


def reading(results: Sequence[RunResult], best: RunResult | None) -> str:
    """What the comparison says, in a sentence or two."""
    if best is None:
        return (
            "The runs stopped early, each with other jobs done, so their makespans don't compare; "
            "--keep-going lets each run all that it can."
        )
    summary, most = best.summary, results[-1].ranks
    path, span = summary.critical_path, summary.makespan
    bound = f"the critical path is {duration(path)} of its {duration(span)}"
    if best.ranks < most:
        return f"Beyond {number_of(best.ranks, 'rank')} nothing is gained: {bound}."
    if path >= 0.99 * span:
        return f"{number_of(best.ranks, 'rank')} are fastest, and no number is faster: {bound}."
    return f"{number_of(best.ranks, 'rank')} are fastest, and more may be faster still: {bound}."


def _same_work(results: Iterable[RunResult]) -> bool:
    """Whether all ran the same number of jobs to their end."""
    return len({_ended(result.summary.outcome) for result in results}) == 1


def _ended(outcome: Mapping[str, int]) -> tuple[int, int, int]:
    return outcome.get("succeeded", 0), outcome.get("failed", 0), outcome.get("aborted", 0)


# -- words ---------------------------------------------------------------------------------------------


def _failure_line(failed: Sequence[RunResult], of: int) -> str:
    failures = failed[0].summary.failures
    where = f" on {', '.join(str(result.ranks) for result in failed)} ranks" if of > 1 else ""
    first = failures[0]  # there is one: in a recorded run only jobs fail
    others = f", and {number_of(len(failures) - 1, 'other job')}" if len(failures) > 1 else ""
    return f"a pool failed{where}: {label(first.name)} on rank {first.rank}: {label(in_words(first.error))}{others}"
