"""Small ways to break the pool, one a function: what a slip of the hand could do to the code. Each is applied to the
real pool, through a monkeypatch. Which scenarios catch it is found by `test_breaks.py`.

A break changes one thing and leaves the rest as it is. It must not go round for ever: a scenario has no clock.
"""

from __future__ import annotations

from collections import deque

from bsbpool.engine.caching import Caches
from bsbpool.engine.commands import Announce
from bsbpool.engine.engine import CANCELLED, PENDING, QUEUED, RUNNING, SUCCESS, Engine
from bsbpool.engine.failure import Failures
from bsbpool.engine.graph import Graph
from bsbpool.engine.state import Heap
from bsbpool.engine.status import JobStatus
from bsbpool.exceptions import JobAbortedError, JobCancelledError, RemoteError
from bsbpool.pool import JobPool, caching, jobs, limits, member, protocol, scheduling, worker
from bsbpool.pool.coordinator import Coordinator
from bsbpool.pool.member import Member
from bsbpool.pool.notifier import Notifier
from bsbpool.pool.results import Results
from bsbpool.pool.scheduling import Schedulers
from bsbpool.pool.worker import Worker

BREAKS = {}


class Gone(BaseException):
    """What ends a rank, and no job."""


def a_break(function):
    """Adds a break under the words of its docstring."""
    BREAKS[function.__doc__] = function
    return function


def around(patch, owner, name, wrap):
    """Replace a method by ``wrap(original)``."""
    patch.setattr(owner, name, wrap(getattr(owner, name)))


# -- dependencies --------------------------------------------------------------------------------------


@a_break
def _(patch):
    """dependents of a job that failed are not cancelled"""
    patch.setattr(Graph, "end", lambda self, job, status, error: _end(self, job, status, error, cascade=0))


@a_break
def _(patch):
    """dependents are cancelled, and theirs are not"""
    patch.setattr(Graph, "end", lambda self, job, status, error: _end(self, job, status, error, cascade=1))


def _end(self, job, status, error, cascade):
    dependents = self.settle(job, status, error)
    for dependent in dependents:
        if status is SUCCESS:
            dependent._open_dependencies -= 1
            if not dependent._open_dependencies and dependent._status is PENDING and self.begun:
                self._make_ready(dependent)
        elif cascade and dependent._status is PENDING:
            self.settle(dependent, CANCELLED, JobCancelledError("Job killed for dependency failure"))


@a_break
def _(patch):
    """dependents of a job that failed run"""
    patch.setattr(Graph, "end", lambda self, job, status, error: _end_all_the_same(self, job, status, error))


def _end_all_the_same(self, job, status, error):
    for dependent in self.settle(job, status, error):
        dependent._open_dependencies -= 1
        if not dependent._open_dependencies and dependent._status is PENDING and self.begun:
            self._make_ready(dependent)


@a_break
def _(patch):
    """a job starts without its last dependency"""
    around(patch, Engine, "add", lambda add: lambda self, job, deps: add(self, job, [*deps][:-1]))


@a_break
def _(patch):
    """a job starts when the first of its dependencies has succeeded"""
    around(patch, Engine, "add", lambda add: lambda self, job, deps: add(self, job, [*deps][:1]))


@a_break
def _(patch):
    """a job that is queued after its dependency failed runs"""

    def wrap(add):
        return lambda self, job, deps: add(self, job, [d for d in deps if not d._status.ended])

    around(patch, Engine, "add", wrap)


# -- order and places ----------------------------------------------------------------------------------


@a_break
def _(patch):
    """on one rank the job that was queued last runs first"""
    patch.setattr(Heap, "popleft", lambda self: self._heap.pop()[1])


@a_break
def _(patch):
    """the job that became ready last starts first"""

    class Stack(deque):
        popleft = deque.pop
        appendleft = deque.append

    def wrap(init):
        def made(self, *args, **kwargs):
            init(self, *args, **kwargs)
            if isinstance(self.ready, deque):
                self.ready = Stack()

        return made

    around(patch, Graph, "__init__", wrap)


@a_break
def _(patch):
    """one of the ranks gets no jobs"""
    around(patch, Engine, "ready", lambda ready: lambda self, rank, items: rank != 2 and ready(self, rank, items))


