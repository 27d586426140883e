"""The channel of MPI: what large messages leave behind, that they come before the last word; and how it naps."""

import time
from types import SimpleNamespace

import pytest

from bsbpool.worlds import RankLost

pytestmark = pytest.mark.mpi


def comm_world():
    from mpi4py import MPI

    return MPI.COMM_WORLD


@pytest.fixture
def channel():
    """A channel between all ranks, in a world of its own."""
    from bsbpool.worlds.mpi_world import MPIWorld

    return MPIWorld(comm_world()).channel()


def test_a_rank_that_leaves_asks_for_no_large_message_that_nobody_will_send(channel):
    world = comm_world()
    if world.rank == 1:
        channel.send(0, bytes(100_000))
    world.Barrier()
    if world.rank == 0:
        while not channel._comm.Iprobe(1):
            pass
        channel.close()
        assert channel._duplicate.sends == []
    world.Barrier()
    if world.rank != 0:
        channel.close()


def test_the_last_word_of_a_worker_comes_after_its_large_messages(channel, monkeypatch):
    world = comm_world()
    if world.rank == 1:
        channel.send(0, bytes(100_000))
        channel.flush()
        channel.send(0, b"bye", last=True)
    elif world.rank == 0:
        # It has not arrived yet when main looks, and has when main sees the last word.
        looks = []
        there = channel._all_there
        monkeypatch.setattr(
            channel, "_all_there", lambda large: there(large) and bool(looks.append(1) or len(looks) > 3)
        )
        came = [channel.get() for _ in range(2)]
        assert [(source, type(message) is RankLost, len(message)) for source, message in came] == [
            (1, False, 100_000),
            (1, False, 3),
        ]
    channel.close()
    world.Barrier()


def test_a_rank_naps_for_as_long_as_nobody_waits_for_what_it_takes_in(channel, monkeypatch):
    world = comm_world()
    if world.rank == 0:
        naps, asleep = [], channel._asleep
        counting = SimpleNamespace(acquire=lambda timeout: naps.append(timeout) or asleep.acquire(timeout=timeout))
        monkeypatch.setattr(channel, "_asleep", counting)
        channel.poll_slack_ns = 4_000_000
        assert channel.get(time.monotonic_ns() + 100_000_000) is None  # nobody has anything to say meanwhile
        assert naps[:-1] == [0.004] * (len(naps) - 1) and naps[-1] <= 0.004  # the last up to the end only
    channel.close()
    world.Barrier()


@pytest.mark.parametrize("sender", [0, 1])
def test_a_rank_naps_no_longer_than_usual_while_a_large_message_is_on_its_way(channel, monkeypatch, sender):
    """Whatever poll_slack_ns it has: the other rank may have nothing to go on with."""
    world = comm_world()
    if world.rank == sender:
        channel.send(1 - sender, bytes(100_000))
    if world.rank == 0:
        naps, asleep = [], channel._asleep

        def nap(timeout):
            if channel._behind or channel._announced:
                naps.append(timeout)
            return asleep.acquire(timeout=timeout)

        monkeypatch.setattr(channel, "_asleep", SimpleNamespace(acquire=nap))
        channel.poll_slack_ns = 4_000_000
        assert channel.get(time.monotonic_ns() + 50_000_000) is None  # the other one is at a job meanwhile
        assert 0 < max(naps) <= 0.001
    world.Barrier()
    if world.rank == sender:
        channel.flush()
        channel.close()
    elif world.rank == 1 - sender:
        source, message = channel.get()
        assert (source, len(message)) == (sender, 100_000)
        channel.close()
    world.Barrier()
