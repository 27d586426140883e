"""Two things at one instant: each row of `bsbpool_sim.same_instant.PAIRS` holds, in the default order and with 25
seeds."""

import contextlib
import time
from pathlib import Path

import pytest
from helpers import Ear, executed, nap

from bsbpool.engine.dispatch import PATIENCE
from bsbpool.engine.limits import GRACE, MAIN_GRACE
from bsbpool.exceptions import JobInterrupted
from bsbpool_sim import Script, simulate
from bsbpool_sim.same_instant import PAIRS

ORDERS = [(None, 0), *(("shuffled", seed) for seed in range(25))]


def run(fill, ranks=2, script=None, latency=0.0, **options):
    """What main makes of it, in each order: all are the same."""
    found = []
    for policy, seed in ORDERS:
        simulation = simulate(
            lambda comm: executed(comm, fill, **options),
            ranks, policy=policy, seed=seed, script=script, latency=latency,
        )  # fmt: skip
        outcome = simulation.results[0]
        outcome["elapsed"], outcome["events"] = simulation.elapsed, simulation.trace
        found.append(outcome)
    assert all(each["statuses"] == found[0]["statuses"] for each in found)
    assert all(each["error"] == found[0]["error"] for each in found)
    assert all(each["elapsed"] == found[0]["elapsed"] for each in found)
    return found


def statuses(fill, ranks=2, script=None, **options):
    return run(fill, ranks, script, **options)[0]["statuses"]