@a_break
def _(patch):
    """a job runs twice on its rank"""

    def wrap(run):
        def twice(self, job, *rest):
            run(self, job, *rest)
            return run(self, job, *rest)

        return twice

    around(patch, Worker, "_run", wrap)


@a_break
def _(patch):
    """a job's result is lost"""
    around(patch, Results, "keep", lambda keep: lambda self, job, payload: keep(self, job, _nothing(self)))


def _nothing(self):
    return self._codec.pack_result(None)[0]


@a_break
def _(patch):
    """a job gets the result of the one before it"""
    last = {}

    def wrap(keep):
        def kept(self, job, payload):
            keep(self, job, last.get(self, payload))
            last[self] = payload

        return kept

    around(patch, Results, "keep", wrap)


# -- statuses and what listeners hear --------------------------------------------------------------------


@a_break
def _(patch):
    """a change is announced twice"""

    def wrap(change):
        def twice(self, job, status):
            change(self, job, status)
            if self.commands and type(self.commands[-1]) is Announce:
                self.commands.append(self.commands[-1])

        return twice

    around(patch, Graph, "change", wrap)


@a_break
def _(patch):
    """that a job runs is not announced"""

    def wrap(change):
        def silent(self, job, status):
            change(self, job, status)
            if status is RUNNING and self.commands and type(self.commands[-1]) is Announce:
                self.commands.pop()

        return silent

    around(patch, Graph, "change", wrap)


@a_break
def _(patch):
    """listeners are told of the last change first"""

    def wrap(notify):
        def reversed_(self):
            line = self.notifier.line
            changes = [*line]
            line.clear()
            line.extend(reversed(changes))
            notify(self)

        return reversed_

    around(patch, Member, "notify", wrap)


@a_break
def _(patch):
    """only the first listener is told"""

    def wrap(deliver):
        def to_one(self, notification):
            calls, self._calls = self._calls, self._calls[:1]
            try:
                return deliver(self, notification)
            finally:
                self._calls = calls

        return to_one

    around(patch, Notifier, "deliver", wrap)


@a_break
def _(patch):
    """a listener that raises is not heard"""
    around(patch, Notifier, "deliver", lambda deliver: lambda self, n: deliver(self, n) and [])


# -- pings -----------------------------------------------------------------------------------------------


@a_break
def _(patch):
    """pings are forgotten"""
    patch.setattr(Member, "ping", lambda self: setattr(self.notifier, "quiet_since", self.world.now()))


@a_break
def _(patch):
    """pings come twice as often"""

    def wrap(add):
        return lambda self, listener, max_wait=None: add(self, listener, max_wait and max_wait / 2)

    around(patch, JobPool, "add_listener", wrap)


@a_break
def _(patch):
    """the most patient listener says when all are pinged"""

    def wrap(add):
        def most(self, listener, max_wait=None):
            delivery = self._notifier
            before, first = delivery.max_wait, not delivery.listeners
            add(self, listener, max_wait)
            if max_wait is not None and not first:
                delivery.max_wait = max(before, max_wait)

        return most

    around(patch, JobPool, "add_listener", wrap)


@a_break
def _(patch):
    """a listener that asks for nothing is never pinged"""
    around(patch, JobPool, "__init__", lambda init: lambda self, *a, **k: (init(self, *a, **k), _wait_long(self))[0])


def _wait_long(self):
    self._notifier.max_wait = 1e6


@a_break
def _(patch):
    """a pool without listeners pings"""

    def wrap(loop):
        def noisy(self):
            if not self.notifier.listeners:
                self.notifier.listeners.append(lambda progress: None)
            return loop(self)

        return noisy

    around(patch, Coordinator, "_loop", wrap)


# -- errors ------------------------------------------------------------------------------------------------


@a_break
def _(patch):
    """fail_fast is ignored"""
    around(patch, JobPool, "__init__", lambda init: lambda self, *a, **k: (init(self, *a, **k), _slow(self, False))[0])


@a_break
def _(patch):
    """every pool fails fast"""
    around(patch, JobPool, "__init__", lambda init: lambda self, *a, **k: (init(self, *a, **k), _slow(self, True))[0])


def _slow(self, fail_fast):
    self._engine.failures.fail_fast = fail_fast


@a_break
def _(patch):
    """the last error is swallowed"""

    def wrap(raise_unhandled):
        def swallowing(self):
            if self.engine.failures.unhandled:
                self.engine.failures.unhandled.pop()
            raise_unhandled(self)

        return swallowing

    around(patch, Member, "raise_unhandled", wrap)


