"""`explore`: runs the schedules of a program within a budget, and returns the findings.

It combines the parts: `exhaustive` and `strategies` choose schedules, and `findings` examines them.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from bsbpool.values import shown
from bsbpool.worlds.local import ThreadedWorld

from ..checks import buffer_races, window_races
from ..checks.audit import BUFFERING, KINDS
from ..cluster import Cluster, RunScript
from ..default_strategies import InOrder
from ..errors import CannotSimulateError, DeadlockError, OverlongError, SimulationError
from ..garbage import deliberate_collection
from ..python.chance import global_generators
from ..substitutes import substitutes
from ..tape import Tape
from .alike import AlikeRanks, NotAlikeError, ranks_alike, see_that_alike
from .early_reads import EarlyReads
from .estimate import schedules_left
from .exhaustive import Exhaustive, NotRepeatedError, Redundant
from .explaining import explain_findings
from .findings import Finding, FoundFault, Unusual, faults_of, of_violations, unbuffered
from .instants import Instants
from .not_tried import EARLY_READS, FEWER_CHOICES, TOO_LATE, limits_of
from .processes import can_fork
from .repeated import Files, difference_of_runs, not_repeated
from .result import Exploration as Exploration
from .same_results import SameResults
from .sampling import Found, Order, Sampling
from .schedules import Function, Runner, Schedule
from .strategies import STRATEGIES
from .unusual_runs import LateReceives, OtherNumbers

#: Events after which a single schedule is given up, unless it is told otherwise: a program that is explored is small.
MAX_EVENTS = 1_000_000

#: What is looked for besides deadlocks, failures, and calls that raise.
CHECKS = (*KINDS, BUFFERING)

#: How long is looked for early reads at the most, from the beginning on, in budgets.
_FOR_READS = 1.25
#: Schedules that are run without buffers at the most.
WITHOUT_BUFFERS = 10

_SECOND_NS = 1_000_000_000


class ExplorationError(SimulationError):
    """A program can't be explored: it is not deterministic for equal choices, or does not end."""


def explore(
    program: Callable[[Any], Any],
    ranks: int,
    *,
    strategy: str = "auto",
    seconds: float | None = 60.0,
    schedules: int | None = None,
    same: Callable[[list[Any]], Any] | None = None,
    checks: Sequence[str] = CHECKS,
    faults: int = 0,
    hosts: int = 1,
    seed: int = 0,
    script: RunScript | None = None,
    late_matching: bool | None = None,
    max_events: int = MAX_EVENTS,
    jobs: int = 1,
    buffering: bool = False,
    alike: Collection[int] = (),
    progress: Callable[[Exploration], None] | None = None,
) -> Exploration:
    """Run ``program(comm)`` on simulated ranks in every order of messages that MPI allows, or in a sample of them.

    The program runs many times in this process: it must not change anything that its next run depends on. The
    documentation's page on exploring describes which orders are tried.

    :param program: the function that each rank runs.
    :param ranks: how many ranks there are.
    :param strategy: ``"exhaustive"``: each schedule once; ``"walk"``, ``"pos"``, ``"pct"``: draw schedules by that
        strategy; ``"portfolio"``: by these three in turn; ``"auto"``: exhaustive for half of the budget, and if that
        does not end, the portfolio for the rest.
    :param seconds: the budget in seconds of real time; None: no limit.
    :param schedules: the budget in schedules; None: no limit.
    :param same: called with the list of results of a schedule; returns a value that must be equal in every order.
    :param checks: which violations of MPI's rules are findings: ``"unreceived-message"``, ``"unfinished-request"``,
        ``"leaked-handle"``, ``"type-mismatch"``, ``"buffer-race"``, ``"rma-race"``, and ``"buffering"``, for which
        schedules are run again without buffers; by default all of these.
    :param faults: how many faults a schedule may have: a rank dies before it sends a message, or with a pool also
        after; a job of a pool raises, or takes an hour longer. The place of each fault is a choice.
    :param hosts: on how many simulated hosts the ranks are, in blocks.
    :param seed: the seed of all random numbers, those of the program and those of the strategies.
    :param script: a `Script` of faults of ranks and links; faults that may happen are choices too.
    :param late_matching: match receives from any rank when nothing else can run, so that each message that could match
        is tried; False: only orders of events of one instant. None: True, except for programs with job pools.
    :param max_events: events after which a schedule is given up.
    :param jobs: how many processes draw schedules. With a budget in schedules, the findings do not depend on it. The
        exhaustive strategy uses one process.
    :param buffering: also run all schedules without buffers, within the budget, instead of only ten of them.
    :param alike: ranks that do the same: which of them comes first is not tried as long as nothing distinguishes them.
    :param progress: called after each schedule with the result so far.
    :returns: the result; Ctrl-C ends the exploration, and the result so far is returned.
    :raises ExplorationError: the program behaves differently with the same choices, or never ends; or ranks in `alike`
        do not do the same.
    :raises CannotSimulateError: the program does something that can't be simulated.
    :raises TypeError: `program` is not callable.
    :raises ValueError: an argument is out of range.

    >>> from bsbpool_sim import explore
    >>> def program(comm):
    ...     if comm.rank:
    ...         return comm.send(comm.rank, 0)
    ...     first, second = comm.recv(), comm.recv()
    ...     assert first < second, "they came the other way"
    >>> exploration = explore(program, ranks=3)
    >>> print(exploration)
    complete: 2 schedules; 1 finding
    >>> finding = exploration.findings[0]
    >>> finding.kind, finding.message, str(finding.tape)
    ('failure', 'rank 0 raised AssertionError: they came the other way', 'v1:0.1')
    """
    if not callable(program):
        raise TypeError(f"program must be a function of a communicator, not {shown(program)}")
    options = {"seed": seed, "max_events": max_events, "checks": of_one_run(checks), "faults": faults, "hosts": hosts}
    run = Function(program, ranks, script, options)
    with deliberate_collection(), substitutes(), global_generators(seed):  # once for all schedules
        return explore_runs(
            run, strategy=strategy, seconds=seconds, schedules=schedules, same=same, seed=seed,
            late=late_matching, may_fail=script is not None or faults > 0, checks=checks, progress=progress, jobs=jobs,
            buffering=buffering, alike=ranks_alike(alike, ranks),
        )  # fmt: skip


