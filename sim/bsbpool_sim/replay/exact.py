"""Exact replay: a pool on simulated ranks, to which everything that a recorded one was told comes in the same order.

Main of a pool decides nothing by chance: what it does follows from what it is told, and when. A trace has all of
that, and all that main did then, in one sequence. So the `Director` keeps a place in that sequence. Wherever the
real pool, on simulated ranks, has come to a point at which something may come in from outside (it waits, it takes
its lock, it calls its listener), the director looks at the next event of the trace: if that came from outside, it lets
it happen; if not, the pool has to bring it about. Each event that the pool records is held against the next of the
trace, and the first that differs ends the replay.

Ranks run their jobs with the pool's own worker. A job's time, outcome and what it took into the cache are those of
the trace, and the rank's clock shows what the trace has. Jobs that were sent ahead wait with the director, which gives
a rank the one that it ran next, and back to main those that it gave back.

What would have been otherwise is not to be found here: that is `whatif`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from greenlet import GreenletExit, getcurrent

from bsbpool.engine.status import JobStatus
from bsbpool.exceptions import JobSchedulingError
from bsbpool.owner import Owner
from bsbpool.pool import JobPool
from bsbpool.pool.jobs import Job
from bsbpool.pool.limits import Overdue
from bsbpool.pool.progress import PoolJobUpdateProgress, Workflow
from bsbpool.pool.protocol import CALL_BACK, GREW, RETURNED, RUN, STARTED, STUCK, ByReference, Codec
from bsbpool.text import LONGEST
from bsbpool.trace import Recorder, Trace
from bsbpool.trace.comparing import Difference
from bsbpool.trace.format import EVENTS
from bsbpool.worlds import Channel, MultipartMessage, RankLost, Role

from ..cluster import Cluster
from ..comm import Comm
from ..errors import DeadlockError, HorizonError, SimulationError
from ..group import Group
from ..kernel import Task
from ..simulation import simulate
from ..world import SimWorld
from .ending import HORIZON, MOST_NODES, ReplayError, check_size, ending_at_ctrl_c, most_steps
from .standins import Named, error_of, error_of_job, job_class

#: Kinds of events that are not of main: nothing that it did, nor anything that it was told; and where errors were
#: raised, which is told beside them.
NOT_OF_MAIN = frozenset({"receive", "fault", "traceback"})

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

_LOST = re.compile(r"Rank \d+ on (\S*) (.*)", re.DOTALL)
_LEFT = re.compile(r"Rank \d+ left the pool: (.*)", re.DOTALL)
_OVERDUE = re.compile(
    r"JobTimeoutError: It ran for longer than its limit of \S+ s on rank \d+ on (.*), and "
    r"(?:was interrupted(?: in (.*))?|was in (.*), and can't be interrupted: .*|was in (.*)…|"
    r"its rank does not answer.*)",
    re.DOTALL,
)
_SKIPPED = "it left the pool without calling execute()"
_UNSCHEDULED = re.compile(
    r"JobSchedulingError: (.*) was not scheduled: it depends on (?:(.*), which was not scheduled|(.*)…)"
)
_ERRORED = re.compile(r"JobErroredError: <\S+ \d+ (.*?)(?:> (?:failed|was aborted.*)|…)", re.DOTALL)

#: What runs a job for real: takes pool (its number in the trace), job, and the owner on that rank.
RunsJobs = Callable[[int, int, Any], Callable[[], Any] | None]


class Stopped(SimulationError):
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
        """Whether the same happened, in the same order."""
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
        with ending_at_ctrl_c():
            simulate(director.program, director.ranks, script=director, horizon=HORIZON, max_events=director.most_steps)
    except Stopped:
        pass
    except HorizonError:
        director.differs(None, _NO_END)
    except DeadlockError as error:
        waits = re.search(r"rank \d+ waits for (.*), since", str(error))
        director.differs(None, f"it waits for ever: for {waits[1] if waits else error}")
    return director.result()


# -- what the trace says, pool by pool -------------------------------------------------------------------


@dataclass
class Recorded:
    """What a trace says of a pool, as far as it has to be known ahead.

    :ivar in_turn: whether schedulers and jobs take turns, as they do on one rank; before 0.2 they did not.
    :ivar idle_first: whether idle ranks get what becomes ready at once; before 0.2 they did not always.
    :ivar outs: by rank, what came from it and has to do with its jobs, in order.
    :ivar cached: by rank and job (None: before the first), what it took into its cache.
    :ivar failed: what jobs raised.
    :ivar overdue: of jobs that were past their limits: where they were.
    :ivar hosts: by rank: its host, as far as errors have it.
    :ivar unpacked: what was raised when jobs' calls were packed.
    :ivar unhandled: jobs whose errors no listener handled.
    :ivar told: descriptions of jobs, as far as errors have them.
    :ivar skipped: ranks that did not execute the pool, with the reason.
    :ivar blocked: nodes that were not scheduled since they depend on another one, and that.
    :ivar deaths: when main learned that ranks were gone, in nanoseconds since the trace began.
    :ivar ended: whether the trace has its end.
    """

    number: int
    label: int | str
    ranks: int
    fail_fast: bool
    phases: list[str]
    ahead: bool = True
    in_turn: bool = False
    idle_first: bool = False
    retries: int = 0
    overdue: dict[int, str] = field(default_factory=dict)
    hosts: dict[int, str] = field(default_factory=dict)
    outs: dict[int, deque[tuple[Any, ...]]] = field(default_factory=dict)
    cached: dict[tuple[int, int | None], Sequence[int]] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    unpacked: dict[int, str] = field(default_factory=dict)
    unhandled: set[int] = field(default_factory=set)
    told: dict[int, str] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)
    deaths: dict[int, int] = field(default_factory=dict)
    ended: bool = False


def recorded_pools(events: Sequence[tuple[Any, ...]]) -> list[Recorded]:
    """The pools of a trace.

    :raises ReplayError: there is none, one is BSB's own, or some were open at the same time.
    """
    pools: dict[int | str, Recorded] = {}
    last: Recorded | None = None
    ready: set[tuple[int, int]] = set()
    came: set[tuple[int, int]] = set()
    for event in events:
        kind, label = event[0], event[2]
        if kind == "pool":
            if last is not None and not last.ended:
                raise ReplayError(
                    f"pool {label!r} was opened before pool {last.label!r} ended: pools that are open at the same "
                    "time can't be replayed"
                )
            last = pools[label] = Recorded(len(pools), *event[2:6])
            continue
        pool = pools[label]
        if kind == "message":
            came.add((pool.number, event[4]))
            pool.outs.setdefault(event[3], deque()).append(event)
        elif kind == "returned":
            pool.outs.setdefault(event[3], deque()).append(event)
        elif kind == "status":
            if event[4] == "failed":
                pool.failed[event[3]] = event[6] or "Exception"
                if event[5] is not None and (pool.number, event[3]) not in came:
                    pool.unpacked[event[3]] = pool.failed[event[3]]
            elif event[4] == "aborted" and (overdue := _OVERDUE.fullmatch(event[6] or "")):
                # Where the text was cut, what is after it does not matter: it is cut again.
                cut = overdue[4] + "…" * LONGEST if overdue[4] else ""
                pool.overdue[event[3]] = overdue[2] or overdue[3] or cut
                pool.hosts[event[5]] = overdue[1]
        elif kind == "by_hand":
            came.add((pool.number, event[3]))
        elif kind == "retries":
            pool.retries = event[3]
        elif kind == "cached":
            pool.cached[event[3], event[4]] = event[5]
        elif kind == "freed":
            if event[3] == 0 and event[4] is None and pool.ranks > 1:
                # What main took in by itself, with jobs that it ran by hand: nobody told when.
                pool.cached[0, None] = event[5]
        elif kind == "ready":
            ready.add((pool.number, event[3]))
        elif kind == "lost":
            pool.deaths[event[3]] = event[1] - events[0][1]
            left = _LEFT.fullmatch(event[4] or "")
            if left is not None and (pool.number, event[3]) not in ready:
                pool.skipped[event[3]] = left[1]
        elif kind == "unhandled":
            if event[3] is not None:
                pool.unhandled.add(event[3])
                if found := _ERRORED.fullmatch(event[4] or ""):
                    pool.told[event[3]] = found[1]
            elif found := _UNSCHEDULED.fullmatch(event[4] or ""):
                pool.blocked[found[1]] = found[2] or found[3] + "…" * LONGEST
        elif kind == "announced":
            raise ReplayError(
                f"pool {label!r} is BSB's own, which does not announce what its jobs depend on: only runs with "
                "the pool of bsbpool can be replayed"
            )
        elif kind == "one_at_a_time":
            pool.ahead = False
        elif kind == "in_turn":
            pool.in_turn = True
        elif kind == "idle_first":
            pool.idle_first = True
        elif kind in ("end", "unexecuted"):
            pool.ended = True
    if not pools:
        raise ReplayError("the trace has no pool, so there is nothing to replay")
    return list(pools.values())


# -- the director ----------------------------------------------------------------------------------------


class Line:
    """What a rank of a pool is about.

    :ivar held: jobs that main has sent and the rank was not given yet, with their calls.
    :ivar free: cached items to free before the next one.
    :ivar orders: what it is given next.
    :ivar inbox: what it has sent to main.
    """

    def __init__(self, outs: deque[tuple[Any, ...]]):
        self.outs = outs
        self.held: dict[int, Any] = {}
        self.free: list[int] = []
        self.news = 0
        self.orders: deque[Any] = deque()
        self.inbox: deque[Any] = deque()
        self.waiting: Task | None = None
        self.leaves: str | None = None
        self.ended_at: int | None = None


class Director:
    """Stands where a script stands, and lets happen what was recorded; see the top of the file."""

    def __init__(self, trace: Trace, jobs: RunsJobs | None = None):
        self.recorded = trace
        self._events = [event for event in trace.tuples if event[0] not in NOT_OF_MAIN]
        self._numbers = [n for n, event in enumerate(trace.tuples, 1) if event[0] not in NOT_OF_MAIN]
        self.pools = recorded_pools(self._events)
        self.ranks = max(pool.ranks for pool in self.pools)
        check_size(trace, self.ranks)
        self.most_steps = self._steps_left = most_steps(trace, self.ranks)
        self._jobs = jobs
        self._codec = Codec()
        self._place = 0
        self._decided = self._decided_at()
        self._next: tuple[Any, ...] | None = self._events[0]
        self._start: int = self._events[0][1]
        self.difference: Difference | None = None
        self._why: str | None = None
        self._errors: list[BaseException | None] = []
        self._complete = self.pools[-1].ended
        self._lines: dict[tuple[int, int], Line] = {}
        self._open: dict[int | str, JobPool] = {}
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
        director = self

        class ReplayedWorld(_World):
            def __init__(self, comm: Comm):
                super().__init__(comm)
                self.director = director

        cluster.make_world = ReplayedWorld

    def check(self, cluster: Cluster) -> None:
        """Nothing is wrong with it after the run."""

    def result(self) -> Replay:
        """What came of it."""
        if self.difference is None and self._next is not None:
            self.differs(None, "the replay has ended")
        trace = self._cluster.recorder.trace
        return Replay(self.difference, self._why, self._place, self._complete, self._errors, trace)

    # -- the place in the trace --------------------------------------------------------------------

    def came(self, event: tuple[Any, ...]) -> None:
        """The pool recorded an event: it has to be the next one of the trace."""
        expected = self._next
        if expected is None:
            if self._complete:
                self.differs(event, None)
            self._stop()
        assert expected is not None
        if expected[0] != event[0] or (expected[2:] != event[2:] and _plain(expected) != _plain(event)):
            self.differs(event, None)
            self._stop()
        self._place += 1
        self._next = self._events[self._place] if self._place < len(self._events) else None
        if self._schedulers or self._waiting:
            self._moved()

    def _moved(self) -> None:
        kernel, event = self._kernel, self._next
        if event is not None and event[0] in _OF_SCHEDULERS and (task := self._turns.get(event[-1])) is not None:
            kernel.wake(task)  # not the others: with many, that would be the square of their number
        if self._waiting and self._main is not None and getcurrent() is not self._main:
            kernel.wake(self._main)

    def differs(self, event: tuple[Any, ...] | None, why: str | None) -> None:
        """The replay parts from the trace here."""
        if self.difference is not None:
            return
        expected, place, mine = self._next, self._place, self._cluster.recorder.trace
        left = None if expected is None else _as_dict(expected)
        right = None if event is None else _as_dict(event)
        fields: tuple[str, ...] = ()
        if left is not None and right is not None:
            names = dict.fromkeys([*left, *right])
            fields = tuple(n for n in names if n != "t" and _plain(left.get(n)) != _plain(right.get(n)))
        number = self._numbers[place] if place < len(self._numbers) else len(self.recorded) + 1
        self.difference = Difference(
            numbers=(number, len(mine) + 1),
            left=left,
            right=right,
            fields=fields,
            before=tuple(map(_as_dict, self._events[max(0, place - 3) : place])),
            after_left=tuple(map(_as_dict, self._events[place + 1 : place + 4])),
            after_right=(),
        )
        self._why = why

    def _stop(self) -> NoReturn:
        self._kernel.fail(Stopped("the replay is over"))
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

    def _until(self, event: tuple[Any, ...]) -> None:
        """Let the task that runs now wait for the time of an event."""
        at = event[1] - self._start
        while self._kernel.now < at:
            self._kernel.park("the time at which it was recorded", at)

    def _wait(self, why: str) -> None:
        """Let main wait until something came, or the trace went on."""
        self._waiting = True
        self._kernel.park(why)
        self._waiting = False

    def _expect(self) -> tuple[Any, ...]:
        """The next event; there has to be one, or the trace was cut off."""
        if self._next is None:
            if self._complete:
                self.differs(None, "the pool waits for more, where the recorded one had ended")
            self._stop()
        assert self._next is not None
        return self._next

    # -- programs ----------------------------------------------------------------------------------

    def program(self, comm: Comm) -> None:
        """What each rank runs."""
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
                shared = Group(self._cluster, range(recorded.ranks))
                group = self._groups[recorded.ranks] = [Comm(shared, rank) for rank in range(recorded.ranks)]
            comm = group[comm.rank]
        self._at[comm.rank] = recorded
        owner._comm = comm
        owner._pool_cache = {item: [] for item in recorded.cached.get((comm.rank, None), ())}
        pool = JobPool(recorded.label, owner, recorded.fail_fast, Workflow(recorded.phases), retries=recorded.retries)
        if not recorded.in_turn:
            pool._turns = None
        pool._engine.dispatch.idle_first = recorded.idle_first or recorded.in_turn
        return pool

    def _work(self, recorded: Recorded, owner: Owner, comm: Comm) -> None:
        skipped = recorded.skipped.get(comm.rank)
        try:
            with self._pool(recorded, owner, comm) as pool:
                if skipped is None:
                    pool.execute()
                elif skipped != _SKIPPED:
                    raise error_of(skipped, BaseException)
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
        pool.add_listener(self._listen)
        pool.add_listener(self._raise)  # another one: what it raises does not keep the first from handling an error
        try:
            with pool:
                self._prepare()
                # On one rank schedulers run before the status changes, and the rank may be ready by then.
                if self._expect()[0] in ("pool_status", "ready", *_OF_SCHEDULERS):
                    try:
                        pool.execute()
                    finally:
                        self._linger()
                elif self._expect()[0] == "unexecuted":
                    if (text := self._expect()[3]) is not None:
                        raise error_of(text, BaseException)
                else:
                    self.differs(None, "main executes the pool, or leaves it")
                    self._stop()
        except (GreenletExit, Stopped):
            raise
        except BaseException as raised:
            error = raised
        self._errors.append(error)

    def _prepare(self) -> None:
        """Do what main did before it executed the pool."""
        while True:
            event = self._expect()
            if event[0] in _FROM_OUTSIDE:
                self._perform(event)
            elif event[0] == "ping":
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
        """Main comes to a point at which others may have done something: let happen what they did.

        But only if main went on to do something of its own then: else it did not happen before main waited for more.

        :param besides: what else main may go on with here.
        """
        while (event := self._next) is not None:
            self._step()
            if event[0] in _FROM_OUTSIDE:
                if self._waits_for_more(besides):
                    return
                self._perform(event)
            elif event[0] in _OF_SCHEDULERS and (self._schedulers or self._coming):
                self._wait("a scheduler")
            else:
                return

    def _waits_for_more(self, besides: frozenset[str]) -> bool:
        """Whether main, when others have done what comes next, had to be told something to go on."""
        place = self._decided[self._place]
        if place == len(self._events):
            return False
        event = self._events[place]
        kind = event[0]
        if kind == "unhandled":
            if event[3] is not None:  # said when all listeners were told
                return kind not in besides
            return (event[4] or "").startswith("JobSchedulingError")
        return kind in _TO_MAIN and kind not in besides

    def _decided_at(self) -> list[int]:
        """By place: that of the next event, from there on, which neither came from outside nor from a scheduler."""
        decided = [len(self._events)] * (len(self._events) + 1)
        for place in range(len(self._events) - 1, -1, -1):
            others = self._events[place][0] in _FROM_OUTSIDE or self._events[place][0] in _OF_SCHEDULERS
            decided[place] = decided[place + 1] if others else place
        return decided

    def _perform(self, event: tuple[Any, ...]) -> None:
        """Do to a pool what was done to it."""
        self._until(event)
        kind = event[0]
        pool = self._of(event)
        recorded = self._at[0]
        self._performing = True
        try:
            if kind == "job":
                self._queue(pool, recorded, event)
            elif kind == "schedule":
                pool.schedule(self._nodes_of(event[3]), self._scheduled)
            elif kind == "cancel":
                pool._cancel(self._job(pool, event[3]), event[4])
            elif kind == "limit":
                pool._limit(self._job(pool, event[3]), event[4])
            else:
                self._manual(pool, *event[3:])
        except (GreenletExit, Stopped):
            raise
        except Exception as error:
            self.differs(None, f"the pool refuses what was done to the recorded one: {error}")
            self._stop()
        finally:
            self._performing = False
        self._moved_on(event)

    def _moved_on(self, event: tuple[Any, ...]) -> None:
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

    def _of(self, event: tuple[Any, ...]) -> JobPool:
        """The pool of an event that main brings about: the one that is open."""
        pool = self._open.get(event[2])
        if pool is None or event[2] != self._at[0].label:
            self.differs(None, f"pool {event[2]!r} is not open")
            self._stop()
        return pool

    def _queue(self, pool: JobPool, recorded: Recorded, event: tuple[Any, ...]) -> None:
        _, _, _, id, kind, name, context, deps, cache = event
        jobs = pool._engine.jobs
        limit = self._events[self._place + 1] if self._place + 1 < len(self._events) else event
        ns = limit[4] if limit[0] == "limit" and limit[3] == id and limit[2] == event[2] else None
        job_class(kind)(
            pool, name, dict(context), [jobs[dep] for dep in deps], cache,
            recorded.told.get(id), recorded.unpacked.get(id), ns,
        )  # fmt: skip

    def _job(self, pool: JobPool, id: int) -> Job:
        job = pool._engine.jobs[id]
        assert isinstance(job, Job)
        return job

    def _manual(self, pool: JobPool, id: int, status: str, error: str | None) -> None:
        job = self._job(pool, id)
        if status == "running":
            pool._manual.begin(job)
        elif error is not None:
            pool._manual.finish(job, None, error_of(error, BaseException))
        else:
            pool._manual.set_status(job, JobStatus(status))

    def _listen(self, progress: Any) -> bool:
        """The listener of main's pool: does what listeners and callbacks did, and handles what they handled."""
        while True:
            self.settle(_BY_LISTENERS)
            event = self._next
            if event is None or event[0] != "call_back":
                break
            self._until(event)
            pool = self._of(event)
            pool._cancel(self._job(pool, event[4]), event[5])
            self._moved_on(event)
        job = getattr(progress, "job", None)
        return job is not None and job.id not in self._at[0].unhandled

    def _raise(self, progress: Any) -> None:
        """The listener that raises what listeners and callbacks raised."""
        event, job = self._next, getattr(progress, "job", None)
        if event is not None and event[0] == "unhandled" and job is not None and event[3] == job.id:
            if not isinstance(progress, PoolJobUpdateProgress) or not progress.status.ended:
                return
            # What somebody raises about a job that failed comes after that nobody handled it.
            event = self._events[self._place + 1] if self._place + 1 < len(self._events) else None
        if event is not None and event[0] == "raised":
            raise error_of(event[3])

    def host(self, rank: int) -> str:
        """The host of a rank, as it was recorded."""
        known = self._at[rank].hosts if rank in self._at else {}
        hosts = self.recorded.header.get("hosts") or ["a recorded host"]
        return known.get(rank) or str(hosts[rank] if rank < len(hosts) else hosts[0])

    # -- schedulers --------------------------------------------------------------------------------

    def begins(self, task: Task) -> str:
        """A scheduler begins with a node. Returns its name."""
        number = self._schedulers[task]
        self._turn(lambda event: event[0] == "scheduling" and event[4] == number)
        name: str = self._expect()[3]
        self._nodes[task] = name
        return name

    def depends_on(self, task: Task) -> list[Named]:
        """The nodes on which the node of a scheduler depends, of those that were not scheduled."""
        other = self._at[0].blocked.get(self._nodes[task])
        if other is None:
            return []
        node = Named(other)
        self._open[self._at[0].label]._schedulers.not_scheduled[id(node)] = node
        return [node]

    def _scheduled(self, node: Any) -> None:
        """What schedulers do with a node, as far as they do it themselves: raise."""
        self.scheduler_ends(self._kernel.task)
        if (text := self._expect()[4]) is not None:
            raise error_of(text, BaseException)

    def scheduler_ends(self, task: Task) -> None:
        """A scheduler waits until it has ended with its node."""
        number = self._schedulers[task]
        self._turn(lambda event: event[0] in _OF_SCHEDULERS and event[-1] == number)

    def _turn(self, is_it: Callable[[tuple[Any, ...]], bool]) -> None:
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
        """The task of a scheduler."""
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
        """What a rank of a pool is about."""
        line = self._lines.get((pool.number, rank))
        if line is None:
            line = self._lines[pool.number, rank] = Line(pool.outs.get(rank, deque()))
            line.news = 1 if pool.cached.get((rank, None)) else 0
        return line

    def put(self, item: Any) -> None:
        """A task of main's rank puts something into its channel."""
        if item[0] is None:
            self._own.append(item)
        else:
            self.line(self._at[0], item[0]).inbox.append(item[1])
        if self._waiting and self._main is not None:
            self._kernel.wake(self._main)

    def receive(self, pool: Recorded, only_what_is_there: bool) -> Any:
        """What main receives next."""
        own = self._own
        while True:
            self._step()
            event = self._next if only_what_is_there else self._expect()
            if event is None:
                return None
            kind = event[0]
            if kind in _FROM_RANKS:
                return self._from_rank(pool, event)
            if only_what_is_there:
                return None
            if kind in _FROM_OUTSIDE:
                self._perform(event)
            elif kind in ("ping", "unanswered"):
                self._until(event)
                return None
            elif kind == "call_back":
                self._until(event)
                return None, (self._job(self._of(event), event[4]), event[5], _Unanswered())
            elif kind == "raised":
                self._until(event)
                raise error_of(event[3])
            elif kind == "unhandled":
                mine = next((item for item in own if isinstance(item[1], JobSchedulingError)), None)
                if mine is not None:
                    own.remove(mine)
                    return mine
                self._wait("a scheduler that fails")
            elif kind in _OF_SCHEDULERS and (event[-1] in self._turns or self._coming):
                self._wait("a scheduler")
            else:
                # What comes next is of main's own doing: it only has to be woken, or to hear that a scheduler ended. On
                # one rank that is what the next scheduler waits for.
                mine = next((item for item in own if not isinstance(item[1], JobSchedulingError)), None)
                if mine is not None:
                    own.remove(mine)
                    return mine
                self._wait("a scheduler" if kind in _OF_SCHEDULERS else f"what made it go on to {kind!r}")

    def _from_rank(self, pool: Recorded, event: tuple[Any, ...]) -> Any:
        kind, rank = event[0], event[3]
        what: Any = event[4] if len(event) > 4 else None
        line = self.line(pool, rank)
        codec = self._codec if pool.ranks > 1 else _BY_REFERENCE
        if kind == "returned":
            self._until(event)
            if missing := [job for job in what if line.held.pop(job, None) is None]:
                self.differs(None, f"rank {rank} does not have {missing} to give back")
                self._stop()
            if line.outs and line.outs[0] is event:
                line.outs.popleft()
            self.hand_out(line)
            return rank, codec.encode((RETURNED, [*what]))
        if kind == "memory":
            self._until(event)
            return rank, codec.encode((GREW, what, event[5]))
        if kind in ("started", "stuck"):
            self._until(event)
            if kind == "started":
                return rank, codec.encode((STARTED, what))
            place = pool.overdue.get(what, "")
            return rank, codec.encode((STUCK, what, place, "as recorded" if place else "", []))
        if kind == "lost" and (found := _LOST.fullmatch(what or "")):
            self._until(event)
            if rank and rank < len(self._kernel.ranks):
                self._kernel.kill(self._kernel.ranks[rank])
            return rank, RankLost(found[2], found[1])
        if kind == "lost":
            left = _LEFT.fullmatch(what or "")
            line.leaves = left[1] if left is not None else what or "Exception"
            if line.waiting is not None:
                self._kernel.wake(line.waiting)
        while not line.inbox:
            self._step()
            self._wait(f"a message from rank {rank}: {kind}")
        self._until(event)
        return rank, line.inbox.popleft()

    # -- what ranks receive and do -----------------------------------------------------------------

    def send(self, pool: Recorded, rank: int, message: Any) -> None:
        """Main sends to a rank."""
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
        """Give a rank that waits the job that it ran next, if main has sent it."""
        if line.waiting is None or line.orders or not line.outs:
            return
        event = line.outs[0]
        if event[0] == "message" and event[4] in line.held:
            call = line.held.pop(event[4])
            line.orders.append(self._codec.encode((RUN, [(event[4], call)], line.free, line.news)))
            line.free = []
            self._kernel.wake(line.waiting)

    def order(self, pool: Recorded, rank: int) -> Any:
        """The next order that a rank receives, once there is one."""
        line = self.line(pool, rank)
        line.waiting = self._kernel.task
        self.hand_out(line)
        while not line.orders:
            if line.leaves is not None:
                line.waiting, text = None, line.leaves
                raise error_of(text, BaseException)
            self._kernel.park("an order")
        line.waiting = None
        return 0, line.orders.popleft()

    def says(self, pool: Recorded, rank: int, message: Any, parts: Sequence[Any]) -> None:
        """A rank sends to main."""
        self.line(pool, rank).inbox.append(MultipartMessage(message, [*map(bytearray, parts)]) if parts else message)
        if self._waiting and self._main is not None:
            self._kernel.wake(self._main)

    def perform(self, pool: Recorded, rank: int, job: int, function: Callable[[], Any]) -> Any:
        """Let a job take its time, and end as it did."""
        line, kernel = self.line(pool, rank), self._kernel
        while not line.outs or line.outs[0][0] != "message" or line.outs[0][4] != job:
            kernel.park(f"the end of job {job}, which was not recorded")
        event = line.outs.popleft()
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
            error = Overdue(pool.overdue[job], "as recorded")
        elif job in pool.failed:
            error = error_of_job(pool.failed[job])
        if items := pool.cached.get((rank, job)):
            cache = self._owners[rank]._pool_cache
            for item in items:
                cache.setdefault(item, [])
            line.held.clear()
            line.news += 1
        line.ended_at = event[6]
        if error is not None:
            raise error
        return result

    def clock(self, pool: Recorded, rank: int) -> int:
        """What the clock of a rank showed, when it looked at it."""
        line = self.line(pool, rank)
        if line.ended_at is not None:
            shown, line.ended_at = line.ended_at, None
            return shown
        if line.outs and line.outs[0][0] == "message":
            started: int = line.outs[0][5]
            return started
        return self._kernel.now


