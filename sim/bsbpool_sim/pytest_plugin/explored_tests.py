"""``pytest --explore``: runs passing tests on simulated ranks, and scenarios, in all orders of their messages.

How orders are searched belongs in `bsbpool_sim.exploring`; this file makes programs of tests, and reports their
findings. It is loaded when the option is given.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from bsbpool.trace.events import Event

from ..checks.audit import KINDS, Audit
from ..choices import Strategy
from ..cluster import Cluster
from ..default_strategies import InOrder
from ..errors import AbortError, DeadlockError, HorizonError, RankErrors
from ..exploring.exploration import CHECKS, MAX_EVENTS, Exploration, ExplorationError, explore_runs
from ..exploring.kept import lines_of
from ..exploring.overtime import Overtime
from ..exploring.pools import Watch
from ..exploring.schedules import Schedule, told_plainly
from ..places import raised_by
from ..simulation import run_on
from ..tape import Tape
from .marks import Budget, checks_of
from .rank_output import Router
from .rank_settings import settings_of_ranks

if TYPE_CHECKING:
    from ..exploring.findings import Finding
    from ..scenario.running import Scenario

#: What a test may print while it is explored, which nobody reads.
_WHAT = "explored"


class AtFirst:
    """The `tmp_path`, `recwarn`, `caplog` and `monkeypatch` of a test, as the test finds them at first.

    :param folder: the folder; None: the test has none.
    :param recorded: the lists of warnings and log records that were recorded.
    :param patches: the `monkeypatch`, if the test or one of its fixtures has it.
    """

    def __init__(
        self, folder: Path | None, recorded: Iterable[list[Any]] = (), patches: Iterable[pytest.MonkeyPatch] = ()
    ):
        self._folder = folder
        self._patches = [(each, len(each._setattr), len(each._setitem)) for each in patches]
        #: a copy of the folder; None: it was empty.
        self._copy: Path | None = None
        self._recorded = [(each, [*each]) for each in recorded]
        if folder is not None and any(folder.iterdir()):
            self._copy = folder.with_name(f"{folder.name}-at-first")
            shutil.rmtree(self._copy, ignore_errors=True)
            shutil.copytree(folder, self._copy, symlinks=True)

    def restore(self) -> None:
        """Make them what they were. The folder itself stays: it may be the working directory."""
        for now, before in self._recorded:
            now[:] = before
        for patch, attributes, items in self._patches:
            later = pytest.MonkeyPatch()
            later._setattr, later._setitem = patch._setattr[attributes:], patch._setitem[items:]
            del patch._setattr[attributes:], patch._setitem[items:]
            later.undo()
            vars(patch).get("_of_ranks", []).clear()  # each schedule has other ranks
        if self._folder is None:
            return
        for each in self._folder.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each, ignore_errors=True)
            else:
                each.unlink()
        if self._copy is not None:
            shutil.copytree(self._copy, self._folder, symlinks=True, dirs_exist_ok=True)


def at_first(item: pytest.Function) -> AtFirst:
    """Return what a test finds that is about to run: its `tmp_path`, if that is pytest's, and others of pytest's."""
    found = item._fixtureinfo.name2fixturedefs.get("tmp_path", ())
    own = bool(found) and found[-1].func.__module__ == "_pytest.tmpdir"
    folder: Any = item.funcargs.get("tmp_path") if own else None
    values = item.funcargs.values()
    warned = [each.list for each in values if isinstance(each, pytest.WarningsRecorder)]
    logged = [each.records for each in values if isinstance(each, pytest.LogCaptureFixture)]
    return AtFirst(folder, [*warned, *logged], [each for each in values if isinstance(each, pytest.MonkeyPatch)])


class TestRunner:
    """Runs a test once for each schedule.

    :param program: what each rank runs; it keeps what pytest's own exceptions say of the outcome.
    :param on: lets the ranks of a cluster have their modules.
    :param found: what each schedule finds as the test found it.
    """

    __test__ = False

    def __init__(
        self, item: pytest.Function, size: int, program: Callable[[dict[int, BaseException]], Callable[[Any], None]],
        on: Callable[[Cluster], contextlib.AbstractContextManager[Any]], found: AtFirst,
    ):  # fmt: skip
        self._item, self._size, self._program, self._on, self._found = item, size, program, on, found
        self.watch = Watch()
        self.overtime = Overtime()
        #: the violations that count.
        self.checks = KINDS if checks_of(item) else ()

    def __call__(
        self, strategy: Strategy, tape: Tape | None, *, late: bool, eager_limit: int | None = None
    ) -> Schedule:
        """Run it once."""
        self.watch.begin()
        self._found.restore()
        cluster = Cluster(
            self._size, policy=strategy, tape=Tape() if tape is None else tape, late_matching=late,
            max_events=MAX_EVENTS,
        )  # fmt: skip
        cluster.made, cluster.eager_limit = [], eager_limit
        audit = None
        if self.checks:
            audit = cluster.audit = Audit(self.checks)
            cluster.races = audit.races
        self.overtime.begins(cluster)
        install = getattr(strategy, "install", None)
        if install is not None:
            install(cluster)
        raised: dict[int, BaseException] = {}
        quiet: Any = [Router() for _ in range(2)]
        with (
            self._on(cluster),
            contextlib.redirect_stdout(quiet[0]),
            contextlib.redirect_stderr(quiet[1]),
            settings_of_ranks(self._item.config, cluster),
        ):
            schedule = _run(cluster, self._program(raised))
        schedule.raised.update(raised)
        if audit is not None and schedule.stopped is None and not schedule.raised:
            schedule.simulation.violations = audit.violations()
        return schedule.look_at(cluster, self.watch)

    def told(self, event: Event) -> str:
        """An event of a job pool, whose jobs are known by their numbers."""
        return told_plainly(event)


def _run(cluster: Cluster, program: Callable[[Any], None]) -> Schedule:
    try:
        return Schedule(run_on(cluster, program), None, {}, {}, {})
    except RankErrors as errors:
        calls = {rank: raised_by(error) for rank, error in errors.by_rank.items()}
        return Schedule(errors.simulation, errors, dict(errors.by_rank), calls, {}, errors.stuck)
    except (DeadlockError, HorizonError, AbortError) as error:
        return Schedule(error.simulation, error, {}, {}, {})


def explore_test(item: pytest.Function, run: TestRunner, budget: Budget) -> None:
    """Explore a test that has passed, and fail with what is found."""
    checks = CHECKS if run.checks else ()
    with _refusing():
        exploration = explore_runs(run, seconds=budget.seconds or 60.0, schedules=budget.schedules, checks=checks)
    found = [each for each in exploration.findings if each.kind != "leaked-handle"]  # of these, tests are warned

    def again(finding: Finding) -> str:
        special = finding.eager_limit is not None or finding.unusual is not None  # which no tape says
        return shlex.join(["pytest", item.nodeid, "--explore" if special else f"--explore-tape={finding.tape}"])

    _conclude(item, exploration, found, again)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Context in which it fails a test that it can't be explored."""
    try:
        yield
    except ExplorationError as error:
        pytest.fail(
            f"can't be explored: {error}\nParameters, fixtures without `comm` and variables of modules are the same in "
            "each schedule: a test must not change them",
            pytrace=False,
        )


