"""Tests with `comm` under mpirun: every rank runs pytest, rank 0 leads and reports, none waits for ever.

Rank 0 goes through all tests; those without `comm` run there only. For a test on ranks it tells the others, which do
nothing of their own accord; each test gets a communicator of its own, made by Split. The ranks agree on the outcome of
each of its phases, so that all of them go the same way. What ranks say to each other about this is in private
messages, awaited in naps. mpi4py is imported when it is known that a test wants `comm`: until then this only holds
back what ranks but the first would print, and gives it out if nobody does.

Only an MPI launcher makes `ranks` import this file.
"""

from __future__ import annotations

import atexit
import faulthandler
import io
import itertools
import os
import pickle
import re
import stat
import sys
import threading
import traceback
import types
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from time import sleep  # bound early: a test may replace time.sleep
from typing import Any

import pytest
from _pytest._code.code import TerminalRepr
from _pytest.runner import CallInfo, runtestprotocol

from bsbpool.frames import from_users

from .rank_reports import Outcome, Part, RanksRepr, together
from .ranks import limit, on_ranks, size_of, timeout_of

#: Variables in which launchers give a process its rank. Whoever has none of them is treated as any rank but the first.
RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "MV2_COMM_WORLD_RANK", "PALS_RANKID", "ALPS_APP_PE",
         "SLURM_PROCID")  # fmt: skip

#: Seconds that the ranks give each other to show their stacks before the run ends.
GRACE = 1.0

#: Most seconds that rank 0 then takes to report what came of the tests until then.
REPORTING = 10.0

#: Least seconds that ranks wait for each other after collecting: imports may take longer than tests.
COLLECTING = 60.0

_ORDER, _REPORT, _VERDICT, _MEETING = range(4)
_NAME = "bsbpool_real_ranks"


class Watchdog:
    """Ends the run, after each rank has shown its stacks, if a test takes longer than its limit.

    A thread does it. Where that can't run (a rank waits in C code that holds Python's lock), faulthandler's own
    thread shows the stack a little later, where a line names the rank; on rank 0 it ends the run, last of all.
    """

    def __init__(self, rank: int, size: int, fd: int, abort: Callable[[int, str], None]):
        self.who = f"rank {rank} of {size}"
        self.rank = rank
        self._fd = fd
        self._abort = abort
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._main = threading.get_ident()
        #: what this rank has to say of itself when the time is over.
        self.status: Callable[[], str] = str

    def arm(self, seconds: float, what: str) -> None:
        first = self.rank == 0
        faulthandler.dump_traceback_later(seconds + (GRACE if first else GRACE / 2), exit=first, file=self._fd)
        self._timer = threading.Timer(seconds, self._late, (seconds, what))
        self._timer.daemon = True
        self._timer.start()

    def disarm(self) -> None:
        with self._lock:
            assert self._timer is not None
            self._timer.cancel()
            self._timer = None
            faulthandler.cancel_dump_traceback_later()

    def _late(self, seconds: float, what: str) -> None:
        with self._lock:
            if self._timer is None:
                return
            patience = 1.5 * GRACE if self.rank == 0 else 3 * GRACE + REPORTING
            # C code may take Python's lock only now, and this thread not get on.
            faulthandler.dump_traceback_later(patience + 2 * GRACE + REPORTING, exit=True, file=self._fd)
            late = f"took longer than its limit of {seconds:g} s"
            self.write([f"{what} {late}", *self._stacks(), *self.status().splitlines()])
            # The lock stays held: there is no way back. Rank 0 is to end the run, and to report before that.
            sleep(patience)
            self._abort(1, late)

    def write(self, lines: list[str]) -> None:
        """Write lines past all capturing, each under this rank's number, at once."""
        text = "".join(f"[{self.who}] {line}".rstrip() + "\n" for line in lines)
        os.write(self._fd, text.encode(errors="replace"))

    def _stacks(self) -> list[str]:
        lines = []
        for thread, frame in sys._current_frames().items():
            if thread == threading.get_ident():
                continue
            stack = from_users(frame)
            if not stack:
                continue
            lines.append("its stack:" if thread == self._main else "another thread's:")
            lines += "".join(traceback.StackSummary.extract((f, f.f_lineno) for f in stack).format()).splitlines()
        return lines