def of_one_run(checks: Sequence[str]) -> tuple[str, ...]:
    """Return the checks that one run makes, of those given."""
    return tuple(each for each in checks if each in KINDS)


def explore_runs(
    run: Runner, *, strategy: str = "auto", seconds: float | None = None, schedules: int | None = None,
    same: Callable[[list[Any]], Any] | None = None, seed: int = 0, late: bool | None = None, may_fail: bool = False,
    checks: Sequence[str] = CHECKS, progress: Callable[[Exploration], None] | None = None, timed: bool = False,
    alike: Collection[int] = (), jobs: int = 1, begin: int = 0, buffering: bool = False,
    quick: bool = False, compare: bool = True,
) -> Exploration:  # fmt: skip
    """Like `explore`, for any runner of a program.

    :param may_fail: whether ranks and links may.
    :param timed: whether virtual time is meant as it is: other times are no other schedules.
    :param alike: ranks that do the same until others hear of them.
    :param begin: the number of the first schedule that is drawn.
    :param quick: stop at the first finding, and leave it as it is.
    :param compare: whether findings are compared with runs that pass, and with what happens in time.
    """
    known = ("auto", "exhaustive", *STRATEGIES)
    if strategy not in known:
        raise ValueError(f"strategy={strategy!r}: it must be one of {', '.join(known)}")
    if schedules is not None and schedules < 1:
        raise ValueError(f"schedules={schedules!r}: it must be 1 or more, or None for no limit")
    if seconds is not None and not seconds > 0:
        raise ValueError(f"seconds={seconds!r}: it must be more than 0, or None for no limit")
    if jobs < 1:
        raise ValueError(f"jobs={jobs!r}: it must be 1 or more")
    if alike and may_fail and not timed:
        raise ValueError(f"alike={[*alike]}: ranks are not alike where faults may strike some of them")
    if unknown := [each for each in checks if each not in CHECKS]:
        raise ValueError(f"checks={[*checks]!r}: there is no check {unknown[0]!r}, but {', '.join(CHECKS)}")
    exploring = _Exploring(run, strategy, seconds, schedules, same, seed, late, may_fail, progress)
    exploring.timed, exploring.alike = timed, alike
    exploring.jobs, exploring.begin, exploring.buffering = jobs if can_fork() else 1, begin, buffering
    exploring.quick = quick
    with run.watch.watching():
        try:
            with run.overtime.within(seconds, _FOR_READS):
                exploring.go()
                if {buffer_races.KIND, window_races.KIND} & {*checks} and not may_fail and not timed:
                    exploring.early_reads()
                exploring.reordered()
                if BUFFERING in checks and not may_fail:
                    exploring.without_buffers()
            if exploring.result.findings and not quick:
                with run.overtime.within(seconds):
                    exploring.shrink(compare)
        except KeyboardInterrupt:
            exploring.result.interrupted = True
        except OverlongError as error:
            exploring.give_up(str(error))
    exploring.end()
    return exploring.result