class Checking(Recorder):
    """A recorder that holds each event against the trace."""

    def __init__(self, director: Director, header: Any, now: Callable[[], int]):
        super().__init__(header, now)
        append, came = self.trace.append, director.came

        def record(event: tuple[Any, ...]) -> None:
            if event[0] not in NOT_OF_MAIN:
                came(event)
            append(event)

        self.record = record

    def label(self, id: Any) -> int | str:
        label: int | str = id  # a pool's id is what it is called in the trace
        return label


class _World(SimWorld):
    """The ground under a rank of a replay."""

    director: Director

    def channel(self) -> Channel:
        recorded = self.director._at[self.rank]
        return _Main(self.director, recorded) if self.rank == 0 else _Rank(self.director, recorded, self.rank)

    def lock(self) -> Any:
        return _Gate(self.director) if self.rank == 0 else super().lock()

    def now(self) -> int:
        director = self.director
        if self.rank or self._kernel.task.role is Role.WORKER:
            return director.clock(director._at[self.rank], self.rank)
        return 0  # main is told when its time has come; by itself it waits for nothing

    @property
    def host(self) -> str:
        """The name of the host as it was recorded."""
        return self.director.host(self.rank)

    @host.setter
    def host(self, name: str) -> None:
        pass

    def start(self, role: Role, function: Callable[..., Any], *args: Any, name: str | None = None) -> None:
        if role is Role.SCHEDULER:
            self.director._coming += 1
            super().start(role, self.director.schedules, function, args, name=name)
        else:
            super().start(role, function, *args, name=name)


