"""The common state of the simulated ranks of one simulation. Running programs on them belongs to `simulation`."""

from __future__ import annotations

import functools
import operator
import weakref
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from bsbpool.trace import Recorder
from bsbpool.worlds import World
from bsbpool.worlds.processor import processor_time_ns

from .choices import Policy, Strategy
from .clocks import Work
from .default_strategies import InOrder
from .hosts import Hosts
from .kernel import SECOND, Kernel
from .matches import LateMatching
from .network import Network
from .python.real_lock import RealRLock
from .tape import Tape

if TYPE_CHECKING:
    from .checks.audit import BegunRequest, Freeable, ProbedMessage, Sendable
    from .checks.buffer_races import Given, Lease, TrackedRequest, WatchedBuffer
    from .checks.undefined import Undefined
    from .checks.violations import Violation
    from .checks.window_reads import WindowReads
    from .checks.window_uses import WatchedWindow, WindowUse

#: Thirty days: longer than any cluster lets a job run, so what gets there goes on for ever.
HORIZON = 30 * 24 * 3600 * SECOND
MAX_EVENTS = 50_000_000


#: Identifies a pool in a simulation: the number of its communicator's context, and its own number there.
PoolKey = tuple[int, int]


class RunScript(Protocol):
    """Interface of the script of a simulation. `bsbpool_sim.Script` implements it, and for runs that something else
    directs a scenario, a replay, a recorded run with a change, and a whole program.
    """

    def install(self, cluster: Cluster) -> None:
        """Called before any program starts."""

    def check(self, cluster: Cluster) -> None:
        """Called after the run. Raise a `ScriptError` if the script is wrong."""


class JobScript(Protocol):
    """Interface of what decides how the jobs of pools go, as `bsbpool_sim.script.ScriptRuntime` implements it."""

    def introduce(self, key: PoolKey, job: int, name: str, context: Mapping[str, Any]) -> None:
        """Called when a job was queued."""

    def perform(self, key: PoolKey, job: int, function: Callable[[], Any]) -> Any:
        """Run a job: call its function, or do something in its place."""

    def strike(self, key: PoolKey, job: int, function: Callable[[], Any]) -> Any:
        """Run a job that a chosen fault strikes: call the function in place of the job's own."""

    def send(self, rank: int) -> None:
        """Called before a rank sends a message of its pool."""


class PossibleFaults(Protocol):
    """Interface of faults that are choices, as `bsbpool_sim.script.FaultChoices` implements it."""

    def after_send(self) -> None:
        """Called when a rank has sent a message of its pool."""

    def before_send(self, source: int, dest: int, worker: bool = False) -> int:
        """Rank `source` sends a message to rank `dest`; `worker`: to the main rank of a pool. Returns the nanoseconds
        that it takes longer; does not return if the sender dies."""


class Auditor(Protocol):
    """Interface of the check for what a program leaves behind, as `bsbpool_sim.checks.audit.Audit` implements it."""

    def sent(self, message: Sendable, dest: int) -> None:
        """Called when a message was sent to a rank."""

    def began(self, request: BegunRequest) -> None:
        """Called when a request began."""

    def probed(self, taken: ProbedMessage, source: int, tag: int) -> None:
        """Called when a matched probe took a message of a rank."""

    def made(self, member: Freeable, what: str = "") -> None:
        """Called when the program made an object that it has to free, such as a communicator or a window."""

    def mismatched(self, what: str, right: str) -> None:
        """Called when data was sent as items of one type and received as items of another."""

    def not_ready(self, what: str) -> None:
        """Called when something was sent in ready mode, and no receive waits for it."""

    def violations(self, ended: bool = True) -> list[Violation]:
        """Return the violations that were found. If all programs have returned, these include what they left behind."""


class EffectObserver(Protocol):
    """Interface of an observer of what ranks give to others, as `bsbpool_sim.checks.effects.Effects` implements it."""

    def gave(
        self, rank: int, what: object, dest: int | None = None, tag: int | None = None, call: str = ""
    ) -> None:  # fmt: skip
        """A rank gave bytes to others, or a sequence of them: in a message to `dest`, or in a collective `call`."""

    def ended(self, rank: int, namespace: Mapping[str, Any]) -> None:
        """The script of a rank has ended."""


