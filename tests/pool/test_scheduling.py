"""Schedulers: they queue jobs while the pool executes, and they fail."""

import subprocess
import sys
import time

from helpers import FAILED_ELSEWHERE, Ear, double, executed, fail, nap, nothing

from bsbpool.pool import JobSchedulingError


class Node:
    def __init__(self, name, depends_on=(), queue=None):
        self.name = name
        self.depends_on = list(depends_on)
        if queue is not None:
            self.queue = lambda pool: queue(self, pool)

    def get_node_name(self):
        return self.name


def test_a_node_queues_itself_by_default(worlds):
    def program(comm):
        node = Node("golgi", queue=lambda node, pool: pool.queue(double, (3,), submitter=node))

        def fill(pool):
            pool.schedule([node])
            return pool.scheduling, lambda: (pool.scheduling, pool.get_submissions_of(node)[0].name)

        outcome = executed(comm, lambda pool: fill(pool)[1])
        return outcome

    outcome = worlds(program)[0]
    assert outcome["returned"] == {0: 6}
    assert outcome["seen"] == (False, "golgi")


def test_a_pool_is_scheduling_until_its_schedulers_have_ended(worlds):
    def program(comm):
        seen = []

        def scheduler(node):
            seen.append(pool_of[0].scheduling)

        pool_of = []

        def fill(pool):
            pool_of.append(pool)
            pool.schedule([Node("a")], scheduler)
            seen.append(pool.scheduling)
            return lambda: [*seen, pool.scheduling]

        return executed(comm, fill).get("seen")

    assert worlds(program)[0] == [True, True, False]


def test_nodes_are_scheduled_in_order_while_jobs_run(worlds):
    def program(comm):
        ear = Ear()

        def fill(pool):
            def scheduler(node):
                time.sleep(0.05)
                pool.queue(nap, (0.2,), submitter=node)

            pool.schedule([Node("a"), Node("b"), Node("c")], scheduler)
            return lambda: [job.name for job in pool.jobs]

        outcome = executed(comm, fill, listeners=[ear])
        return outcome.get("seen"), ear.heard

    names, heard = worlds(program)[0]
    assert names == ["a", "b", "c"]
    if worlds.ranks == 1:  # all schedulers first
        assert heard.index("+2") < heard.index("executing") < heard.index("0 running")
    else:
        assert heard.index("0 running") < heard.index("+1") < heard.index("0 success")


def test_execution_ends_after_the_last_scheduler(worlds):
    def program(comm):
        def fill(pool):
            def scheduler(node):
                time.sleep(0.2)
                pool.queue(double, (5,))

            pool.schedule([Node("late")], scheduler)

        return executed(comm, fill)["returned"]

    assert worlds(program)[0] == {0: 10}


def test_a_scheduler_that_raises_is_an_error_and_nodes_that_depend_on_it_are_not_scheduled(worlds):
    def program(comm):
        a = Node("a")
        b, c = Node("b", [a]), Node("c")
        d = Node("d", [b, c])

        def fill(pool):
            def scheduler(node):
                if node is a:
                    raise KeyError("volume")
                pool.queue(nothing, submitter=node)

            pool.schedule([a, b, c, d], scheduler)
            return lambda: [job.name for job in pool.jobs]

        return executed(comm, fill)

    first, *others = worlds(program)
    assert first["error"] == [
        "JobSchedulingError: a was not scheduled: KeyError: 'volume'",
        "JobSchedulingError: b was not scheduled: it depends on a, which was not scheduled",
        "JobSchedulingError: d was not scheduled: it depends on b, which was not scheduled",
    ]
    assert first["seen"] == ["c"]
    assert [other["error"] for other in others] == [FAILED_ELSEWHERE] * (worlds.ranks - 1)


