"""Reads the mark `ranks` and the fixture `comm` of a test: its number of ranks and its time limit.

Used by pytest's hooks (`ranks`) and by the files that run tests (`simulated`, `real`). Cheap to import.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import pytest

if TYPE_CHECKING:
    from .rank_reports import PhaseOutcome

#: Number of simulated ranks of a test without a mark. Under mpirun such a test runs on all ranks.
UNMARKED = 2

#: One entry for each run on a test's simulated ranks: the phase, the output by section title, and the outcome.
REPORT: pytest.StashKey[list[tuple[str, dict[str, str], PhaseOutcome]]] = pytest.StashKey()

#: Whether somebody uses a debugger in this run: what is debugged may take as long as it takes.
DEBUGGED: pytest.StashKey[bool] = pytest.StashKey()

#: What is reported of a test that passes and is not explored.
NOT_EXPLORED = "not explored: fixtures of this test run on its ranks"


def positive_number(text: str) -> float:
    """Convert a command-line argument to a positive number."""
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError(text)
    return seconds


class Budget(NamedTuple):
    """How much each test is explored.

    :ivar seconds: of real time; None: as usual, 60 s, or what a scenario says.
    :ivar schedules: at the most; None: no limit.
    """

    seconds: float | None = None
    schedules: int | None = None


def budget(text: str) -> Budget:
    """Read what follows `--explore`: a time, or a number of schedules."""
    if text.isascii() and text.isdigit() and int(text) > 0:
        return Budget(None, int(text))
    from bsbpool.durations import read_duration

    try:
        seconds = read_duration(text) / 1e9
    except ValueError:
        seconds = 0
    if not seconds > 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no budget: give a time, as --explore=60s, or a number of schedules, as --explore=1000; files "
            "to test come before --explore"
        )
    return Budget(seconds, None)


def tape(text: str) -> str:
    """Check what follows `--explore-tape`."""
    from ..errors import TapeError
    from ..tape import Tape

    try:
        Tape.parse(text)
    except TapeError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def limit(config: pytest.Config) -> float:
    """Return the time limit of tests on ranks, in seconds.

    :raises pytest.UsageError: `mpi_timeout` in the ini file is not a positive number.
    """
    given: float | None = config.getoption("--mpi-timeout")
    if given is not None:
        return given
    text = config.getini("mpi_timeout")
    try:
        return positive_number(text)
    except ValueError:
        raise pytest.UsageError(f"mpi_timeout = {text!r}: it must be seconds, a number more than 0") from None


def on_ranks(item: Any) -> bool:
    """Whether the `comm` of a test, or of a function to be parametrised, is this plugin's fixture and not a user's."""
    if isinstance(item, pytest.Metafunc):
        found = item._arg2fixturedefs.get("comm", ())
    else:
        info = getattr(item, "_fixtureinfo", None)
        found = info.name2fixturedefs.get("comm", ()) if info is not None else ()
    return bool(found) and getattr(found[-1].func, "__module__", None) == f"{__package__}.ranks"


def size_of(item: Any) -> int | None:
    """Return the number of ranks of a test; None for all ranks."""
    size: int | None = item.callspec.params["comm"]
    return size


def scope_of(item: Any) -> str:
    """Return the scope of a test's `comm`: that of the widest fixture of the test that uses it."""
    scope: str = item.callspec._arg2scope["comm"].value
    return scope


def timeout_of(item: pytest.Item) -> float:
    """Return the time limit of a test on ranks, in seconds of real time."""
    mark = item.get_closest_marker("ranks")
    return float(mark.kwargs.get("timeout") or limit(item.config)) if mark else limit(item.config)


def checks_of(item: pytest.Item) -> bool:
    """Whether a test on simulated ranks fails if it breaks rules of MPI although no call raises."""
    mark = item.get_closest_marker("ranks")
    return mark is None or mark.kwargs.get("checks") is not False


class NotYet:
    """Value of `comm` outside of the simulated ranks. It has a size and can't communicate."""

    def __init__(self, size: int):
        self.size = size
        #: whether fixtures run on these ranks; the test then runs on the same ranks.
        self.kept = False
        #: the simulated ranks, if fixtures run on them.
        self.cluster: Any = None
        #: whether a test left ranks waiting.
        self.spoiled = False
        #: whether any of them has raised.
        self.failed = False
        #: the test to which the teardown of fixtures is reported.
        self.item: Any = None

    def Get_size(self) -> int:
        """Return the number of ranks of the test."""
        return self.size

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError(
            f"comm.{name} was used outside of the simulated ranks: there it has a size only. A fixture runs on each of "
            "them if it names `comm` among its arguments, in place of asking request.getfixturevalue for it"
        )