class MemoryWatcher(Protocol):
    """Interface of the check for memory that MPI has, as `bsbpool_sim.checks.buffer_races.BufferRaces` implements it.

    Memory is given as pairs of a buffer, and whether MPI writes into it.

    :ivar undefined: what memory holds until MPI has written what comes; None: it keeps its content.
    """

    undefined: Undefined | None

    def begins(self, request: TrackedRequest, given: Iterable[Given], waits: bool = False) -> None:
        """Called when a request gets memory, which it has until it ends; `waits`: the call waits for that."""

    def touches(self, given: Sequence[Given]) -> None:
        """Called when a blocking call gets memory."""

    def ends(self, by: TrackedRequest | Lease, rank: int) -> None:
        """Called when a request of a rank ends, or an access."""

    def accesses(self, lease: Lease, given: Sequence[Given]) -> None:
        """Called when an access to a window gets memory, which it has until it is known to have happened."""

    def arrives(self, lease: Lease, rank: int, memory: WatchedBuffer, data: bytes) -> None:
        """Called when the data of an access has arrived."""

    def writes(self, runs: Sequence[tuple[int, int]]) -> None:
        """Called when an access is to write these runs of bytes of a window."""

    def accessed(self, window: Hashable, origin: int, target: int | None, rank: int) -> None:
        """A rank's accesses to the memory of another one, or (None) of all, have happened."""


class RaceWatcher(Protocol):
    """Interface of the check for conflicting accesses to windows, as `bsbpool_sim.checks.window_races.WindowRaces`
    implements it.

    Ranks are those of the simulation where no window is named, and else those of the window.

    :ivar reads: looks for who reads its own window; None: nobody asks.
    """

    reads: WindowReads | None

    def sent(self, message: Hashable, rank: int, dest: int, sync: object) -> None:
        """A rank has sent a message."""

    def received(self, message: Hashable, rank: int) -> None:
        """A rank has received it."""

    def ended_request(self, request: object, rank: int) -> None:
        """A request has ended."""

    def arrived(self, call: Hashable, rank: int) -> None:
        """A rank has come to a collective call."""

    def left(self, call: Hashable, rank: int) -> None:
        """A rank has come out of it."""

    def locked(self, window: WatchedWindow, origin: int, target: int, exclusive: bool) -> None:
        """A rank has got a lock."""

    def unlocked(self, window: WatchedWindow, origin: int, target: int, exclusive: bool) -> None:
        """A rank gives it back."""

    def accessed(self, window: WatchedWindow, origin: int, target: int, access: WindowUse) -> None:
        """A rank accesses the memory of another one."""

    def opened(self, window: WatchedWindow, rank: int) -> None:
        """A rank has a window from now on."""

    def synced(self, window: WatchedWindow, rank: int) -> None:
        """A rank has called Sync."""

    def happens(self, window: WatchedWindow, target: int) -> None:
        """An access of the memory of a rank happens now."""

    def happened(self, window: WatchedWindow, target: int, ranges: Sequence[tuple[int, int]]) -> None:
        """An access has changed the memory of a rank."""

    def ended(self, window: WatchedWindow, origin: int, target: int | None) -> None:
        """All accesses by a rank have happened."""

    def exposed(self, window: WatchedWindow, rank: int, epoch: int) -> None:
        """Others may access the memory of a rank now."""

    def withdrawn(self, window: WatchedWindow, rank: int, epoch: int) -> None:
        """Others may not any more."""


