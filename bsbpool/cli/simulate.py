"""`bsbpool simulate`: runs a program on simulated ranks, and reports why it failed.

The output of the program is not changed. How the program is run belongs in `bsbpool_sim.program`.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from bsbpool.durations import exact_duration
from bsbpool.frames import is_users, users_frame
from bsbpool.sizes import MOST_RANKS
from bsbpool.values import text_of

from . import INTERRUPTED, say
from .arguments import factor, time_above_zero, time_with_unit
from .kinds import FileName, check_program
from .outputs import OutputFile, claim, force_option
from .programs import (
    GIVEN,
    OfAProgram,
    check_hosts,
    check_module,
    check_modules,
    hosts_option,
    in_options,
    module_options,
    program_argument,
    program_options,
)
from .streams import kept_open

if TYPE_CHECKING:
    from bsbpool.trace import Trace
    from bsbpool_sim.checks.violations import Violation
    from bsbpool_sim.program.program_run import Ended

#: What can be looked for when a program ends.
_CHECKS = ("unreceived-message", "unfinished-request", "leaked-handle", "type-mismatch", "buffer-race", "rma-race")


def _rate(text: str) -> float:
    """``"100MB/s"``, as bytes per second."""
    from bsbpool_sim.scenario.written_values import read_rate

    try:
        return read_rate(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _tape(text: str) -> Any:
    """``"v1:12.1,40.2"``, as a tape."""
    from bsbpool_sim.errors import TapeError
    from bsbpool_sim.tape import Tape

    try:
        return Tape.parse(text)
    except TapeError as error:
        raise click.BadParameter(str(error)) from None


@click.command(
    cls=OfAProgram,
    context_settings={"allow_interspersed_args": False},
    short_help="Run a program for mpi4py on simulated ranks.",
)
@click.option(
    "-n", "ranks", type=click.IntRange(1, MOST_RANKS), required=True, metavar="N", help="The number of simulated ranks."
)
@program_options("Run")
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N",
    help="Seed all random numbers with N, and draw the order of simultaneous events from it, unless --tape or "
    "--late-matching says it. Default: random numbers are seeded with 0, and simultaneous events happen in the order "
    "in which they were scheduled.",
)  # fmt: skip
@click.option(
    "--tape", type=_tape, metavar="TAPE",
    help="Repeat the run with this tape, such as v1:12.1,40.2: the choices that it made where MPI or simultaneous "
    "events allow several.",
)  # fmt: skip
@click.option(
    "--late-matching", is_flag=True,
    help="Match receives from any rank only when nothing else can run, as `bsbpool explore` does. Its tapes need this "
    "option.",
)  # fmt: skip
@click.option(
    "--eager-limit", type=click.IntRange(min=0), metavar="BYTES",
    help="Senders of messages larger than this wait for their receivers, as MPI allows; 0: all senders wait, and all "
    "collective calls for all ranks. Default: none waits.",
)  # fmt: skip
@click.option(
    "--check", type=click.Choice(["all", *_CHECKS]),
    help="Also report violations of MPI's rules, with exit status 1: messages that were not received, requests that "
    "were not completed, handles that were not freed, types that don't match, and conflicting accesses to the memory "
    "of requests or windows.",
)  # fmt: skip
@click.option(
    "--latency", type=time_with_unit, metavar="TIME", default="0",
    help="The time that each message takes, such as 50us. Default: 0.",
)  # fmt: skip
@click.option(
    "--compute", type=factor, metavar="FACTOR", default="0",
    help="Computing takes virtual time: the processor time of the rank, times FACTOR, such as 1. Such a run is not "
    "reproducible. Default: computing takes no time.",
)  # fmt: skip
@click.option(
    "--bandwidth", type=_rate, metavar="RATE", help="The bandwidth of each link, such as 100MB/s. Default: unlimited."
)
@hosts_option
@click.option(
    "--script", "faults", type=FileName(), metavar="FILE",
    help="A file with faults of ranks and links, in YAML: kill a rank, pause it, slow it down, delay a link.",
)  # fmt: skip
@click.option(
    "--faults", "most_faults", type=click.IntRange(min=0), metavar="N", default=0,
    help="The number of faults that the tape can choose, as in `bsbpool explore --faults N`. Default: 0.",
)  # fmt: skip
@click.option(
    "--trace", type=FileName(readable=False), metavar="FILE",
    help="Also write a trace of messages and of the events of job pools, for `bsbpool show`.",
)  # fmt: skip
@click.option(
    "--horizon", type=time_above_zero, metavar="TIME", default="720h",
    help="The virtual time after which the run is given up. Default: 30 days.",
)  # fmt: skip
@click.option(
    "--max-events", type=click.IntRange(min=1), metavar="N", default=50_000_000,
    help="The number of events, such as messages, after which the run is given up. Default: 50 million.",
)  # fmt: skip
@click.option("--label", is_flag=True, help="Begin each line of output with the rank that printed it: [3].")
@module_options
@force_option
@program_argument
def simulate(
    ranks: int,
    module: str | None,
    code: str | None,
    program: tuple[str, ...],
    faults: str | None,
    trace: str | None,
    force: bool,
    check: str | None,
    most_faults: int,
    **options: Any,
) -> Callable[[], None]:
    """Run a program for mpi4py on simulated ranks: in one process, in virtual time, with the same result each time.

    The program needs no changes. As under mpirun, each rank has its own modules, variables, arguments and environment.
    Clocks and sleeps are virtual: a sleep of an hour takes no real time.

    \b
    Run a program on 16 ranks, and on a thousand
      bsbpool simulate -n 16 script.py --its-own options
      bsbpool simulate -n 1000 script.py
    Show which rank prints what
      bsbpool simulate -n 4 --label script.py
    Draw another order of simultaneous messages
      bsbpool simulate -n 4 --seed 1 script.py
    Distribute the ranks over four hosts
      bsbpool simulate -n 16 --hosts 4 script.py
    Simulate a slow network
      bsbpool simulate -n 4 --latency 5ms --bandwidth 10MB/s script.py
    Run the tests of a program on 4 ranks
      bsbpool simulate -n 4 -m pytest tests

    \b
    A file of faults, for --script:
      events:
        - {at: 2s, kill: 3}
        - {at: 1s, pause: {rank: 1, for: 500ms}}
        - {at: 0s, delay: {from: 0, to: 2, by: 10ms}}

    If ranks wait for each other for ever, the report names these ranks, what each waits for, and the line. Threads
    run in virtual time; creating a process or a socket is an error.

    Exit status: that of the lowest rank whose status is not 0; the code of MPI's Abort; 1 if ranks wait for ever; 2 if
    an argument can't be used.
    """
    from bsbpool_sim.program.beginning import Program, ProgramError
    from bsbpool_sim.program.program_run import run_program

    if module is not None and code is not None:
        raise click.UsageError("give -m or -c, not both")
    if module is None and code is None and not program:
        raise click.UsageError("name a script to run, a module with -m, or code with -c")
    check_modules(options["own"], options["share"], program[0] if module is None and code is None else None)
    if module is not None:
        check_module(module)
        what = Program(module, "module", program)
    elif code is not None:
        what = Program(code, "code", program)
    else:
        check_program(program)
        what = Program(program[0], "script", program[1:])
    output = None
    if trace is not None:
        reads = tuple(each for each in (faults, what.name if what.kind == "script" else None) if each is not None)
        output = OutputFile(trace, "trace", "--trace", reads, force)
        claim([output])
    if options["compute"] and options["tape"] is not None:
        raise click.UsageError("--compute and --tape don't go together: a run with --compute does not repeat exactly")
    if most_faults and options["tape"] is None:
        raise click.UsageError(
            "--faults is about a tape, which chooses them: give the --tape too, or faults by --script"
        )
    check_hosts(options["hosts"], ranks)
    script = _script(faults, ranks)
    seed = options.pop("seed")
    # A tape, and late matching, say themselves what comes first; of these the seed is that of random numbers alone.
    in_order = seed is None or options["tape"] is not None or options["late_matching"]
    checks = () if check is None else _CHECKS if check == "all" else (check,)
    again = _again()

    def run() -> None:
        # Not here, but when click has gone: the program is in nobody's hands.
        from bsbpool_sim.program.output import OutputClosedError

        try:
            with kept_open():
                ended = run_program(
                    what,
                    ranks,
                    script=script,
                    checks=checks,
                    faults=most_faults,
                    seed=seed or 0,
                    policy=None if in_order else "shuffled",
                    **options,
                )
        except ProgramError as error:
            _say(str(error))
            sys.exit(2)
        except OutputClosedError:
            sys.exit(141)  # as a process has that SIGPIPE ended
        except KeyboardInterrupt as stop:
            _say("\n".join([f"interrupted{_where(stop)}", *getattr(stop, "__notes__", ())]))
            if output is not None and (so_far := getattr(stop, "simulation", None)) is not None:
                _write_trace(output, so_far.trace, " up to there")
            elif output is not None:
                _say(f"{output.path} was not written: the run had not begun")
            sys.exit(INTERRUPTED)
        status = ended.status
        if output is not None and ended.simulation is not None:
            written = _write_trace(output, ended.simulation.trace)
            status = status or written
        if ended.simulation is not None and ended.simulation.violations:
            _report_violations(ended.simulation.violations)
            status = status or 1
        _report(ended, again)
        sys.exit(status)

    return run


def _write_trace(output: OutputFile, trace: Trace, part: str = "") -> int:
    """Write the trace of a run; say so if it is a part of it, or can't be written. Returns the exit status of that."""
    try:
        output.write_trace(trace)
    except click.UsageError as error:  # the disk is full, or the program has written that file itself
        _say(error.format_message())
        return 2
    if part:
        _say(f"the trace{part} is in {output.path}")
    return 0


