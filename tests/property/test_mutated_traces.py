"""Whatever a trace says, every command that reads it ends, and says what is wrong. See mutated.py, which tries more."""

import contextlib
import signal

import pytest
from mutated import COMMANDS, TRACES, attempts, mutated

import bsbpool
from bsbpool.trace import Trace, read_trace
from bsbpool_sim import simulate
from bsbpool_sim.replay import Change, ReplayError, replay, what_if

#: Cases, in shares that can run side by side.
CASES, SHARES = 240, 4

#: Python's own: what simulated ranks find in its place is refused.
PRESS_CTRL_C = signal.raise_signal


@pytest.mark.parametrize("share", range(SHARES))
def test_commands_end_whatever_a_trace_says(tmp_path, share):
    for number in range(share, CASES, SHARES):
        # Each trace with some of the commands; the next with others.
        commands = tuple(COMMANDS[(number + n) % len(COMMANDS)] for n in range(3))
        for _ in attempts(mutated(number), tmp_path, ("replay {t}", *commands)):
            pass


@pytest.mark.parametrize("name", ["replay_never_ends_1", "replay_never_ends_2"])
def test_a_replay_that_did_not_end_does(name):
    result = replay(read_trace(TRACES / f"{name}.trace"))
    assert not result.same


@pytest.mark.parametrize("name", ["time_limit_format_1", "scheduler_failed_format_1", "killed_only"])
def test_traces_of_the_first_version_are_replayed(name):
    result = replay(read_trace(TRACES / f"{name}.trace"))
    assert result.same, (result.why, result.difference)


def made(ranks, *events):
    trace = Trace({"ranks": ranks, "hosts": []})
    for event in events:
        trace.append(event)
    return trace


def test_ranks_out_of_proportion_are_refused():
    trace = made(1_000_000, ("pool", 0, 1, 1_000_000, False, []), ("pool_status", 0, 1, "scheduling"))
    with pytest.raises(ReplayError, match="a pool of 1,000,000 ranks and only 2 events"):
        replay(trace)
    with pytest.raises(ReplayError, match="only 2 events"):
        what_if(trace, Change(kill={1: 1.0}))


@pytest.mark.parametrize("nodes", [2**62, -1])
def test_nodes_out_of_proportion_take_no_memory(nodes):
    trace = made(
        2, ("pool", 0, 1, 2, False, []), ("pool_status", 0, 1, "scheduling"), ("schedule", 0, 1, nodes),
        ("pool_status", 0, 1, "executing"),
    )  # fmt: skip
    result = replay(trace)
    assert not result.same
    assert "nobody can schedule" in result.why


@pytest.mark.parametrize("rank_at_work", [0, 1])
def test_ctrl_c_ends_a_replay_whatever_catches_it(rank_at_work):
    def interrupts():
        with contextlib.suppress(Exception, KeyboardInterrupt):
            PRESS_CTRL_C(signal.SIGINT)
        raise AssertionError("the job went on")

    trace = read_trace(TRACES / "time_limit_format_1.trace")
    if rank_at_work == 0:
        trace = simulate(alone, 1).trace
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            replay(trace, lambda pool, job, owner: interrupts)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def alone(comm):
    with bsbpool.job_pool(comm, quiet=True) as pool:
        pool.queue(id)
        pool.execute()
