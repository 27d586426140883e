"""An exception at any statement of the pool's code, on any rank: every rank leaves, and the error comes out.

What raises are the statements of the modules that carry out a pool, one in each run, drawn from a seed; `injection`
makes them do so. An interrupt or an exit strikes where Python lets it: in a rank's main task. Before a rank has opened
its channel, and after it closed it, an error is one of the program around the pool, which can't be told to anybody.
"""

from __future__ import annotations

import collections
import os
import random
import sys
import time
import traceback
import warnings

import pytest
from greenlet import getcurrent
from injection import points_in

import bsbpool
from bsbpool.engine import dispatch, engine, failure, graph
from bsbpool.pool import (
    caching,
    coordinator,
    event_log,
    inbox,
    job_pool,
    jobs,
    manual,
    member,
    notifier,
    outbox,
    protocol,
    results,
    scheduling,
    worker,
    worker_rank,
    worker_table,
)  # fmt: skip
from bsbpool_sim import simulate
from bsbpool_sim.kernel import Task

MODULES = (
    caching, coordinator, dispatch, engine, event_log, failure, graph, inbox, job_pool, jobs, manual, member, notifier,
    outbox, protocol, results, scheduling, worker, worker_rank, worker_table,
)  # fmt: skip

#: Runs of each case. More find more: set BSBPOOL_FAULT_RUNS to a thousand or more to try nearly all.
RUNS = int(os.environ.get("BSBPOOL_FAULT_RUNS", "30"))

MARK = "injected here"

#: An error in the midst of a step leaves half of it undone.
pytestmark = pytest.mark.unwatched


class Injected(RuntimeError):
    """What no code of the pool expects."""


def error_of(kind):
    return kind(MARK)


class Fault:
    """Raises at the n-th statement that a rank executes while its channel is open, in its main task or in others.

    :param where: the function whose statements count; None for those of all.
    """

    def __init__(self, rank=None, number=0, error=None, main_task=True, where=None):
        self.rank, self.number, self.error, self.main_task, self.where = rank, number, error, main_task, where
        self.counts = collections.Counter()
        self.place = None
        self.pools = {}
        self.mains = {}

    def __call__(self):
        task = getcurrent()
        if not isinstance(task, Task):
            return
        rank = task.rank.index
        open_pool = self.pools.get(rank)
        if open_pool is None or open_pool._member.channel is None or open_pool._closed:
            return
        if (task is self.mains[rank]) is not self.main_task:
            return
        if self.where is not None and sys._getframe(1).f_code.co_qualname != self.where:
            return
        self.counts[rank] += 1
        if rank == self.rank and self.counts[rank] == self.number:
            frame = sys._getframe(1)
            self.place = f"{frame.f_code.co_qualname}, line {frame.f_lineno}"
            raise self.error


class Node:
    """A strategy with a cache."""

    def __init__(self, owner):
        self.scaffold, self.name = owner, "node"

    def get_node_name(self):
        return self.name

    @bsbpool.pool_cache
    def tree(self):
        return "tree"

    def get_indicators(self):
        return {}

    def place(self, chunk, indicators):
        self.tree()
        time.sleep(0.1)


