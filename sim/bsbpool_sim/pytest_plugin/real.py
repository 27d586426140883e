"""Tests with `comm` under mpirun: each rank runs pytest; rank 0 controls the others and reports.

Rank 0 runs all tests; tests without `comm` run there only. For a test on ranks it sends an order to the other ranks,
which run nothing on their own; each test gets its own communicator, made with Split. The ranks agree on the outcome of
each phase, so that all of them continue in the same way. They do so in messages on a private communicator, and poll for
these with short sleeps. mpi4py is imported once it is known that a test uses `comm`; until then the output of all ranks
but the first is held back, and it is written if no test does.

`ranks` imports this file under an MPI launcher only. Ending ranks that are stuck is in `watchdog`.

One job: the hooks of one pytest plugin, which are the steps of one protocol between ranks and share its state.
"""

from __future__ import annotations

import atexit
import faulthandler
import io
import itertools
import os
import pickle
import re
import sys
import threading
import traceback
import types
import warnings
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from time import monotonic, sleep  # bound early: a test may replace them
from typing import Any

import pytest
from _pytest._code.code import TerminalRepr
from _pytest.runner import CallInfo

from bsbpool.worlds.launcher import RANKS
from bsbpool.worlds.presence import Presence, this_process

from .marks import limit, on_ranks, scope_of, size_of, timeout_of
from .pseudo_terminal import leave_terminal
from .rank_reports import (
    PhaseOutcome,
    RanksRepr,
    ReportSection,
    Warned,
    as_sent,
    count_failed_subtest,
    name_rank,
    name_warning,
    together,
)
from .watchdog import GRACE, LOOK, PATIENCE, Guard, Watchdog, wait_for_reader
from .world_calls import waits_for_all

#: Environment variables of the launchers that end all ranks when one exits with a non-zero status, and forward all of
#: its output first: those of MPICH and Open MPI. (With `Abort`, Open MPI's launcher drops output.)
ENDED_BY_EXIT = ("MPI_LOCALNRANKS", "I_MPI_HYDRA_INFO", "OMPI_COMM_WORLD_RANK", "PRTE_LAUNCHED")

#: Seconds without a sign of rank 0 after which the other ranks end, if the launcher has not ended them.
LOST = 600.0

#: Minimal time limit, in seconds, of waiting for all ranks after collection: imports may take longer than tests.
COLLECTING = 60.0

_ORDER, _REPORT, _VERDICT, _MEETING, _LATE, _SHOWN, _SHOW, _LEFT, _DONE, _WARNED = range(10)
_NAME = "bsbpool_real_ranks"


def get_scope_node(item: pytest.Item, scope: str) -> Any:
    """Return the collector (class, module, package or session) whose tests share a fixture of a scope."""
    kind: Any = {"class": pytest.Class, "module": pytest.Module, "package": pytest.Package}.get(scope, pytest.Session)
    fallback = pytest.Module if scope == "class" else pytest.Session
    return item.getparent(kind) or item.getparent(fallback)


def complete(comm: Any) -> None:
    """Let mpi4py make what it adds to a communicator, now that all ranks are there.

    The first `allreduce`, `reduce`, `scan` or `exscan` of objects duplicates the communicator, and does not release
    Python's lock meanwhile: a rank that waited in it for one that raised could not report anything.
    """
    comm.allreduce(0)


def _named(name: str) -> Callable[[Callable[[], Any]], Any]:
    """Return a function that calls its argument and is `name` in stacks: faulthandler prints no other text."""

    def call(function: Callable[[], Any]) -> Any:
        return function()

    return types.FunctionType(call.__code__.replace(co_name=name), globals())


