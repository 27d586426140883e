"""The `bsbpool` command: finds the requested command, and reports errors in one line.

Each command is a module here with the same name, which is loaded when it is used. Exit statuses: 0, success; 1, a pool
failed, or the doctor found a problem; 2, an argument can't be used.
"""

from __future__ import annotations

import codecs
import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from bsbpool import __version__
from bsbpool.text import visible

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["PoolFailed", "console", "main", "output_failed", "reporting", "say"]

#: Commands; each is an attribute, named like it, of the module of that name.
COMMANDS = ("simulate", "explore", "run", "record", "replay", "show", "diff", "doctor")


#: The exit status after Ctrl-C, as that of a process which SIGINT has ended is in a shell.
INTERRUPTED = 130


class PoolFailed(click.ClickException):
    """The command worked, but a pool of the run failed: exit status 1."""

    exit_code = 1


class Commands(click.Group):
    """Loads commands when they are asked for, and reports errors in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f".{cmd_name}", __name__), cmd_name)
        return command

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        if not extra.pop("standalone_mode", True):
            return super().main(args, prog_name, standalone_mode=False, **extra)
        then = None
        try:
            result = super().main(args, prog_name, standalone_mode=False, **extra)
            then = result if callable(result) else None
            status = result if isinstance(result, int) else 0
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            status = error.exit_code
        except click.ClickException as error:
            message = visible(" ".join(error.format_message().split()))
            if isinstance(error, click.UsageError) and error.ctx is not None:
                message += f" (see: {error.ctx.command_path} --help)"
            click.echo(f"bsbpool: {message}", err=True)
            status = PoolFailed.exit_code if isinstance(error, PoolFailed) else 2
        except click.Abort:
            status = _interrupted()
        except SystemExit as stop:
            if not isinstance(stop.code, int):
                raise
            status = stop.code
        except OSError as error:
            if error.filename is not None or error.errno is None:
                raise  # no stream: a command says itself which file it can't use
            status = output_failed(error)
        try:
            if then is None and sys.stdout is not None:
                sys.stdout.flush()  # here, and not when Python ends: a device that is full is told of as all else is
        except OSError as error:
            status = output_failed(error, status)
        if then is not None:
            then()  # a program of the user's, whose errors are its own
        sys.exit(status)


def output_failed(error: OSError, status: int = 0) -> int:
    """Say that stdout can't be written to, if somebody wants to know it. Returns the exit status.

    :param status: the one that there would be without this.
    """
    # What it still holds goes nowhere: Python would try to write it once more as it ends, and complain.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    if isinstance(error, BrokenPipeError):
        return status or 1
    click.echo(f"bsbpool: can't write the output: {error.strerror}", err=True)
    return 2


def _interrupted() -> int:
    """Say that Ctrl-C was pressed. Returns the exit status."""
    click.echo("bsbpool: interrupted", err=True)
    return INTERRUPTED


def reporting(report: Callable[[], None]) -> Callable[[], None]:
    """Return a function that makes a report after click has gone, and says so if it can't be written."""

    def told() -> None:
        try:
            report()
        except OSError as error:
            if error.filename is not None or error.errno is None:
                raise
            sys.exit(output_failed(error))
        except KeyboardInterrupt:
            sys.exit(_interrupted())

    return told


def console() -> Console:
    """The terminal, or the file, that a command writes to; of what its encoding lacks, see `_stand_in`."""
    from .consoles import open_console  # with rich: a tenth of the start of a command that prints no table

    _replace_what_is_lacking()
    return open_console()


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that an encoding lacks: something alike for marks and lines, else a ``?``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return error.object[error.start : error.end].translate(_ALIKE), error.end


class _Alike(dict[int, str]):
    def __missing__(self, key: int) -> str:
        return chr(key) if key < 128 else "?"


#: For each character of the output of commands that ASCII lacks one that can be told from the others.
_ALIKE = _Alike({ord(each): alike for each, alike in zip("✓✗▶→·µ─━│┬┴", "+X>>.u-=|++", strict=True)})
_ALIKE[ord("…")] = "..."


def _replace_what_is_lacking() -> None:
    """Let something else stand for what the encoding of the standard output lacks."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        codecs.register_error("bsbpool", _stand_in)
        reconfigure(errors="bsbpool")


def say(text: str, *, err: bool = False) -> None:
    """A line on the standard output, or the standard error, whatever it holds and whatever that can show."""
    if not err:  # the standard error of Python writes out what it lacks
        _replace_what_is_lacking()
    click.echo(visible(text), err=err)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bsbpool", message="%(prog)s %(version)s")
def main() -> None:
    """Run, record, replay and examine job pools; simulate and explore MPI programs.

    Simulated ranks run in one process and in virtual time: a run that took minutes on a cluster takes seconds here, on
    any number of ranks.

    \b
      bsbpool simulate -n 16 script.py               run an mpi4py program on simulated ranks
      bsbpool explore -n 4 script.py                 run it in every order of its messages
      bsbpool run recording.json                     run a recorded run on the recorded number of ranks
      bsbpool run recording.json --ranks 2,4,16,128  compare numbers of ranks
      bsbpool run scenarios                          run scenarios, and check their expectations
      mpirun -n 4 bsbpool record script.py           run a program, and record its pools
      bsbpool record -m bsbpool.bsb compile          record a command of BSB with this pool
      bsbpool show run.trace                         show what happened, and what took how long
      bsbpool show run.trace --html run.html         write the same as a page
      bsbpool replay run.trace                       repeat a recorded run exactly
      bsbpool diff good.trace bad.trace              find the first difference of two runs
      bsbpool doctor                                 check whether pools work here
      mpirun -n 4 bsbpool doctor                     check the same on 4 ranks

    Exit status: 0: success; 1: a pool failed, or something must be fixed; 2: an argument can't be used.
    """