def test_a_scheduling_error_has_its_cause(worlds):
    def program(comm):
        import bsbpool

        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                pool.schedule([Node("bad", queue=lambda node, pool: fail(None, "no chunk"))])
            try:
                pool.execute()
            except bsbpool.WorkflowError as error:
                (only,) = error.exceptions
                return isinstance(only, JobSchedulingError), repr(only.__cause__)

    assert worlds(program)[0] == (True, "ValueError('no chunk')")


def test_dependencies_hold_across_two_calls_of_schedule(worlds):
    def program(comm):
        a = Node("a")
        b = Node("b", [a])

        def fill(pool):
            def scheduler(node):
                if node is a:
                    raise KeyError("a")
                pool.queue(nothing)

            def later(node):
                time.sleep(0.1)
                pool.schedule([b], scheduler)

            pool.schedule([a], scheduler)
            pool.schedule([Node("later")], later)

        return executed(comm, fill)

    outcome = worlds(program)[0]
    assert len(outcome["error"]) == 2
    assert "b was not scheduled: it depends on a" in outcome["error"][1]
    assert outcome["statuses"] == []


def test_a_scheduling_error_stops_a_pool_that_fails_fast(worlds):
    def program(comm):
        def fill(pool):
            pool.queue(nap, (0.3,))
            pool.schedule([Node("bad", queue=lambda node, pool: fail(None))])

        return executed(comm, fill, fail_fast=True)

    first, *others = worlds(program)
    assert first["error"] == ["JobSchedulingError: bad was not scheduled: ValueError: boom"]
    assert first["statuses"] in (["aborted"], ["cancelled"])
    assert [other["error"] for other in others] == [FAILED_ELSEWHERE] * (worlds.ranks - 1)


def test_a_scheduler_that_is_late_gets_an_error_when_the_pool_has_stopped(worlds):
    told = []

    def program(comm):
        def fill(pool):
            def scheduler(node):
                time.sleep(0.3)
                try:
                    pool.queue(nothing)
                except Exception as error:
                    told.append(str(error))
                    raise

            pool.schedule([Node("slow"), Node("never")], scheduler)
            pool.queue(fail)

        outcome = executed(comm, fill, fail_fast=True)
        time.sleep(0.4)
        return outcome

    outcome = worlds(program)[0]
    assert len(outcome["error"]) == 1
    if worlds.ranks == 1:  # no scheduler is late: they come first
        assert told == []
    elif worlds.world.name != "mpi":
        assert len(told) == 1
        assert told[0].startswith("Can't queue jobs: pool")


def test_an_empty_schedule_ends_at_once(worlds):
    def program(comm):
        return executed(comm, lambda pool: pool.schedule([]) and None)

    assert worlds(program)[0]["error"] is None


def test_a_node_that_is_none_is_an_error_and_hangs_nobody(worlds):
    class Broken:
        depends_on = 5

        def get_node_name(self):
            raise OSError("no name")

    def program(comm):
        return executed(comm, lambda pool: pool.schedule([Broken()], print) and None)

    errors = worlds(program)[0]["error"]
    assert errors == ["JobSchedulingError: a node of type Broken was not scheduled: OSError: no name"]


CUT_OFF = """
import threading
import bsbpool

def scheduler(node):
    # What is done between this and the end, such as the use of a file, is not cut off.
    threading.main_thread().join()
    print("the scheduler has ended")

def impatient(progress):
    if progress.reason is bsbpool.pool.PoolProgressReason.MAX_TIMEOUT_PING:
        raise RuntimeError("that takes too long")

with bsbpool.job_pool(quiet=True) as pool:
    pool.add_listener(impatient, max_wait=0.01)
    pool.schedule([1], scheduler)
    try:
        pool.execute()
    except RuntimeError as error:
        print(error)
"""


def test_a_process_ends_after_the_scheduler_that_its_pool_did_not_wait_for():
    """Else a lock that it holds just then, such as that of h5py, would keep Python from ending."""
    ran = subprocess.run([sys.executable, "-c", CUT_OFF], capture_output=True, text=True, timeout=300)
    assert ran.stdout.splitlines() == ["that takes too long", "the scheduler has ended"], ran.stderr