class Cluster:
    """The simulated ranks with their kernel, network and recorder.

    :param ranks: how many.
    :param seed: for all chance in this simulation.
    :param network: latency and bandwidth; by default messages take no time.
    :param policy: decides what a tape says nothing of; by default what comes first is taken first.
    :param horizon: virtual nanoseconds after which the simulation is given up.
    :param max_events: events after which it is given up.
    :param tape: the alternatives that are taken first, in the choices of the run.
    :param late_matching: whether receives from any rank are matched when nothing else can run: see `matches`.
    :param compute: virtual seconds for each second of the processor that ranks take; 0: computing takes no time.
    :param hosts: on how many hosts they are, in blocks.
    """

    def __init__(
        self,
        ranks: int,
        *,
        seed: int = 0,
        network: Network | None = None,
        policy: Strategy | Policy | None = None,
        horizon: int = HORIZON,
        max_events: int = MAX_EVENTS,
        tape: Tape | None = None,
        late_matching: bool = False,
        compute: float = 0.0,
        hosts: int = 1,
    ):
        self.seed = seed
        self.kernel = Kernel(
            ranks,
            policy or InOrder(),
            horizon=horizon,
            max_events=max_events,
            tape=tape,
            ask_of_events=not late_matching,
        )
        self.kernel.cluster = self
        #: that of all pools on these ranks, which run in one thread.
        self.lock = RealRLock()
        #: matches receives from any rank when nothing else can run; None: they are matched when a message is there.
        self.late: LateMatching | None = None
        if late_matching:
            self.late = self.kernel.when_idle = LateMatching(self.kernel)
        self.network = network or Network()
        self.hosts = Hosts(ranks, hosts)
        # Nothing of this machine or Python: a trace of simulated ranks is the same everywhere.
        header = {"ranks": ranks, "hosts": self.hosts.in_traces(), "simulated": True, "seed": seed}
        if compute:
            self.kernel.work = Work(processor_time_ns, compute)
            header["compute"] = compute
        self.recorder = Recorder(header, functools.partial(operator.attrgetter("now"), self.kernel))
        #: what scripts say of jobs, ranks and links, once `Script.install` was called.
        self.script: JobScript | None = None
        #: the faults of messages that are choices; None if the script has none.
        self.faults: PossibleFaults | None = None
        #: takes note of what has to come to an end; None: nobody asks.
        self.audit: Auditor | None = None
        #: takes note of memory that MPI has; None: nobody asks.
        self.buffers: MemoryWatcher | None = None
        #: takes note of what ranks give to others; None: nobody asks.
        self.observed: EffectObserver | None = None
        #: takes note of accesses to windows; None: nobody asks.
        self.races: RaceWatcher | None = None
        #: whether ranks access each other's memory, by windows, or one file.
        self.shares_memory = False
        #: whether they read and write one memory, or one file, without its knowing who comes first.
        self.reads_and_writes = False
        #: whether a rank has started a thread.
        self.has_threads = False
        #: whether, in a rank with threads, a wait for what has memory ends only when nothing else can go on.
        self.late_ends = False
        #: whether grids and graphs whose ranks may be reordered have them in reverse; and whether there were any.
        self.reverses_ranks = self.has_reordered_ranks = False
        #: whether receives begin only when nothing else can go on; and whether a rank has sent in ready mode.
        self.late_receives = self.has_ready_sends = False
        #: bytes up to which a message is buffered: the sender of a larger one waits for its receiver. None: all are.
        self.eager_limit: int | None = None
        #: makes the world of a rank's communicator, in which pools live; None before programs run.
        self.make_world: Callable[[Any], World] | None = None
        #: what each rank's code keeps per process, by rank.
        self.states: dict[int, dict[str, Any]] = {}
        #: the lines of pools, by communicator and number: see `world`.
        self.pools: dict[tuple[int, int], Any] = {}
        #: by rank: of how many pools it was told that it may leave.
        self.let_go: dict[int, int] = {}
        #: MPI_COMM_WORLD, and MPI_COMM_SELF by rank, once somebody asked: see `comm`.
        self.comms: list[Any] = []
        self.selves: dict[int, Any] = {}
        #: called when nothing runs on these ranks any more.
        self.when_over: list[Callable[[], None]] = []
        #: calls that some ranks make together outside of a communicator, until all have come: see `mpi/grouping`.
        self.meetings: dict[Any, tuple[Any, int]] = {}
        #: what ranks have of communicators, windows and files, once somebody wants to know what is left; None: nobody.
        self.made: list[weakref.ref[Any]] | None = None
        self._contexts = 0

    def close(self) -> None:
        """End what still waits on the ranks, and close what they have open."""
        self.kernel.close()
        while self.when_over:
            self.when_over.pop()()

    def left(self) -> list[Any]:
        """Return what ranks hold of communicators, windows and files, and have not freed."""
        found = [state() for state in self.made or ()]
        return [each for each in found if each is not None and not each.freed and not each.constant]

    def dissolve(self) -> None:
        """Drop all references, once nobody asks for results any more. Then what is left of the ranks is freed at once:
        it does not wait for Python's garbage collector, which takes a tenth of the time of a small simulation.
        """
        for comm in self.comms:
            if comm.member is not None:
                comm.member.world = None
        for kept in (self.comms, self.selves, self.states, self.kernel.on_death, self.kernel.on_end):
            kept.clear()
        for lines in self.pools.values():
            lines.dissolve()
        self.pools = dict.fromkeys(self.pools)  # whether there were some is asked later
        self.script = None
        if self.late is not None:
            self.late.dissolve()
        self.kernel.give_back()

    def new_context(self) -> int:
        """Return a number for a new communicator; that of the world is 0."""
        self._contexts += 1
        return self._contexts - 1
