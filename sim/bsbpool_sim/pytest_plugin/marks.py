"""What the mark `ranks` and the fixture `comm` say of a test: on how many ranks it runs, and for how long.

Shared by what pytest calls (`ranks`) and by what runs tests in their worlds (`simulated`, `real`). Cheap to import.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import pytest

if TYPE_CHECKING:
    from .rank_reports import PhaseOutcome

#: Simulated ranks of a test without a mark; on real ranks it runs on all that there are.
UNMARKED = 2

#: What came of what a test's simulated ranks ran: the phase, what they printed by title, and the outcome.
REPORT: pytest.StashKey[list[tuple[str, dict[str, str], PhaseOutcome]]] = pytest.StashKey()


def positive(text: str) -> float:
    """Read a number above 0 from the command line."""
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


def limit(config: pytest.Config) -> float:
    """Seconds that a test may take on real ranks.

    :raises pytest.UsageError: the ini file says no number of seconds.
    """
    given: float | None = config.getoption("--mpi-timeout")
    if given is not None:
        return given
    text = config.getini("mpi_timeout")
    try:
        return positive(text)
    except ValueError:
        raise pytest.UsageError(f"mpi_timeout = {text!r}: it must be seconds, a number more than 0") from None


def on_ranks(item: Any) -> bool:
    """Whether a test (or a function about to be parametrised) gets its `comm` from here, not from a user's fixture."""
    if isinstance(item, pytest.Metafunc):
        found = item._arg2fixturedefs.get("comm", ())
    else:
        info = getattr(item, "_fixtureinfo", None)
        found = info.name2fixturedefs.get("comm", ()) if info is not None else ()
    return bool(found) and getattr(found[-1].func, "__module__", None) == f"{__package__}.ranks"


def size_of(item: Any) -> int | None:
    """On how many ranks a test runs; None for all that there are."""
    size: int | None = item.callspec.params["comm"]
    return size


def scope_of(item: Any) -> str:
    """How long the `comm` of a test lives: as long as the widest fixture of the test that asks for it."""
    scope: str = item.callspec._arg2scope["comm"].value
    return scope


def timeout_of(item: pytest.Item) -> float:
    """Seconds that a test may take on real ranks."""
    mark = item.get_closest_marker("ranks")
    return float(mark.kwargs.get("timeout") or limit(item.config)) if mark else limit(item.config)


def checks_of(item: pytest.Item) -> bool:
    """Whether a test on simulated ranks fails if it breaks rules of MPI although no call raises."""
    mark = item.get_closest_marker("ranks")
    return mark is None or mark.kwargs.get("checks") is not False


class NotYet:
    """What `comm` is outside of simulated ranks: it has a size, and nothing to communicate with."""

    def __init__(self, size: int):
        self.size = size
        #: whether fixtures run on these ranks, which then are the same for the test and for them.
        self.kept = False
        #: the simulated ranks that are kept.
        self.cluster: Any = None
        #: whether they got stuck in a test.
        self.spoiled = False
        #: whether any of them has raised.
        self.failed = False
        #: the test after which fixtures are torn down.
        self.item: Any = None

    def Get_size(self) -> int:
        """Number of ranks that the test will have."""
        return self.size

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError(
            f"comm.{name} was used outside of the simulated ranks: there it has a size only. A fixture runs on each of "
            "them if it names `comm` among its arguments, in place of asking request.getfixturevalue for it"
        )
