"""`bsbpool explore`: runs a program in every order of messages that MPI allows, and reports what fails.

How schedules are searched, and what counts as a finding, belongs in `bsbpool_sim.exploring`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import click

from bsbpool.sizes import MOST_RANKS

from . import output_failed, reporting
from .arguments import given, scenario_files, set_of_ranks, time_above_zero
from .explore_scenarios import are_scenarios, explore_scenarios
from .exploring_report import Progress, Report, complain
from .kinds import FileName, check_program, kind_of
from .outputs import OutputFile, claim, force_option
from .programs import (
    OfAProgram,
    check_hosts,
    check_module,
    check_modules,
    hosts_option,
    module_options,
    option_behind,
    program_argument,
    program_options,
)
from .streams import kept_open

_STRATEGIES = ("auto", "exhaustive", "walk", "pos", "pct", "portfolio")

#: What can be looked for besides deadlocks, failures, and calls that MPI forbids.
_CHECKS = (
    "unreceived-message", "unfinished-request", "leaked-handle", "type-mismatch", "buffer-race", "rma-race",
    "buffering",
)  # fmt: skip

#: Options, by their parameters, of which the exploration of scenarios knows nothing.
_OF_PROGRAMS = {
    "seed": "--seed", "buffering": "--buffering", "max_events": "--max-events", "unchecked": "--no-check",
    "own": "--own", "share": "--share",
}  # fmt: skip


def _end_as_by_ctrl_c() -> None:
    """Let SIGTERM, which batch systems send at the limit of a job, keep what was found so far."""

    from bsbpool_sim.ctrl_c import end_simulation

    signal.signal(signal.SIGTERM, end_simulation)


@click.command(
    cls=OfAProgram,
    context_settings={"allow_interspersed_args": False},
    short_help="Run a program in every order of messages, and find what fails.",
)
@click.option(
    "-n", "ranks", type=click.IntRange(1, MOST_RANKS), metavar="N",
    help="The number of simulated ranks. Not for scenarios, which state it.",
)  # fmt: skip
@program_options("Explore")
@click.option(
    "--for", "seconds", type=time_above_zero, metavar="TIME",
    help="The budget of real time, for each program or scenario. Default: 60s, or the one that a scenario states.",
)  # fmt: skip
@click.option(
    "--schedules", type=click.IntRange(min=1), metavar="N", help="The budget in schedules. Default: no limit."
)
@click.option(
    "--strategy", type=click.Choice(_STRATEGIES), default="auto",
    help="How schedules are chosen. exhaustive: each schedule once; walk, pos, pct: schedules drawn at random by that "
    "strategy; portfolio: these three in turn; auto (default): exhaustive for half of the budget, then the portfolio.",
)  # fmt: skip
@click.option(
    "--faults", type=click.IntRange(min=0), metavar="N",
    help="The largest number of faults in a schedule, at every possible place: a rank dies, or a job of a pool raises "
    "or takes an hour longer. Default: 0; for scenarios, the number that they state, or 1.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N", default=0, help="The seed of all random numbers. Default: 0."
)
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", default=1,
    help="The number of processes that draw schedules, or explore scenarios. It does not change the findings. "
    "Default: 1.",
)  # fmt: skip
@click.option(
    "--buffering", is_flag=True,
    help="Also run all schedules, and not only ten, without buffers, within the budget.",
)  # fmt: skip
@click.option(
    "--alike", type=set_of_ranks, metavar="RANKS",
    help="Ranks that do the same, as 1-3 or 1,2,5: which of them comes first is not tried, as long as nobody can tell "
    "them from each other.",
)  # fmt: skip
@click.option(
    "--keep", type=FileName(file_okay=False), metavar="DIR",
    help="Write findings and covered schedules to this folder. The next run with it continues with new schedules.",
)  # fmt: skip
@click.option(
    "--max-events", type=click.IntRange(min=1), metavar="N", default=1_000_000,
    help="The number of events, such as messages, after which a schedule is given up. Default: 1 million.",
)  # fmt: skip
@click.option("--json", "data", type=FileName(), metavar="FILE", help="Also write the findings as JSON; - is stdout.")
@click.option(
    "--html", "html", type=FileName(), metavar="FILE",
    help="If there are findings, write a page for the browser: each finding with its run beside one that passes.",
)  # fmt: skip
@click.option(
    "--to-test", "test", type=FileName(), metavar="FILE",
    help="If there are findings, write a test for pytest that fails until they are fixed.",
)  # fmt: skip
@click.option(
    "--to-scenario", "smaller", type=FileName(), metavar="FILE",
    help="For scenarios: write the first one with a finding, reduced to the ranks and jobs that the finding needs.",
)  # fmt: skip
@click.option(
    "--no-check", "unchecked", type=click.Choice(_CHECKS), multiple=True,
    help="Don't look for findings of this kind. The option can be repeated.",
)  # fmt: skip
@hosts_option
@module_options
@force_option
@program_argument
def explore(
    ranks: int | None,
    module: str | None,
    code: str | None,
    program: tuple[str, ...],
    data: str | None,
    html: str | None,
    test: str | None,
    force: bool,
    keep: str | None,
    smaller: str | None,
    unchecked: tuple[str, ...],
    **options: Any,
) -> Callable[[], None]:
    """Run a program for mpi4py in every order of messages that MPI allows, and report what fails.

    A receive with ANY_SOURCE takes the message that arrives first, and the order of arrival differs from run to run. A
    test sees one order; on a cluster the others occur. This command runs all of them on simulated ranks, or as many as
    the budget allows. Such an order, with the other choices of a run, is called a schedule.

    \b
    Check that a program works in every order
      bsbpool explore -n 4 script.py
    Explore a program with too many orders for ten minutes
      bsbpool explore -n 8 --for 10min script.py
    Write a test that fails until the findings are fixed
      bsbpool explore -n 4 --to-test test_order.py script.py
    Explore for a night; the next night continues with new schedules
      bsbpool explore -n 8 --for 8h --jobs 4 --keep explored script.py
    Check that pools survive any single fault, in these scenarios
      bsbpool explore scenarios/

    Findings are deadlocks, failures (exceptions, exit statuses, Abort), calls that MPI forbids, programs that work only
    if messages are buffered, and violations of MPI's rules, such as messages that were not received. A finding has a
    kind, a line for each rank, the choices that cause it, and the command that runs its schedule again. "complete"
    means that all schedules were run; otherwise the report estimates how many are left.

    The output of the program is not shown. The program runs many times: it should be short, and must not change
    anything that its next run depends on.

    Exit status: 0: no findings; 1: findings; 2: the program can't be explored.
    """
    from bsbpool_sim.program.beginning import Program

    if module is not None and code is not None:
        raise click.UsageError("give -m or -c, not both")
    if module is None and code is None and ranks is None and are_scenarios(program):
        files = scenario_files(program)
        files_of = ((data, "findings", "--json"), (html, "page", "--html"), (smaller, "scenario", "--to-scenario"))
        outputs = [
            OutputFile(path, kind, option, tuple(files), force) for path, kind, option in files_of if path is not None
        ]
        claim(outputs)
        if test is not None:
            raise click.UsageError(
                "--to-test is for programs: of a scenario, keep the line that says how to run it again"
            )
        if options["hosts"] > 1:
            raise click.UsageError("--hosts is for programs: the ranks of a scenario are on one host")
        for parameter, option in _OF_PROGRAMS.items():
            if given(parameter):
                raise click.UsageError(f"{option} is for programs: it changes nothing in the exploration of scenarios")
        if options["alike"]:
            raise click.UsageError("--alike is for programs: ranks that a scenario does not name are alike anyhow")
        limits = {key: options[key] for key in ("faults", "seconds", "schedules", "strategy")}

        def run_scenarios() -> None:
            _end_as_by_ctrl_c()
            explore_scenarios(files, outputs, limits, options["jobs"], keep)

        return reporting(run_scenarios)
    if smaller is not None:
        raise click.UsageError("--to-scenario is for scenarios: of a program, --to-test keeps what was found")
    if ranks is not None and module is None and code is None and program and kind_of(program[0]) == "scenario":
        raise click.UsageError(f"-n is for programs: {program[0]} is a scenario, which states the number of ranks")
    if ranks is None:
        if (behind := option_behind(click.get_current_context())) is not None:
            raise click.UsageError(behind.text)
        raise click.UsageError("say on how many simulated ranks: -n 4; or name scenarios, or a folder of them")
    check_hosts(options["hosts"], ranks)
    options["alike"] = alike = options["alike"] or ()
    if alike:
        if len({*alike}) < 2 or max(alike) >= ranks:
            raise click.UsageError(f"--alike: it must be two or more of the ranks 0 to {ranks - 1}")
        if options["faults"]:
            raise click.UsageError("--alike: ranks are not alike where faults may strike some of them")
    options["faults"] = options["faults"] or 0
    if options["buffering"] and "buffering" in unchecked:
        raise click.UsageError("--buffering and --no-check buffering contradict each other: leave one out")
    if options["buffering"] and options["faults"]:
        raise click.UsageError(
            "--buffering and --faults don't go together: with faults, no schedule runs without buffers"
        )
    options["seconds"] = 60.0 if options["seconds"] is None else options["seconds"]
    if module is None and code is None and not program:
        raise click.UsageError("name a script to explore, a module with -m, or code with -c")
    check_modules(options["own"], options["share"], program[0] if module is None and code is None else None)
    if module is not None:
        check_module(module)
        what, name = Program(module, "module", program), ["-m", module]
    elif code is not None:
        what, name = Program(code, "code", program), ["-c", code]
    else:
        check_program(program)
        what, name = Program(program[0], "script", program[1:]), [program[0]]
    reads = (what.name,) if what.kind == "script" else ()
    outputs = [
        OutputFile(path, kind, option, reads, force)
        for path, kind, option in ((data, "findings", "--json"), (html, "page", "--html"), (test, "test", "--to-test"))
        if path is not None
    ]
    claim(outputs)
    skipped = [word for each in unchecked for word in ("--no-check", each)]
    checks = [each for each in _CHECKS if each not in unchecked]
    shared = [word for option in ("own", "share") for each in options[option] for word in (f"--{option}", each)]
    numbers = [word for each in ("seed", "faults") if options[each] for word in (f"--{each}", str(options[each]))]
    if options["hosts"] > 1:
        numbers += ["--hosts", str(options["hosts"])]
    if given("max_events"):
        numbers += ["--max-events", str(options["max_events"])]
    again = ["-n", str(ranks), *numbers, *shared, *name, *what.arguments]

    def run() -> None:
        from bsbpool_sim.errors import SimulationError
        from bsbpool_sim.exploring import kept
        from bsbpool_sim.exploring.covered import Covered, identity
        from bsbpool_sim.exploring.whole_programs import explore_program
        from bsbpool_sim.program.beginning import ProgramError

        _end_as_by_ctrl_c()
        try:
            covered, key = None if keep is None else Covered(keep), ""
            if covered is not None:
                key = identity(*again, options["strategy"], *map(str, options["alike"]), files=reads)
                before = covered.of(what.name, key)
                options["begin"] = before.get("drawn", 0)
                if before.get("tried") and options["strategy"] == "auto":
                    options["strategy"] = "portfolio"
            with kept_open(), Progress() as progress:
                exploration = explore_program(what, ranks, checks=checks, progress=progress.show, **options)
        except (ProgramError, SimulationError) as error:
            complain(f"{what.name if what.kind != 'code' else 'the code'} can't be explored: {error}")
            sys.exit(2)
        quiet = any(each.to_standard_output for each in outputs)
        status = int(bool(exploration.findings))
        try:
            report = Report(quiet)
            report.findings(exploration, lambda finding: kept.again(finding, again))
            report.summary(exploration)
            if covered is not None:
                data_of = kept.as_data(exploration, lambda finding: kept.again(finding, again))
                covered.add(what.name, key, exploration, data_of["findings"])
                report.line(covered.text(what.name, key))
            report.flush()
        except SimulationError as error:
            complain(str(error))
            status = 2
        except OSError as error:  # nobody reads it any more, as behind `head`, or the disk is full; files are written
            status = output_failed(error, status)
        for output in outputs:
            try:
                if output.kind == "findings":
                    output.write(
                        (
                            json.dumps(kept.as_data(exploration, lambda finding: kept.again(finding, again))) + "\n"
                        ).encode()
                    )
                elif exploration.findings and output.kind == "page":
                    from bsbpool_sim.exploring.findings_page import findings_page

                    output.write(
                        findings_page([(what.name, exploration, lambda each: kept.again(each, again))]).encode()
                    )
                elif exploration.findings:
                    folder = os.path.relpath(os.getcwd(), os.path.dirname(os.path.realpath(output.path)))
                    folder = "." if output.to_standard_output else folder
                    output.write(kept.as_test(exploration, [*skipped, *again], folder).encode())
            except click.UsageError as error:
                complain(error.format_message())
                status = 2
        sys.exit(status)

    return reporting(run)
