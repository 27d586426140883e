"""``@pytest.mark.ranks(4)`` and the fixture `comm`: a test runs on simulated ranks, or under mpirun on real ranks.

This file has the hooks that pytest calls in every run. Simulated ranks are in `simulated`, which the first test on them
imports; real ranks are in `real`, which is imported under an MPI launcher only. pytest loads this file wherever the
package is installed: importing it must be cheap, and it must do nothing in runs without tests that use `comm`.
"""

from __future__ import annotations

import importlib.util
import inspect
import itertools
import os
import sys
from collections.abc import Generator, Iterator
from typing import Any, NoReturn

import pytest
from _pytest.unittest import UnitTestCase

from .marks import (
    DEBUGGED,
    NOT_EXPLORED,
    REPORT,
    UNMARKED,
    Budget,
    NotYet,
    budget,
    limit,
    on_ranks,
    positive_number,
    size_of,
    tape,
)
from .plain_imports import load_plainly

load_plainly()


# -- options, and whether there are real ranks -------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("MPI ranks")
    what = "seconds of real time that a test with `comm` may take; on real ranks, all then show their stacks and end"
    group.addoption(
        "--mpi-timeout", type=positive_number, metavar="SECONDS", help=f"{what} (default: ini mpi_timeout, 60)"
    )
    parser.addini("mpi_timeout", what, default="60")
    group.addoption(
        "--explore", type=budget, nargs="?", const=Budget(), metavar="BUDGET",
        help="run tests with `comm` on simulated ranks, and scenarios, in all orders of their messages: for so long "
        "each (60s), or in so many (1000)",
    )  # fmt: skip
    group.addoption(
        "--explore-tape",
        type=tape,
        metavar="TAPE",
        help="run tests with `comm` on simulated ranks in the order of this tape",
    )
    own = "modules that each simulated rank of a test loads for itself, beside the project's own"
    parser.addini("ranks_own", own, type="args", default=[])
    parser.addini("ranks_share", "modules of the project that all simulated ranks share", type="args", default=[])


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "ranks(*sizes, timeout=None, checks=True): on how many ranks a test with the fixture `comm` runs, each number "
        "a test of its own; timeout in seconds of real time; checks: whether a test on simulated ranks fails if it "
        "leaves messages or requests behind, or has types and memory that don't match",
    )
    limit(config)
    config.pluginmanager.register(Warnings(config), "bsbpool_warnings_of_ranks")
    if _launched():
        from .real import RealRanks

        RealRanks.register(config)


def _launched() -> bool:
    """Whether an MPI launcher started this process, and mpi4py is there to use it."""
    from bsbpool.worlds.launcher import IGNORE, launcher

    return launcher() is not None and IGNORE not in os.environ and importlib.util.find_spec("mpi4py") is not None


# -- the mark and the fixture ------------------------------------------------------------------------