@a_break
def _(patch):
    """an error that a listener handled counts none the less"""

    def wrap(deliver):
        def unhandled(self, notification):
            calls = self._calls
            self._calls = [lambda p, each=each: each(p) and None for each in calls]
            try:
                return deliver(self, notification)
            finally:
                self._calls = calls

        return unhandled

    around(patch, Notifier, "deliver", wrap)


@a_break
def _(patch):
    """an error loses its type on the way"""
    patch.setattr(protocol.Codec, "unpack_error", staticmethod(lambda packed: RemoteError(str(protocol.loads(packed)))))


@a_break
def _(patch):
    """a result that can't be pickled is None"""

    def wrap(pack):
        def packed(self, result):
            try:
                return pack(self, result)
            except Exception:
                return pack(self, None)

        return packed

    around(patch, protocol.Codec, "pack_result", wrap)


@a_break
def _(patch):
    """a job that exits ends its rank"""

    def wrap(bind):
        def bound(call, owner):
            def run():
                try:
                    return bind(call, owner)()
                except SystemExit as error:
                    raise Gone from error

            return run

        return bound

    around(patch, worker, "bind", wrap)


@a_break
def _(patch):
    """Ctrl-C on main is swallowed"""

    def wrap(loop):
        def stubborn(self):
            try:
                return loop(self)
            except KeyboardInterrupt:
                return loop(self)

        return stubborn

    around(patch, Coordinator, "_loop", wrap)


# -- stopping, and ranks that leave --------------------------------------------------------------------------


@a_break
def _(patch):
    """when a pool stops, jobs that run stay running"""
    patch.setattr(Failures, "stop", lambda self, why: _stop(self, why, running=False, waiting=True))


@a_break
def _(patch):
    """when a pool stops, jobs that wait stay waiting"""
    patch.setattr(Failures, "stop", lambda self, why: _stop(self, why, running=True, waiting=False))


def _stop(self, why, running, waiting):
    for job in self._graph.jobs:
        if job._status is RUNNING and running:
            self._graph.settle(job, JobStatus.ABORTED, JobAbortedError(why))
        elif job._status in (PENDING, QUEUED) and waiting:
            self._graph.settle(job, CANCELLED, JobCancelledError(why))
    self._graph.ready.clear()


@a_break
def _(patch):
    """one rank is not told that the pool has ended"""

    def wrap(dismiss):
        def forgetful(self, problem):
            self.engine.dispatch.gone[self.world.size - 1] = None
            dismiss(self, problem)

        return forgetful

    around(patch, Coordinator, "_dismiss", wrap)


@a_break
def _(patch):
    """workers are not told that something went wrong"""
    around(patch, Coordinator, "_dismiss", lambda dismiss: lambda self, problem: dismiss(self, None))


@a_break
def _(patch):
    """the job of a rank that is lost stays running"""
    patch.setattr(Engine, "lost", lambda self, rank, error, left=False: None)


@a_break
def _(patch):
    """jobs that a lost rank was sent ahead are forgotten"""

    def wrap(lost):
        def forgetful(self, rank, *rest):
            line = self.dispatch.lines.get(rank, ())
            while len(line) > 1:
                line.pop()
            return lost(self, rank, *rest)

        return forgetful

    around(patch, Engine, "lost", wrap)


@a_break
def _(patch):
    """with no rank left main waits"""
    patch.setattr(Engine, "nobody_left", lambda self: None)


# -- cancelling ----------------------------------------------------------------------------------------------


@a_break
def _(patch):
    """a job that waits is not cancelled"""
    patch.setattr(Engine, "cancel", lambda self, job, reason: False)


@a_break
def _(patch):
    """cancelling a job that runs is said to have worked"""
    around(patch, Engine, "cancel", lambda cancel: lambda self, job, reason: cancel(self, job, reason) or True)


@a_break
def _(patch):
    """a job that was cancelled starts when its turn comes"""

    def cancel(self, job, reason):
        if job._status in (PENDING, QUEUED):
            job._error = JobCancelledError(reason)
            self.commands.append(Announce(job, job._status, CANCELLED))
            return True
        return False

    patch.setattr(Engine, "cancel", cancel)


# -- schedulers ------------------------------------------------------------------------------------------------


