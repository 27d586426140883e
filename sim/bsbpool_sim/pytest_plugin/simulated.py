"""Tests with `comm` on simulated ranks: the test, and those of its fixtures that each rank runs by itself.

Each rank has the test's module, and all modules of the user, for itself: see `own_modules`.

A test whose fixtures do not use ranks is one simulation. If they do, the ranks exist from the setup of the first of
these fixtures to the teardown of the last; fixtures, tests and teardowns run on them one after the other.

pytest loads `ranks` in every run. This file imports the simulator, and is loaded when the first test is about to run.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import pytest
from _pytest.outcomes import OutcomeException
from greenlet import getcurrent

from .. import RankErrors, SimulationError
from ..checks.audit import KINDS, Audit
from ..cluster import Cluster
from ..kernel import Task
from ..overlong import time_limit
from ..simulation import close, run_on
from .marks import DEBUGGED, NOT_EXPLORED, REPORT, NotYet, checks_of, timeout_of
from .own_modules import modules_of
from .own_objects import Counterparts
from .rank_output import Router, told_apart, value_of_rank
from .rank_reports import PhaseOutcome, RanksRepr, ReportSection, partly_skipped
from .rank_settings import catch_up, settings_of_ranks
from .verdicts import is_expected, one_skip, tell, theirs

_INSTANCES: pytest.StashKey[list[Any]] = pytest.StashKey()
_STREAMS = ("stdout", "stderr", "log")


# -- fixtures that each rank runs --------------------------------------------------------------------


class PerRank:
    """The values of a fixture that ran on each simulated rank, by rank."""

    def __init__(self, ranks: NotYet, values: dict[int, Any]):
        self.ranks = ranks
        self.values = values


class RankRequest:
    """pytest's `request` for one rank, in a test or a fixture that runs on each rank.

    :param finalizers: takes what the rank is to call when the test or fixture is torn down.
    """

    def __init__(self, request: Any, here: Here, finalizers: list[Callable[[], Any]]):
        self._request, self._here, self._finalizers = request, here, finalizers

    @property
    def instance(self) -> Any:
        """The instance of the test's class on this rank."""
        return instance_of(self._request._pyfuncitem, self._here)

    @property
    def module(self) -> Any:
        """This rank's module of the test."""
        return sys.modules.get(self._request.module.__name__, self._request.module)

    @property
    def cls(self) -> Any:
        """This rank's class of the test."""
        return self._here.of(self._request.cls)

    @property
    def param(self) -> Any:
        """The parameter of the fixture."""
        return self._here.of(self._request.param)

    @property
    def function(self) -> Any:
        """The test's function, bound to the instance on this rank."""
        return function_of(self._request._pyfuncitem, self._here)

    def addfinalizer(self, finalizer: Callable[[], Any]) -> None:
        """Call a function on this rank when the test or fixture is torn down."""
        self._finalizers.append(finalizer)

    def getfixturevalue(self, name: str) -> Any:
        """Return the value of another fixture on this rank."""
        return value_on(self._request.getfixturevalue(name), self._here)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


class Here(NamedTuple):
    """Where something runs: a rank's communicator, and what the rank has in place of things from outside."""

    comm: Any
    counterparts: Counterparts

    def of(self, value: Any) -> Any:
        """What the rank has in place of a value from outside."""
        return self.counterparts.of(value)


def value_on(value: Any, here: Here) -> Any:
    """Return the value of a fixture on one rank."""
    if isinstance(value, PerRank):
        return value.values[here.comm.rank]
    if isinstance(value, NotYet):
        return here.comm
    own = value_of_rank(value, here.comm.rank)
    return here.of(value) if own is None else own


def instance_of(item: Any, here: Here) -> Any:
    """Return the instance of the test's class on one rank; None for a function."""
    if item.instance is None:
        return None
    rank, size = here.comm.rank, here.comm.size
    instances = item.stash.get(_INSTANCES, None)
    if instances is None or instances[0] is not item.instance or len(instances) != size + 1:
        instances = item.stash[_INSTANCES] = [item.instance, *[None] * size]
    if instances[rank + 1] is None:
        kind = here.of(item.cls)
        instances[rank + 1] = item.instance if rank == 0 and kind is item.cls else kind()
    return instances[rank + 1]


