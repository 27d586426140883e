"""Programs for test_fidelity.py, one for each kind of run: ``python replayed.py KIND ...``, on any number of ranks.

Each is recorded where ``BSBPOOL_TRACE`` says, in which `{kind}` is its kind.
"""

import contextlib
import os
import signal
import sys
import time
from typing import Any

import bsbpool
from bsbpool.pool import JobStatus, PoolJobUpdateProgress, pool_cache
from bsbpool.worlds.trace_files import forget


def busy(owner, ms, fails=False):
    end = time.perf_counter() + ms / 1000
    while time.perf_counter() < end:
        pass
    if fails:
        raise ValueError("corrupt morphology")


def queue_some(pool, count=40, fails=()):
    first = [pool.queue(busy, (1 + n % 3,), submitter=f"place {n % 4}", chunk=(n, 0)) for n in range(count)]
    for n in range(count):
        pool.queue(busy, (0.5, n in fails), submitter="connect", deps=first[n : n + 2])
    for _ in range(5 * count):
        pool.queue(busy, (0.02,), submitter="tiny")
    return first


def run(kind, comm):
    with bsbpool.job_pool(quiet=True, fail_fast=kind == "fail-fast", retries=2 if kind == "killed" else 0) as pool:
        if pool.is_main():
            globals()[f"on_main_{kind.replace('-', '_')}"](pool)
        pool.execute()


def on_main_healthy(pool):
    queue_some(pool)


def on_main_failing(pool):
    queue_some(pool, fails=(3, 7))


on_main_fail_fast = on_main_failing


def on_main_cancelled(pool):
    first = queue_some(pool)

    def cancels(progress):
        ended = isinstance(progress, PoolJobUpdateProgress) and progress.status is JobStatus.SUCCESS
        if ended and progress.job in first[10:14]:
            for job in pool.jobs[-30:-1:3]:
                job.cancel("not needed")

    first[30].cancel("before it began")
    pool.add_listener(cancels)


class Node:
    def __init__(self, name, depends_on=()):
        self.name = name
        self.depends_on = depends_on

    def get_node_name(self):
        return self.name

    def queue(self, pool):
        if self.name == "broken":
            raise OSError("no such file")
        jobs = []
        for n in range(20):
            jobs.append(pool.queue(busy, (0.3,), submitter=self.name, deps=jobs[-1:] if n % 3 else ()))
            time.sleep(0.001)
        jobs[-1].cancel()


def on_main_scheduling(pool):
    nodes = [Node("golgi"), Node("broken"), Node("granule")]
    pool.schedule([*nodes, Node("dependent", nodes[1:2])])
    pool.schedule([Node("basket"), Node("stellate")])
    queue_some(pool, 10)


class Cell:
    def __init__(self, owner):
        self.scaffold = owner

    def get_node_name(self):
        return "cell"

    @pool_cache
    def tree(self):
        return "a tree"


def with_tree(owner):
    Cell(owner).tree()
    busy(owner, 0.5)


def on_main_cached(pool):
    tree: Any = Cell.tree
    item = tree.get_pool_cache_id(Cell(pool.owner))
    for n in range(30):
        pool.queue(with_tree, submitter="cell", cache_items=[item] if n % 2 else [])
    queue_some(pool, 20)


def leave(owner):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)


def on_main_interrupted(pool):
    first = queue_some(pool, 10)
    pool.queue(leave, submitter="leave", deps=first[:1])


def die(owner):
    os.kill(os.getpid(), signal.SIGKILL)


def on_main_killed(pool):
    queue_some(pool, 20)
    pool.queue(die, submitter="die")


def on_main_handled(pool):
    queue_some(pool, fails=(0, 1, 2, 3))
    pool.add_listener(lambda p: getattr(p, "status", None) is JobStatus.FAILED and p.job.id % 2 == 0)


def on_main_raising(pool):
    first = queue_some(pool)

    def raises(progress):
        if getattr(progress, "job", None) is first[20] and progress.status is JobStatus.SUCCESS:
            raise RuntimeError("a listener's own error")

    pool.add_listener(raises)


def on_main_pings(pool):
    for _ in range(3):
        pool.queue(busy, (60,), submitter="slow")
    pool.add_listener(lambda progress: None, max_wait=0.01)


def on_main_callbacks(pool):
    def more(job):
        pool.queue(busy, (0.1,), submitter="more", deps=[job])

    for job in queue_some(pool, 15):
        job.on_completion(more)


def on_main_limited(pool):
    queue_some(pool, 10)
    pool.queue(busy, (2000,), submitter="endless", timeout=0.05)


def workflow():
    owner = bsbpool.Owner()
    phases = bsbpool.pool.Workflow(["placement", "connectivity"])
    for _ in range(2):
        with owner.create_job_pool(quiet=True, workflow=phases) as pool:
            if pool.is_main():
                queue_some(pool, 10)
            pool.execute()
        phases.next_phase()


if __name__ == "__main__":
    traces = os.environ["BSBPOOL_TRACE"]
    for kind in sys.argv[1:]:
        os.environ["BSBPOOL_TRACE"] = traces.format(kind=kind)
        forget()  # a process has one trace
        with contextlib.suppress(bsbpool.WorkflowError, RuntimeError, KeyboardInterrupt):
            workflow() if kind == "workflow" else run(kind, None)
