"""``@pytest.mark.ranks(4)`` and the fixture `comm`: one test, on simulated ranks or under mpirun on real ones.

Here is what pytest calls in every run, and the simulated ranks; the real ones are in `real`, which is imported
under an MPI launcher only. pytest loads this file for all who have the package installed: it must be cheap, and
do nothing in runs where no test asks for `comm`.
"""

from __future__ import annotations

import importlib.util
import inspect
import io
import os
import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from types import TracebackType

    from .rank_reports import Outcome

#: Simulated ranks of a test without a mark; on real ranks it runs on all that there are.
UNMARKED = 2

_REPORT: pytest.StashKey[tuple[int, Outcome]] = pytest.StashKey()


# -- options, and whether there are real ranks -------------------------------------------------------


def _positive(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError(text)
    return seconds


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("MPI ranks")
    what = "seconds that a test with `comm` may take on real ranks, before all ranks show their stacks and end"
    group.addoption("--mpi-timeout", type=_positive, metavar="SECONDS", help=f"{what} (default: ini mpi_timeout, 60)")
    parser.addini("mpi_timeout", what, default="60")


def limit(config: pytest.Config) -> float:
    """Seconds that a test may take on real ranks.

    :raises pytest.UsageError: the ini file says no number of seconds.
    """
    given: float | None = config.getoption("--mpi-timeout")
    if given is not None:
        return given
    text = config.getini("mpi_timeout")
    try:
        return _positive(text)
    except ValueError:
        raise pytest.UsageError(f"mpi_timeout = {text!r}: it must be seconds, a number more than 0") from None


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "ranks(*sizes, timeout=None): on how many ranks a test with the fixture `comm` runs, each number a test of "
        "its own; timeout in seconds, on real ranks",
    )
    if _launched():
        from .real import RealRanks

        RealRanks.register(config)


def _launched() -> bool:
    """Whether an MPI launcher started this process, and mpi4py is there to use it."""
    from bsbpool.worlds.launcher import IGNORE, launcher

    return launcher() is not None and IGNORE not in os.environ and importlib.util.find_spec("mpi4py") is not None


# -- the mark and the fixture ------------------------------------------------------------------------


class NotYet:
    """What `comm` is for fixtures before simulated ranks run: it has a size, and nothing to communicate with."""

    def __init__(self, size: int):
        self.size = size

    def Get_size(self) -> int:
        """Number of ranks that the test will have."""
        return self.size

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError(
            f"a fixture used comm.{name}: fixtures are set up once for all simulated ranks, before these exist. "
            "They may ask for comm.size; what a rank does by itself belongs in the test"
        )


@pytest.fixture
def comm(request: pytest.FixtureRequest) -> Any:
    """The communicator of the ranks on which the test runs: each of them gets its own.

    Say how many with ``@pytest.mark.ranks(1, 2, 8)``. Under plain pytest they are simulated; under
    ``mpirun -n N pytest`` they are real, and numbers that exceed N are skipped.
    """
    real = request.config.pluginmanager.get_plugin("bsbpool_real_ranks")
    if real is not None and real.comm is not None:
        return real.comm
    return NotYet(request.param or UNMARKED)


def on_ranks(item: Any) -> bool:
    """Whether a test (or a function about to be parametrised) gets its `comm` from here, not from a user's fixture."""
    if isinstance(item, pytest.Metafunc):
        found = item._arg2fixturedefs.get("comm", ())
    else:
        info = getattr(item, "_fixtureinfo", None)
        found = info.name2fixturedefs.get("comm", ()) if info is not None else ()
    return bool(found) and getattr(found[-1].func, "__module__", None) == __name__


def size_of(item: Any) -> int | None:
    """On how many ranks a test runs; None for all that there are."""
    size: int | None = item.callspec.params["comm"]
    return size


def timeout_of(item: pytest.Item) -> float:
    """Seconds that a test may take on real ranks."""
    mark = item.get_closest_marker("ranks")
    return float(mark.kwargs.get("timeout") or limit(item.config)) if mark else limit(item.config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not on_ranks(metafunc):
        return
    function, mark = metafunc.function, metafunc.definition.get_closest_marker("ranks")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        _wrong(metafunc, "is async, which tests with `comm` can't be: a rank runs a plain function")
    real = metafunc.config.pluginmanager.get_plugin("bsbpool_real_ranks")
    if real is not None:
        real.used = True
    if mark is None:
        metafunc.parametrize("comm", [None], indirect=True, ids=["all-ranks"])
        return
    _check(metafunc, mark)
    metafunc.parametrize("comm", mark.args, indirect=True, ids=[f"{n}-rank{'s'[: n != 1]}" for n in mark.args])


def _check(metafunc: pytest.Metafunc, mark: pytest.Mark) -> None:
    said = ", ".join([*map(repr, mark.args), *(f"{name}={value!r}" for name, value in mark.kwargs.items())])
    if not mark.args or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in mark.args):
        _wrong(metafunc, f"has ranks({said}): it takes numbers of ranks, 1 or more, as in ranks(4) or ranks(1, 2, 8)")
    if len(set(mark.args)) < len(mark.args):
        _wrong(metafunc, f"has ranks({said}): give each number of ranks once")
    if unknown := [name for name in mark.kwargs if name != "timeout"]:
        _wrong(metafunc, f"has ranks({said}): it knows timeout=…, not {unknown[0]}=…")
    seconds = mark.kwargs.get("timeout")
    good = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds < float("inf")
    if seconds is not None and not good:
        _wrong(metafunc, f"has ranks({said}): timeout is seconds, a number more than 0")