def function_of(item: Any, here: Here) -> Any:
    """Return the test's function for one rank, bound to that rank's instance."""
    function, instance, name = item.obj, instance_of(item, here), item.originalname
    if instance is None:
        if getattr(item.module, name, None) is function:
            return here.counterparts.named(item.module.__name__, name) or here.of(function)
        return here.of(function)
    if getattr(function, "__self__", None) is not item.instance:
        return here.of(function)
    if function.__func__ is getattr(item.cls, name, None):
        return getattr(instance, name)
    return here.of(function.__func__).__get__(instance)


def set_up(fixturedef: Any, request: Any) -> PerRank | None:
    """Run a fixture on each rank if it depends on ranks; return None if it does not.

    It depends on ranks if it uses `comm`, another fixture that does, or the `self` of a test, which each rank has its
    own of.
    """
    item = request._pyfuncitem
    values = {name: request.getfixturevalue(name) for name in fixturedef.argnames}
    found = [v if isinstance(v, NotYet) else v.ranks for v in values.values() if isinstance(v, NotYet | PerRank)]
    if not found and _is_about_self(fixturedef, item):
        found = [request.getfixturevalue("comm")]
    if not found:
        return None
    if isinstance(getcurrent(), Task):
        late = pytest.fail.Exception(
            f"the fixture {request.fixturename!r} runs on each rank, and was asked for on a rank that runs already: "
            "name it among the arguments of the test",
            pytrace=False,
        )
        fixturedef.cached_result = (None, fixturedef.cache_key(request), (late, None))
        raise late
    ranks: NotYet = found[0]
    ranks.kept = True
    function: Any = getattr(fixturedef.func, "__func__", fixturedef.func)
    bound = function is not fixturedef.func and item.instance is not None
    bound = bound and isinstance(item.instance, type(fixturedef.func.__self__))
    finalizers = _Finalizers(ranks.size)

    def start(here: Here) -> Any:
        own = finalizers.by_rank[here.comm.rank]
        arguments = {name: value_on(value, here) for name, value in values.items()}
        if "request" in arguments:
            arguments["request"] = RankRequest(request, here, own)
        mine = here.of(function)
        call = mine.__get__(instance_of(item, here)) if bound else here.of(fixturedef.func)
        if not inspect.isgeneratorfunction(function):
            return call(**arguments)
        generator = call(**arguments)
        try:
            value = next(generator)
        except StopIteration:
            raise ValueError(f"{request.fixturename} did not yield a value") from None
        own.append(functools.partial(_finish, fixturedef.argname, generator))
        return value

    def end_on_ranks() -> None:
        if finalizers:
            run_on_ranks(ranks.item or item, ranks, "teardown", finalizers.call)

    request.addfinalizer(end_on_ranks)
    key = fixturedef.cache_key(request)
    try:
        given = PerRank(ranks, run_on_ranks(item, ranks, "setup", start))
    except (Exception, OutcomeException) as error:
        if isinstance(error, pytest.skip.Exception):
            error._use_item_location = True
        fixturedef.cached_result = (None, key, (error, error.__traceback__))
        raise
    fixturedef.cached_result = (given, key, None)
    return given


class _Finalizers:
    """What ranks are to call when a test or fixture is torn down, by rank."""

    def __init__(self, size: int):
        self.by_rank: list[list[Callable[[], Any]]] = [[] for _ in range(size)]

    def __bool__(self) -> bool:
        return any(self.by_rank)

    def call(self, here: Here) -> None:
        """Call those of one rank, all of them, the last one first."""
        mine = self.by_rank[here.comm.rank]
        calls, mine[:] = mine[:], []
        with contextlib.ExitStack() as stack:
            for call in calls:
                stack.callback(call)


def _is_about_self(fixturedef: Any, item: Any) -> bool:
    """Whether a fixture has the `self` of a test in a class, or may reach it through `request`."""
    if item.instance is None or fixturedef.scope != "function":
        return False
    function = fixturedef.func
    if function.__name__ == "xunit_setup_method_fixture" and function.__module__ == "_pytest.python":
        return True
    if isinstance(item.instance, type(getattr(function, "__self__", None))):
        return True
    return function.__module__ == item.module.__name__ and "request" in fixturedef.argnames


def _finish(name: str, generator: Generator[Any, None, None]) -> None:
    for _ in generator:
        pytest.fail(f"fixture {name!r} has more than one 'yield'", pytrace=False)


def let_go(ranks: NotYet) -> None:
    """End what is left on the ranks of tests and fixtures, and say which rules of MPI these have broken."""
    if ranks.cluster is not None:
        audit = ranks.cluster.audit
        close(ranks.cluster)
        if audit is not None and not ranks.spoiled and not ranks.failed:
            tell(audit.violations())