class Listener:
    """Is pinged, enters and leaves with the pool, and handles the one error that belongs to the program."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def __call__(self, progress):
        job = getattr(progress, "job", None)
        return job is not None and job.status.value == "failed" and "known" in str(job.error)


def tiny(owner, x):
    return x


def nap(owner, seconds, cargo=None):
    time.sleep(seconds)
    return cargo


def fail(owner):
    raise ValueError("known")


def fill(p, node):
    """A bit of everything: small jobs, which are sent ahead, chains, caches, an error, a cancellation, a scheduler."""
    first = [p.queue(tiny, (i,)) for i in range(6)]
    middle = p.queue(nap, (0.25,), deps=first)
    p.queue_placement(node, 1)
    p.queue_placement(node, 2, deps=[middle])
    bad = p.queue(fail, deps=[middle])
    p.queue(tiny, (1,), deps=[bad])
    unwanted = p.queue(tiny, (1,), deps=[p.queue(nap, (0.4,))])
    middle.on_completion(lambda job: unwanted.cancel("not wanted"))
    p.queue(nap, (0.01, bytes(100)))
    p.queue(nap, (0.01, lambda: 1))
    p.schedule([1, 2], lambda n: p.queue(tiny, (n,)))


def program(comm, fault, left, fail_fast):
    owner = bsbpool.Owner(comm)
    node = owner.placement["node"] = Node(owner)
    p = owner.create_job_pool(quiet=True, fail_fast=fail_fast)
    if p.is_main():
        p.add_listener(Listener(), max_wait=0.3)
    fault.pools[comm.rank], fault.mains[comm.rank] = p, getcurrent()
    try:
        with p:
            if p.is_main():
                fill(p, node)
            p.execute(return_results=True)
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        return error
    finally:
        left.append(comm.rank)
    return None


class Outcome:
    """What came of a run with a fault."""

    def __init__(self, ranks, fault, fail_fast=False):
        left = []
        with points_in(MODULES, fault), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = simulate(lambda comm: program(comm, fault, left, fail_fast), ranks, horizon=100.0, max_events=50_000)
        self.errors = run.results
        self.left = sorted(left)
        self.jobs = fault.pools[0].jobs
        self.statuses = [job.status.value for job in self.jobs]
        self.ends = collections.Counter(
            event["job"] for event in run.trace
            if event["e"] == "status" and event["status"] in ("success", "failed", "cancelled", "aborted")
        )  # fmt: skip

    def text(self, rank):
        error = self.errors[rank]
        return "" if error is None else "".join(traceback.format_exception(error))


def check(ranks, fault, unharmed, fail_fast=False):
    """Run with a fault, and say what is wrong with what came of it; None if nothing is."""
    try:
        outcome = Outcome(ranks, fault, fail_fast)
    except (Exception, KeyboardInterrupt) as error:
        return f"the run did not end well: {type(error).__name__}: {str(error)[:300]}"
    if fault.place is None:
        return "the fault did not strike"
    if outcome.left != [*range(ranks)]:
        return f"only ranks {outcome.left} left"
    if unended := [job for job in outcome.jobs if not job.status.ended]:
        return f"{unended} have not ended"
    if twice := [job for job, count in outcome.ends.items() if count > 1]:
        return f"jobs {twice} ended twice"
    told = MARK in outcome.text(0) or MARK in outcome.text(fault.rank)
    if not told and (any(outcome.errors) or outcome.statuses != unharmed.statuses):
        return f"the error came out nowhere: {outcome.errors}, {outcome.statuses}"
    for rank in range(1, ranks):
        got = outcome.errors[rank]
        if rank != fault.rank and got is not None and not isinstance(got, bsbpool.WorkflowError):
            return f"rank {rank} got {got!r}"
    return None


def cases():
    for ranks, fail_fast in ((1, False), (2, False), (2, True), (4, False)):
        for rank in range(min(ranks, 2)):
            for kind in (Injected, MemoryError, KeyboardInterrupt, SystemExit):
                yield ranks, fail_fast, rank, kind


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("ranks", "fail_fast", "rank", "kind"),
    [*cases()],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value),
)
def test_an_error_at_any_statement_of_a_rank_lets_every_rank_leave_with_the_right_error(ranks, fail_fast, rank, kind):
    chance = random.Random(f"{ranks} {fail_fast} {rank} {kind.__name__}")
    wrong = []
    for main_task in (True, False) if issubclass(kind, Exception) else (True,):
        fault = Fault(main_task=main_task)
        unharmed = Outcome(ranks, fault, fail_fast)
        assert unharmed.errors == [None] * ranks
        points = fault.counts[rank]
        for number in chance.sample(range(1, points + 1), min(RUNS if main_task else RUNS // 4, points)):
            fault = Fault(rank, number, error_of(kind), main_task)
            if problem := check(ranks, fault, unharmed, fail_fast):
                wrong.append(f"{kind.__name__} at statement {number} ({fault.place}): {problem}")
    assert not wrong, "\n".join(wrong)


def test_a_pool_that_leaves_others_waiting_would_be_found(monkeypatch):
    """The checks can fail: without what main does last, workers wait for it."""
    unharmed = Outcome(2, Fault())
    assert check(2, Fault(0, 1, Injected(MARK), where="Coordinator._dismiss"), unharmed) is None
    monkeypatch.setattr(job_pool.JobPool, "_close", lambda self: None)
    assert "DeadlockError" in check(2, Fault(0, 1, Injected(MARK), where="Coordinator._dismiss"), unharmed)


def test_an_error_that_nobody_is_told_of_would_be_found(monkeypatch):
    unharmed = Outcome(2, Fault())
    monkeypatch.setattr(member.Member, "raise_unhandled", lambda self: None)
    problem = check(2, Fault(1, 1, Injected(MARK), where="PlacementJob.execute"), unharmed)
    assert problem.startswith("the error came out nowhere")


#: Where it was found, with this file, that ranks were left waiting, or that an error was lost: all are mended.
FOUND = {
    "a worker that fails before its loop tells main": (1, "WorkerRank.execute", 1),
    "a worker that fails while it is made tells main": (1, "Worker.__init__", 1),
    "a worker that fails after it entered tells main": (1, "WorkerRank.change_status", 1),
    "main that fails after it opened its channel lets the others leave": (0, "EventLog.record", 1),
    "main that fails while it lets the others leave does so all the same": (0, "Coordinator._dismiss", 1),
    "main that fails in between lets the rest of them leave": (0, "Coordinator._dismiss", 5),
    "a worker that can't pack its outcome leaves": (1, "Worker._run", 12),
    "main that fails while it closes has let the others leave": (0, "JobPool._close", 1),
}


@pytest.mark.parametrize("kind", [Injected, KeyboardInterrupt])
@pytest.mark.parametrize("case", FOUND)
def test_what_was_found_stays_mended(case, kind):
    rank, where, number = FOUND[case]
    unharmed = Outcome(3, Fault())
    fault = Fault(rank, number, error_of(kind), where=where)
    assert check(3, fault, unharmed) is None
    assert fault.place.startswith(where)


def test_a_job_that_was_added_by_half_ends_the_pool_though_its_scheduler_goes_on():
    fault = Fault(0, 1, MemoryError(MARK), main_task=False, where="Graph.add")

    def forgiving(comm):
        p = bsbpool.Owner(comm).create_job_pool(quiet=True)
        fault.pools[comm.rank], fault.mains[comm.rank] = p, getcurrent()

        def scheduler(node):
            try:
                p.queue(tiny, (node,))
            except MemoryError:
                p.queue(tiny, (node,))

        with p:
            if p.is_main():
                p.schedule([1], scheduler)
            try:
                p.execute()
            except (MemoryError, bsbpool.WorkflowError) as error:
                return f"{type(error).__name__}: {error}", [job.status.ended for job in p.jobs]
        return None

    with points_in(MODULES, fault):
        main, other = simulate(forgiving, 2, horizon=10.0).results
    assert main[0] == f"MemoryError: {MARK}"
    assert all(main[1])
    assert other[0].startswith("WorkflowError")
