"""A rank that waits leaves its core to others."""

import time

import pytest

import bsbpool

pytestmark = pytest.mark.mpi


def test_ranks_that_wait_do_not_burn_their_cores(monkeypatch):
    from mpi4py import MPI

    from bsbpool.worlds.mpi_world import MPIChannel

    comm = MPI.COMM_WORLD
    looks, poll = [0], MPIChannel._poll

    def count(self):
        looks[0] += 1
        return poll(self)

    monkeypatch.setattr(MPIChannel, "_poll", count)
    with bsbpool.job_pool(comm, quiet=True) as pool:
        if pool.is_main():
            pool.queue(lambda owner: time.sleep(2))
        comm.Barrier()
        pool.execute()
    # Main, and the workers that have no job: they look some thousand times in these two seconds. Who does nothing but
    # look does so a million times. A slower machine looks less often in both ways.
    assert max(comm.allgather(looks[0])) < 20_000