# -- a run on all ranks ------------------------------------------------------------------------------


def call(item: pytest.Function) -> None:
    """Run a test on its simulated ranks."""
    given = item.funcargs
    arguments = {name: given[name] for name in item._fixtureinfo.argnames}
    ranks: Any = given["comm"]
    finalizers = _Finalizers(ranks.size)

    def test(here: Here) -> None:
        values = {name: value_on(value, here) for name, value in arguments.items()}
        if "request" in values:
            values["request"] = RankRequest(given["request"], here, finalizers.by_rank[here.comm.rank])
        function_of(item, here)(**values)

    tape = item.config.getoption("explore_tape")
    budget = item.config.getoption("explore")
    if tape is None and budget is None:
        _run_with_finalizers(item, ranks, test, finalizers)
        return

    def test_and_finalizers(here: Here) -> None:
        try:
            test(here)
        finally:  # in each schedule
            finalizers.call(here)

    from .explored_tests import TestRunner, at_first, explore_test, run_test_tape

    found = at_first(item)
    if tape is None:
        run_on_ranks(item, ranks, "call", test_and_finalizers)
    if ranks.kept:
        # They keep what fixtures have done, and no schedule could begin where the last one did.
        item.add_report_section("call", "explore", NOT_EXPLORED)
        if tape is not None:
            pytest.fail("fixtures of this test run on its ranks, so it has no tape", pytrace=False)
        return
    own = modules_of(item.config, ranks.size)

    def program(raised: dict[int, BaseException]) -> Callable[[Any], None]:
        def on_rank(comm: Any) -> None:
            try:
                test_and_finalizers(Here(comm, own.of(comm.rank, item.module)))
            except OutcomeException as outcome:
                raised[comm.rank] = outcome
            except SystemExit as stop:
                raise _ended_itself(stop) from None

        return on_rank

    runner = TestRunner(item, ranks.size, program, own.on, found)
    if tape is not None:
        run_test_tape(item, runner, tape)
    else:
        explore_test(item, runner, budget)


def _run_with_finalizers(
    item: pytest.Function, ranks: NotYet, test: Callable[[Here], None], finalizers: _Finalizers
) -> None:
    """Run a test that may ask `request` to call functions at its end, which the same ranks then do."""
    kept = ranks.kept
    ranks.kept = kept or "request" in item._fixtureinfo.argnames
    try:
        run_on_ranks(item, ranks, "call", test)
    finally:
        if finalizers:
            item.addfinalizer(lambda: run_on_ranks(item, ranks, "teardown", finalizers.call))
        elif ranks.kept and not kept:
            ranks.kept = False
            let_go(ranks)


