"""Main's part in a pool: executes the commands of the engine, notifies listeners, and lets every rank leave.

Decisions about jobs belong in `bsbpool.engine`, clocks and threads in `worlds`, packing in `protocol`. The public
methods belong in `job_pool`, the work of the other ranks in `worker_rank`. Parts with their own state have their own
files: the event log, listeners, the table of workers, results, schedulers, turns, jobs that are run by hand.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import wording
from ..engine.commands import Announce, Assign
from ..engine.engine import Engine
from ..engine.failure import FIRST_ERROR
from ..engine.status import JobStatus, PoolStatus
from ..errors_and_facts import describe_error, facts_of, workflow_failed
from ..exceptions import JobSchedulingError
from ..facts import Stopped
from ..text import scrub
from ..trace.listener import TraceRecorder
from ..values import add_note, text_of
from ..worlds import Mailbox, Role, World
from .dependencies import check_dependencies
from .inbox import Inbox
from .jobs import Job
from .member import SEE_MAIN, Member, StopEarly
from .no_result import no_result
from .outbox import Outbox
from .pool_of_jobs import PoolRef
from .progress import PoolJobAddedProgress, PoolStatusProgress
from .protocol import CALL_BACK
from .results import Results
from .scheduling import ENDED, Schedulers
from .submission import Names
from .turns import OneRank
from .worker_table import WorkerTable

#: Nanoseconds after which a task that waits for main's answer looks whether there is still a main to answer.
ASK_AGAIN = 50_000_000

#: Nanoseconds that ranks have to say which of the jobs that they were sent ahead they have started, when a pool stops.
ANSWER = 1_000_000_000

#: Nanoseconds that main waits for the next message before it writes what was recorded.
LULL = 50_000

#: Messages that main takes in before it looks to anything else.
MOST_AT_ONCE = 200


class Coordinator(Member):
    """The part of main.

    :param folder: gives the pool's folder; it is made when it is first asked for.
    :ivar workers: what is known of the other ranks.
    """

    def __init__(
        self, pool: PoolRef, id: Any, owner: Any, world: World, make_engine: Callable[[], Engine[Job]],
        folder: Callable[[], str],
    ) -> None:  # fmt: skip
        super().__init__(pool, id, owner, world, make_engine)
        # What each job needs. Python finds what has its value from the start in a tenth of the time.
        self._engine, self._log = engine, event_log = self.engine, self.event_log
        self.workers = WorkerTable(engine.jobs)
        self._results = Results(self.codec, folder)
        self._outbox = Outbox(engine, self.codec, event_log, world.now)
        self._inbox = Inbox(
            engine, self.codec, event_log, self.workers, self._results, self._outbox.send,
            self._hear, self._problem,
        )  # fmt: skip
        self.schedulers = Schedulers(
            self.lock, self._start, self._tell_main, event_log.record, event_log.raised, event_log.settle,
            lambda: self._stopping,
        )  # fmt: skip
        if world.size == 1:
            self.turns = self._outbox.turns = OneRank(engine, self.schedulers, self._outbox.to_local_worker)
        self._names = Names()
        # Whether the task that executes the pool is about to wait, so that it has to be woken up.
        self._waiting = False
        # The task that executes the pool.
        self._task: object = None

    # -- the record, and the pool's status ---------------------------------------------------------

    def open(self) -> None:
        super().open()
        self._outbox.channel = channel = self.channel
        self.engine.dispatch.send_ahead &= channel is not None and channel.any_task_sends

    def forget_turns(self) -> None:
        self.turns = self._outbox.turns = None

    def opened(self) -> None:
        self.engine.graph.tells_all = bool(self.listeners)
        self.event_log.open(self.world, self._pool, self.turns is not None)

    def record_from_now_on(self, recorder: TraceRecorder) -> None:
        """A recorder came when the pool was open.

        :raises JobPoolError: there is a job already.
        """
        with self.lock:
            assert self.status is not None
            scheduled = [("schedule", nodes) for nodes in self.schedulers.to_start()]
            status = ("pool_status", self.status.value)
            self.event_log.join(recorder, self.world, self._pool, self.turns is not None, status, *scheduled)

    def change_status(self, status: PoolStatus) -> None:
        with self.lock:
            self._execute_commands()
            old, self.status = self.status, status
            self.event_log.record("pool_status", status.value)
            self.notifier.line.append(PoolStatusProgress(self._pool, old))

    # -- queueing and cancelling -------------------------------------------------------------------

    def put(self, job: Job, deps: Iterable[Job] | None) -> None:
        dependencies = check_dependencies(job, deps) if deps is not None else ()
        channel, engine, log = self.channel, self._engine, self._log
        with self.lock:
            if not self.is_open or self.status is not PoolStatus.SCHEDULING:
                self.check_can_queue("queue jobs")
            assert channel is not None
            if self.turns is not None:
                job._variables = self.handed_in()
            recorded = log.sink is not None
            name = self._names.of(job._submitter) if recorded or channel.scripted else ""
            try:
                engine.add(job, dependencies)
            except BaseException as error:
                channel.put((None, error))  # whoever queues may go on, but the pool can't: it has half a job
                raise
            if channel.scripted:
                channel.introduce(job._id, name, job._context)
            if recorded:
                log.job(job, name, dependencies)
            if self._waiting or engine.commands or engine.graph.changes:
                self.attend()

    def attend(self) -> None:
        if self.status is not PoolStatus.EXECUTING:
            self._execute_commands()
        elif self._waiting:
            self._waiting = False
            assert self.channel is not None
            self.channel.put((None, None))  # no more than that there is something to carry out

    def cancel(self, job: Job, reason: str | None) -> bool:
        engine, world, channel = self.engine, self.world, self.channel
        assert channel is not None
        is_ahead = engine.dispatch.is_ahead
        with self.lock:
            if not is_ahead(job) or world.task() == self._task:
                text = None if reason is None else scrub(text_of(reason))
                done = engine.cancel(job, reason)
                if done is None:
                    # Its rank says whether it has started: between two jobs, or soon if it is at a long one.
                    # What the engine has decided must reach the ranks first: the job itself may still be here.
                    assert job._rank is not None
                    rank = job._rank
                    self.event_log.record("call_back", rank, job._id, text)
                    self._execute_commands()
                    self._outbox.send(rank, (CALL_BACK, job._id))
                    engine.asked()
                    self.event_log.settle()
                    while is_ahead(job):
                        self._inbox.receive(*channel.get())
                        self._execute_commands()
                    done = job._status is JobStatus.CANCELLED
                self.event_log.record("cancel", job._id, text, done)
                self.attend()
                return done
        # Only the task that executes the pool receives answers: let it ask.
        answer = world.mailbox()
        channel.put((None, (job, reason, answer)))
        while (answered := answer.get(world.now() + ASK_AGAIN)) is None:
            if not is_ahead(job):  # the pool has stopped meanwhile
                return job._status is JobStatus.CANCELLED
        return bool(answered[0])

    # -- other tasks of main -----------------------------------------------------------------------

    def _start(self, role: Role, function: Callable[..., Any], *args: Any) -> None:
        """Start a task of main. What it raises ends the pool: main must not wait for a task that is gone."""
        assert self.channel is not None
        tell = self.channel.put

        def body() -> None:
            try:
                function(*args)
            except BaseException as error:
                tell((None, error))

        self.world.start(role, body)

    def _tell_main(self, message: Any) -> None:
        """What another task of main has for the one that executes: see `_receive`."""
        assert self.channel is not None
        self.channel.put((None, message))

    def schedule(self, nodes: Sequence[Any], scheduler: Callable[[Any], Any]) -> None:
        with self.lock:
            self.check_can_queue("schedule")  # it may have closed meanwhile
            self.schedulers.add(nodes, scheduler, self.handed_in())
            if self.turns is not None:
                if self.status is PoolStatus.EXECUTING:
                    self.engine.hold()  # it runs before the next job
                self.attend()
                return
        if self.status is PoolStatus.EXECUTING:
            self.schedulers.start()

    @property
    def scheduling(self) -> bool:
        return self.schedulers.left > 0

    def _work_here(self, mailbox: Mailbox) -> None:
        """The task that runs jobs beside main, where there is one rank only."""
        channel = self.channel
        assert channel is not None
        self.worker(mailbox.get, lambda message, parts=(): channel.put((0, message))).work()

    # -- executing ---------------------------------------------------------------------------------

    def execute(self) -> None:
        """Run the jobs, tell listeners, and let the other ranks leave.

        :raises WorkflowError: all errors that no listener handled, and what clean-up functions raised.
        """
        problems: list[BaseException] = []
        try:
            self._loop()
        except StopEarly:
            problems = self._call_all_back()
            problems += self._stop_early(FIRST_ERROR)
        except BaseException as error:
            self.event_log.error("raised", error)
            problems = [error]
            if isinstance(error, Exception | KeyboardInterrupt | SystemExit):  # else this rank is being ended
                problems += self._call_all_back()
            problems += self._stop_early("raised", error)
        else:
            problems = self._drain()
        self._dismiss(SEE_MAIN if problems or self.engine.failures.unhandled else None)
        cleanup = self.free_all(told=self.world.size > 1)
        if cleanup is not None:
            (self.unhandled if self.engine.failures.unhandled and not problems else problems.append)(cleanup)
        if problems:
            first = problems[0]
            for other in [*problems[1:], *self.engine.failures.unhandled]:
                add_note(first, f"Besides: {describe_error(other)}")
            self.event_log.error("end", first)
            raise first
        self.event_log.record("end", workflow_failed(self.engine.failures.unhandled))
        self.raise_unhandled()

    def _loop(self) -> None:
        """What main does while the pool executes."""
        self._task = self.world.task()
        graph, schedulers = self.engine.graph, self.schedulers
        if self.world.size == 1:
            self._outbox.local_worker = mailbox = self.world.mailbox()
            self._start(Role.WORKER, self._work_here, mailbox)
        if self.turns is not None and not self.turns.gives_out:
            self._until(lambda: not schedulers.left, self._begin)
        else:
            with self.lock:
                self._begin()
            schedulers.start()
        self._until(
            lambda: not (graph.unfinished or schedulers.left),
            functools.partial(self.change_status, PoolStatus.CLOSING),
        )

    def _begin(self) -> None:
        """Jobs run from now on; called under the lock."""
        self.change_status(PoolStatus.EXECUTING)
        self.event_log.queued(self.engine.begin())

    def _until(self, done: Callable[[], bool], then: Callable[[], None]) -> None:
        """Take in what comes, until that is `done` and listeners have heard all; `then` is called under the lock."""
        channel, engine, lock, world, turns = self.channel, self.engine, self.lock, self.world, self.turns
        assert channel is not None
        graph, dispatch, deadlines, log = engine.graph, engine.dispatch, engine.deadlines, self._log
        notifier = self.notifier
        notifications, commands, receive, get = notifier.line, engine.commands, self._inbox.receive, channel.get
        # Whether listeners are told now even if something of the user's runs.
        due = False
        while True:
            with lock:
                self._execute_commands()
                # Jobs are given out again when listeners have heard all that there is to hear.
                if dispatch.holding and not notifications and (turns is None or turns.gives_out):
                    engine.go_on()
                    log.record("resumed")
                    self._execute_commands()
                while turns is not None and not notifications and turns.begin_next():
                    self._execute_commands()
                tell = bool(notifications) and (due or turns is None or not turns.taken)
                self._waiting = not tell
                if not notifications and done():
                    # Still under the lock: whoever wants to queue a job now is told that it is too late.
                    then()
                    return
            due = False
            if tell:
                left_at = world.now()
                self.notify()
                deadlines.main_was_away(left_at, world.now())
                continue
            if dispatch.gone or dispatch.stuck:
                self._problem(engine.nobody_left())
            # Nobody to ping, nothing to wake up for: so that a simulation sees a deadlock for what it is.
            ping_at = notifier.quiet_since + round(notifier.max_wait * 1e9) if notifier.listeners else None
            limit_at = deadlines.next()
            channel.poll_slack_ns = dispatch.poll_slack_ns()
            item = None
            if (sink := log.sink) is not None and sink.writes:
                # What was recorded is written when there is time: before main waits for long, and when there is much.
                sink.keep_up()
                item = get(world.now() + LULL)
                if item is None:
                    sink.settle()
            if item is None:
                try:
                    item = get(ping_at if limit_at is None else min(limit_at, ping_at or limit_at))
                except Exception as error:  # MPI noticed a dead rank, and can't go on without it
                    add_note(error, self.workers.whereabouts())
                    raise
            with lock:
                self._waiting = False
                if item is None:
                    if limit_at is not None and limit_at <= world.now():
                        self._inbox.overdue(*deadlines.pop(), "", "")
                    else:
                        self.ping()
                        due = True
                    continue
                receive(*item)
                # What else is there already, as long as nobody has to hear of it.
                for _ in range(MOST_AT_ONCE):
                    if commands or graph.changes:
                        self._execute_commands()
                    if notifications or dispatch.holding or dispatch.gone or deadlines.heap or not graph.unfinished:
                        break
                    if (item := get(0)) is None:
                        break
                    receive(*item)
                if commands or graph.changes:
                    self._execute_commands()

    # -- stopping, and letting every rank leave ----------------------------------------------------

    def leave_unexecuted(self, error: BaseException | None) -> None:
        if error is None:
            why, told = "unexecuted", wording.of_stopped(Stopped(False, "unexecuted"))
        else:
            why, told = "raised", SEE_MAIN
        self.event_log.error("unexecuted", error)
        problems = self._stop_early(why, error)
        self._dismiss(told)
        if problems and error is None:
            raise problems[0]

    def let_go(self) -> None:
        self._outbox.channel, self._task = self.channel, None  # an interrupt may have come before that
        if not self.dismissed:
            with self.lock:
                self._stopping = True
                self.engine.stop("closed")
            self._dismiss(SEE_MAIN)
        self.event_log.rest()

    def dissolve(self) -> None:
        super().dissolve()
        for part in (self._inbox, self._outbox, self._results, self.schedulers):
            part.dissolve()

    def _stop_early(self, why: str, error: BaseException | None = None) -> list[BaseException]:
        """End all jobs that have not ended, and tell listeners. Returns what was raised by that.

        :param why: see `bsbpool.facts.Stopped`.
        :param error: what was raised, if that is why.
        """
        with self.lock:
            self._stopping = True
            self.engine.stop(why, facts_of(error))
            self.change_status(PoolStatus.CLOSING)
        return self._drain()

    def _call_all_back(self) -> list[BaseException]:
        """Learn which of the jobs that were sent ahead have not started, and let none of them start any more.

        :returns: what was raised meanwhile.
        """
        engine, channel, problems = self.engine, self.channel, list[BaseException]()
        assert channel is not None
        self._stopping = True
        try:
            with self.lock:
                engine.hold()
                self._execute_commands()
                waiting = engine.dispatch.ranks_ahead()
                for rank in waiting:
                    self._outbox.send(rank, (CALL_BACK, None))
            until = self.world.now() + ANSWER
            while waiting:
                item = channel.get(until)
                with self.lock:
                    if item is None:  # these are at jobs that let nothing else of their process run
                        for rank in waiting:
                            self.event_log.record("unanswered", rank)
                        break
                    try:
                        self._inbox.receive(*item)
                    except StopEarly:
                        pass
                    except Exception as error:
                        problems.append(error)
                    self._execute_commands()
                    if not engine.dispatch.has_ahead(item[0]):
                        waiting.pop(item[0], None)
        except BaseException as error:  # it can't be learned, and the pool stops all the same
            problems.append(error)
        return problems

    def _drain(self) -> list[BaseException]:
        """Tell listeners all that there is to tell. Returns what they raised."""
        problems: list[BaseException] = []
        while self.notifier.line:
            try:
                self.notify()
            except StopEarly:
                self._stopping = True
            except BaseException as error:
                self.event_log.error("raised", error)
                problems.append(error)
        return problems

    def _dismiss(self, problem: str | None) -> None:
        """Let the workers leave."""
        gone = self.engine.dispatch.gone
        self._outbox.dismiss(problem, [rank for rank in range(1, self.world.size) if rank not in gone])
        self.dismissed = True
        for rank, items in self.engine.caches.holdings().items():
            self.event_log.record("freed", rank, None, items)

    # -- carrying out what the engine has decided --------------------------------------------------

    def _execute_commands(self) -> None:
        """Carry out what the engine has decided; called under the lock."""
        graph, commands = self._engine.graph, self._engine.commands
        if graph.changes:
            self._log.changes()
        if not commands:
            return
        outbox, line = self._outbox, self.notifier.line
        while commands:
            command: Any = commands.popleft()
            kind = type(command)
            if kind is Assign:
                outbox.assign(*command)
            elif kind is Announce:
                line.append(command)
            else:
                line.append(PoolJobAddedProgress(self._pool, command.job))
        if graph.changes:  # of jobs that could not even be packed
            self._log.changes()

    # -- what comes from other tasks of main, and errors that nobody is asked about ------------------

    def _hear(self, message: Any) -> None:
        """Another task of main has something to say; called under the lock."""
        if isinstance(message, JobSchedulingError):
            self._problem(self.engine.not_scheduled(message))
        elif message is ENDED:
            self.schedulers.ended()
        elif isinstance(message, BaseException):
            raise message
        elif message is not None:
            job, reason, answer = message
            answer.put((self.cancel(job, reason),))

    def _problem(self, error: Exception | None) -> None:
        """An error, if it is one, that listeners are not asked to handle."""
        if error is not None:
            self.unhandled(error)
            if self.engine.failures.stops:
                raise StopEarly

    # -- what jobs ask for ---------------------------------------------------------------------------

    def result_of(self, job: Job) -> Any:
        if job._status is not JobStatus.SUCCESS or not self.is_open:
            raise no_result(job, self.id, self.is_open)
        return self._results.of(job)