class RealRanks:
    """The plugin on this rank, in a run of pytest on several ranks."""

    def __init__(self, config: pytest.Config):
        self.config = config
        #: whether a test that this rank collected uses `comm`.
        self.used = False
        #: whether the ranks run tests together.
        self.active = False
        #: the communicator of the current test.
        self.comm: Any = None
        self.rank = 0
        self.size = 1
        # Duplicates of the real standard streams: pytest does not capture while plugins are configured.
        self._out, self._fd = os.dup(1), os.dup(2)
        self._item: pytest.Item | None = None
        self._outcome: tuple[str, PhaseOutcome] | None = None
        self._leads = False
        self._followed = False
        #: warnings of this rank that were not sent to rank 0 yet.
        self._warnings: list[Warned] = []
        #: the test whose warnings on other ranks rank 0 has not collected yet, and its number of ranks.
        self._owing: tuple[str, int] | None = None
        #: whether this rank is in the function of a test on ranks, and the subtests of that function.
        self._calling = False
        self._subtests: list[dict[str, Any]] = []
        self._attempts = 0
        #: communicators of fixtures with a scope wider than a test, by size, with the collector whose tests share them.
        self._lasting: dict[int, tuple[Any, Any]] = {}
        #: the next test on ranks.
        self._next: pytest.Item | None = None
        self._failures: list[tuple[str, str]] = []
        self._base: Path | None = None
        self._held: tuple[Any, Any] | None = None
        self._awaited: int | None = None
        self._session: pytest.Session | None = None
        self._watchdog = Watchdog(self._fd, self._late, self._look)
        self._watchdog.status = self._of_itself
        self._guard: Guard | None = None
        #: rank 0, as other ranks see it.
        self._first = Presence()

    @classmethod
    def register(cls, config: pytest.Config) -> None:
        # A process without any of these is treated as a rank above 0.
        rank = next((os.environ[name] for name in RANKS if name in os.environ), None)
        workers = [config.getoption(name, None) for name in ("numprocesses", "tx", "distload")]
        if any(workers) or os.environ.get("PYTEST_XDIST_WORKER"):
            text = (
                "pytest-xdist can't share out tests under an MPI launcher: each rank would start workers of its own. "
                "Leave -n (and -d, --tx) out; or leave mpirun out, and tests with `comm` run on simulated ranks."
            )
            raise pytest.UsageError(*([text] if rank in ("0", None) else []))
        self = cls(config)
        config.pluginmanager.register(self, _NAME)
        if rank != "0":
            self._hold()

    # -- what a rank prints ------------------------------------------------------------------------

    def _hold(self) -> None:
        reporter: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            self._held = reporter._tw, reporter._tw._file
            reporter._tw._file = io.StringIO()

    def _give_out(self) -> None:
        if self._held is not None:
            writer, file = self._held
            file.write(writer._file.getvalue())
            writer._file, self._held = file, None

    def _silence(self) -> None:
        """Turn off reports and what is stored between runs; rank 0 does both."""
        self._held = None
        reporter: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter._tw._file = open(os.devnull, "w")  # noqa: SIM115
        for name, plugin in self.config.pluginmanager.list_name_plugin():
            if name in ("lfplugin", "nfplugin", "stepwiseplugin"):
                self.config.pluginmanager.unregister(plugin)
            elif type(plugin).__name__ == "LogXML":
                plugin.logfile = os.devnull  # type: ignore[attr-defined]

    # -- collecting --------------------------------------------------------------------------------

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._failures.append((report.nodeid, report.longreprtext))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.used = self.used or any(map(on_ranks, items))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        # A rank that has imported MPI takes part even without a test on ranks: others may have one, and wait for it.
        if not self.used and not self._failures and "mpi4py.MPI" not in sys.modules:
            self._give_out()
            return None
        self._meet(session)
        if not self.active:
            self._give_out()
            return None
        option = session.config.option
        if (session.testsfailed and not option.continue_on_collection_errors) or option.collectonly:
            return None
        if self.rank == 0:
            self._session, self._leads = session, True
            try:
                return bool(self._rest("pytest_runtestloop", session=session))
            finally:
                self._dismiss()
        try:
            self._follow(session)
        except BaseException as error:
            self._give_up(error, "between tests")
        return True

    def _start(self) -> None:
        faulthandler.dump_traceback_later(max(COLLECTING, limit(self.config)), exit=True, file=self._fd)
        from mpi4py import MPI

        faulthandler.cancel_dump_traceback_later()
        self._MPI = MPI
        self.rank, self.size = MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size
        self._threads = MPI.Query_thread() == MPI.THREAD_MULTIPLE
        self._watchdog.is_of(self.rank, self.size)
        if self.rank and self._held is None:
            self._hold()

    def _meet(self, session: pytest.Session) -> None:
        """Agree with all ranks on whether to run tests together, and check that all collected the same tests."""
        self._start()
        self._watchdog.arm(max(COLLECTING, limit(self.config)), "waiting for all ranks after collecting tests")
        self._control = self._MPI.COMM_WORLD.Dup()  # waits for all ranks
        mine = [item.nodeid for item in session.items]
        factory = getattr(self.config, "_tmp_path_factory", None)
        base = str(factory.getbasetemp()) if factory is not None and self.rank == 0 else None
        told = (self.used, mine, self._failures, base, self._warnings, this_process())
        if self.rank == 0:
            all_told = [told, *(self._receive(rank, _MEETING) for rank in range(1, self.size))]
            for rank in range(1, self.size):
                self._send(all_told, rank, _MEETING)
        else:
            self._send(told, 0, _MEETING)
            all_told = self._receive(0, _MEETING)
        self.active = any(used for used, *_ in all_told)
        if self.active:
            complete(self._MPI.COMM_WORLD)
        self._watchdog.disarm()
        if not self.active:
            return
        if self.rank:
            self._first = Presence(all_told[0][-1])
        if self.rank == 0:
            for rank, (*_, theirs, _) in enumerate(all_told):
                for warning in theirs:
                    if warning not in self._warnings:
                        warning.report(self.config, rank)
        self._items = {item.nodeid: item for item in session.items}
        self._places = {item.nodeid: place for place, item in enumerate(session.items)}
        if self.rank:
            self._silence()
        self._base = Path(all_told[0][3]) / "ranks" if all_told[0][3] else None
        if self._base is not None and self.rank:
            factory._basetemp = self._base / f"rank-{self.rank}"  # type: ignore[union-attr]
            factory._basetemp.mkdir(parents=True, exist_ok=True)  # type: ignore[union-attr]
        self._compare(session, [(tests, failures) for _, tests, failures, *_ in all_told])

    def _compare(self, session: pytest.Session, collected: list[tuple[list[str], list[tuple[str, str]]]]) -> None:
        """Report collection errors of other ranks, and tests that were not collected on all ranks."""
        failing: dict[str, list[ReportSection]] = {}
        for rank, (_, failures) in enumerate(collected):
            for nodeid, text in failures:
                failing.setdefault(nodeid, []).append(ReportSection(rank, text))
        known = {nodeid for nodeid, _ in self._failures}
        for nodeid, parts in failing.items():
            if nodeid not in known:
                self._collect_error(nodeid, parts)
        tests = [ids for ids, _ in collected]
        goes_on = not failing or session.config.option.continue_on_collection_errors
        if goes_on and any(sorted(ids) != sorted(tests[0]) for ids in tests):
            everywhere = set.intersection(*map(set, tests))
            parts = []
            for rank, ids in enumerate(tests):
                own = [nodeid for nodeid in ids if nodeid not in everywhere]
                more = f"\n  … and {len(own) - 5} more" if len(own) > 5 else ""
                named = "\n".join(f"  {nodeid}" for nodeid in own[:5]) + more if own else "  none"
                parts.append(ReportSection(rank, named))
            text = (
                "The ranks collected different tests, so that they can't run them together:\n"
                "parameters must not depend on chance, on the time, or on the rank. Tests that not all ranks have:"
            )
            self._collect_error("tests that differ between ranks", [ReportSection(None, text), *parts])
            raise session.Interrupted("the ranks collected different tests")

    def _collect_error(self, nodeid: str, parts: list[ReportSection]) -> None:
        report = pytest.CollectReport(nodeid, "failed", RanksRepr(self.size, parts), None)
        self.config.hook.pytest_collectreport(report=report)

    # -- running -----------------------------------------------------------------------------------

    def _together(self, item: pytest.Item) -> bool:
        return self.active and on_ranks(item) and (size_of(item) or self.size) <= self.size

    def _rest(self, hook: str, **arguments: Any) -> Any:
        """Call a hook's other implementations, from within this plugin's, whose wrappers run already."""
        for implementation in reversed(getattr(self.config.hook, hook).get_hookimpls()):
            wraps = implementation.wrapper or implementation.hookwrapper
            if not wraps and implementation.plugin is not self:
                result = implementation.function(*(arguments[name] for name in implementation.argnames))
                if result is not None:
                    return result
        return None

    def _dismiss(self) -> None:
        """Tell the other ranks that all tests have run, and wait until they have saved their coverage data."""
        self._take_warnings()
        for rank in range(1, self.size):
            self._send((None, None), rank, _ORDER)
        for rank in range(1, self.size):
            self._receive(rank, _DONE)

    def _keep_coverage(self) -> None:
        """Save this rank's coverage data; pytest-cov on rank 0 combines and reports it."""
        plugin: Any = self.config.pluginmanager.get_plugin("_cov")
        controller = getattr(plugin, "cov_controller", None)
        if controller is None:
            return
        if self.rank == 0:
            controller.finish()
        else:
            controller.cov.stop()
            controller.cov.save()
            plugin.options.cov_report, plugin.options.cov_fail_under = {}, None
        plugin.cov_controller = None

    def _follow(self, session: pytest.Session) -> None:
        """Carry out the orders of rank 0 until the last one."""
        while True:
            nodeid, following = self._receive(0, _ORDER)
            if nodeid is None:
                self._keep_coverage()
                self._followed = True
                self._send(None, 0, _DONE)
                return
            item = self._items[nodeid]
            self._warnings = []
            self._next = self._items[following[0]] if following else None
            if self.rank < (size_of(item) or self.size):
                upcoming = (self._items[n] for n in following)
                nextitem = next((i for i in upcoming if self.rank < (size_of(i) or self.size)), None)
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
                self._send(self._warnings, 0, _WARNED)
            else:
                self._control.Split(self._MPI.UNDEFINED, self.rank)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        if not self._together(item):
            return None
        size = size_of(item) or self.size
        if self.rank == 0:
            self._take_warnings()
            following = self._following(item)
            self._next = self._items[following[0]] if following else None
            for rank in range(1, self.size):
                self._send((item.nodeid, following), rank, _ORDER)
            self._owing = item.nodeid, size
        self._item, self._outcome, self._attempts = item, None, 0
        seconds = timeout_of(item)
        self._watchdog.arm(seconds, item.nodeid)
        try:
            self.comm = self._control.Split(0, self.rank)
            self.comm.Set_name(f"{size} ranks of a test")
            complete(self.comm)
            named = _named(f"{self._watchdog.who}: {item.nodeid}")
            # Tests are run by pytest itself, or by a plugin that repeats some. All ranks know the same about each run.
            named(lambda: self._rest("pytest_runtest_protocol", item=item, nextitem=nextitem))
            if self.comm != self._MPI.COMM_NULL:
                self.comm.Free()
        except BaseException as error:
            self._give_up(error, f"in {item.nodeid}")
        finally:
            self._item = self.comm = None
        self._watchdog.disarm()
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        with self._watchdog.lock:  # blocks for good once another thread ends the run, which alone reports then
            pass
        if self._calling:  # within a test only its subtests are reported
            name_rank(report, self.rank)
            if self.rank:
                self._subtests.append(self.config.hook.pytest_report_to_serializable(config=self.config, report=report))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self._calling, self._subtests = item is self._item, []
        try:
            return (yield)
        finally:
            self._calling = False

    @pytest.hookimpl(trylast=True)
    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: Any
    ) -> None:
        warning = Warned.of(warning_message, when, nodeid, location)
        if self.rank or not self.active:
            self._warnings.append(warning)
        elif self._owing is not None and nodeid == self._owing[0] and self._owing[1] > 1:
            name_warning(self.config, 0)

    def _take_warnings(self, wait: bool = True) -> None:
        """Report the warnings of the other ranks of the last test."""
        if self._owing is None:
            return
        (_, size), self._owing = self._owing, None
        for rank in range(1, size):
            if wait or self._control.iprobe(rank, _WARNED):
                for warning in self._receive(rank, _WARNED):
                    warning.report(self.config, rank)

    def _following(self, item: pytest.Item) -> list[str]:
        """Return the tests on ranks after this one, up to the next that all ranks run: teardown depends on them."""
        found: list[str] = []
        for other in itertools.islice(item.session.items, self._places[item.nodeid] + 1, None):
            if self._together(other):
                found.append(other.nodeid)
                if (size_of(other) or self.size) == self.size:
                    break
        return found

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if self.active and on_ranks(item) and not self._together(item):
            text = f"needs {size_of(item)} ranks, and there are {self.size}"
            raise pytest.skip.Exception(text, _use_item_location=True)
        if item is self._item:
            size = size_of(item) or self.size
            self._attempts += 1
            if self._attempts > 1:  # the last attempt may have left messages behind
                self.comm = self._of_first(size)
            if scope_of(item) != "function" and size not in self._lasting:
                # Made here, since all ranks get here, whatever their fixtures do.
                self._lasting[size] = self._of_first(size), get_scope_node(item, scope_of(item))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Tear fixtures on ranks down after the last test that can use them, while all of their ranks take part.

        pytest would end them with the last test of their scope, which may run on rank 0 alone.
        """
        size = size_of(item) or self.size if item is self._item else 0
        try:
            if size in self._lasting:
                node, following = self._lasting[size][1], self._next
                if following is None or size_of(following) != size_of(item) or node not in following.listchain():
                    item._fixtureinfo.name2fixturedefs["comm"][-1].finish(item._request)  # type: ignore[attr-defined]
        finally:
            result = yield
        return result

    def _of_first(self, size: int) -> Any:
        comm = self._control.Create_group(self._control.group.Incl(range(size)))
        comm.Set_name(f"{size} ranks of a test")
        complete(comm)
        return comm

    def lasting(self, size: int | None) -> Iterator[Any]:
        """Yield the communicator of fixtures with a scope wider than a test."""
        size = size or self.size
        yield self._lasting[size][0]
        comm, _ = self._lasting.pop(size)
        if comm != self._MPI.COMM_NULL:
            comm.Free()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if item is not self._item or self._calling:
            return report
        longrepr = report.longrepr
        if isinstance(longrepr, TerminalRepr):
            try:
                pickle.dumps(longrepr)
            except Exception:
                longrepr = report.longreprtext
        mine = PhaseOutcome(
            report.outcome, longrepr, getattr(report, "wasxfail", None), report.sections, report.duration,
            [(name, as_sent(value)) for name, value in report.user_properties], self._subtests,
            getattr(item, "_terminal_errors", {}).get(call.when, False),
        )  # fmt: skip
        self._subtests = []
        self._outcome = call.when, mine
        if self.rank:
            self._send(mine, 0, _REPORT)
            agreed = self._receive(0, _VERDICT)
        else:
            size = size_of(item) or self.size
            outcomes = [mine, *(self._receive(rank, _REPORT) for rank in range(1, size))]
            agreed = together(outcomes)
            self._report_subtests(item, outcomes)
            for rank in range(1, size):
                self._send(agreed, rank, _VERDICT)
        self._outcome = None
        if size_of(item) != 1:
            report.outcome, report.longrepr = agreed.outcome, agreed.longrepr
            report.sections, report.duration = agreed.sections, agreed.duration
            report.user_properties = agreed.properties
            if hasattr(item, "_terminal_errors"):  # whether pytest-rerunfailures may run it again
                item._terminal_errors[call.when] = agreed.final
            vars(report).pop("wasxfail", None)
            if agreed.wasxfail is not None:
                report.wasxfail = agreed.wasxfail
        return report

    def _report_subtests(self, item: pytest.Item, outcomes: list[PhaseOutcome]) -> None:
        """Report the subtests of the other ranks, and count their failures as pytest counts its own."""
        hook = self.config.hook
        for outcome in outcomes[1:]:
            for data in outcome.subtests:
                report = hook.pytest_report_from_serializable(config=self.config, data=data)
                if report.failed:
                    count_failed_subtest(item)
                item.ihook.pytest_runtest_logreport(report=report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Any:
        """Give all ranks of a test the same `tmp_path`, as simulated ranks have it."""
        mine = request.node is self._item
        if fixturedef.argname != "tmp_path" or not mine or self._base is None:
            return None
        if fixturedef.func.__module__ != "_pytest.tmpdir":
            return None
        name = re.sub(r"\W", "_", request.node.name)[:30]
        path = self._base / f"{name}-{self._places[request.node.nodeid]}"
        path.mkdir(parents=True, exist_ok=True)
        fixturedef.cached_result = (path, fixturedef.cache_key(request), None)
        return path

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, Any, Any]:
        try:
            return (yield)
        finally:
            # No rank exits before all are done: one that fails in its exit can still end the others.
            if self._leads:
                for rank in range(1, self.size):
                    self._send(int(session.exitstatus), rank, _VERDICT)
                for rank in range(1, self.size):
                    self._receive(rank, _DONE)
            elif self._followed:
                session.exitstatus = self._receive(0, _VERDICT)
                self._first.stop()  # it may leave from now on
                self._send(None, 0, _DONE)

    def pytest_unconfigure(self) -> None:
        self._give_out()
        self._watchdog.stop()
        os.close(self._out)
        os.close(self._fd)

    # -- messages of ranks to each other, and the end ----------------------------------------------

    def _receive(self, rank: int, tag: int) -> Any:
        nap = 2e-5
        self._awaited = rank
        while not self._control.iprobe(rank, tag):
            sleep(nap)
            nap = min(2 * nap, 2e-3)
        self._awaited = None
        return self._control.recv(source=rank, tag=tag)

    def _send(self, what: Any, rank: int, tag: int) -> None:
        request = self._control.isend(what, rank, tag)
        while not request.test()[0]:
            sleep(1e-4)

    def _of_itself(self) -> str:
        """Return what this rank reports beside its stack: how it ended the phase that other ranks are still in."""
        if self._outcome is None:
            if not self.active:
                return "it waits for ranks that have left pytest, or still collect tests"
            return f"it waits for rank {self._awaited}" if self._awaited is not None else self._in_world()
        when, mine = self._outcome
        text = f"it has ended the test's {when} ({mine.outcome}), and waits for the other ranks"
        return f"{text}:\n{mine.longrepr}" if mine.outcome == "failed" else text

    def _in_world(self) -> str:
        """Return that the current test seems to wait for ranks that are not in it; "" if it does not."""
        if self._item is None:
            return ""
        return waits_for_all(self._watchdog.frame(), size_of(self._item) or self.size, self._MPI)

    def _give_up(self, error: BaseException, where: str) -> None:
        """End all ranks now: one was interrupted, or left pytest in a way that the others can't follow."""
        what = f"{type(error).__name__}: {error}".removesuffix(": ")
        lines = [f"{what}, {where}: this ends all ranks"]
        if isinstance(error, Exception) and not isinstance(error, pytest.exit.Exception):
            lines += "".join(traceback.format_exception(error)).splitlines()
        self._watchdog.write(lines)
        if self.rank and self._threads and self.active:
            self._send((what, self._item.nodeid if self._item else None), 0, _LEFT)
        self._end(2, what)

    def _look(self) -> None:
        """Handle messages of other ranks about limits. The watchdog's thread calls this repeatedly, on each rank."""
        if not self.active or not self._threads:
            return
        if self.rank:
            if self._control.iprobe(0, _SHOW):
                self._watchdog.show(self._control.recv(source=0, tag=_SHOW))
            elif self._first.gone:
                sleep(GRACE)  # by then the launcher has ended this rank, if it has noticed
                self._watchdog.write(["rank 0 has ended, and the launcher has not noticed it: this ends this rank"])
                self._end(1, "rank 0 has ended")
        elif self._control.iprobe(tag=_LATE):
            self._watchdog.show(self._control.recv(tag=_LATE))
        elif self._control.iprobe(tag=_LEFT):
            what, nodeid = self._control.recv(tag=_LEFT)
            self._item = self._item or self._items.get(nodeid)
            self._end(2, what)

    def _late(self, what: str, why: str) -> None:
        """End the run because of a limit, after all ranks that are able to have printed their stacks."""
        ends = f"ends since on rank {self.rank} {what} {why}"
        if self.rank == 0:
            self._guard = Guard(1, [self._out, self._fd], self._fd)
            silent = set(range(1, self.size) if self.active and self._threads else ())
            for rank in silent:
                self._control.isend(ends, rank, _SHOW)
            until = monotonic() + (PATIENCE if silent else 1.5 * GRACE)
            while (silent or not self._threads or not self.active) and monotonic() < until:
                silent -= {rank for rank in silent if self._control.iprobe(rank, _SHOWN)}
                sleep(1e-2)
        elif self.active and self._threads:
            self._control.isend(ends, 0, _LATE)
        self._end(1, why)

    def _end(self, status: int, why: str) -> None:
        """End all ranks, after rank 0 has reported the results so far. Does not return.

        The others keep what they have to keep, say so, and leave the end to rank 0.
        """
        self._watchdog.lock.acquire()
        files = [self._out, self._fd]
        try:
            if self.rank == 0:
                self._guard = self._guard or Guard(status, files, self._fd)
                self._report_so_far(why)
            if self.active:
                self._keep_coverage()
            # Run exit handlers, which save coverage data and logs, for example.
            atexit._run_exitfuncs()
            wait_for_reader(files)
            if self.rank == 0:
                leave_terminal(self._out)
        except BaseException as error:
            self._watchdog.write(traceback.format_exception(error))
        if self.rank:
            if self.active and self._threads:
                self._control.isend(None, 0, _SHOWN)
            # Before ranks have met, there is nothing to report, and rank 0 may never come.
            until = monotonic() + (LOST if self.active else 2 * PATIENCE)
            while monotonic() < until and not self._first.gone:
                sleep(LOOK)
            if self._first.gone:
                sleep(GRACE)  # by then the launcher has ended this rank, if it has noticed
        may_call = self._threads or threading.current_thread() is threading.main_thread()
        if may_call and not any(name in os.environ for name in ENDED_BY_EXIT):
            self._MPI.COMM_WORLD.Abort(status)
        os._exit(status)

    def _report_so_far(self, why: str) -> None:
        """Report the test that ends the run as failed, and the tests before it as pytest does at its end."""
        session, item = self._session, self._item
        if session is None:
            return
        hint = self._in_world()
        self._leads, self._item = False, None
        capture: Any = self.config.pluginmanager.get_plugin("capturemanager")
        if capture is not None:
            capture.suspend_global_capture(in_=True)
        if item is not None:
            text = f"{why}: this ended the run. What its ranks had to say is on stderr, above."
            if hint:
                text += f"\nrank 0: {hint}"
            report = pytest.TestReport(item.nodeid, item.location, {}, "failed", text, "call")
            item.ihook.pytest_runtest_logreport(report=report)
        sys.stdout.flush()
        session.shouldstop = f"{item.nodeid if item else 'the run'}: {why}"
        if self._threads:
            self._take_warnings(wait=False)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self.config.hook.pytest_sessionfinish(session=session, exitstatus=session.exitstatus)
        sys.stdout.flush()