def run_on_ranks(item: pytest.Function, ranks: NotYet, when: str, what: Callable[[Here], Any]) -> dict[int, Any]:
    """Let each rank run ``what(here)``. Returns what it returned, by rank; raises what the test is to raise.

    :param when: the phase of the test: setup, call or teardown.
    """
    raised: dict[int, BaseException] = {}
    results: dict[int, Any] = {}
    size = ranks.size
    own = modules_of(item.config, size)
    here: dict[int, Here] = {}

    def program(comm: Any) -> None:
        try:
            catch_up()
            here[comm.rank] = Here(comm, own.of(comm.rank, item.module))
            results[comm.rank] = what(here[comm.rank])
        except (pytest.skip.Exception, pytest.fail.Exception, pytest.xfail.Exception) as outcome:
            raised[comm.rank] = outcome  # these are no subclasses of Exception: the simulation would end on them
        except SystemExit as stop:
            raised[comm.rank] = error = _ended_itself(stop)
            raise error from None
        except Exception as error:
            raised[comm.rank] = error
            raise

    stuck: SimulationError | None = None
    waiting = ""
    cluster = ranks.cluster or _new_cluster(item, size)
    if ranks.kept:
        ranks.cluster = cluster
    with told_apart(item) as routers, own.on(cluster), settings_of_ranks(item.config, cluster, own.processes):
        try:
            with _limited(item, cluster):
                run_on(cluster, program, last=not ranks.kept)
        except RankErrors as errors:
            waiting = "\n".join(getattr(errors, "__notes__", ()))
        except SimulationError as error:
            stuck, waiting = error, str(error)
    # Ranks that were left waiting may be in any state: shared fixtures are set up again for the next test.
    ranks.spoiled = ranks.spoiled or bool(waiting)
    ranks.failed = ranks.failed or bool(raised)
    own.spoiled = own.spoiled or bool(waiting)
    if stuck is None and not raised:
        if not ranks.kept and cluster.audit is not None:
            _report(item, when, routers, PhaseOutcome("passed"), range(size))
            tell(cluster.audit.violations())
            return results
        _report(item, when, routers, PhaseOutcome("passed"), range(size))
        return results
    for each in raised.values():
        each.with_traceback(theirs(each.__traceback__))
        if isinstance(each, pytest.exit.Exception):
            raise each
    skipped = {r: e for r, e in raised.items() if isinstance(e, pytest.skip.Exception)}
    expected = [e for e in raised.values() if isinstance(e, pytest.xfail.Exception)]
    failed = {r: e for r, e in raised.items() if r not in skipped and e not in expected}
    for rank, each in failed.items():
        failed[rank] = _as_outside(each, here.get(rank))
    # What xfail(raises=…) expected of some ranks is no excuse for what others have raised.
    failed = {r: e for r, e in failed.items() if not is_expected(item, e)} or failed
    if stuck is None and not failed and (expected or len(skipped) == size):
        raise expected[0] if expected else one_skip(skipped)
    parts = [
        ReportSection(rank, item.repr_failure(pytest.ExceptionInfo.from_exception(each)))
        for rank, each in sorted(failed.items())
    ]
    if waiting:
        parts.append(ReportSection(None, waiting))
    if skipped:
        parts.append(partly_skipped(sorted(skipped), size))
        parts += [ReportSection(rank, f"Skipped: {skipped[rank].msg}") for rank in sorted(skipped)]
    # The report has the output of the failed ranks; of all ranks if no single rank failed.
    shown = sorted(failed) if failed and stuck is None and not waiting else range(size)
    _report(item, when, routers, PhaseOutcome("failed", RanksRepr(size, parts)), shown)
    # Raise one of the errors itself, so that xfail(raises=…) and --pdb see what the test raised.
    if failed:
        raise failed[min(failed)]
    if stuck is not None:
        raise stuck
    pytest.fail(parts[0].what, pytrace=False)


def _ended_itself(stop: SystemExit) -> RuntimeError:
    """What is raised in place of an exit, which would end pytest."""
    error = RuntimeError(f"the test ended itself, with exit status {stop.code or 0!r}")
    return error.with_traceback(stop.__traceback__)


def _limited(item: pytest.Function, cluster: Cluster) -> time_limit:
    """Context in which ranks may take as long as the test's limit says, unless somebody debugs them."""
    seconds, config = timeout_of(item), item.config

    def time_up() -> None:
        if not config.stash.get(DEBUGGED, "pydevd" in sys.modules):
            cluster.kernel.give_up(
                f"took longer than its limit of {seconds:g} s of real time, which ranks(…, timeout=SECONDS) or "
                "mpi_timeout in the ini file sets"
            )

    watched = time_limit(seconds, time_up)
    cluster.kernel.meanwhile = watched.look
    return watched


def _new_cluster(item: pytest.Function, size: int) -> Cluster:
    """Simulated ranks for a test, or its fixtures."""
    cluster = Cluster(size)
    cluster.made = []
    if checks_of(item):
        audit = cluster.audit = Audit(KINDS)
        cluster.buffers, cluster.races = audit.buffers, audit.races
    return cluster


def _as_outside(error: BaseException, here: Here | None) -> BaseException:
    """An exception whose class is the one that the test's module has outside, as marks name it."""
    kind = None if here is None else here.counterparts.of_outside(type(error))
    if kind is not None:
        with contextlib.suppress(TypeError):  # they differ in what they keep
            error.__class__ = kind
    return error


def _report(item: pytest.Function, when: str, routers: list[Router], outcome: PhaseOutcome, shown: Any) -> None:
    """Store the outcome of a run on ranks, and the output of each rank, for the report."""
    printed = {
        f"Captured {name} {when}": "".join(text for texts in router.by_rank.values() for text in texts)
        for name, router in zip(_STREAMS, routers, strict=True)
    }
    outcome.sections = [
        (f"Captured {name} {when}, rank {rank}", "".join(router.by_rank[rank]))
        for rank in shown
        for name, router in zip(_STREAMS, routers, strict=True)
        if rank in router.by_rank
    ]
    item.stash[REPORT] = [*item.stash.get(REPORT, ()), (when, printed, outcome)]
