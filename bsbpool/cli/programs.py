"""Options of the commands that run a program: those that name the program, and where the options of the command end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import PathFinder
from importlib.util import find_spec
from typing import Any, NamedTuple

import click

from bsbpool.values import shown

from . import say

#: Options that name what to run, after which everything is the program's.
_NAMES_IT = ("-m", "-c")

#: Under which key a command's context has the arguments that it was given: its own, and from the program on.
GIVEN = "bsbpool.given"


class OfAProgram(click.Command):
    """Ends the options of the command where Python ends its own: after the script, the module, or the code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take what follows the program as its arguments."""
        takes = {
            name: param.nargs
            for param in self.params
            if isinstance(param, click.Option) and not param.is_flag
            for name in param.opts
        }
        given = args
        place = 0
        while place < len(args) and args[place].startswith("-") and args[place] != "--":
            if args[place] in _NAMES_IT and args[place] in takes and place + 1 < len(args):
                args = [*args[: place + 2], "--", *args[place + 2 :]]
                break
            place += 1 + takes.get(args[place], 0)
        # What was given, for those who say how to do it again.
        ctx.meta[GIVEN] = tuple(given[:place]), tuple(given[place:])
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter as missing:
            behind = option_behind(ctx)
            if behind is None or missing.param is None or behind.option not in missing.param.opts:
                raise
            raise click.UsageError(behind.text, ctx) from None


class Behind(NamedTuple):
    """An option of the command that stands behind what to run, and so is an argument of that.

    :ivar option: its name.
    :ivar what: what it stands behind.
    """

    option: str
    what: str

    @property
    def text(self) -> str:
        """What there is to say of it."""
        return f"{self.option} stands behind {shown(self.what)}: options of bsbpool come before what is to run"


def option_behind(ctx: click.Context) -> Behind | None:
    """Return the first option of a command that stands behind what to run; None if there is none."""
    given: tuple[str, ...] = ctx.meta[GIVEN][1]
    words = 2 if given[:1] and given[0] in _NAMES_IT else 1
    names = {name for param in ctx.command.params if isinstance(param, click.Option) for name in param.opts}
    late = [name for word in given[words:] if (name := word.partition("=")[0]) in names]
    return Behind(late[0], " ".join(given[:words])) if late else None


def program_options(verb: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a decorator of a command that adds the options `-m` and `-c`, which name the program in place of a script.

    :param verb: what the command does to the program: "Run".
    """
    module = click.option("-m", "module", metavar="MODULE", help=f"{verb} a module, as `python -m` runs it.")
    code = click.option("-c", "code", metavar="CODE", help=f"{verb} these lines, as `python -c` runs them.")
    return lambda command: module(code(command))


def in_options(text: str) -> str:
    """What is told to callers of `simulate`, in the words of the commands."""
    return text.replace("simulate(horizon=…)", "--horizon").replace("simulate(max_events=…)", "--max-events")


def module_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options `--own` and `--share` to a command: which modules each rank has for itself."""
    own = click.option(
        "--own", multiple=True, metavar="NAME",
        help="Each rank loads its own copy of this module or package, although it is installed. The option can be "
        "repeated.",
    )  # fmt: skip
    share = click.option(
        "--share", multiple=True, metavar="NAME",
        help="All ranks share this module or package of the program, because it can't be loaded twice. The option can "
        "be repeated.",
    )  # fmt: skip
    return own(share(command))


def check_module(name: str) -> None:
    """Refuse the name of a module that there can't be. Whether there is one is seen when it is run.

    :raises UsageError: it is one.
    """
    if not all(name.split(".")):
        raise click.UsageError(f"{shown(name)} is no name of a module: -m takes one such as package.module")


def check_modules(own: Sequence[str], share: Sequence[str], script: str | None) -> None:
    """Refuse names for `--own` and `--share` that no module can have; warn of those that none has.

    A program can make folders known in which there are others, so that one that is not found is no error.

    :param script: the script, beside which there are modules of the program.
    :raises UsageError: a name is none, or is given for both.
    """
    folder = os.getcwd() if script is None else os.path.dirname(os.path.realpath(script))
    for option, names in (("--own", own), ("--share", share)):
        for name in names:
            top = name.partition(".")[0]
            if not all(name.split(".")):
                raise click.UsageError(f"{option} {shown(name)}: this is no name of a module, such as numpy")
            if option == "--own" and top in {each.partition(".")[0] for each in share}:
                raise click.UsageError(f"{top} can't be both: --own is a copy for each rank, and --share one for all")
            if top not in sys.builtin_module_names and not _is_there(top, [folder, os.getcwd()]):
                say(f"bsbpool: warning: {option} {name}: no module {top} is beside the script or installed", err=True)


def _is_there(top: str, folders: Sequence[str]) -> bool:
    """Whether a module or package can be found, without loading it."""
    if PathFinder.find_spec(top, [*folders, *sys.path]) is not None:
        return True
    try:
        return find_spec(top) is not None  # those whom tools of packaging have found for Python
    except (ImportError, ValueError):
        return False


def hosts_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option `--hosts` to a command: on how many simulated hosts the ranks are."""
    return click.option(
        "--hosts", type=click.IntRange(min=1), metavar="N", default=1,
        help="The number of simulated hosts, on which ranks are placed in blocks; those of one host can share memory. "
        "Default: 1.",
    )(command)  # fmt: skip


def check_hosts(hosts: int, ranks: int) -> None:
    """Refuse more hosts than ranks.

    :raises UsageError: there are.
    """
    if hosts > ranks:
        raise click.UsageError(f"--hosts {hosts} is more than the {ranks} ranks: each host needs one at least")


#: The script and its arguments, or those of the module or code.
program_argument = click.argument("program", nargs=-1, type=click.UNPROCESSED, metavar="[SCRIPT] [ARGS]...")