@a_break
def _(patch):
    """the end of a scheduler is not noticed"""

    def wrap(hear):
        def deaf(self, message):
            if message is not scheduling.ENDED:
                hear(self, message)

        return deaf

    around(patch, Coordinator, "_hear", wrap)


@a_break
def _(patch):
    """the pool does not wait for its schedulers"""

    def wrap(start):
        def hasty(self):
            start(self)
            self.left = 0

        return hasty

    around(patch, Schedulers, "start", wrap)


@a_break
def _(patch):
    """that a scheduler failed is not noticed"""
    around(patch, Schedulers, "_schedule_node", lambda schedule: lambda self, *rest: schedule(self, *rest) and None)


@a_break
def _(patch):
    """a node is scheduled though one that it depends on was not"""

    def wrap(schedule):
        def blind(self, *rest):
            self.not_scheduled.clear()
            return schedule(self, *rest)

        return blind

    around(patch, Schedulers, "_schedule_node", wrap)


@a_break
def _(patch):
    """nodes are scheduled before the pool executes"""

    def schedule(self, nodes, scheduler=None):
        for node in nodes:
            node.queue(self)

    patch.setattr(JobPool, "schedule", schedule)


# -- cached items ------------------------------------------------------------------------------------------------


@a_break
def _(patch):
    """an item is freed while a job still requires it"""

    def wrap(to_free):
        def greedy(self, rank):
            to_free(self, rank)
            return [item for item, ranks in self._holders.items() if rank in ranks]

        return greedy

    around(patch, Caches, "to_free", wrap)
    patch.setattr(Caches, "still_stale", lambda self, rank, items: items)


@a_break
def _(patch):
    """nothing is freed before the end"""
    patch.setattr(Caches, "to_free", lambda self, rank: [])


@a_break
def _(patch):
    """nothing is freed at the end"""
    patch.setattr(member, "free_stale_pool_cache", lambda owner, required: [])


@a_break
def _(patch):
    """freeing one node's item frees those of all"""

    def wrap(free):
        return lambda owner, items: free(owner, [*items] and [*owner._pool_cache])

    around(patch, caching, "free_items", wrap)
    patch.setattr(worker, "free_items", caching.free_items)


@a_break
def _(patch):
    """a cancelled job still requires its items"""

    def wrap(settle):
        def holding(self, job, status, error):
            if status is CANCELLED:
                for item in job._cache_items:
                    self._caches.required[item] += 1
            return settle(self, job, status, error)

        return holding

    around(patch, Graph, "settle", wrap)


@a_break
def _(patch):
    """a failed job still requires its items"""

    def wrap(settle):
        def holding(self, job, status, error):
            if status is JobStatus.FAILED:
                for item in job._cache_items:
                    self._caches.required[item] += 1
            return settle(self, job, status, error)

        return holding

    around(patch, Graph, "settle", wrap)


@a_break
def _(patch):
    """nothing is kept in the cache"""

    def wrap(run):
        def cold(self, *call):
            caching.free_items(self._owner, [*self._owner._pool_cache])
            return run(self, *call)

        return cold

    around(patch, Worker, "_run", wrap)


@a_break
def _(patch):
    """main does not learn what ranks have cached"""
    patch.setattr(Worker, "_news", lambda self: [])


# -- time limits and retries -----------------------------------------------------------------------------------


@a_break
def _(patch):
    """time limits are not kept"""
    patch.setattr(limits.Limits, "run", lambda self, job, limit, function: function())


@a_break
def _(patch):
    """the limit of a pool is kept, and that of a job is not"""
    patch.setattr(jobs, "limit_ns", lambda name, seconds: None)


@a_break
def _(patch):
    """a rank that is stuck is thought to be free"""

    def wrap(overdue):
        def free(self, job, rank, error):
            done = overdue(self, job, rank, error)
            self.ready(rank, ())
            return done

        return free

    around(patch, Engine, "overdue", wrap)


def _retries(patch, times):
    def wrap(lost):
        def other(self, *args):
            self.retries = times(self.retries)
            return lost(self, *args)

        return other

    around(patch, Engine, "lost", wrap)


@a_break
def _(patch):
    """a job that was lost does not run again"""
    _retries(patch, lambda retries: 0)


@a_break
def _(patch):
    """a job that was lost runs again without end"""
    _retries(patch, lambda retries: retries and 99)
