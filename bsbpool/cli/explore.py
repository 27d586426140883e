"""`bsbpool explore`: runs a program in every order of messages that MPI allows, and reports what fails in one.

How orders are gone through, and what counts as a finding, is in `bsbpool_sim.exploring`.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bsbpool.worlds.local import ThreadedWorld

from . import say
from .outputs import Output, claim, force_option
from .programs import OfAProgram
from .run import MOST_RANKS, time_with_unit

if TYPE_CHECKING:
    from bsbpool_sim.exploring.exploration import Exploration
    from bsbpool_sim.exploring.findings import Finding

_STRATEGIES = ("auto", "exhaustive", "walk", "pos", "pct", "portfolio")

#: What can be looked for besides deadlocks, failures, and calls that MPI forbids.
_CHECKS = (
    "unreceived-message", "unfinished-request", "leaked-handle", "type-mismatch", "buffer-race", "rma-race",
    "buffering",
)  # fmt: skip

#: Nanoseconds between two progress lines.
_EVERY_NS = 100_000_000


@click.command(
    cls=OfAProgram,
    context_settings={"allow_interspersed_args": False},
    short_help="Run a program in every order of messages, and find what fails.",
)
@click.option(
    "-n", "ranks", type=click.IntRange(1, MOST_RANKS), required=True, metavar="N", help="On how many simulated ranks."
)
@click.option("-m", "module", metavar="MODULE", help="Explore a module, as `python -m` runs it.")
@click.option("-c", "code", metavar="CODE", help="Explore these lines, as `python -c` runs them.")
@click.option(
    "--for", "seconds", type=time_with_unit, metavar="TIME", default="60s", help="Budget of real time. Default: 60s."
)
@click.option("--schedules", type=click.IntRange(min=1), metavar="N", help="Budget in schedules. Default: no limit.")
@click.option(
    "--strategy", type=click.Choice(_STRATEGIES), default="auto",
    help="How schedules are chosen. exhaustive: each once; walk, pos, pct: drawn by that strategy; portfolio: by these "
    "in turn; auto (default): exhaustive for half of the budget, then the portfolio.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N", default=0, help="All chance begins from N. Default: 0."
)
@click.option(
    "--max-events", type=click.IntRange(min=1), metavar="N", default=1_000_000,
    help="Messages and other events after which a schedule is given up. Default: 1 million.",
)  # fmt: skip
@click.option(
    "--json", "data", type=click.Path(), metavar="FILE", help="Also write what was found as JSON; - is stdout."
)
@click.option(
    "--to-test", "test", type=click.Path(), metavar="FILE",
    help="If something is found, write a test for pytest that fails until it is mended.",
)  # fmt: skip
@click.option(
    "--no-check", "unchecked", type=click.Choice(_CHECKS), multiple=True,
    help="Don't look for findings of this kind. May be given several times.",
)  # fmt: skip
@click.option("--own", multiple=True, metavar="NAME", help="Let each rank load this module for itself.")
@click.option("--share", multiple=True, metavar="NAME", help="Let all ranks share this module of the program's.")
@force_option
@click.argument("program", nargs=-1, type=click.UNPROCESSED, metavar="[SCRIPT] [ARGS]...")
def explore(
    ranks: int,
    module: str | None,
    code: str | None,
    program: tuple[str, ...],
    data: str | None,
    test: str | None,
    force: bool,
    unchecked: tuple[str, ...],
    **options: Any,
) -> Callable[[], None]:
    """Run a program for mpi4py in every order of messages that MPI allows, and report what fails.

    A receive from any rank takes what comes first, and what that is differs from run to run. A test sees one order, a
    cluster sees the others. This runs them all on simulated ranks, or as many as there is time for.

    \b
    Does it work in every order?
      bsbpool explore -n 4 script.py
    Ten minutes of a program that has too many orders for all of them:
      bsbpool explore -n 8 --for 10m script.py
    Keep what was found as a test, until it is mended:
      bsbpool explore -n 4 --to-test test_order.py script.py

    What is found has a kind, the lines of each rank, the choices that it takes, and the command that runs it again:
    deadlock, failure (an exception, an exit status, Abort), what MPI forbids, what works only if messages are buffered,
    and what is left when the program ends. "complete" means that no other order of messages exists; otherwise it says
    how many are left, by estimate. The program prints nothing meanwhile.
    It is run often: it should be quick, and must not leave anything behind that changes its next run.

    Exit status: 0 if nothing was found, 1 if something was, 2 if the program can't be explored.
    """
    from bsbpool_sim.program.running import Program

    if module is not None and code is not None:
        raise click.UsageError("give -m or -c, not both")
    if module is None and code is None and not program:
        raise click.UsageError("name a script to explore, a module with -m, or code with -c")
    if module is not None:
        what, name = Program(module, "module", program), ["-m", module]
    elif code is not None:
        what, name = Program(code, "code", program), ["-c", code]
    else:
        what, name = Program(program[0], "script", program[1:]), [program[0]]
    reads = (what.name,) if what.kind == "script" else ()
    outputs = [
        Output(path, kind, option, reads, force)
        for path, kind, option in ((data, "findings", "--json"), (test, "test", "--to-test"))
        if path is not None
    ]
    claim(outputs)
    skipped = [word for each in unchecked for word in ("--no-check", each)]
    checks = [each for each in _CHECKS if each not in unchecked]
    shared = [word for option in ("own", "share") for each in options[option] for word in (f"--{option}", each)]
    seed = ["--seed", str(options["seed"])] if options["seed"] else []
    again = ["-n", str(ranks), *seed, *shared, *name, *what.arguments]

    def run() -> None:
        from bsbpool_sim.errors import SimulationError
        from bsbpool_sim.exploring import kept
        from bsbpool_sim.exploring.whole_programs import explore_program
        from bsbpool_sim.program.running import ProgramError

        try:
            with _Progress() as progress:
                exploration = explore_program(what, ranks, checks=checks, progress=progress.show, **options)
        except (ProgramError, SimulationError) as error:
            _say(f"{what.name if what.kind != 'code' else 'the code'} can't be explored: {error}")
            sys.exit(2)
        quiet = any(each.to_standard_output for each in outputs)
        try:
            _report(exploration, lambda finding: kept.again(finding, again), quiet)
            sys.stdout.flush()
        except BrokenPipeError:  # nobody reads it any more, as behind `head`; what goes into files still does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = int(bool(exploration.findings))
        for output in outputs:
            try:
                if output.kind == "findings":
                    output.write((json.dumps(kept.as_data(exploration, again)) + "\n").encode())
                elif exploration.findings:
                    output.write(kept.as_test(exploration, [*skipped, *again]).encode())
            except click.UsageError as error:
                _say(error.format_message())
                status = 2
        sys.exit(status)

    return run


# -- what is said --------------------------------------------------------------------------------------


class _Progress:
    """A line on a terminal that is written over as the exploration goes on."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._stream = sys.stderr
        self._last = 0
        self._shown = False

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def show(self, so_far: Exploration) -> None:
        now = ThreadedWorld.now()
        if not self._on or now - self._last < _EVERY_NS:
            return
        self._last, self._shown = now, True
        speed = so_far.schedules / so_far.elapsed if so_far.elapsed else 0
        left = "" if so_far.left is None else f", about {so_far.left:.3g} left"
        line = (
            f"{so_far.schedules} schedules, {speed:.0f} a second, {so_far.distinct} different{left}; "
            f"findings: {len(so_far.findings)}"
        )
        self._stream.write(f"\r\x1b[K{line}")
        self._stream.flush()


