"""What random cases (tests/property) found, each as small as it could be made."""

import threading
import time

import pytest
from helpers import double, executed, nap, nothing

import bsbpool
from bsbpool_sim import DeadlockError, Script, simulate


def test_a_main_that_died_does_nothing_more_in_the_trace():
    def program(comm):
        return executed(comm, lambda pool: pool.queue(nap, (1.0,), submitter="nap") and None)

    trace = simulate(program, 2, script=Script().rank(0, dies=0.5)).trace
    assert [e["e"] for e in trace if e["t"] >= 500_000_000] == ["fault"]


def test_the_trace_of_a_run_that_is_stuck_ends_where_it_got_stuck():
    def program(comm):
        return executed(comm, lambda pool: pool.queue(double, (1,), submitter="double") and None)

    with pytest.raises(DeadlockError) as caught:
        simulate(program, 2, script=Script().job("double", hangs=True))
    last = [*caught.value.simulation.trace][-1]
    assert (last["e"], last.get("status")) == ("status", "running")


def test_an_item_that_a_job_queued_at_the_same_instant_requires_is_not_freed():
    made = []

    class Golgi:
        def __init__(self, owner):
            self.name, self.scaffold = "golgi", owner

        def get_node_name(self):
            return self.name

        @bsbpool.pool_cache
        def tree(self):
            made.append("tree")

        def get_indicators(self):
            return {}

        def place(self, chunk, indicators):
            self.tree()

    def program(comm):
        owner = bsbpool.Owner(comm)
        golgi = owner.placement["golgi"] = Golgi(owner)

        def scheduler(node):
            time.sleep(1)
            # Rank 1 is idle, and what it holds is stale: the first of these comes to it with an order to free.
            pool.queue(nothing)
            pool.queue_placement(golgi, 1)

        with owner.create_job_pool(quiet=True) as pool:
            if pool.is_main():
                pool.queue_placement(golgi, 0)
                pool.schedule(["a node"], scheduler)
            pool.execute()

    trace = simulate(program, 2).trace
    assert made == ["tree"]
    assert [e["job"] for e in trace.of("freed")] == [None]


def test_a_job_that_is_cancelled_while_main_waits_for_a_rank_is_told_of_later():
    """Main cancels a job that was sent ahead, in a listener, and waits for its rank; a scheduler cancels another."""

    def program(comm):
        jobs, asking = [], threading.Event()

        def listener(progress):
            job = getattr(progress, "job", None)
            if job is jobs[40] and progress.status.value == "running":
                asking.set()
                jobs[60].cancel("of the listener")

        def scheduler(node):
            asking.wait()
            jobs[99].cancel("of the scheduler")
            nap(None, 0.0001)  # virtual time goes on while main waits for the answer, which takes six times as long

        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                jobs += [pool.queue(nap, (0.0001,)) for _ in range(120)]
                pool.add_listener(listener)
                pool.schedule(["a node"], scheduler)
            pool.execute()
            return [job.id for job in jobs if job.status.value == "cancelled"]

    run = simulate(program, 2, script=Script(latency=0.0003))
    assert run.results[0] == [60, 99]
    asked, cancelled = run.trace.of("call_back")[0]["t"], run.trace.of("cancel")
    assert [(event["job"], event["t"] > asked) for event in cancelled] == [(99, False), (60, True)]
