"""The same program, script and seed: the same trace, to the byte, in every process, on every Python.

Run as a program it prints the digest of one run: ``python test_determinism.py SEED POLICY``. So it is on
Pythons that have no pytest: nothing of that is imported here.
"""

import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bsbpool import Owner, pool_cache
from bsbpool.exceptions import WorkflowError
from bsbpool_sim import simulate
from bsbpool_sim.script import Script

PROCESSES = 16

ROOT = Path(__file__).resolve().parents[2]


class Node:
    """Schedules a few jobs that cache, depend on each other, and sometimes fail."""

    def __init__(self, name, owner, depends_on=()):
        self.name, self.scaffold, self.depends_on = name, owner, depends_on

    def get_node_name(self):
        return self.name

    @pool_cache
    def heavy(self, part):
        time.sleep(random.uniform(0, 0.05))
        return {"part": part, "of": {self.name, "x", "y", "z"}}

    def queue(self, pool):
        time.sleep(random.uniform(0, 0.5))
        item = Node.heavy.get_pool_cache_id(self)  # type: ignore[attr-defined]
        tags = {"alpha", "beta", "gamma", self.name}
        parts = [pool.queue(work, (self.name, i), submitter=self, cache_items=[item], tags=tags) for i in range(10)]
        pool.queue(gather, (self.name,), deps=parts[::2], submitter=self)
        if self.name == "node 3":
            raise ValueError(f"no more nodes after {self.name}")


def work(owner, name, part):
    node = owner.nodes[name]
    time.sleep(random.expovariate(4))
    node.heavy(part % 3)
    if random.random() < 0.1:
        raise RuntimeError(f"{object()!r} failed at {sorted(node.heavy(0)['of'])}")
    return part


def gather(owner, name):
    time.sleep(random.random())
    return name


def tiny(owner):
    pass


def program(comm):
    owner = Owner(comm)
    nodes = []
    for i in range(5):
        nodes.append(Node(f"node {i}", owner, nodes[-1:] if i == 4 else ()))
    owner.nodes = {node.name: node for node in nodes}  # type: ignore[attr-defined]
    with owner.create_job_pool() as pool:
        if pool.is_main():
            pool.add_listener(lambda progress: progress.reason.name == "JOB_STATUS_CHANGE", max_wait=0.3)
            pool.schedule(nodes)
            for _ in range(200):
                pool.queue(tiny)
            pool.queue(gather, ("late",)).cancel("not needed")
            pool.queue(lambda owner: time.sleep(random.random()), submitter="lambda")
        try:
            pool.execute()
        except WorkflowError as error:
            return sorted(str(e) for e in error.exceptions)


def run(seed, policy):
    script = (
        Script(latency=1e-4)
        .job("lambda", takes=lambda random: random.uniform(1, 3))
        .rank(2, slower=1.5, pauses=[(0.7, 0.2)])
        .rank(3, dies=1.0)
    )
    return simulate(program, 5, seed=seed, policy=policy, script=script).trace


def in_a_process(python, seed, policy, hash_seed):
    # Only this project: everything else is another Python's own. Coverage is not measured, which would take longer.
    paths = [str(ROOT), str(ROOT / "sim")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [python, __file__, str(seed), policy or "in order"],
        env={**environment, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_run_has_all_that_could_vary():
    trace = run(1, "shuffled")
    kinds = {event["e"] for event in trace}
    assert {"ping", "cancel", "cached", "freed", "scheduling", "scheduled", "lost", "fault", "end"} <= kinds
    assert {e["status"] for e in trace.of("status")} >= {"success", "failed", "cancelled", "aborted"}
    assert [e["error"]["message"] for e in trace.of("scheduled") if e["error"]] == ["no more nodes after node 3"]


def test_the_trace_is_the_same_in_many_processes():
    expected = run(1, "shuffled").digest()
    with ThreadPoolExecutor(2) as two:
        digests = two.map(lambda i: in_a_process(sys.executable, 1, "shuffled", 7919 * i), range(PROCESSES))
    assert set(digests) == {expected}


def test_the_trace_is_the_same_on_every_python():
    found = [p for p in os.environ.get("BSBPOOL_TEST_PYTHONS", "").split(os.pathsep) if p]
    for policy in (None, "shuffled"):
        expected = run(1, policy).digest()
        digests = {python: in_a_process(python, 1, policy, 1) for python in [sys.executable, *found]}
        assert digests == dict.fromkeys(digests, expected)


def test_the_trace_is_the_same_again_in_this_process():
    assert run(1, "shuffled").digest() == run(1, "shuffled").digest()


def test_another_seed_gives_another_shuffled_trace():
    digests = [run(seed, "shuffled").digest() for seed in range(5)]
    assert len(set(digests)) == 5


def test_shuffling_changes_the_trace():
    assert run(1, None).digest() != run(1, "shuffled").digest()


if __name__ == "__main__":
    seed, policy = sys.argv[1:]
    print(run(int(seed), policy if policy == "shuffled" else None).digest())
