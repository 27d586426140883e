"""The worker loop: executes the jobs assigned to this rank, in order.

It decides nothing: the messages of main say which job to run, and which items to free before it. The same loop runs on
a rank of its own and, if there is only one rank, in a task beside main.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import wording
from ..engine.dispatch import PATIENCE, patience_ns
from ..exceptions import RankLostError
from ..worlds import Mailbox, RankLost, Role, World
from .caching import free_items
from .calls import bind
from .limits import LimitReached, Limits, StackPlace
from .protocol import DONE, GREW, MEASURE, READY, RETURNED, RUN, STARTED, STOP, STUCK, Codec

#: How often a rank measures its memory, at the most (nanoseconds), and what growth is worth telling (bytes).
MEASURE_EVERY, WORTH_TELLING = 1_000_000, 2**20


class Worker:
    """Runs the jobs of one pool on one rank.

    :param receive: gives the next ``(rank, message)``, or None if none came until the time that it is given.
    :param send: takes a message for main, and its parts if it has some.
    :param flush: waits until parts that were sent may be changed.
    :param perform: runs the user's code of a job: `bsbpool.worlds.Channel.perform`.
    :param any_task_sends: whether tasks besides the one that works may send.
    :param complain: takes what clean-up functions of cached items raised; no job is to blame.
    """

    def __init__(
        self,
        world: World,
        owner: Any,
        codec: Codec,
        receive: Callable[[int | None], Any],
        send: Callable[..., None],
        flush: Callable[[], None],
        perform: Callable[[int, Callable[[], Any]], Any],
        any_task_sends: bool,
        complain: Callable[[Exception], Any],
    ):
        self._world = world
        self._owner = owner
        self._codec = codec
        self._receive = receive
        self._send = send
        self._flush = flush
        self._perform = perform
        self._any_task_sends = any_task_sends
        # Keeps the limits of jobs, once there is one.
        self._limits: Limits | None = None
        self._complain = complain
        # Cached items that main knows of, so that only news travel.
        self._told: dict[int, None] = {}
        self._news_told = 0
        # Jobs that main has sent and that have not started: (job, call), and a limit if there is one.
        self._line: deque[tuple[Any, ...]] = deque()
        # Cached items to free before the next job.
        self._free: Iterable[int] = ()
        self._stopped: tuple[str | None] | None = None
        # What the watch met: main is gone, or an error of its own.
        self._trouble: BaseException | None = None
        # Once main wants to know: when to measure memory next, and what it was told.
        self._measure_at: int | None = None
        self._peak_told = 0
        # What the watch needs: whether a job runs, how many have started, and its wake-up calls. Under the lock is
        # all that goes on between two jobs; while one runs, the watch may take it.
        self._busy = False
        self._starts = 0
        #: nanoseconds that the last job took.
        self._took = 0
        self._lock = world.lock()
        self._watch_calls: Mailbox | None = None
        #: whether the watch will look as soon as what stands in line has waited for too long, so that nobody needs to
        #: call it.
        self._watched = False

    def work(self) -> str | None:
        """Run jobs until main stops the pool.

        :returns: None, or what went wrong there.
        :raises RankLostError: main is gone.
        """
        codec, line, lock, send, receive = self._codec, self._line, self._lock, self._send, self._receive
        take, run = self._take, self._run
        try:
            send(codec.encode((READY, self._news(), self._world.host)))
            told: tuple[Any, Sequence[Any]] | None = None
            while True:
                with lock:
                    self._busy = False
                    if self._trouble is not None:
                        raise self._trouble
                    # Between two jobs it only takes what is there already: main may have called one back.
                    while (
                        self._stopped is None
                        and (order := receive(0 if line or told else None)) is not None
                        and take(*order)
                    ):
                        pass
                    # The next job is taken out of the line before main hears of the last one's end, since from then
                    # on main counts it as running. And main must have heard before of what the watch gave back.
                    call = None
                    if line and self._stopped is None:
                        self._busy = True  # first of all: who is neither busy nor has a line is not watched any more
                        call = line.popleft()
                    if told is not None:
                        send(*told)
                        # The next job may change what this one's result refers to.
                        if told[1]:
                            self._flush()
                        told = None
                    if self._stopped is not None:
                        return self._stopped[0]
                    if call is None:
                        continue
                    self._starts += 1
                told = run(*call)
                if self._measure_at is not None:
                    self._measure(call[0])
        finally:
            self._busy = False
            line.clear()
            if self._watch_calls is not None:
                self._watch_calls.put(STOP)
                self._watch_calls = None  # which may refer to this
            if self._limits is not None:
                self._limits.close()

    def _take(self, rank: int, message: Any) -> bool:
        """Do what main says; called under the lock. Returns whether there may be more to do before the next job."""
        if type(message) is RankLost:
            if rank == 0:
                raise RankLostError(wording.main_lost(message.died, message.host))
            return True
        order = self._codec.decode(message)
        kind = order[0]
        if kind == RUN:
            _, jobs, free, news = order
            if free:
                self._free = [*self._free, *free]
            if news != self._news_told:
                return True  # sent before main heard that these jobs may have to free something first
            self._line.extend(jobs)
            # Where jobs were sent ahead once, others may be on their way to stand behind this one.
            if not self._watched and (len(self._line) > 1 or self._watch_calls is not None):
                self._call_watch()
            return False
        if kind == STOP:
            self._stopped = (order[1],)
            return False
        if kind == MEASURE:
            self._measure_at = 0
            return True
        if order[1] is None:
            self._return_line()
            return True
        found = next((each for each in self._line if each[0] == order[1]), None)
        if found is not None:
            self._line.remove(found)
            self._send(self._codec.encode((RETURNED, [order[1]])))
        else:
            self._send(self._codec.encode((STARTED, order[1])))
        return True

    # -- jobs that stand behind a long one -----------------------------------------------------------

    def _call_watch(self) -> None:
        if self._watch_calls is None:
            self._watch_calls = self._world.start_on_call(Role.WATCH, self._watch, self._has_jobs)
        self._watched = True
        self._watch_calls.put(RUN)

    def _has_jobs(self) -> bool:
        """Whether there is something to watch. Called in place of the watch, which has not begun."""
        self._watched = self._busy or bool(self._line)
        return self._watched

    def _watch(self, calls: Mailbox) -> None:
        """The task that gives back the jobs behind one that runs for long, since other ranks may be idle."""
        try:
            while calls.get() != STOP:
                self._watched = False
                patience, starts = PATIENCE, -1
                while self._busy or self._line:
                    self._watched = starts != self._starts
                    if self._watched:
                        patience, starts = patience_ns(self._took), self._starts
                    else:
                        patience *= 2  # a job that is long already may go on for hours
                    called = calls.get(self._world.now() + patience)
                    if called == STOP:
                        return
                    if called == RUN:
                        starts = -1  # there is a new line, and with it a new job: it was asleep for longer than that
                    elif starts == self._starts:
                        self._give_back(starts)
                    # Whoever adds to the line from here on calls it; what was added before, it finds by itself.
                    self._watched = False
        except BaseException as error:
            if self._stopped is None:  # else nobody looks any more
                self._trouble = error

    def _give_back(self, starts: int) -> None:
        """Give back all jobs that have not started, those among them that are on their way.

        :param starts: how many had started when that was decided; if others did since, there is no need.
        """
        with self._lock:
            if starts != self._starts:
                return
            # What comes while a job runs waits for its end, unless the watch looks.
            while self._busy and (order := self._receive(0)) is not None:
                self._take(*order)
            self._return_line()

    def _return_line(self) -> None:
        jobs = [each[0] for each in self._line]
        self._line.clear()
        if jobs:
            self._send(self._codec.encode((RETURNED, jobs)))

    # -- one job -------------------------------------------------------------------------------------

    def _run(self, job: int, payload: Any, limit: int | None = None) -> tuple[Any, Sequence[Any]]:
        """Run one job. Returns the message that says what became of it, and its parts."""
        now, codec = self._world.now, self._codec
        started = now()
        try:
            if self._free:
                with self._lock:
                    free, self._free = self._free, ()
                for item in free:
                    self._told.pop(item, None)
                try:
                    free_items(self._owner, free)
                except ExceptionGroup as group:
                    for error in group.exceptions:
                        self._complain(error)
            call = bind(codec.unpack_call(payload), self._owner)
            if limit is None:
                result = self._perform(job, call)
            else:
                if self._limits is None:
                    self._limits = Limits(self._world, self._tell_stuck)
                result = self._limits.run(job, limit, lambda: self._perform(job, call))
            ended = now()
            packed, parts = codec.pack_result(result)
            succeeded = True
        except LimitReached as overdue:
            ended = now()
            packed, parts, succeeded = (overdue.place, overdue.stack, overdue.frames), (), None
        except (Exception, SystemExit) as error:  # what else there is ends the rank, not the job
            ended = now()
            packed, parts = codec.pack_error(error, f"rank {self._world.rank} on {self._world.host}"), ()
            succeeded = False
        self._took = ended - started
        # News are told once: what fails from here on ends the rank.
        news = self._news() if self._owner._pool_cache else []
        return codec.encode((DONE, job, succeeded, packed, started, ended, news)), parts

    def _tell_stuck(self, job: int, where: Callable[[], StackPlace | None]) -> None:
        """The timekeeper's: a job runs on after it was interrupted. Main learns of it before it learns of its end."""
        if not self._any_task_sends:
            return  # main has a clock, too
        with self._lock:
            if (found := where()) is not None:
                place, stack, frames = found
                place = place or "no Python code of its own"
                self._send(self._codec.encode((STUCK, job, place, stack, frames)))

    def _measure(self, job: int) -> None:
        """Tell main if this rank has taken more memory than main knows of."""
        now = self._world.now()
        assert self._measure_at is not None
        if now < self._measure_at:
            return
        self._measure_at = now + MEASURE_EVERY
        peak = self._world.memory()
        if peak >= self._peak_told + WORTH_TELLING:
            self._peak_told = peak
            with self._lock:
                self._send(self._codec.encode((GREW, job, peak)))

    def _news(self) -> list[int]:
        """The cached items that main has not been told of."""
        cache, told = self._owner._pool_cache, self._told
        # What was taken in since stands at the end, as in any dictionary.
        if not cache or next(reversed(cache)) in told:
            return []
        news = [item for item in cache if item not in told]
        told.update(dict.fromkeys(news))
        # From now on each job here may come with an order to free, which those in line did not. Main knows.
        with self._lock:
            self._line.clear()
            self._news_told += 1
        return news
