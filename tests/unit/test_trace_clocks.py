"""The offsets between the clocks of ranks, found from what they sent."""

import random

import pytest

from bsbpool.trace import Trace
from bsbpool.trace.clock_offsets import Offset, offsets

MS = 1_000_000


def trace(hosts, clocks, seed=0, simulated=False):
    """A run in which rank r's clock is `clocks[r]` ahead of main's, and each message takes 0.05 to 0.5 ms."""
    chance = random.Random(seed)
    made = Trace({"ranks": len(clocks), "hosts": hosts, "simulated": simulated})
    made.append(("pool", 0, 1, len(clocks), False, ["main"]))
    events: list[tuple] = []
    for rank in range(1, len(clocks)):
        t = rank * MS
        for job in range(20):
            latency = [chance.randint(MS // 20, MS // 2) for _ in range(2)]
            started = t + latency[0]
            ended = started + chance.randint(MS, 9 * MS)
            events.append(("status", t, 1, 20 * rank + job, "running", rank, None))
            t = ended + latency[1]
            events.append(("message", t, 1, rank, 20 * rank + job, started + clocks[rank], ended + clocks[rank]))
            events.append(("status", t, 1, 20 * rank + job, "success", rank, None))
    for event in sorted(events, key=lambda e: e[1]):
        made.append(event)
    return made


@pytest.mark.parametrize("seed", range(10))
def test_the_clocks_of_other_hosts_are_found_within_what_a_message_takes(seed):
    clocks = [0, 0, 3_600_000 * MS, -77 * MS]
    found = offsets(trace(["a", "a", "b", "c"], clocks, seed))
    assert found[1, 1] == Offset(0, 0)
    for rank in (2, 3):
        assert abs(found[1, rank].ns - clocks[rank]) <= found[1, rank].error < MS


@pytest.mark.parametrize(("hosts", "simulated"), [(["a"], False), (["a", "a", "a"], False), (["simulated"], True)])
def test_ranks_of_one_host_share_a_clock(hosts, simulated):
    found = offsets(trace(hosts, [0, 0, 0], simulated=simulated))
    assert found == {(1, 1): Offset(0, 0), (1, 2): Offset(0, 0)}


def test_where_hosts_are_not_known_clocks_are_estimated():
    found = offsets(trace([], [0, 5 * MS, 0]))
    assert abs(found[1, 1].ns - 5 * MS) <= found[1, 1].error


def test_ranks_that_ran_nothing_have_none():
    assert offsets(Trace({"ranks": 2, "hosts": []})) == {}