def run_test_tape(item: pytest.Function, run: TestRunner, tape: str) -> None:
    """Run one schedule of a test, and fail with what is wrong with it."""
    from ..exploring.findings import faults_of

    first = _Look()
    run(first, Tape(), late=True)
    schedule = run(InOrder(), Tape.parse(tape), late=not first.cluster.pools)
    for error in schedule.raised.values():
        raise error
    if schedule.stopped is not None:
        raise schedule.stopped
    for fault in faults_of(schedule):
        pytest.fail(f"{fault.file}:{fault.line}: {fault.kind}: {fault.message}", pytrace=False)


class _Look(InOrder):
    """Looks whether there are job pools: without late matching, then."""

    def install(self, cluster: Cluster) -> None:
        self.cluster = cluster


def explore_scenario_item(item: pytest.Item, scenario: Scenario, budget: Budget) -> None:
    """Explore a scenario that came out as expected, and fail with what is found."""
    from ..exploring.kept import scenario_again
    from ..exploring.scenarios import explore_scenario

    with _refusing():
        exploration = explore_scenario(scenario, seconds=budget.seconds, schedules=budget.schedules)

    def again(finding: Finding) -> str:
        return scenario_again(finding, scenario.path, scenario.seeds[0], scenario.model.explore.faults)

    _conclude(item, exploration, exploration.findings, again)


def _conclude(
    item: pytest.Item, exploration: Exploration, found: list[Finding], again: Callable[[Finding], str]
) -> None:
    item.add_report_section("call", "explore", str(exploration))
    item.user_properties.append((_WHAT, str(exploration)))
    if exploration.interrupted:
        raise KeyboardInterrupt
    if found:
        _fail(found, exploration, again)


def _fail(found: list[Finding], exploration: Exploration, again: Callable[[Finding], str]) -> NoReturn:
    lines = [f"{' ' * indent}{text}" for each in found for indent, text in lines_of(each, again)]
    first = re.sub(r"\s+", " ", f"{found[0].kind}: {found[0].message}")
    here = os.path.join(os.getcwd(), "")
    lines = [line.replace(here, "") for line in lines]
    pytest.fail("\n".join([f"in another order: {first}", "", *lines, str(exploration)]), pytrace=False)
