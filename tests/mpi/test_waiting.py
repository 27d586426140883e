"""A rank that waits leaves its core to others."""

import time

import pytest

import bsbpool

pytestmark = pytest.mark.mpi


def test_ranks_that_wait_do_not_burn_their_cores():
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    with bsbpool.job_pool(comm, quiet=True) as pool:
        if pool.is_main():
            pool.queue(lambda owner: time.sleep(2))
        comm.Barrier()
        start, used = time.monotonic(), time.process_time()
        pool.execute()
        share = (time.process_time() - used) / (time.monotonic() - start)
    # Main, the worker that sleeps in its job, and those that have none.
    assert max(comm.allgather(share)) < 0.1