@pytest.fixture(scope="session")  # how long it lives is said with its parameters: see `_widest`
def comm(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The communicator of the ranks on which the test runs: each of them gets its own.

    Say how many with ``@pytest.mark.ranks(1, 2, 8)``. Under plain pytest they are simulated; under
    ``mpirun -n N pytest`` they are real, and numbers that exceed N are skipped. A fixture of any scope may ask for it,
    and then runs on each rank.
    """
    if not hasattr(request, "param"):
        pytest.fail("write `comm` among the arguments of the test: it was asked for too late", pytrace=False)
    real = request.config.pluginmanager.get_plugin("bsbpool_real_ranks")
    if real is not None and real.comm is not None:
        if request.scope == "function":
            yield real.comm
        else:
            yield from real.lasting(request.param)
        return
    ranks = NotYet(request.param or UNMARKED)
    yield ranks
    if ranks.kept:
        from .simulated import let_go

        let_go(ranks)


_SCOPES = ["function", "class", "module", "package", "session"]


def _widest(metafunc: pytest.Metafunc) -> Any:
    """The widest scope among those of a test's fixtures that ask for `comm`, by themselves or through others."""
    known, widest = metafunc._arg2fixturedefs, "function"

    def asks(fixturedef: Any, seen: tuple[str, ...] = ()) -> bool:
        return "comm" in fixturedef.argnames or any(
            asks(other, (*seen, name))
            for name in fixturedef.argnames
            if name not in seen
            for other in known.get(name, ())
        )

    for name, fixturedefs in known.items():
        for fixturedef in fixturedefs:
            if name != "comm" and _SCOPES.index(fixturedef.scope) > _SCOPES.index(widest) and asks(fixturedef, (name,)):
                widest = fixturedef.scope
    return widest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    function, mark = metafunc.function, metafunc.definition.get_closest_marker("ranks")
    real = metafunc.config.pluginmanager.get_plugin("bsbpool_real_ranks")
    if not on_ranks(metafunc):
        if mark is not None and _is_ours(metafunc.definition):
            if real is not None:
                real.used = True
            _wrong(metafunc, WITHOUT_COMM)
        return
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        _wrong(metafunc, "is async, which tests with `comm` can't be: a rank runs a plain function")
    if getattr(function, "is_hypothesis_test", False):
        _wrong(metafunc, OF_HYPOTHESIS)
    if real is not None:
        real.used = True
    sizes, ids = [None], ["all-ranks"]
    if mark is not None:
        _check(metafunc, mark)
        sizes, ids = list(mark.args), [f"{n}-rank{'s'[: n != 1]}" for n in mark.args]
    metafunc.parametrize("comm", sizes, indirect=True, ids=ids, scope=_widest(metafunc))


WITHOUT_COMM = (
    "has the mark ranks and does not ask for `comm`, so that it would run on no ranks at all: write `comm` among its "
    'arguments, or @pytest.mark.usefixtures("comm") in front of it'
)
OF_HYPOTHESIS = (
    "is a test of Hypothesis, which would draw other examples on each rank: give examples to all ranks, as in "
    '@pytest.mark.parametrize("seed", range(20)), or leave `comm` out, and call '
    "bsbpool_sim.simulate(program, ranks=2) in the test"
)
IN_TESTCASE = (
    "has the mark ranks, and methods of unittest.TestCase can't have `comm`: make it a function, or a method of a "
    "class without that base, and write `comm` among its arguments"
)


def _is_ours(item: Any) -> bool:
    """Whether the mark is meant for this plugin: not where somebody else's fixture is called `comm`."""
    found = item.session._fixturemanager.getfixturedefs("comm", item)
    return bool(found) and getattr(found[-1].func, "__module__", None) == __name__


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport, Any]:
    """Refuse the mark on methods of unittest.TestCase, for which pytest makes no parameters."""
    report = yield
    if isinstance(collector, UnitTestCase) and report.passed:
        real = collector.config.pluginmanager.get_plugin("bsbpool_real_ranks")
        for item in report.result:
            if isinstance(item, pytest.Item) and item.get_closest_marker("ranks") and _is_ours(item):
                path, line, name = item.location
                report.outcome, report.result = "failed", []
                if real is not None:
                    real.used = True
                report.longrepr = f"{path}:{(line or 0) + 1}: {name} {IN_TESTCASE}"
                break
    return report


def _check(metafunc: pytest.Metafunc, mark: pytest.Mark) -> None:
    from bsbpool.sizes import MOST_RANKS

    said = ", ".join([*map(repr, mark.args), *(f"{name}={value!r}" for name, value in mark.kwargs.items())])
    numbers = all(isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= MOST_RANKS for n in mark.args)
    if not mark.args or not numbers:
        right = f"numbers of ranks, 1 or more, up to {MOST_RANKS:,}, as in ranks(4) or ranks(1, 2, 8)"
        _wrong(metafunc, f"has ranks({said}): it takes {right}")
    if len(set(mark.args)) < len(mark.args):
        _wrong(metafunc, f"has ranks({said}): give each number of ranks once")
    if unknown := [name for name in mark.kwargs if name not in ("timeout", "checks")]:
        _wrong(metafunc, f"has ranks({said}): it knows timeout=…, not {unknown[0]}=…, and checks=…")
    if not isinstance(mark.kwargs.get("checks", True), bool):
        _wrong(metafunc, f"has ranks({said}): checks is True or False")
    seconds = mark.kwargs.get("timeout")
    good = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds < float("inf")
    if seconds is not None and not good:
        _wrong(metafunc, f"has ranks({said}): timeout is seconds, a number more than 0")


def _wrong(metafunc: pytest.Metafunc, what: str) -> NoReturn:
    path, line, name = metafunc.definition.location
    pytest.fail(f"{path}:{(line or 0) + 1}: {name} {what}", pytrace=False)


