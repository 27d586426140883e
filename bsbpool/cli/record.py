"""`bsbpool record`: runs a program as Python would, and records its pools. The recording itself is not here."""

from __future__ import annotations

import atexit
import builtins
import io
import os
import runpy
import shlex
import sys
import types
from collections.abc import Callable
from types import TracebackType
from typing import Any

import click

from bsbpool.worlds.launcher import launcher, rank_of_process
from bsbpool.worlds.trace_files import record_to, recorded
from bsbpool.worlds.uncaught import print_at_once

from .kinds import check_program
from .outputs import descriptor_of
from .programs import OfAProgram, program_argument


@click.command(cls=OfAProgram, context_settings={"allow_interspersed_args": False})
@click.option(
    "-o", "--output", default="run.trace", show_default=True, metavar="FILE",
    help="Where the trace goes; compressed if the name ends in .gz. An existing file stays: the trace gets a number.",
)  # fmt: skip
@click.option("-m", "module", metavar="MODULE", help="Run a module, as `python -m` does.")
@click.option(
    "--capture", type=click.Choice(["failed"]),
    help="Keep the pickled calls of failed jobs beside the trace, in FILE.calls. They hold the jobs' arguments.",
)  # fmt: skip
@program_argument
def record(output: str, module: str | None, capture: str | None, program: tuple[str, ...]) -> Callable[[], None]:
    """Run a Python program, and record its job pools.

    The program runs as usual, with the same arguments, exit status and errors. Start it on ranks as usual:

    \b
      mpirun -n 128 bsbpool record -o run.trace script.py --its-own options
      mpirun -n 128 bsbpool record -o run.trace -m package.module

    Record a command of the Brain Scaffold Builder (BSB) with this pool:

    \b
      mpirun -n 128 bsbpool record -o run.trace -m bsbpool.bsb compile network.json

    Main writes each event as it happens. Even if all ranks are killed, the trace shows which job ran on which rank, and
    since when.
    """
    if module is None:
        if not program:
            raise click.UsageError("name a script to run, or a module with -m")
        check_program(program)
        script, *arguments = program
        if not os.path.isfile(script):
            if os.path.exists(script) and not os.path.isdir(script):
                raise click.ClickException(f"{script} is no regular file, and every rank reads the script")
            raise click.ClickException(f"there is no script {script}: give the path of a Python program, or -m MODULE")
    else:
        script, arguments = module, [*program]
    if not output:
        raise click.UsageError("-o: the name of the file is empty: is a variable of the shell not set?")
    if os.path.isdir(output):
        raise click.ClickException(f"{output} is a folder: name a file, such as {os.path.join(output, 'run.trace')}")
    if descriptor_of(output) is not None or (os.path.exists(output) and not os.path.isfile(output)):
        raise click.ClickException(f"{output} is no file, and a trace is one: give the name of a file")
    folder = os.path.dirname(os.path.abspath(output))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise click.ClickException(f"no trace can be written to {folder}: give a folder that you may write to")
    record_to(output, capture is not None)
    # Not here, but when click has gone: what the program raises, Ctrl-C too, ends the process as it would without.
    return lambda: run_as_main(script, arguments, module is not None)


def run_as_main(name: str, arguments: list[str], is_module: bool) -> None:
    """Run a script or a module as `__main__`."""
    atexit.register(say_where)
    sys.argv = [name, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = os.getcwd() if is_module else os.path.dirname(os.path.realpath(name))
    if launcher() is not None:
        print_at_once()
    sys.excepthook = _without_our_frames(sys.excepthook)
    if is_module:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        path = os.path.abspath(name)
        with io.open_code(path) as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        main.__dict__.update(__file__=path, __builtins__=builtins)
        exec(code, main.__dict__)


def say_where() -> None:
    """Say where the trace is, and what to do with it; at the very end, on main."""
    path = recorded()
    if path is not None:
        shown = shlex.quote(os.path.relpath(path) if path.startswith(os.getcwd() + os.sep) else path)
        print(
            f"bsbpool: recorded in {shown}\n"
            f"  bsbpool show {shown}    what happened, and where the time went\n"
            f"  bsbpool replay {shown}  the same again on simulated ranks, here",
            file=sys.stderr,
        )
    elif rank_of_process() == 0:
        print("bsbpool: nothing recorded, since the program opened no pool of bsbpool", file=sys.stderr)
        # Nothing is imported here. Python would forget that Ctrl-C ended the program, and exit with 1: it does whenever
        # text is executed, and modules with dataclasses or named tuples do that.
        bsb = sys.modules.get("bsbpool.bsb")
        if "bsb.core" in sys.modules and (bsb is None or not bsb.installed()):
            print(
                "  BSB used its own pool: start it with `-m bsbpool.bsb compile …`, or let the program call "
                "bsbpool.bsb.install()",
                file=sys.stderr,
            )


def _without_our_frames(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Shows what the program raised with the traceback that it would have had without this command."""

    def shown(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> Any:
        # In the order of the calls: the console script, click, this file, runpy (several), the program.
        inner, within = trace, False
        while inner is not None:
            ours = inner.tb_frame.f_code.co_filename in _OURS
            if within and not ours:
                break
            within = within or ours
            inner = inner.tb_next
        return hook(kind, error.with_traceback(inner), inner)

    return shown


#: Files, as frames name them, between the start of this command and the program.
_OURS = (__file__, "<frozen runpy>", runpy.__file__)
