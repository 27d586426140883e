"""What the comparisons of simulated ranks with real ones share: which MPI a program has, and how it is compared.

The programs are in the files ``test_same_….py``. Under ``mpirun -n 4 pytest`` each also runs on the real COMM_WORLD.
"""

import os

import pytest

from bsbpool_sim import simulate

REAL_SIZE = int(os.environ.get("PMI_SIZE") or os.environ.get("OMPI_COMM_WORLD_SIZE") or 1)

if REAL_SIZE > 1:
    from mpi4py import MPI as REAL
else:
    REAL = None


def mpi():
    """The MPI of whoever asks: a simulated rank's, or the real one."""
    from mpi4py import MPI

    return MPI


def compare_with_real_ranks(program, as_mpich_has_it):
    """See that a program gets on this real rank what it gets on the simulated one.

    :param as_mpich_has_it: programs of which the test is skipped under another MPI: it ends the process, waits for
        ever, or gives other values where MPI leaves it open.
    """
    if program in as_mpich_has_it and REAL.get_vendor()[0] != "MPICH":
        pytest.skip("MPI leaves open what becomes of this, and MPICH's answer is the measure")
    # A communicator of its own: fast ranks are ahead, and no message of their next program may mix in.
    comm = REAL.COMM_WORLD.Dup()
    real = program(comm)
    comm.Free()
    assert real == simulate(program, REAL_SIZE).results[REAL.COMM_WORLD.rank]


def compare_orders(program, ranks, policy):
    """See that neither latency nor the order of what falls into one instant changes what simulated ranks get."""
    plain = simulate(program, ranks).results
    assert simulate(program, ranks, latency=1e-3, bandwidth=1e6, policy=policy, seed=3).results == plain
