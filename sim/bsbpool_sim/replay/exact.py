"""Exact replay: a pool on simulated ranks that receives everything that the recorded pool received, in the same order.

Main of a pool decides nothing at random: its actions follow from what it receives, and when. A trace has all of this,
and all actions of main, in one sequence. The `Director` keeps a place in that sequence. Wherever the real pool, on
simulated ranks, reaches a point at which something may come from outside (it waits, takes its lock, or calls its
listener), the director looks at the next event of the trace. If that event came from outside, the director makes it
happen; if not, the pool has to cause it. Each event that the pool records is compared with the next one of the trace,
and the first difference ends the replay.

Ranks run their jobs with the pool's own worker. A job's time, outcome and newly cached items are those of the trace,
and the rank's clock shows the recorded times. Jobs that were sent ahead wait at the director, which gives a rank the
job that it ran next, and gives back to main those that it gave back.

Predictions of a changed run belong in `whatif`.

One job: all that the director does, for main, ranks, schedulers and listeners, moves its one place in the trace.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from greenlet import GreenletExit, getcurrent

from bsbpool.engine.status import JobStatus
from bsbpool.exceptions import JobSchedulingError
from bsbpool.facts import LeftRank, LostRank, NotScheduled, Raised, SchedulerFailed
from bsbpool.owner import Owner
from bsbpool.pool import JobPool
from bsbpool.pool.limits import LimitReached
from bsbpool.pool.port import PoolPort
from bsbpool.pool.progress import PoolJobUpdateProgress, Workflow
from bsbpool.pool.protocol import CALL_BACK, GREW, RETURNED, RUN, STARTED, STUCK, ByReference, Codec
from bsbpool.trace import Trace
from bsbpool.trace.comparing import Difference
from bsbpool.trace.events import JobQueued, JobsReturned, OutcomeReceived, PoolEvent, RankGone, SetByHand
from bsbpool.trace.format import fields_of
from bsbpool.worlds import MultipartMessage, RankLost

from ..cluster import Cluster
from ..errors import DeadlockError, HorizonError, SimulationError
from ..kernel import Task
from ..mpi.communicators import Comm, Intracomm
from ..mpi.contexts import Context
from ..mpi.members import CommMember
from ..simulation import simulate
from .ending import HORIZON, MOST_NODES, NOT_OF_MAIN, check_size, most_steps, of_main
from .recorded_pool import Recorded, recorded_pools
from .recorded_stubs import Named, job_class, raised_again, raised_by_job
from .replayed_world import Checking, ReplayedWorld

# What comes from a rank; what a scheduler says itself; and what main, or somebody beside it, does to a pool.
_FROM_RANKS = frozenset({"ready", "message", "returned", "started", "stuck", "memory", "lost"})
_OF_SCHEDULERS = frozenset({"scheduling", "scheduled"})
_FROM_OUTSIDE = frozenset({"job", "limit", "cancel", "schedule", "by_hand"})
# What makes main go on when it waits; of that, what listeners do.
_TO_MAIN = _FROM_RANKS | {"ping", "call_back", "raised"}
_BY_LISTENERS = frozenset({"call_back", "raised", "unhandled"})

_BY_REFERENCE = ByReference()

#: What is said of a replay that goes on and comes to no other event of the trace.
_NO_END = "it goes on without end, and nothing that comes of it was recorded"

#: What runs a job for real: takes pool (its number in the trace), job, and the owner on that rank.
RunsJobs = Callable[[int, int, Any], Callable[[], Any] | None]


class ReplayStopped(SimulationError):
    """Ends the replay: it reached the end of the trace, or the first difference."""


@dataclass
class Replay:
    """Result of a replay.

    :ivar difference: where the replay first differs from the recording; None if it does not. Its right side is the
        replay.
    :ivar why: what the replay did there, in words, if that is no event.
    :ivar events: how many events were the same.
    :ivar complete: whether the trace contains the end of its last pool.
    :ivar errors: what main raised in each pool; None where it raised nothing.
    :ivar trace: the trace of the replay.
    """

    difference: Difference | None
    why: str | None
    events: int
    complete: bool
    errors: list[BaseException | None]
    trace: Trace = field(repr=False)

    @property
    def same(self) -> bool:
        """Whether the same events happened, in the same order."""
        return self.difference is None


def replay(trace: Trace, jobs: RunsJobs | None = None) -> Replay:
    """Run the recorded pools again on simulated ranks, and compare each event with the trace.

    :param trace: the recording.
    :param jobs: returns the function of a job that is to run for real; by default none does.
    :returns: where the replay differs, and its own trace.
    :raises ReplayError: the trace has no pool, one of BSB's own, or pools that were open at the same time.

    >>> from bsbpool.trace import read_trace
    >>> from bsbpool_sim.replay import replay
    >>> again = replay(read_trace("docs/night/night.trace"))
    >>> again.same, again.events, again.errors[0].exceptions[0].error
    (True, 489, ZeroDivisionError('division by zero'))
    """
    director = Director(trace, jobs)
    try:
        simulate(director.program, director.ranks, script=director, horizon=HORIZON, max_events=director.most_steps)
    except ReplayStopped:
        pass
    except HorizonError:
        director.differs(None, _NO_END)
    except DeadlockError as error:
        director.differs(None, f"it waits for ever: for {error.waits_for[0] if error.waits_for else error}")
    return director.result()


# -- the director ----------------------------------------------------------------------------------------


class Line:
    """The state of one rank of a pool.

    :ivar held: jobs that main has sent and the rank was not given yet, with their calls.
    :ivar free: cached items to free before the next one.
    :ivar orders: what it is given next.
    :ivar inbox: what it has sent to main.
    """

    def __init__(self, outs: deque[OutcomeReceived | JobsReturned]):
        self.outs = outs
        self.held: dict[int, Any] = {}
        self.free: list[int] = []
        self.news = 0
        self.orders: deque[Any] = deque()
        self.inbox: deque[Any] = deque()
        self.waiting: Task | None = None
        #: the event that main learns that it is gone by, of one that leaves with an error.
        self.leaves: RankGone | None = None
        self.ended_at: int | None = None


class Director:
    """Takes the place of a script, and makes happen what was recorded; the top of the file says how."""

    def __init__(self, trace: Trace, jobs: RunsJobs | None = None):
        self.recorded = trace
        self._events = of_main(trace)
        self._numbers = [n for n, event in enumerate(trace.events, 1) if event.e not in NOT_OF_MAIN]
        self.pools = recorded_pools(self._events)
        self.ranks = max(pool.ranks for pool in self.pools)
        check_size(trace, self.ranks)
        self.most_steps = self._steps_left = most_steps(trace, self.ranks)
        self._jobs = jobs
        self._codec = Codec()
        self._place = 0
        self._decided = self._decided_at()
        self._next: PoolEvent | None = self._events[0]
        self._start: int = self._events[0].t
        self.difference: Difference | None = None
        self._why: str | None = None
        self._errors: list[BaseException | None] = []
        self._complete = self.pools[-1].ended
        self._lines: dict[tuple[int, int], Line] = {}
        self._open: dict[int | str, JobPool] = {}
        self._ports: dict[int | str, PoolPort] = {}
        self._groups: dict[int, list[Comm]] = {}
        self._owners: dict[int, Owner] = {}
        # By rank: the pool that it is about to open, or has open.
        self._at: dict[int, Recorded] = {}
        self._own: deque[Any] = deque()
        self._waiting = False
        self._performing = False
        self._depth = 0
        self._nodes: dict[Task, str] = {}
        # The tasks of schedulers, with their numbers.
        self._schedulers: dict[Task, int] = {}
        self._turns: dict[int, Task] = {}
        # How many schedulers are about to start; and, by pool, how many have.
        self._coming = 0
        self._started: dict[int, int] = {}
        self._main: Task | None = None

    # -- where a script stands ---------------------------------------------------------------------

    def install(self, cluster: Cluster) -> None:
        """Make it the director of a simulation."""
        self._cluster = cluster
        self._kernel = cluster.kernel
        cluster.recorder = Checking(self, cluster.recorder.trace.header, lambda: self._kernel.now)

        def make_world(comm: Comm) -> ReplayedWorld:
            world = ReplayedWorld(comm)
            world.director = self
            return world

        cluster.make_world = make_world

    def check(self, cluster: Cluster) -> None:
        """Do nothing: a replay has no rules that could be wrong."""

    def result(self) -> Replay:
        """Return the result of the replay."""
        if self.difference is None and self._next is not None:
            self.differs(None, "the replay has ended")
        trace = self._cluster.recorder.trace
        return Replay(self.difference, self._why, self._place, self._complete, self._errors, trace)

    # -- the place in the trace --------------------------------------------------------------------

    def came(self, event: PoolEvent) -> None:
        """Compare an event that the pool recorded with the next one of the trace."""
        expected = self._next
        if expected is None:
            if self._complete:
                self.differs(event, None)
            self._stop()
        assert expected is not None
        if expected.e != event.e or (expected[2:] != event[2:] and _plain(expected) != _plain(event)):
            self.differs(event, None)
            self._stop()
        self._place += 1
        self._next = self._events[self._place] if self._place < len(self._events) else None
        if self._schedulers or self._waiting:
            self._moved()

    def _moved(self) -> None:
        kernel, event = self._kernel, self._next
        number = None if event is None else _scheduler_of(event)
        if number is not None and (task := self._turns.get(number)) is not None:
            kernel.wake(task)  # not the others: with many, that would be the square of their number
        if self._waiting and self._main is not None and getcurrent() is not self._main:
            kernel.wake(self._main)

    def differs(self, event: PoolEvent | None, why: str | None) -> None:
        """End the replay: it differs from the trace here."""
        if self.difference is not None:
            return
        expected, place, mine = self._next, self._place, self._cluster.recorder.trace
        left = None if expected is None else fields_of(expected)
        right = None if event is None else fields_of(event)
        fields: tuple[str, ...] = ()
        if left is not None and right is not None:
            names = dict.fromkeys([*left, *right])
            fields = tuple(n for n in names if n != "t" and _even(left.get(n)) != _even(right.get(n)))
        number = self._numbers[place] if place < len(self._numbers) else len(self.recorded) + 1
        self.difference = Difference(
            numbers=(number, len(mine) + 1),
            left=left,
            right=right,
            fields=fields,
            before=tuple(map(fields_of, self._events[max(0, place - 3) : place])),
            after_left=tuple(map(fields_of, self._events[place + 1 : place + 4])),
            after_right=(),
        )
        self._why = why

    def _stop(self) -> NoReturn:
        self._kernel.fail(ReplayStopped("the replay is over"))
        raise GreenletExit  # a task never comes back from there, but to be ended

    def _step(self) -> None:
        """One more step of the pool that the director has a part in. Whatever the trace says, there is an end to them.

        :raises GreenletExit: the replay is over. What a pool does as it is torn down moves nothing, so that a loop
            that waits for a move would never end.
        """
        self._kernel.check_open()
        self._steps_left -= 1
        if self._steps_left < 0:
            self.differs(None, _NO_END)
            self._stop()

    def _until(self, event: PoolEvent) -> None:
        """Let the task that runs now wait for the time of an event."""
        at = event.t - self._start
        while self._kernel.now < at:
            self._kernel.park("the time at which it was recorded", at)

    def _wait(self, why: str) -> None:
        """Let main wait until something came, or the trace went on."""
        self._waiting = True
        self._kernel.park(why)
        self._waiting = False

    def _expect(self) -> PoolEvent:
        """The next event; there has to be one, or the trace was cut off."""
        if self._next is None:
            if self._complete:
                self.differs(None, "the pool waits for more, where the recorded one had ended")
            self._stop()
        assert self._next is not None
        return self._next

    # -- programs ----------------------------------------------------------------------------------

    def program(self, comm: Comm) -> None:
        """Run the recorded pools on one rank."""
        owner = self._owners[comm.rank] = Owner(comm)
        if comm.rank:
            for recorded in self.pools:
                if comm.rank < recorded.ranks:
                    self._work(recorded, owner, comm)
            return
        self._main = self._kernel.task
        for recorded in self.pools:
            self._lead(recorded, owner, comm)
        self._stop()

    def _pool(self, recorded: Recorded, owner: Owner, comm: Comm) -> JobPool:
        if recorded.ranks != self.ranks:
            group = self._groups.get(recorded.ranks)
            if group is None:
                shared = Context(self._cluster, range(recorded.ranks))
                group = self._groups[recorded.ranks] = [
                    Intracomm._of(CommMember(shared, rank)) for rank in range(recorded.ranks)
                ]
            comm = group[comm.rank]
        self._at[comm.rank] = recorded
        owner._comm = comm
        owner._pool_cache = {item: [] for item in recorded.cached.get((comm.rank, None), ())}
        pool = JobPool(recorded.label, owner, recorded.fail_fast, Workflow(recorded.phases), retries=recorded.retries)
        PoolPort(pool).follow_rules_of_0_1(
            without_turns=not recorded.in_turn, waits=not (recorded.idle_first or recorded.in_turn)
        )
        return pool

    def _work(self, recorded: Recorded, owner: Owner, comm: Comm) -> None:
        try:
            with self._pool(recorded, owner, comm) as pool:
                if comm.rank not in recorded.skipped:
                    pool.execute()
                elif (error := recorded.skipped[comm.rank]) is not None:
                    raise raised_again(error, BaseException)
        except GreenletExit:
            raise
        except BaseException:
            pass  # main's errors are what counts

    def _lead(self, recorded: Recorded, owner: Owner, comm: Comm) -> None:
        if self._next is None:
            self._stop()
        error: BaseException | None = None
        pool = self._pool(recorded, owner, comm)
        self._open[recorded.label] = pool
        self._ports[recorded.label] = PoolPort(pool)
        pool.add_listener(self._listen)
        pool.add_listener(self._raise)  # another one: what it raises does not keep the first from handling an error
        try:
            with pool:
                self._prepare()
                # On one rank schedulers run before the status changes, and the rank may be ready by then.
                event = self._expect()
                if event.e in ("pool_status", "ready", *_OF_SCHEDULERS):
                    try:
                        pool.execute()
                    finally:
                        self._linger()
                elif event.e == "unexecuted":
                    if event.error is not None:
                        raise raised_again(event.error, BaseException)
                else:
                    self.differs(None, "main executes the pool, or leaves it")
                    self._stop()
        except (GreenletExit, ReplayStopped):
            raise
        except BaseException as raised:
            error = raised
        self._errors.append(error)

    def _prepare(self) -> None:
        """Do what main did before it executed the pool."""
        while True:
            event = self._expect()
            if event.e in _FROM_OUTSIDE:
                self._perform(event)
            elif event.e == "ping":
                self._until(event)
                self._of(event).ping()
                self._moved_on(event)
            else:
                return

    def _linger(self) -> None:
        """What schedulers say after the end of a pool comes before all else that main does."""
        self.settle()

    # -- what comes from outside -------------------------------------------------------------------

    def settle(self, besides: frozenset[str] = frozenset()) -> None:
        """Let the other tasks do what they did by this point of main's work.

        But only if main went on to do something of its own then: else it did not happen before main waited for more.

        :param besides: what else main may go on with here.
        """
        while (event := self._next) is not None:
            self._step()
            if event.e in _FROM_OUTSIDE:
                if self._waits_for_more(besides):
                    return
                self._perform(event)
            elif event.e in _OF_SCHEDULERS and (self._schedulers or self._coming):
                self._wait("a scheduler")
            else:
                return

    def _waits_for_more(self, besides: frozenset[str]) -> bool:
        """Whether main, when others have done what comes next, had to be told something to go on."""
        place = self._decided[self._place]
        if place == len(self._events):
            return False
        event = self._events[place]
        if event.e == "unhandled":
            if event.job is not None:  # said when all listeners were told
                return event.e not in besides
            return isinstance(event.error, NotScheduled | SchedulerFailed)
        return event.e in _TO_MAIN and event.e not in besides

    def _decided_at(self) -> list[int]:
        """By place: that of the next event, from there on, which neither came from outside nor from a scheduler."""
        decided = [len(self._events)] * (len(self._events) + 1)
        for place in range(len(self._events) - 1, -1, -1):
            others = self._events[place].e in _FROM_OUTSIDE or self._events[place].e in _OF_SCHEDULERS
            decided[place] = decided[place + 1] if others else place
        return decided

    def _perform(self, event: PoolEvent) -> None:
        """Do to a pool what was done to it."""
        self._until(event)
        pool = self._of(event)
        port = self._ports[event.pool]
        recorded = self._at[0]
        self._performing = True
        try:
            if event.e == "job":
                self._queue(pool, recorded, event)
            elif event.e == "schedule":
                pool.schedule(self._nodes_of(event.nodes), self._scheduled)
            elif event.e == "cancel":
                port.cancel(port.jobs[event.job], event.reason)
            elif event.e == "limit":
                port.limit(port.jobs[event.job], event.ns)
            elif event.e == "by_hand":
                self._set_by_hand(port, event)
        except (GreenletExit, ReplayStopped):
            raise
        except Exception as error:
            self.differs(None, f"the pool refuses what was done to the recorded one: {error}")
            self._stop()
        finally:
            self._performing = False
        self._moved_on(event)

    def _moved_on(self, event: PoolEvent) -> None:
        """What was done for an event of the trace has to bring that about, or the same would be done for ever."""
        if self._next is event:
            self.differs(None, "nothing comes of what was done to the recorded pool")
            self._stop()

    def _nodes_of(self, count: int) -> list[Any]:
        """As many nodes as were recorded; no more of them than the trace has events ever come up."""
        if not 0 <= count <= MOST_NODES + len(self._events):
            self.differs(None, f"nobody can schedule {count:,} nodes")
            self._stop()
        return [_Node(self)] * count

    def _of(self, event: PoolEvent) -> JobPool:
        """The pool of an event that main brings about: the one that is open."""
        pool = self._open.get(event.pool)
        if pool is None or event.pool != self._at[0].label:
            self.differs(None, f"pool {event.pool!r} is not open")
            self._stop()
        return pool

    def _queue(self, pool: JobPool, recorded: Recorded, event: JobQueued) -> None:
        jobs = self._ports[event.pool].jobs
        limit = self._events[self._place + 1] if self._place + 1 < len(self._events) else event
        of_it = limit.e == "limit" and (limit.pool, limit.job) == (event.pool, event.job)
        job_class(event.kind)(
            pool, event.name, dict(event.context), [jobs[dep] for dep in event.deps], event.cache,
            recorded.told.get(event.job), recorded.unpacked.get(event.job),
            limit.ns if of_it and limit.e == "limit" else None,
        )  # fmt: skip

    @staticmethod
    def _set_by_hand(port: PoolPort, event: SetByHand) -> None:
        job = port.jobs[event.job]
        if event.status == "running":
            port.begin(job)
        elif event.error is not None:
            port.finish(job, raised_again(event.error, BaseException))
        else:
            port.set_status(job, JobStatus(event.status))

    def _listen(self, progress: Any) -> bool:
        """The listener of main's pool: does what listeners and callbacks did, and handles what they handled."""
        while True:
            self.settle(_BY_LISTENERS)
            event = self._next
            if event is None or event.e != "call_back":
                break
            self._until(event)
            self._of(event)
            port = self._ports[event.pool]
            port.cancel(port.jobs[event.job], event.reason)
            self._moved_on(event)
        job = getattr(progress, "job", None)
        return job is not None and job.id not in self._at[0].unhandled

    def _raise(self, progress: Any) -> None:
        """The listener that raises what listeners and callbacks raised."""
        event, job = self._next, getattr(progress, "job", None)
        if event is not None and event.e == "unhandled" and job is not None and event.job == job.id:
            if not isinstance(progress, PoolJobUpdateProgress) or not progress.status.ended:
                return
            # What somebody raises about a job that failed comes after that nobody handled it.
            event = self._events[self._place + 1] if self._place + 1 < len(self._events) else None
        if event is not None and event.e == "raised":
            raise raised_again(event.error)

    def host(self, rank: int) -> str:
        """Return the recorded host of a rank."""
        known = self._at[rank].hosts if rank in self._at else {}
        hosts = self.recorded.header.get("hosts") or ["a recorded host"]
        return known.get(rank) or str(hosts[rank] if rank < len(hosts) else hosts[0])

    # -- schedulers --------------------------------------------------------------------------------

    def scheduler_comes(self) -> None:
        """Called when a scheduler is about to start."""
        self._coming += 1

    def begins(self) -> str:
        """Called when a scheduler begins with a node. Return the node's name."""
        task = self._kernel.task
        number = self._schedulers[task]
        self._turn(lambda event: event.e == "scheduling" and event.scheduler == number)
        event = self._expect()
        assert event.e == "scheduling"
        self._nodes[task] = event.node
        return event.node

    def depends_on(self) -> list[Named]:
        """Return the nodes on which the scheduler's node depends, and that were not scheduled."""
        other = self._at[0].blocked.get(self._nodes[self._kernel.task])
        if other is None:
            return []
        node = Named(other)
        self._ports[self._at[0].label].was_not_scheduled(node)
        return [node]

    def _scheduled(self, node: Any) -> None:
        """What schedulers do with a node, as far as they do it themselves: raise."""
        self.scheduler_ends(self._kernel.task)
        event = self._expect()
        if event.e == "scheduled" and event.error is not None:
            raise raised_again(event.error, BaseException)

    def scheduler_ends(self, task: Task) -> None:
        """Let a scheduler wait until the recorded one has finished its node."""
        number = self._schedulers[task]
        self._turn(lambda event: _scheduler_of(event) == number)

    def _turn(self, is_it: Callable[[PoolEvent], bool]) -> None:
        while True:
            self._step()
            event = self._next
            if event is not None and is_it(event):
                self._until(event)
                if self._next is event:
                    return
            else:
                self._kernel.park("its turn")

    def schedules(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Run the task of a scheduler."""
        task = self._kernel.task
        self._coming -= 1
        pool = self._at[0].number
        number = self._schedulers[task] = self._started.get(pool, 0)
        self._turns[number] = task
        self._started[pool] = number + 1
        try:
            function(*args)
        finally:
            del self._schedulers[task]
            if self._turns.get(number) is task:
                del self._turns[number]
            if self._waiting and self._main is not None:
                self._kernel.wake(self._main)

    # -- what main receives ------------------------------------------------------------------------

    def line(self, pool: Recorded, rank: int) -> Line:
        """Return the state of one rank of a pool."""
        line = self._lines.get((pool.number, rank))
        if line is None:
            line = self._lines[pool.number, rank] = Line(pool.outs.get(rank, deque()))
            line.news = 1 if pool.cached.get((rank, None)) else 0
        return line

    def pool_of(self, rank: int) -> Recorded:
        """Return the pool that a rank is about to open, or has open."""
        return self._at[rank]

    def forget(self) -> None:
        """Drop what is left in main's channel, which is closed."""
        self._own.clear()

    def put(self, item: Any) -> None:
        """Take what a task of main's rank puts into its channel."""
        if item[0] is None:
            self._own.append(item)
        else:
            self.line(self._at[0], item[0]).inbox.append(item[1])
        if self._waiting and self._main is not None:
            self._kernel.wake(self._main)

    def receive(self, pool: Recorded, only_what_is_there: bool) -> Any:
        """Return what main receives next."""
        own = self._own
        while True:
            self._step()
            event = self._next if only_what_is_there else self._expect()
            if event is None:
                return None
            if event.e in _FROM_RANKS:
                return self._from_rank(pool, event)
            if only_what_is_there:
                return None
            if event.e in _FROM_OUTSIDE:
                self._perform(event)
            elif event.e in ("ping", "unanswered"):
                self._until(event)
                return None
            elif event.e == "call_back":
                self._until(event)
                self._of(event)
                return None, (self._ports[event.pool].jobs[event.job], event.reason, _Unanswered())
            elif event.e == "raised":
                self._until(event)
                raise raised_again(event.error)
            elif event.e == "unhandled":
                mine = next((item for item in own if isinstance(item[1], JobSchedulingError)), None)
                if mine is not None:
                    own.remove(mine)
                    return mine
                self._wait("a scheduler that fails")
            elif event.e in _OF_SCHEDULERS and (_scheduler_of(event) in self._turns or self._coming):
                self._wait("a scheduler")
            else:
                # What comes next is of main's own doing: it only has to be woken, or to hear that a scheduler ended. On
                # one rank that is what the next scheduler waits for.
                mine = next((item for item in own if not isinstance(item[1], JobSchedulingError)), None)
                if mine is not None:
                    own.remove(mine)
                    return mine
                self._wait("a scheduler" if event.e in _OF_SCHEDULERS else f"what made it go on to {event.e!r}")

    def _from_rank(self, pool: Recorded, event: Any) -> Any:
        rank: int = event.rank
        line = self.line(pool, rank)
        codec = self._codec if pool.ranks > 1 else _BY_REFERENCE
        if event.e == "returned":
            self._until(event)
            if missing := [job for job in event.jobs if line.held.pop(job, None) is None]:
                self.differs(None, f"rank {rank} does not have {missing} to give back")
                self._stop()
            if line.outs and line.outs[0] is event:
                line.outs.popleft()
            self.hand_out(line)
            return rank, codec.encode((RETURNED, [*event.jobs]))
        if event.e == "memory":
            self._until(event)
            return rank, codec.encode((GREW, event.job, event.peak))
        if event.e == "started":
            self._until(event)
            return rank, codec.encode((STARTED, event.job))
        if event.e == "stuck":
            self._until(event)
            overdue = pool.overdue.get(event.job)
            place = "" if overdue is None else overdue.place
            return rank, codec.encode((STUCK, event.job, place, "as recorded" if place else "", []))
        if event.e == "lost" and isinstance(event.error, LostRank):
            self._until(event)
            if rank and rank < len(self._kernel.ranks):
                self._kernel.kill(self._kernel.ranks[rank])
            return rank, RankLost(event.error.died, event.error.host)
        if event.e == "lost":
            line.leaves = event
            if line.waiting is not None:
                self._kernel.wake(line.waiting)
        while not line.inbox:
            self._step()
            self._wait(f"a message from rank {rank}: {event.e}")
        self._until(event)
        return rank, line.inbox.popleft()

    # -- what ranks receive and do -----------------------------------------------------------------

    def send(self, pool: Recorded, rank: int, message: Any) -> None:
        """Take what main sends to a rank."""
        line = self.line(pool, rank)
        order = self._codec.decode(message)
        if order[0] == RUN:
            _, calls, free, news = order
            line.free += free
            if news == line.news:
                line.held.update((each[0], each[1]) for each in calls)  # without their limits: those are kept here
                self.hand_out(line)
        elif order[0] != CALL_BACK:
            line.orders.append(message)
            if line.waiting is not None:
                self._kernel.wake(line.waiting)

    def hand_out(self, line: Line) -> None:
        """Give a waiting rank the job that it ran next, if main has sent it."""
        if line.waiting is None or line.orders or not line.outs:
            return
        event = line.outs[0]
        if event.e == "message" and event.job in line.held:
            call = line.held.pop(event.job)
            line.orders.append(self._codec.encode((RUN, [(event.job, call)], line.free, line.news)))
            line.free = []
            self._kernel.wake(line.waiting)

    def order(self, pool: Recorded, rank: int) -> Any:
        """Return the next order that a rank receives, once there is one."""
        line = self.line(pool, rank)
        line.waiting = self._kernel.task
        self.hand_out(line)
        while not line.orders:
            if line.leaves is not None:
                line.waiting, error = None, line.leaves.error
                raise raised_again(
                    (error.error or Raised("Exception", "")) if isinstance(error, LeftRank) else error, BaseException
                )
            self._kernel.park("an order")
        line.waiting = None
        return 0, line.orders.popleft()

    def says(self, pool: Recorded, rank: int, message: Any, parts: Sequence[Any]) -> None:
        """Take what a rank sends to main."""
        self.line(pool, rank).inbox.append(MultipartMessage(message, [*map(bytearray, parts)]) if parts else message)
        if self._waiting and self._main is not None:
            self._kernel.wake(self._main)

    def perform(self, pool: Recorded, rank: int, job: int, function: Callable[[], Any]) -> Any:
        """Let a job take its recorded time, and end as it did."""
        line, kernel = self.line(pool, rank), self._kernel
        while not line.outs or (event := line.outs[0]).e != "message" or event.job != job:
            kernel.park(f"the end of job {job}, which was not recorded")
        line.outs.popleft()
        self._until(event)
        result = None
        error: BaseException | None = None
        runs = None if self._jobs is None else self._jobs(pool.number, job, self._owners[rank])
        if runs is not None:
            try:
                result = runs()
            except Exception as raised:
                error = raised
        elif job in pool.overdue:
            error = LimitReached(pool.overdue[job].place, "as recorded")
        elif job in pool.failed:
            error = raised_by_job(pool.failed[job])
        if items := pool.cached.get((rank, job)):
            cache = self._owners[rank]._pool_cache
            for item in items:
                cache.setdefault(item, [])
            line.held.clear()
            line.news += 1
        line.ended_at = event.ended
        if error is not None:
            raise error
        return result

    def clock(self, pool: Recorded, rank: int) -> int:
        """Return what the clock of a rank showed at this point."""
        line = self.line(pool, rank)
        if line.ended_at is not None:
            shown, line.ended_at = line.ended_at, None
            return shown
        if line.outs and (event := line.outs[0]).e == "message":
            return event.started
        return self._kernel.now

    # -- main's lock -------------------------------------------------------------------------------

    def takes_lock(self) -> None:
        """Called when main takes its lock. Where the recorded main did, others may have had it before."""
        task = getcurrent()
        if task is self._main:
            if not self._depth and not self._performing:
                self.settle()
            self._depth += 1
        elif isinstance(task, Task) and task in self._schedulers:
            self.scheduler_ends(task)

    def gives_lock_back(self) -> None:
        """Called when main releases its lock."""
        if getcurrent() is self._main:
            self._depth -= 1


class _Node:
    """Stands for the node of a scheduler. Which node it is becomes known when the scheduler begins."""

    def __init__(self, director: Director):
        self._director = director

    def get_node_name(self) -> str:
        return self._director.begins()

    @property
    def depends_on(self) -> list[Named]:
        return self._director.depends_on()


class _Unanswered:
    """Receives the answer to a request for which nobody waits."""

    def put(self, answer: Any) -> None:
        pass


def _scheduler_of(event: PoolEvent) -> int | None:
    """The number of the scheduler that an event is of; None if it is of none."""
    return event.scheduler if event.e in ("scheduling", "scheduled") else None


def _plain(event: PoolEvent) -> tuple[Any, ...]:
    """The fields of an event with tuples for their lists, without its time: what has to be equal."""
    return tuple(map(_even, event[2:]))


def _even(value: Any) -> Any:
    """A value with a tuple for a list: one trace has these, where another one has those."""
    return tuple(value) if isinstance(value, list) else value


__all__ = ["Replay", "replay"]