class _Gate:
    """Main's lock: where it is taken, others may have had it before."""

    def __init__(self, director: Director):
        self._director = director

    def __enter__(self) -> None:
        director = self._director
        task = getcurrent()
        if task is director._main:
            if not director._depth and not director._performing:
                director.settle()
            director._depth += 1
        elif task in director._schedulers:
            assert isinstance(task, Task)
            director.scheduler_ends(task)

    def __exit__(self, *exc: object) -> None:
        if getcurrent() is self._director._main:
            self._director._depth -= 1


class _Main(Channel):
    """Main's end of a pool's lines."""

    def __init__(self, director: Director, recorded: Recorded):
        self._director = director
        self._recorded = recorded
        self.any_task_sends = recorded.ahead

    def put(self, item: Any) -> None:
        self._director.put(item)

    def get(self, until: int | None = None) -> Any:
        return self._director.receive(self._recorded, until == 0)

    def send(self, rank: int, message: bytes, parts: Sequence[Any] = (), last: bool = False) -> None:
        self._director.send(self._recorded, rank, message)

    def close(self) -> None:
        self._director._own.clear()

    def perform(self, job: int, function: Callable[[], Any]) -> Any:
        return self._director.perform(self._recorded, 0, job, function)


class _Rank(Channel):
    """Another rank's end."""

    def __init__(self, director: Director, recorded: Recorded, rank: int):
        self._director = director
        self._recorded = recorded
        self._rank = rank

    def put(self, item: Any) -> None:
        raise AssertionError("no task of a rank other than main puts anything into its channel")

    def get(self, until: int | None = None) -> Any:
        return None if until == 0 else self._director.order(self._recorded, self._rank)

    def send(self, rank: int, message: bytes, parts: Sequence[Any] = (), last: bool = False) -> None:
        self._director.says(self._recorded, self._rank, message, parts)

    def close(self) -> None:
        pass

    def perform(self, job: int, function: Callable[[], Any]) -> Any:
        return self._director.perform(self._recorded, self._rank, job, function)


class _Node:
    """A node for a scheduler: which one it is turns out when the scheduler comes to it."""

    def __init__(self, director: Director):
        self._director = director

    def get_node_name(self) -> str:
        return self._director.begins(self._director._kernel.task)

    @property
    def depends_on(self) -> list[Named]:
        return self._director.depends_on(self._director._kernel.task)


class _Unanswered:
    """Where the answer to a request goes that nobody waits for."""

    def put(self, answer: Any) -> None:
        pass


def _plain(value: Any) -> Any:
    """A value with tuples for its lists, and no time: what has to be equal."""
    if isinstance(value, tuple) and value and value[0] in EVENTS:
        return (value[0], *map(_plain, value[2:]))
    return tuple(value) if isinstance(value, list) else value


def _as_dict(event: tuple[Any, ...]) -> dict[str, Any]:
    return {"t": event[1], "e": event[0], **dict(zip(EVENTS[event[0]], event[2:], strict=False))}


__all__ = ["Replay", "replay"]
