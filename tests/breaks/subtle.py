"""More ways to break the pool and the simulator, in which one word of the code is another.

Off by one, the other end of a line, a condition that is missing: they show only where messages cross, at a bound, or in
a rare order. Each replaces a text in the source of one function. If that text has changed the mistake is to be written
anew.
"""

import __future__ as future

import inspect
import sys
import textwrap

from bsbpool.engine import caching, dispatch, engine, failure, graph
from bsbpool.engine import limits as engine_limits
from bsbpool.pool import coordinator, inbox, limits, manual, notifier, outbox, results, scheduling, worker
from bsbpool_sim import kernel, mailbox, network, script, world
from bsbpool_sim.mpi import communicators

SUBTLE = {}


def mistake(what, owner, name, right, wrong, among=SUBTLE):
    """One mistake: in that method, `wrong` in place of `right`."""

    def apply(patch):
        patch.setattr(owner, name, edited(owner, name, right, wrong))

    assert what not in among
    among[what] = apply


def edited(owner, name, right, wrong):
    """A method with one text replaced."""
    plain = inspect.getattr_static(owner, name)
    function = getattr(plain, "__func__", plain)
    function = inspect.unwrap(function)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(right) >= 1, f"{owner.__name__}.{name} has no {right!r} any more: write this mistake anew"
    module = sys.modules[function.__module__]
    made = {}
    code = compile(source.replace(right, wrong, 1), f"a mistake in {name}", "exec", future.annotations.compiler_flag)
    exec(code, module.__dict__, made)
    return made[name]


E, G, D, C, F = engine.Engine, graph.Graph, dispatch.Dispatch, caching.Caches, failure.Failures
P, IN, W, L = coordinator.Coordinator, inbox.Inbox, worker.Worker, limits.Limits

# -- the engine: counts, bounds, and lines
mistake("a rank may hold one job more than the bound", D, "_how_many", "min(MOST_AHEAD,", "min(MOST_AHEAD + 1,")
mistake("a lost job runs once less than it may", F, "runs_again", "tries <= self.retries", "tries < self.retries")
mistake("a lost job runs once more than it may", F, "runs_again", "tries <= self.retries", "tries <= self.retries + 1")
mistake(
    "a lost job goes to the end of the line",
    D,
    "queue_again",
    "self._ready.appendleft(job)",
    "self._ready.append(job)",
)
mistake(
    "a lost job is counted as lost with all that were",
    F,
    "runs_again",
    "self._tries.get(id, 0)",
    "len(self._tries)",
)
mistake("a rank that was lost while stuck still counts as stuck", D, "lost", "self.stuck.pop(rank, None)", "pass")
mistake("a rank that comes back counts as stuck", E, "finished", "dispatch.stuck.pop(rank, None)", "pass")
mistake(
    "a rank whose job is overdue is not known to be stuck", E, "overdue", "self.dispatch.stuck[rank] = None", "pass"
)
mistake("only one of the jobs that a lost rank had in line is taken back", D, "lost", "[*line][1:])", "[*line][1:2])")
mistake(
    "a job that was called back and comes is queued again",
    D,
    "take_back",
    "if job._id in self._called_back:",
    "if False:",
)
mistake(
    "what a rank gives back goes to the end of the line",
    D,
    "take_back",
    "self._ready.appendleft(job)",
    "self._ready.append(job)",
)
mistake(
    "the number of ranks with jobs ahead is not counted down",
    D,
    "take_back",
    "self._supplied -= len(line) == 2",
    "pass",
)
mistake("ranks with jobs ahead are counted one job too late", D, "vacate", "len(line) == 2", "len(line) == 3")
mistake("a job with a limit is sent with others", D, "_send", " or job._limit is not None", "")
mistake("a job that requires items is sent with others", D, "_send", "job._cache_items or job._limit", "job._limit")
mistake("a rank that holds items is sent jobs ahead", D, "_how_many", " or self._caches.held[rank]", "")
mistake("items that are wanted again are freed", C, "still_stale", "if item in self.required and", "if False and")
mistake(
    "what is stale is told to the first rank that holds it",
    C,
    "release",
    "self._holders.pop(item, ())",
    "self._holders.pop(item, ())[:1]",
)
mistake(
    "a dependency that was cancelled counts as one that succeeded",
    G,
    "add",
    "elif dependency._status is not SUCCESS and",
    "elif dependency._status is FAILED and",
)
mistake("the last dependents in a chain are not cancelled", G, "end", "doomed.extend(", "list(")
mistake(
    "what waits for a job that was ended by hand goes on waiting",
    E,
    "set_status",
    "self.graph.end(job, status, error)",
    "self.graph.settle(job, status, error)",
)
mistake(
    "a rank is free as soon as its job was ended by hand",
    E,
    "set_status",
    "self.graph.end(job, status, error)",
    "rank = job._rank; self.graph.end(job, status, error); rank is not None and self.dispatch.vacate(rank, job)",
)
mistake("jobs are not given out again after a cancellation", E, "go_on", "self.dispatch.assign()", "pass")
mistake(
    "a cancelled job in line is given out",
    D,
    "_send",
    "if job._status is not QUEUED:",
    "if job._status.ended and not job._error:",
)
mistake(
    "an unfinished job counts as two when it was lost",
    D,
    "queue_again",
    "job._rank = None",
    "job._rank = None; self._graph.unfinished += 1",
)