def _named(name: str) -> Callable[[Callable[[], Any]], Any]:
    """Something that calls a function, and whose own name in a stack is `name`: faulthandler shows nothing else."""

    def call(function: Callable[[], Any]) -> Any:
        return function()

    return types.FunctionType(call.__code__.replace(co_name=name), globals())


def wait_for_reader(files: Iterable[int]) -> None:
    """Wait until all that was written to these pipes was read; other kinds of files are left alone.

    A launcher gives out what it has read, in order; what it has not when a rank ends all of them, it may drop. One that
    reads no more is not waited for: by then `RealRanks._abort` has set a time for the end of this process.
    """
    for file in files:
        if stat.S_ISFIFO(os.fstat(file).st_mode):
            import fcntl  # Windows has neither
            import termios

            while int.from_bytes(fcntl.ioctl(file, termios.FIONREAD, bytes(4)), sys.byteorder):
                sleep(1e-3)


class RealRanks:
    """This rank's part of a run of pytest on several ranks."""

    def __init__(self, config: pytest.Config):
        self.config = config
        #: whether a test of this rank asks for `comm`.
        self.used = False
        #: whether the ranks run tests together.
        self.active = False
        #: the communicator of the test that runs now.
        self.comm: Any = None
        self.rank = 0
        self.size = 1
        # Capturing is off while plugins are configured: these are the real ones.
        self._out, self._fd = os.dup(1), os.dup(2)
        self._item: pytest.Item | None = None
        self._outcome: tuple[str, Outcome] | None = None
        self._leads = False
        self._status: int | None = None
        self._failures: list[tuple[str, str]] = []
        self._base: Path | None = None
        self._held: tuple[Any, Any] | None = None
        self._awaited: int | None = None
        self._session: pytest.Session | None = None

    @classmethod
    def register(cls, config: pytest.Config) -> None:
        rank = next((os.environ[name] for name in RANKS if name in os.environ), None)
        workers = [config.getoption(name, None) for name in ("numprocesses", "tx", "distload")]
        if any(workers) or os.environ.get("PYTEST_XDIST_WORKER"):
            text = (
                "pytest-xdist can't share out tests under an MPI launcher: each rank would start workers of its own. "
                "Leave -n (and -d, --tx) out; or leave mpirun out, and tests with `comm` run on simulated ranks."
            )
            raise pytest.UsageError(*([text] if rank in ("0", None) else []))
        limit(config)
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
        """Rank 0 alone reports and keeps what is kept between runs."""
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
        # Whoever has imported MPI comes too, though it has no test on ranks: others may have some, and wait for it.
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
        self._leads = self.rank == 0
        if self._leads:
            self._session = session
            return None
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
        self._watchdog = Watchdog(self.rank, self.size, self._fd, self._abort)
        self._watchdog.status = self._of_itself
        if self.rank and self._held is None:
            self._hold()

    def _meet(self, session: pytest.Session) -> None:
        """Find out, all ranks together, whether they run tests together, and whether they have the same."""
        self._start()
        self._watchdog.arm(max(COLLECTING, limit(self.config)), "waiting for all ranks after collecting tests")
        self._control = self._MPI.COMM_WORLD.Dup()  # waits for all ranks
        mine = [item.nodeid for item in session.items]
        factory = getattr(self.config, "_tmp_path_factory", None)
        base = str(factory.getbasetemp()) if factory is not None and self.rank == 0 else None
        told = (self.used, mine, self._failures, base)
        if self.rank == 0:
            all_told = [told, *(self._receive(rank, _MEETING) for rank in range(1, self.size))]
            for rank in range(1, self.size):
                self._send(all_told, rank, _MEETING)
        else:
            self._send(told, 0, _MEETING)
            all_told = self._receive(0, _MEETING)
        self._watchdog.disarm()
        if not any(used for used, *_ in all_told):
            return
        self.active = True
        self._items = {item.nodeid: item for item in session.items}
        self._places = {item.nodeid: place for place, item in enumerate(session.items)}
        if self.rank:
            self._silence()
        self._base = Path(all_told[0][3]) / "ranks" if all_told[0][3] else None
        if self._base is not None and self.rank:
            factory._basetemp = self._base / f"rank-{self.rank}"  # type: ignore[union-attr]
            factory._basetemp.mkdir(parents=True, exist_ok=True)  # type: ignore[union-attr]
        self._compare(session, [(tests, failures) for _, tests, failures, _ in all_told])

    def _compare(self, session: pytest.Session, collected: list[tuple[list[str], list[tuple[str, str]]]]) -> None:
        """Report what other ranks could not collect, and tests that not all ranks have; put tests in one order."""
        failing: dict[str, list[Part]] = {}
        for rank, (_, failures) in enumerate(collected):
            for nodeid, text in failures:
                failing.setdefault(nodeid, []).append(Part(rank, text))
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
                parts.append(Part(rank, "\n".join(f"  {nodeid}" for nodeid in own[:5]) + more if own else "  none"))
            text = (
                "The ranks collected different tests, so that they can't run them together:\n"
                "parameters must not depend on chance, on the time, or on the rank. Tests that not all ranks have:"
            )
            self._collect_error("tests that differ between ranks", [Part(None, text), *parts])
            raise session.Interrupted("the ranks collected different tests")

    def _collect_error(self, nodeid: str, parts: list[Part]) -> None:
        report = pytest.CollectReport(nodeid, "failed", RanksRepr(self.size, parts), None)
        self.config.hook.pytest_collectreport(report=report)

    # -- running -----------------------------------------------------------------------------------

    def _together(self, item: pytest.Item) -> bool:
        return self.active and on_ranks(item) and (size_of(item) or self.size) <= self.size

    def _follow(self, session: pytest.Session) -> None:
        """Do what rank 0 says until it says that this is the end."""
        while True:
            nodeid, following = self._receive(0, _ORDER)
            if nodeid is None:
                self._status = following
                return
            item = self._items[nodeid]
            if self.rank < (size_of(item) or self.size):
                upcoming = (self._items[n] for n in following)
                nextitem = next((i for i in upcoming if self.rank < (size_of(i) or self.size)), None)
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            else:
                self._control.Split(self._MPI.UNDEFINED, self.rank)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        if not self._together(item):
            return None
        if self.rank == 0:
            for rank in range(1, self.size):
                self._send((item.nodeid, self._following(item)), rank, _ORDER)
        size = size_of(item) or self.size
        self._item, self._outcome = item, None
        seconds = timeout_of(item)
        self._watchdog.arm(seconds, item.nodeid)
        try:
            self.comm = self._control.Split(0, self.rank)
            self.comm.Set_name(f"{size} ranks of a test")
            named = _named(f"{self._watchdog.who}: {item.nodeid}")
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            named(lambda: runtestprotocol(item, nextitem=nextitem))
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            if self.comm != self._MPI.COMM_NULL:
                self.comm.Free()
        except BaseException as error:
            self._give_up(error, f"in {item.nodeid}")
        finally:
            self._item = self.comm = None
        self._watchdog.disarm()
        return True

    def _following(self, item: pytest.Item) -> list[str]:
        """The tests on ranks after this one, up to the next that all ranks run: for tearing down what they share."""
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

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if item is not self._item:
            return report
        longrepr = report.longrepr
        if isinstance(longrepr, TerminalRepr):
            try:
                pickle.dumps(longrepr)
            except Exception:
                longrepr = report.longreprtext
        mine = Outcome(report.outcome, longrepr, getattr(report, "wasxfail", None), report.sections)
        self._outcome = call.when, mine
        if self.rank:
            self._send(mine, 0, _REPORT)
            agreed = self._receive(0, _VERDICT)
        else:
            size = size_of(item) or self.size
            agreed = together([mine, *(self._receive(rank, _REPORT) for rank in range(1, size))])
            for rank in range(1, size):
                self._send(agreed, rank, _VERDICT)
        self._outcome = None
        if agreed is not mine:
            report.outcome, report.longrepr = agreed.outcome, agreed.longrepr
            report.sections = agreed.sections or report.sections
            vars(report).pop("wasxfail", None)
            if agreed.wasxfail is not None:
                report.wasxfail = agreed.wasxfail
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Any:
        """`tmp_path` of a test on ranks is one folder for all of them, as on simulated ranks."""
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
            if self._leads:
                for rank in range(1, self.size):
                    self._send((None, int(session.exitstatus)), rank, _ORDER)
            elif self._status is not None:
                session.exitstatus = self._status

    def pytest_unconfigure(self) -> None:
        self._give_out()
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
        """What this rank has to say besides its stack: how it ended what the others are still in."""
        if self._outcome is None:
            if not self.active:
                return "it waits for ranks that have left pytest, or still collect tests"
            return f"it waits for rank {self._awaited}" if self._awaited is not None else ""
        when, mine = self._outcome
        text = f"it has ended the test's {when} ({mine.outcome}), and waits for the other ranks"
        return f"{text}:\n{mine.longrepr}" if mine.outcome == "failed" else text

    def _give_up(self, error: BaseException, where: str) -> None:
        """End all ranks at once: one was interrupted, or left pytest in a way that the others can't follow."""
        what = f"{type(error).__name__}: {error}".removesuffix(": ")
        lines = [f"{what}, {where}: this ends all ranks"]
        if isinstance(error, Exception) and not isinstance(error, pytest.exit.Exception):
            lines += "".join(traceback.format_exception(error)).splitlines()
        self._watchdog.write(lines)
        self._abort(2, what)

    def _abort(self, status: int, why: str) -> None:
        """End all ranks, after rank 0 has reported what came of the tests until then.

        MPI is asked to end them; where it can't answer, the launcher notices that this rank is gone.
        """
        late = threading.Timer(GRACE + REPORTING, os._exit, (status,))
        late.daemon = True
        late.start()
        try:
            self._report_so_far(why)
            # What else is kept until a process ends, such as measurements and logs.
            atexit._run_exitfuncs()
            wait_for_reader([self._out, self._fd])
        except BaseException as error:
            self._watchdog.write(traceback.format_exception(error))
        main = threading.current_thread() is threading.main_thread()
        if main or self._MPI.Query_thread() == self._MPI.THREAD_MULTIPLE:
            self._MPI.COMM_WORLD.Abort(status)
        os._exit(status)

    def _report_so_far(self, why: str) -> None:
        """Report the test that ends the run as failed, and the tests before it as pytest does at its end."""
        session, item = self._session, self._item
        if session is None:
            return
        self._leads, self._item = False, None
        capture: Any = self.config.pluginmanager.get_plugin("capturemanager")
        if capture is not None:
            capture.suspend_global_capture(in_=True)
        if item is not None:
            text = f"{why}: this ended the run. What its ranks had to say is on stderr, above."
            report = pytest.TestReport(item.nodeid, item.location, {}, "failed", text, "call")
            item.ihook.pytest_runtest_logreport(report=report)
        session.shouldstop = f"{item.nodeid if item else 'the run'}: {why}"
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self.config.hook.pytest_sessionfinish(session=session, exitstatus=session.exitstatus)
        sys.stdout.flush()