def _wrong(metafunc: pytest.Metafunc, what: str) -> NoReturn:
    path, line, name = metafunc.definition.location
    pytest.fail(f"{path}:{(line or 0) + 1}: {name} {what}", pytrace=False)


# -- simulated ranks ---------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not on_ranks(pyfuncitem) or not isinstance(pyfuncitem.funcargs["comm"], NotYet):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    _simulate(pyfuncitem, arguments, pyfuncitem.funcargs["comm"].size)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and _REPORT in item.stash:
        count, seen = item.stash[_REPORT]
        if report.outcome == "failed":
            report.longrepr = seen.longrepr
            # What all ranks printed gives way to what each failing one did, if nothing else is in it.
            captured = sum(len(text) for title, text in report.sections if title in _PRINTED)
            if captured == count:
                report.sections = [s for s in report.sections if s[0] not in _PRINTED]
            report.sections += seen.sections
    return report


_PRINTED = ("Captured stdout call", "Captured stderr call")


class _Router(io.TextIOBase):
    """Stands for sys.stdout or sys.stderr: passes all on, and keeps what each simulated rank wrote."""

    def __init__(self, stream: Any, task: Any, current: Callable[[], Any]):
        self._stream, self._task, self._current = stream, task, current
        self.by_rank: dict[int, list[str]] = {}

    def write(self, text: str) -> int:
        task = self._current()
        if isinstance(task, self._task):
            self.by_rank.setdefault(task.rank.index, []).append(text)
        return int(self._stream.write(text) or 0)

    def flush(self) -> None:
        # Python flushes it once more when it is collected; pytest has closed its file by then.
        if not self._stream.closed:
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _simulate(item: pytest.Function, arguments: dict[str, Any], size: int) -> None:
    from greenlet import getcurrent

    from .. import RankErrors, SimulationError, simulate
    from ..kernel import Task
    from .rank_reports import Outcome, Part, RanksRepr, partly_skipped

    raised: dict[int, BaseException] = {}

    def program(comm: Any) -> None:
        try:
            item.obj(**{**arguments, "comm": comm})
        except (pytest.skip.Exception, pytest.fail.Exception, pytest.xfail.Exception) as outcome:
            raised[comm.rank] = outcome  # no Exceptions: a simulation would take them for a way out of itself
        except SystemExit as stop:
            if stop.code not in (None, 0):
                error = RuntimeError(f"the test ended itself, with exit status {stop.code!r}")
                raised[comm.rank] = error.with_traceback(stop.__traceback__)
                raise error from None
        except Exception as error:
            raised[comm.rank] = error
            raise

    streams = sys.stdout, sys.stderr
    routers = [_Router(stream, Task, getcurrent) for stream in streams]
    sys.stdout, sys.stderr = routers
    stuck: SimulationError | None = None
    waiting = ""
    try:
        simulate(program, size)
    except RankErrors as errors:
        waiting = "\n".join(getattr(errors, "__notes__", ()))
    except SimulationError as error:
        stuck, waiting = error, str(error)
    finally:
        sys.stdout, sys.stderr = streams
    if stuck is None and not raised:
        return
    for each in raised.values():
        each.with_traceback(_theirs(each.__traceback__))
        if isinstance(each, pytest.exit.Exception):
            raise each
    skipped = {r: e for r, e in raised.items() if isinstance(e, pytest.skip.Exception)}
    expected = [e for e in raised.values() if isinstance(e, pytest.xfail.Exception)]
    failed = {r: e for r, e in raised.items() if r not in skipped and e not in expected}
    if stuck is None and not failed and (expected or len(skipped) == size):
        raise expected[0] if expected else skipped[min(skipped)]
    parts = [
        Part(rank, item.repr_failure(pytest.ExceptionInfo.from_exception(each)))
        for rank, each in sorted(failed.items())
    ]
    if waiting:
        parts.append(Part(None, waiting))
    if skipped:
        parts.append(partly_skipped(sorted(skipped), size))
    # Whose output belongs to the report: of those that failed; of all where no single one did.
    shown = sorted(failed) if failed and stuck is None and not waiting else range(size)
    sections = [
        (f"Captured {name} call, rank {rank}", "".join(router.by_rank[rank]))
        for rank in shown
        for name, router in zip(("stdout", "stderr"), routers, strict=True)
        if rank in router.by_rank
    ]
    printed = sum(len(text) for router in routers for texts in router.by_rank.values() for text in texts)
    item.stash[_REPORT] = printed, Outcome("failed", RanksRepr(size, parts), None, sections)
    # One of them is raised, so that xfail(raises=…) and --pdb get what the test really raised.
    if failed:
        raise failed[min(failed)]
    if stuck is not None:
        raise stuck
    pytest.fail(parts[-1].what, pytrace=False)


def _theirs(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback without this project's frames, if any others are left."""
    from bsbpool.frames import is_own

    frames, here = [], traceback
    while here is not None:
        if not is_own(here.tb_frame):
            frames.append(here)
        here = here.tb_next
    for one, following in zip(frames, [*frames[1:], None], strict=True):
        one.tb_next = following
    return frames[0] if frames else traceback
