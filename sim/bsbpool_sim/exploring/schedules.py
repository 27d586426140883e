"""One schedule: runs a program once, and records how the run ended. `findings` examines it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from bsbpool import wording
from bsbpool.errors_and_facts import in_words
from bsbpool.trace.events import Event

from ..choices import Strategy
from ..cluster import Cluster, RunScript
from ..errors import AbortError, CannotSimulateError, DeadlockError, HorizonError, RankErrors, Stuck
from ..faults import ExploredFaults
from ..garbage import collect_between_runs
from ..places import OwnEnd, is_ctrl_c, raised_by
from ..simulation import Setup, Simulation
from ..tape import Tape
from .overtime import Overtime
from .pools import Watch

#: How a schedule that did not end well ended.
StoppedBy = RankErrors | DeadlockError | HorizonError | AbortError


@dataclass(slots=True)
class Schedule:
    """The outcome of one run of a program.

    :ivar simulation: its results, trace and tape.
    :ivar stopped: why it did not end well; None if it did.
    :ivar raised: each rank's exception.
    :ivar stuck: where ranks wait for ever after others have raised.
    :ivar calls: the function of MPI that raised it; "" if none did.
    :ivar exits: each rank's ``sys.exit(…)``.
    :ivar said: a digest of what was printed, if somebody took note of that.
    :ivar statuses: the exit status of each rank that ended with one other than 0 and did not raise.
    :ivar own_ends: how ranks have ended themselves with one other than 0, by `os._exit` and the like.
    :ivar struck: the faults that struck by choice, in words.
    :ivar broken: what does not hold of its job pools, the first thing first.
    :ivar found: what is wrong with it, as records of `findings`, if who ran it knows; None: that is to be found out.
    """

    simulation: Simulation
    stopped: StoppedBy | None
    raised: dict[int, BaseException]
    calls: dict[int, str]
    statuses: dict[int, int]
    stuck: tuple[Stuck, ...] = ()
    struck: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    found: Sequence[Any] | None = None
    said: int = 0
    exits: Mapping[int, SystemExit] = field(default_factory=dict)
    own_ends: Mapping[int, OwnEnd] = field(default_factory=dict)

    @property
    def given_up(self) -> bool:
        """Whether the horizon ended it while somebody could go on."""
        return isinstance(self.stopped, HorizonError) and self.stopped.passed_over

    def look_at(self, cluster: Cluster | None, watch: Watch) -> Schedule:
        """Add what the cluster recorded: faults, and violated invariants of pools."""
        if cluster is not None:
            if isinstance(cluster.faults, ExploredFaults):
                self.struck = tuple(cluster.faults.struck)
            if cluster.kernel.dead:
                ends = {rank.index: rank.own_end for rank in cluster.kernel.dead}
                self.own_ends = {rank: end for rank, end in ends.items() if end is not None and end.status}
                self.statuses |= {rank: end.status for rank, end in self.own_ends.items()}
            if cluster.pools:
                ended = not isinstance(self.stopped, DeadlockError | HorizonError | AbortError)
                self.broken = tuple(watch.of_run(self.simulation.trace, ended))
        return self


class Runner(Protocol):
    """Runs a program once.

    :ivar watch: notes what is wrong with job pools while it watches.
    :ivar overtime: stops a run that takes too long.
    """

    watch: Watch
    overtime: Overtime

    def __call__(
        self, strategy: Strategy, tape: Tape | None, *, late: bool, eager_limit: int | None = None
    ) -> Schedule:
        """Run it.

        :param strategy: decides what the tape says nothing of.
        :param late: whether receives from any rank are matched late.
        :param eager_limit: bytes up to which messages are buffered; None: all are.
        """

    def told(self, event: Event) -> str:
        """An event of a job pool of the last run, in words."""


def told_plainly(event: Event) -> str:
    """An event of a job pool, where nobody knows more of its jobs than their numbers."""
    facts = event._asdict()
    if "job" in facts:
        facts["name"] = f"job {facts['job']}"
    if event.e == "status":
        facts["on"] = f" on rank {event.rank}" if event.rank is not None and event.status != "queued" else ""
        facts["why"] = "" if event.error is None else f" ({in_words(event.error)})"
    if event.e == "limit":
        facts["limit"] = wording.of_limit(event.ns)
    if event.e == "cancel":
        facts["done"] = "done" if event.done else "too late"
    return wording.event(event.e, facts)


class ScriptWithStrategy:
    """What `simulate` takes for a script: the user's, with a strategy that may want to see the cluster before it runs.

    :param strategy: its ``install(cluster)`` is called, if it has that.
    :param overtime: is told of the cluster.
    """

    def __init__(self, script: RunScript | None, strategy: object, overtime: Overtime):
        self._script = script
        self._strategy = strategy
        self._overtime = overtime
        #: the ranks, once they were prepared.
        self.cluster: Cluster | None = None

    def install(self, cluster: Cluster) -> None:
        """Prepare the ranks, before their programs start."""
        self.cluster = cluster
        self._overtime.begins(cluster)
        if self._script is not None:
            self._script.install(cluster)
        install = getattr(self._strategy, "install", None)
        if install is not None:
            install(cluster)

    def check(self, cluster: Cluster) -> None:
        """After the run: a script may well name a job that this schedule did not have."""


P = TypeVar("P")


class ProgramRunner(ABC, Generic[P]):
    """Common base of the runners of programs.

    :param options: those that are the same for each schedule.
    """

    def __init__(self, program: P, ranks: int, script: RunScript | None, options: dict[str, Any]):
        self._program = program
        self._ranks = ranks
        self._script = script
        self._options = options
        self.watch = Watch()
        self.overtime = Overtime()

    def __call__(
        self, strategy: Strategy, tape: Tape | None, *, late: bool, eager_limit: int | None = None
    ) -> Schedule:
        """Run it once."""
        collect_between_runs()
        self.watch.begin()
        script = ScriptWithStrategy(self._script, strategy, self.overtime)
        schedule = self._schedule(script, strategy, tape, late, eager_limit)
        return schedule.look_at(script.cluster, self.watch)

    def told(self, event: Event) -> str:
        """An event of a job pool, whose jobs are known by their numbers."""
        return told_plainly(event)

    @abstractmethod
    def _schedule(
        self, script: ScriptWithStrategy, strategy: Strategy, tape: Tape | None, late: bool, eager_limit: int | None
    ) -> Schedule:
        """Run the program once, with this script; how its job pools fared is looked at later."""


class Function(ProgramRunner[Callable[[Any], Any]]):
    """Runs ``program(comm)``; its options are those of `simulate`.

    :raises ValueError: one is out of range.
    """

    def __init__(
        self, program: Callable[[Any], Any], ranks: int, script: RunScript | None, options: dict[str, Any]
    ):  # fmt: skip
        super().__init__(program, ranks, script, options)
        self._setup = Setup(ranks, **options)
        self._setup.check()

    def _schedule(
        self, script: ScriptWithStrategy, strategy: Strategy, tape: Tape | None, late: bool, eager_limit: int | None
    ) -> Schedule:
        try:
            simulation = self._setup.run(self._program, script, strategy, tape, late, eager_limit)
        except RankErrors as errors:
            calls = {rank: raised_by(error) for rank, error in errors.by_rank.items()}
            return Schedule(errors.simulation, errors, dict(errors.by_rank), calls, {}, errors.stuck)
        except (DeadlockError, HorizonError, AbortError) as error:
            return Schedule(error.simulation, error, {}, {}, {})
        except KeyboardInterrupt as stop:
            if is_ctrl_c(stop):
                raise
            why = "that is for Ctrl-C, which ends exploring: let it raise another exception"
            raise CannotSimulateError(f"the program raised KeyboardInterrupt, {why}") from stop
        return Schedule(simulation, None, {}, {}, {})