# -- simulated ranks ---------------------------------------------------------------------------------


def _simulated(item: Any) -> bool:
    real = item.config.pluginmanager.get_plugin("bsbpool_real_ranks")
    return (real is None or not real.active) and on_ranks(item)


def pytest_enter_pdb(config: pytest.Config) -> None:
    """From now on, tests on simulated ranks have no limit."""
    config.stash[DEBUGGED] = True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Keep in mind what modules are like, before fixtures change them."""
    if _simulated(item):
        from .own_modules import look_outside

        look_outside(item.config)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Any:
    """A fixture that has to do with ranks runs on each of them."""
    if getattr(fixturedef.func, "__module__", None) == __name__ or not _simulated(request._pyfuncitem):
        return None
    from .simulated import set_up

    return set_up(fixturedef, request)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not on_ranks(pyfuncitem) or not isinstance(pyfuncitem.funcargs["comm"], NotYet):
        return None
    from .simulated import call

    call(pyfuncitem)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    ran = [(printed, outcome) for when, printed, outcome in item.stash.get(REPORT, ()) if when == report.when]
    if not ran:
        return report
    item.stash[REPORT] = [each for each in item.stash[REPORT] if each[0] != report.when]
    outcomes = [outcome for _, outcome in ran]
    if report.outcome == "failed" and any(o.outcome == "failed" for o in outcomes):
        outcomes = [o for o in outcomes if o.outcome == "failed"]
        report.longrepr = outcomes[-1].longrepr
    # What all ranks printed gives way to what each one did, if nothing else is in it.
    for title in ran[0][0]:
        printed = "".join(printed[title] for printed, _ in ran).strip()
        captured = "".join(text for name, text in report.sections if name == title).strip()
        if printed and captured == printed:
            report.sections = [s for s in report.sections if s[0] != title]
    report.sections += [section for outcome in outcomes for section in outcome.sections]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: Any) -> None:
    """Add the rank to the report of a subtest on a simulated rank."""
    if hasattr(report, "context") and "bsbpool_sim.kernel" in sys.modules:
        from greenlet import getcurrent

        from ..kernel import Task
        from .rank_reports import name_rank

        task = getcurrent()
        if isinstance(task, Task):
            name_rank(report, task.rank.index)


def _next_on_ranks(nextitem: Any) -> Any:
    """Return the first test on ranks from the next test on; None if there is none."""
    if nextitem is None or on_ranks(nextitem):
        return nextitem
    items = nextitem.session.items
    return next(filter(on_ranks, itertools.islice(items, items.index(nextitem), None)), None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: Any, nextitem: Any) -> Generator[None, Any, Any]:
    """Report the teardown of fixtures as part of this test; give the next test new ranks if it left any waiting, or has
    another number of ranks.
    """
    ranks = (getattr(item, "funcargs", None) or {}).get("comm")
    if isinstance(ranks, NotYet):
        ranks.item = item
    try:
        return (yield)
    finally:
        if isinstance(ranks, NotYet) and (
            ranks.spoiled
            or (ranks.kept and (following := _next_on_ranks(nextitem)) and size_of(following) != size_of(item))
        ):
            # Fixtures of a wider scope are set up again. pytest would end them in the setup of the next test, which
            # would have their errors then.
            item._fixtureinfo.name2fixturedefs["comm"][-1].finish(item._request)


#: So many tests that are not explored are named.
_NAMED = 5


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which tests were not explored: each of them counts as passed."""
    left_out = [
        report.nodeid
        for report in terminalreporter.getreports("passed")
        if any(text == NOT_EXPLORED for _, text in report.sections)
    ]
    if left_out:
        number = f"{len(left_out)} test{'s'[: len(left_out) != 1]}"
        more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        named = ", ".join(left_out[:_NAMED])
        terminalreporter.write_line(f"{number} not explored, because fixtures run on their ranks: {named}{more}")


class Warnings:
    """Adds the simulated rank to each warning in the terminal's summary."""

    def __init__(self, config: pytest.Config):
        self._config = config

    @pytest.hookimpl(trylast=True)
    def pytest_warning_recorded(self, warning_message: Any) -> None:
        """Runs after the terminal reporter has recorded the warning."""
        rank = getattr(warning_message.message, "_simulated_rank", None)
        if rank is not None:
            from .rank_reports import name_warning

            name_warning(self._config, rank)