# -- main
mistake(
    "any message puts off a ping",
    P,
    "_until",
    "receive(*item)",
    "receive(*item); notifier.quiet_since = world.now()",
)
mistake(
    "what a rank says of a job that was ended by hand is its result",
    IN,
    "receive",
    "if not job._status.ended:",
    "if True:",
)
mistake(
    "jobs that were sent ahead are not called back when the pool stops",
    P,
    "_call_all_back",
    "self._outbox.send(rank, (CALL_BACK, None))",
    "waiting = {}; break",
)
mistake(
    "a failed job does not hold the others back where a pool fails fast",
    E,
    "finished",
    "dispatch.holding = True",
    "pass",
)
mistake(
    "the limits of jobs are not known to main",
    outbox.Outbox,
    "assign",
    "engine.deadlines.expect(rank, job, self._now() + limit)",
    "pass",
)
mistake("a rank that is lost is not gone", E, "lost", "dispatch.gone[rank] = None", "pass")
mistake(
    "the pool closes before its listeners have heard the last thing",
    P,
    "_until",
    "if not notifications and done():",
    "if done():",
)
mistake(
    "a rank that is late is given up when another one's time is over",
    engine_limits.Deadlines,
    "next",
    "return max(at,",
    "return min(at,",
)
mistake(
    "the second listener takes back that the first handled an error",
    notifier.Notifier,
    "deliver",
    "_handled(returned)",
    "_handled(returned[-1:])",
)
mistake(
    "the last listener says when all are pinged", notifier.Notifier, "add", "min(self.max_wait, max_wait)", "max_wait"
)
mistake("a value that was set by hand is lost", manual.ManualJobs, "finish", "job._result = value", "pass")
mistake(
    "a job that is run by hand is never ended", manual.ManualJobs, "_run", "self.finish(job, value, failure)", "pass"
)
mistake(
    "a result is only kept if there is room left for one byte more",
    results.Results,
    "keep",
    "self._in_memory + size <= RESULTS",
    "self._in_memory + size < RESULTS",
)
mistake(
    "a node that depends on one that was skipped is scheduled",
    scheduling.Schedulers,
    "_schedule",
    "self.not_scheduled[id(node)] = node",
    "self.not_scheduled.update({id(node): node} if problem.__cause__ else {})",
)
mistake(
    "a scheduler goes on as the pool stops", scheduling.Schedulers, "_schedule", "if self._stopping():", "if False:"
)

# -- the workers
mistake(
    "a rank that has started a job says that it gives it back",
    W,
    "_take",
    "(STARTED, order[1])",
    "(RETURNED, [order[1]])",
)
mistake(
    "a rank keeps one of the jobs that it gives back",
    W,
    "_return_line",
    "self._line.clear()",
    "self._line.popleft() if self._line else None",
)
mistake(
    "the last job in line is not given back",
    W,
    "_return_line",
    "for each in self._line]",
    "for each in [*self._line][:-1]]",
)
mistake("a rank runs the last job that came first", W, "work", "call = line.popleft()", "call = line.pop()")
mistake("an item that comes back is not told of", W, "_run", "self._told.pop(item, None)", "pass")
mistake(
    "what arrives while a long job runs stays there",
    W,
    "_give_back",
    "self._take(*order)",
    "None if order[1] is None else self._line.extend(())",
)
mistake("a rank has no time to end a job that was interrupted", L, "_keep_time", "until + GRACE", "until + 1")
mistake("a short limit behind a long one is not kept", L, "run", "run.next < asleep_until", "run.next > asleep_until")

# -- the simulator
mistake("a message overtakes others of its link", world.PoolLink, "deliver", "under_way.popleft()", "under_way.pop()")
mistake(
    "what is scheduled when its instant has come goes before what was scheduled earlier",
    kernel.Kernel,
    "run",
    "heap[0][1] <= turn",
    "heap[0][1] < turn",
)
mistake("the last that is scheduled at an instant comes first", kernel.Kernel, "run", "soon.popleft()", "soon.pop()")
mistake(
    "a message of the program overtakes others of its link",
    mailbox.Link,
    "_deliver",
    "self._queue.popleft()",
    "self._queue.pop()",
)
mistake(
    "a message that is sent later may arrive earlier", network.Network, "arrival", "if arrival < last:", "if False:"
)
mistake(
    "a delay is that of the other direction",
    network.Network,
    "delay",
    "self._delays[source, dest] = ns",
    "self._delays[dest, source] = ns",
)
mistake(
    "the last receive that was posted gets a message",
    mailbox.MessageQueue,
    "put",
    "in enumerate(self.posted):",
    "in reversed([*enumerate(self.posted)]):",
)
mistake("a receive takes any tag", mailbox.MessageQueue, "find", "tag is None or message.tag == tag", "True")
mistake(
    "a receive from any rank takes only tag by tag",
    mailbox.MessageQueue,
    "put",
    "receive.tag in (None, message.tag)",
    "receive.tag == message.tag",
)
mistake(
    "a split orders by rank, and not by key",
    communicators,
    "_parts",
    "for _, rank in sorted(parts[color])]",
    "for _, rank in parts[color]]",
)
mistake(
    "a split of a split has the ranks of the first",
    communicators.Comm,
    "_divided",
    "[self.context.own[r] for r in order]",
    "[*order]",
)
mistake(
    "the last rule of a script that matches a job is its rule",
    script.ScriptRuntime,
    "introduce",
    "for rule in rules:",
    "for rule in reversed(rules):",
)
mistake(
    "rules with an id come first",
    script.ScriptRuntime,
    "introduce",
    "key=lambda rule: rule.number",
    "key=lambda rule: (rule.id is None, rule.number)",
)
mistake("a limit comes before a job's end", world.SimMailbox, "get", "until, DEADLINES", "until, 0")