class _First(InOrder):
    """The strategy of the first run, which also looks whether it has job pools."""

    def install(self, cluster: Cluster) -> None:
        self.cluster = cluster


class _Exploring:
    """The state of an exploration."""

    def __init__(
        self, run: Runner, strategy: str, seconds: float | None, schedules: int | None,
        same: Callable[[list[Any]], Any] | None, seed: int, late: bool | None, may_fail: bool,
        progress: Callable[[Exploration], None] | None,
    ):  # fmt: skip
        self.result = Exploration()
        self._run = run
        self._strategy = strategy
        self._schedules = schedules
        self._results = None if same is None else SameResults(same)
        self._seed = seed
        self._late = late is not False
        self._decide_late = late is None
        self._may_fail = may_fail
        #: whether virtual time is meant as it is; and the ranks that do the same until others hear of them.
        self.timed = False
        self.alike: Collection[int] = ()
        #: processes that draw schedules, the number of the first of these, and whether all are run without buffers.
        self.jobs, self.begin, self.buffering = 1, 0, False
        self.quick = False
        self._progress = progress
        self._began = ThreadedWorld.now()
        self._seconds = seconds
        self._reduced = not may_fail
        self._files: Files | None = None
        #: whether ranks send in ready mode.
        self._ready_sends = False
        #: whether they let MPI reorder the ranks of a grid or graph.
        self._reordered = False
        self._given_up = False

    # -- the whole ---------------------------------------------------------------------------------

    def go(self) -> None:
        first = self._look_first()
        if not self._late or self._strategy not in ("auto", "exhaustive"):
            self._take(first)
        if self._strategy in ("auto", "exhaustive"):
            if self._exhaust(first, 1.0 if self._strategy == "exhaustive" else 0.5):
                return
        else:
            self._see_it_repeated(first, self._run(_First(), Tape(), late=self._late))
        if self._strategy != "exhaustive":
            length = len(first.simulation.tape)
            self._sample("portfolio" if self._strategy == "auto" else self._strategy, length)

    def shrink(self, compare: bool) -> None:
        """Make findings small, and say what they depend on, within the time of the budget once more."""
        found = self.result.findings
        if not explain_findings(found, self._run, self._findings_of, compare=compare, seconds=self._seconds):
            self.result.limits = (*self.result.limits, FEWER_CHOICES)

    def end(self) -> None:
        if self._given_up:
            self.result.limits, self.result.complete = (*self.result.limits, TOO_LATE), False
        self.result.elapsed = (ThreadedWorld.now() - self._began) / _SECOND_NS

    def give_up(self, where: str) -> None:
        """Note that a schedule was given up, and where its ranks were.

        :raises ExplorationError: no schedule had come to its end.
        """
        if not self.result.schedules:
            raise ExplorationError(f"{where}\nLet the program end, or give exploring more time")
        self.result.limits, self.result.complete = (*self.result.limits, f"the rest, since {where}"), False

    def _spent(self, share: float = 1.0, counted: bool = True) -> bool:
        if self.quick and self.result.findings:
            return True
        if counted and self._schedules is not None and self.result.schedules >= max(1, share * self._schedules):
            return True
        return self._seconds is not None and ThreadedWorld.now() - self._began >= share * self._seconds * _SECOND_NS

    # -- the first schedule ------------------------------------------------------------------------

    def _look_first(self) -> Schedule:
        """Run what happens by default, and see whether it has job pools: what is run next has to be the same."""
        first = _First()
        self._files = None if self.timed else Files()
        schedule = self._run(first, Tape(), late=self._late)
        self._refuse(schedule)
        self._ready_sends = first.cluster.has_ready_sends
        self._reordered = first.cluster.has_reordered_ranks
        if self._late and self._decide_late and first.cluster.pools:
            self._late = False
            if self.alike and not self.timed:
                raise ExplorationError("ranks can't be named as alike in a program with job pools: those are timed")
            schedule = self._run(_First(), Tape(), late=False)
        return schedule

    def _see_it_repeated(self, first: Schedule, again: Schedule) -> None:
        if (differs := difference_of_runs(first, again, self._late)) is not None:
            after = self._run(_First(), Tape(), late=self._late)
            only_first = difference_of_runs(again, after, self._late) is None
            raise ExplorationError(not_repeated(differs, self._changed(), only_first))

    def _changed(self) -> list[str]:
        """The files that the program has made or removed, or changes each time: it is run once more."""
        files = self._files
        return [] if files is None else files.changed(lambda: self._run(_First(), Tape(), late=self._late))

    def _refuse(self, schedule: Schedule) -> None:
        for error in schedule.raised.values():
            if isinstance(error, CannotSimulateError):
                raise error

    # -- going through schedules -------------------------------------------------------------------

    def _exhaust(self, first: Schedule, share: float) -> bool:
        """Go through all schedules, of which the first is what happens by default. Returns whether these were all."""
        reduced, self.result.tried = not self._may_fail or not self._late, True
        if not self._late:  # the first schedule that is searched need not be what happens by default
            self._see_it_repeated(first, self._run(_First(), Tape(), late=False))
        while True:
            alike = AlikeRanks(self.alike) if self.alike and self._late and reduced else None
            search = Exhaustive(reduced, alike) if self._late else Instants(reduced, self.alike)
            self.result.strategy, before, count = "exhaustive", self.result.schedules, 0
            more = True
            while more:
                try:
                    schedule = self._run(search, None, late=self._late)
                except Redundant:
                    pass
                except NotRepeatedError as error:
                    raise ExplorationError(not_repeated(error, self._changed())) from None
                else:
                    if not count and self._late:
                        self._see_it_repeated(first, schedule)
                    if not count and alike is not None:
                        try:
                            see_that_alike(alike, self._run)
                        except NotAlikeError as error:
                            raise ExplorationError(str(error)) from None
                    count += 1
                    self.result.schedules = before + count
                    self._take(schedule)
                try:
                    more = search.advance()
                except NotRepeatedError as error:
                    raise ExplorationError(not_repeated(error, self._changed())) from None
                if search.ordered and reduced:
                    break
                self.result.distinct = count
                over = not more or self._spent(share)
                if over or self._progress is not None:  # to estimate it takes as long as some steps of a schedule
                    self.result.left = schedules_left(count, search.share() if more else 1.0)
                    self._tell()
                if over:
                    break
            self._reduced = reduced and not search.ordered
            if search.ordered and reduced:  # steps of different ranks are not independent here
                reduced = False
                self.result.schedules = before
                continue
            self.result.alike = () if alike is None else alike.ranks
            self.result.limits = () if self.timed else limits_of(search, self._late)
            self.result.complete = not more and not self.result.limits
            return not more

    def _sample(self, strategy: str, length: int) -> None:
        """Draw schedules until the budget is spent."""
        self.result.strategy = strategy
        sampling = Sampling(self._run, strategy, self._seed, length, self._late, self.begin)
        before, seen = self.result.schedules, set[Order]()
        if self.jobs > 1:
            most = None if self._schedules is None else self._schedules - before
            found: list[Found] = []
            interrupted, overlong = False, ""
            spent, findings_of, left = functools.partial(self._spent, counted=False), self._findings_of, self._seconds
            for share in sampling.shares(self.jobs, most, spent, findings_of, left):
                self.result.schedules += share.drawn
                seen |= share.orders
                found += share.found
                interrupted, overlong = interrupted or share.interrupted, overlong or share.overlong
                self._tell()
            drawn = self.result.schedules - before
            for number, tape in sorted(found, key=operator.attrgetter("number")):
                self.result.schedules = before + number + 1
                self._take(self._run(InOrder(), tape, late=self._late))
            self.result.schedules, self.result.drawn = before + drawn, drawn
            self.result.distinct = max(self.result.distinct, len(seen))
            if overlong:
                raise OverlongError(overlong)
            if interrupted:
                raise KeyboardInterrupt
        while self.jobs == 1 and not self._spent():
            order, schedule = sampling.schedule(self.result.drawn)
            self.result.schedules, self.result.drawn = self.result.schedules + 1, self.result.drawn + 1
            if order not in seen:
                seen.add(order)
                self.result.distinct = max(self.result.distinct, len(seen))
                self._take(schedule)
            self._tell()

    def without_buffers(self) -> None:
        """Look for deadlocks that come only where no message is buffered."""
        # Who waits for ever anyhow, or for a receive that never comes, does so without buffers too.
        if not self._late or any(each.kind in ("deadlock", "unreceived-message") for each in self.result.findings):
            return
        if self._ready_sends:
            self._too_early()
        search, more, count = Exhaustive(self._reduced), True, 0
        while more and (self.buffering or count < WITHOUT_BUFFERS) and not self._spent():
            count += 1
            try:
                schedule = self._run(search, None, late=True, eager_limit=0)
                self._keep(self._findings_of(schedule, 0))
                more = search.advance()
            except Redundant:
                more = search.advance()
            except NotRepeatedError as error:
                raise ExplorationError(not_repeated(error, self._changed())) from None

    def _too_early(self) -> None:
        """Look for sends in ready mode whose receives may begin after them."""
        schedule = self._run(LateReceives(), Tape(), late=True)
        found = of_violations([each for each in schedule.simulation.violations if each.kind == BUFFERING])
        tape, number = schedule.simulation.tape, self.result.schedules or 1
        self._keep([Finding(*fault, tape, number, True, unusual=Unusual.LATE_RECEIVES) for fault in found])

    def reordered(self) -> None:
        """Look for who takes it for granted that the ranks of a grid or graph have the numbers that they had."""
        if not self._reordered or self._may_fail or self.timed or self._spent(counted=False):
            return
        schedule = self._run(OtherNumbers(), Tape(), late=self._late)
        why = "; reorder=True lets MPI give the ranks of the grid or graph other numbers, as here"
        number = self.result.schedules or 1
        for fault in faults_of(schedule):
            finding = Finding(*fault, schedule.simulation.tape, number, self._late, unusual=Unusual.NUMBERS)
            self._keep([replace(finding, message=finding.message + why)])

    def early_reads(self) -> None:
        """Look for who reads memory before MPI has written it."""
        looking = EarlyReads(self._run, self._late, lambda: self._spent(_FOR_READS, False))
        for fault, schedule in looking.faults():
            number = self.result.schedules or 1
            self._keep([Finding(*fault, schedule.simulation.tape, number, self._late, unusual=Unusual.VALUES)])
        if looking.cut:
            self.result.limits, self.result.complete = (*self.result.limits, EARLY_READS), False

    def _tell(self) -> None:
        if self._progress is not None:
            self.end()
            self._progress(self.result)

    # -- one schedule ------------------------------------------------------------------------------

    def _take(self, schedule: Schedule) -> None:
        """Keep what is wrong with a schedule."""
        self._given_up = self._given_up or schedule.given_up
        self._keep(self._findings_of(schedule))

    def _keep(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            if not any(finding.same_fault(other) for other in self.result.findings):
                self.result.findings.append(finding)

    def _findings_of(self, schedule: Schedule, eager_limit: int | None = None) -> list[Finding]:
        if eager_limit is not None:
            self._refuse(schedule)
            if not isinstance(schedule.stopped, DeadlockError):
                return []
            fault = unbuffered(schedule.stopped)
            tape = schedule.simulation.tape
            return [Finding(*fault, tape, self.result.schedules, self._late, eager_limit)]
        return [
            Finding(*fault, schedule.simulation.tape, self.result.schedules or 1, self._late)
            for fault in self._faults_of(schedule)
        ]

    def _faults_of(self, schedule: Schedule) -> Sequence[FoundFault]:
        self._refuse(schedule)
        found = faults_of(schedule)
        if schedule.found is not None:
            return found
        if self._results is None or schedule.stopped or schedule.raised or schedule.statuses or schedule.struck:
            return found
        return [*found, *self._results.faults(schedule.simulation)]