def _report(exploration: Exploration, again: Callable[[Finding], str], quiet: bool) -> None:
    """Say what was found, on the standard output unless data goes there."""
    here = os.path.join(os.getcwd(), "")

    def line(text: str = "", indent: int = 0) -> None:
        for part in text.replace(here, "").splitlines() or [""]:
            for piece in textwrap.wrap(part, 120 - indent, break_long_words=False, break_on_hyphens=False) or [""]:
                say(" " * indent + piece, err=quiet)

    for finding in exploration.findings:
        where = f" at {finding.file}:{finding.line}" if finding.file else ""
        line(f"{finding.kind}{where}")
        line(finding.message, 2)
        for place in finding.ranks:
            at = f", at {place.file}:{place.line} in {place.function}" if place.file else ""
            line(f"rank {place.rank} {place.what}{at}", 4)
        if finding.choices:
            line("It takes these choices:", 2)
            for choice in finding.choices:
                line(f"{choice}{' (it decides)' if choice.critical else ''}", 4)
        else:
            line("It happens by default, without any choice.", 2)
        say(f"  Again: {again(finding)}", err=quiet)
        line()
    line(str(exploration) + (" (interrupted)" if exploration.interrupted else ""))
    for limit in exploration.limits:
        line(f"not tried: {limit}", 2)


def _say(text: str) -> None:
    for each in text.splitlines():
        say(each if each.startswith(" ") else f"bsbpool: {each}", err=True)