def deaf(owner, seconds):
    """A job that goes on for so long, whoever interrupts it."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        with contextlib.suppress(JobInterrupted):
            time.sleep(left)


def a_job_ends_at_its_limit():
    for ranks in (1, 2):
        assert statuses(lambda pool: pool.queue(nap, (1,), timeout=1) and None, ranks) == ["success"]
    slow = Script(latency=0.001).rank(1, slower=2.0)
    assert statuses(lambda pool: pool.queue(nap, (1,), timeout=2) and None, 2, slow) == ["success"]


def an_interrupted_job_ends_in_time():
    found = run(lambda pool: pool.queue(deaf, (1 + GRACE / 1e9,), timeout=1) and None)
    assert found[0]["statuses"] == ["aborted"]
    assert not [e for each in found for e in each["events"].of("stuck")]


def a_ranks_word_arrives_in_time():
    # Its word that it is stuck comes as main gives it up: told once, and by the rank.
    script = Script().link(1, 0, delay=(MAIN_GRACE - GRACE) / 1e9)
    found = run(lambda pool: pool.queue(deaf, (30,), timeout=1) and None, script=script)
    assert all("was in" in each["job errors"][0] for each in found), found[0]["job errors"]


def news_come_before_a_ping():
    for job, limit, pings in ((0.3, 0.1, 2), (0.35, 0.1, 3), (1.0, 0.5, 1)):
        for ranks in (1, 2):
            ears = []

            def fill(pool, job=job, limit=limit, ears=ears):
                ears.append(Ear())
                pool.add_listener(ears[-1], limit)
                pool.queue(nap, (job,))

            run(fill, ranks)
            assert [ear.heard.count("ping") for ear in ears] == [pings] * len(ORDERS)


def a_rank_dies_as_its_job_ends():
    assert statuses(lambda pool: pool.queue(nap, (1,)) and None, 2, Script().rank(1, dies=1)) == ["aborted"]


def a_rank_dies_as_a_message_reaches_it():
    script = Script(latency=0.25).rank(1, dies=0.5)  # it is ready at 0, main knows at 0.25, and sends the job at once
    found = run(lambda pool: pool.queue(nap, (0.5,)) and None, 2, script)
    assert found[0]["statuses"] == ["aborted"]
    assert all(not each["events"].of("message") for each in found)


def a_failure_arrives_with_a_death():
    def bad(owner):
        time.sleep(1)
        raise ValueError

    def fill(pool):
        pool.queue(bad)
        pool.queue(nap, (5,))

    # One of the two ranks runs the job that fails, and the other one, whichever it is, dies.
    script = Script()
    script.job("bad", takes=0.0).job("nap", takes=1.0, kills=True)
    found = run(fill, 4, script, fail_fast=True, retries=1)
    assert found[0]["statuses"] == ["failed", "aborted"]
    assert not [e for each in found for e in each["events"].of("lost")]


def two_ranks_die():
    def fill(pool):
        for _ in range(4):
            pool.queue(nap, (1,))

    script = Script().rank(3, dies=0.5).rank(1, dies=0.5).rank(2, dies=0.5)
    for found in run(fill, 5, script, retries=1):
        assert [e["rank"] for e in found["events"].of("lost")] == [1, 2, 3]


def canceller(which):
    def fill(pool):
        first = pool.queue(nap, (1,))
        jobs = [first, pool.queue(nap, (1,), deps=[first])]

        def scheduler(node):
            time.sleep(1)
            jobs[which].cancel()

        pool.schedule(["a node"], scheduler)

    return fill


def a_job_is_cancelled_as_it_would_start():
    assert statuses(canceller(1)) == ["success", "cancelled"]
    assert statuses(canceller(1), 2, Script().link(1, 0, delay=0.25).rank(1, slower=0.75)) == ["success", "cancelled"]


def a_job_is_cancelled_as_it_ends():
    assert statuses(canceller(0)) == ["success", "success"]


def a_rank_is_paused_as_its_job_ends():
    found = run(lambda pool: pool.queue(nap, (1,)) and None, 2, Script().rank(1, pauses=[(1, 3)]))
    assert found[0]["elapsed"] == 4


def a_rank_becomes_slower_as_a_job_starts(tmp_path):
    scenario(tmp_path, "events: [{at: 0s, slow: {rank: 1, by: 3}}]", "{elapsed: 3s}")


def a_link_becomes_slower_as_a_message_is_sent(tmp_path):
    scenario(tmp_path, "events: [{at: 1s, delay: {from: 1, to: 0, by: 3s}}]", "{elapsed: 4s}")


def ctrl_c_comes_as_a_job_ends(tmp_path):
    wanted = "{outcome: KeyboardInterrupt, statuses: {a: aborted}}"
    scenario(tmp_path, "events: [{at: 1s, interrupt: main}]", wanted)


def scenario(tmp_path, events, expect):
    from bsbpool_sim.scenario import load

    path = Path(tmp_path) / "a.yaml"
    path.write_text(
        f"scenario: One\nseeds: 0..25\nranks: 2\njobs: [{{name: a, takes: 1s}}]\n{events}\nexpect: {expect}\n"
    )
    result = load(path).run()
    assert result.ok, result.report()


def a_scheduler_queues_as_the_last_job_ends():
    def fill(pool):
        pool.queue(nap, (1,))

        def scheduler(node):
            time.sleep(1)
            pool.queue(nap, (1,))

        pool.schedule(["a node"], scheduler)

    for ranks in (2, 3):
        assert statuses(fill, ranks) == ["success", "success"]


def a_job_ends_as_the_watch_loses_patience():
    """Short jobs are sent ahead, then one that ends at the very time at which those behind it would be given back."""

    def fill(pool):
        for number in range(300):
            pool.queue(nap, (PATIENCE / 1e9 if number == 150 else 0.0005,))

    found = run(fill, 2)
    assert not [e for each in found for e in each["events"].of("returned")]


def what_arrives_is_given_back_too():
    """While a long job runs main sends others, which arrive as the watch gives back what stands behind it."""

    def fill(pool):
        for number in range(40):
            pool.queue(nap, (1.0 if number == 20 else 0.0005,))

    for found in run(fill, 3):
        returned = [job for e in found["events"].of("returned") for job in e["jobs"]]
        assert len(returned) == len(dict.fromkeys(returned))


TESTS = (
    a_job_ends_at_its_limit,
    an_interrupted_job_ends_in_time,
    a_ranks_word_arrives_in_time,
    news_come_before_a_ping,
    a_rank_dies_as_its_job_ends,
    a_rank_dies_as_a_message_reaches_it,
    a_failure_arrives_with_a_death,
    two_ranks_die,
    a_job_is_cancelled_as_it_would_start,
    a_job_is_cancelled_as_it_ends,
    a_rank_is_paused_as_its_job_ends,
    a_rank_becomes_slower_as_a_job_starts,
    a_link_becomes_slower_as_a_message_is_sent,
    ctrl_c_comes_as_a_job_ends,
    a_scheduler_queues_as_the_last_job_ends,
    a_job_ends_as_the_watch_loses_patience,
    what_arrives_is_given_back_too,
)


@pytest.mark.filterwarnings("ignore:Could not cancel")
@pytest.mark.parametrize(("pair", "test"), [*zip(PAIRS, TESTS, strict=True)], ids=[test.__name__ for test in TESTS])
def test_it_is_so_in_every_order(pair, test, tmp_path):
    test(tmp_path) if test.__code__.co_argcount else test()


class Backwards:
    """A policy that prefers what was scheduled last, with numbers of any size."""

    def __init__(self):
        self.last = 0.0

    def choose(self):
        self.last -= 1e9
        return self.last


def test_a_policy_of_ones_own_keeps_the_table():
    def program(comm):
        return executed(comm, lambda pool: pool.queue(nap, (1,), timeout=1) and None)

    assert simulate(program, 2, policy=Backwards()).results[0]["statuses"] == ["success"]


def test_the_documentation_has_this_very_table():
    text = (Path(__file__).parents[2] / "docs/simulated-ranks.md").read_text(encoding="utf-8")
    for pair in PAIRS:
        assert f"\n| {pair.first} | {pair.then} | {pair.so} |\n" in text
    table = text.partition("### At the same instant\n")[2].partition("\n### ")[0].partition("\n## ")[0]
    assert table.count("\n| ") == len(PAIRS) + 1