def _script(faults: str | None, ranks: int) -> Any:
    if faults is None:
        return None
    from bsbpool_sim.scenario import ScenarioError
    from bsbpool_sim.scenario.fault_files import load_faults

    try:
        return load_faults(faults, ranks)
    except ScenarioError as error:
        _say(str(error))
        raise click.UsageError(f"{faults} can't be used") from None


def _again() -> str:
    """The command that does it again, without writing a trace again."""
    own, program = click.get_current_context().meta[GIVEN]
    words = [each for each in own if each != "--force" and not each.startswith("--trace=")]
    while "--trace" in words:
        place = words.index("--trace")
        del words[place : place + 2]
    return shlex.join(["bsbpool", "simulate", *words, *program])


# -- how it ended --------------------------------------------------------------------------------------


def _report(ended: Ended, again: str) -> None:
    """Say why a program did not end well; nothing if it did."""
    from bsbpool_sim.mpi.contexts import ranks as ranks_text

    said = []
    if ended.raised:
        first, *others = ended.raised
        error = ended.raised[first]
        what = f"{type(error).__name__}: {text_of(error)}".removesuffix(": ").split("\n")[0]
        also = f"; so did {ranks_text(sorted(others))}" if others else ""
        said.append(f"rank {first} raised {what},{_where(error)}{also}")
    exits: dict[int, list[int]] = {}
    for rank, status in sorted(ended.statuses.items()):
        if status and rank not in ended.raised:
            exits.setdefault(status, []).append(rank)
    said += [f"{ranks_text(of)} ended with exit status {status}" for status, of in exits.items()]
    if ended.stopped is not None:
        said.append(str(ended.stopped))
    said += [each for each in ended.notes if each not in said]
    if ended.simulation is not None:
        said += [f"rank {rank} died at {exact_duration(round(at * 1e9))}" for rank, at in ended.simulation.died.items()]
    here = os.path.join(os.getcwd(), "")
    for each in said:
        _say(in_options(each.replace(here, "")))
    if ended.simulation is not None and (factor := ended.simulation.trace.header.get("compute")):
        took = exact_duration(round(ended.simulation.elapsed * 1e9))
        _say(f"took {took}, with {factor:g} times what computing really took: such a run does not repeat exactly")
    if said:
        _say(f"again: {again}")


def _report_violations(violations: Sequence[Violation]) -> None:
    """Say which rules of MPI a program has broken, each line of it once."""
    here = os.path.join(os.getcwd(), "")
    said: dict[tuple[str, str, int], None] = {}
    for each in violations:
        key = each.kind, each.place.file, each.place.line
        if key not in said:
            said[key] = None
            at = f"{each.place.file}:{each.place.line} in {each.place.function}".replace(here, "")
            _say(f"{each.kind}: rank {each.place.rank} {each.what}, and {each.right}, at {at}")


def _where(error: BaseException) -> str:
    """Where in the program it was raised; nowhere, if no rank ran."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    frames.reverse()
    frame = users_frame(frame for frame, _ in frames)
    if frame is None or not is_users(frame):
        return ""
    line = next(line for each, line in frames if each is frame)
    return f" at {frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"


def _say(text: str) -> None:
    """Lines on the standard error; those that are indented belong to the one before."""
    for line in text.splitlines():
        say(line if line.startswith(" ") else f"bsbpool: {line}", err=True)
