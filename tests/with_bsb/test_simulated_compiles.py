"""Whole compiles by BSB on simulated ranks, in one process: BSB, h5py, mpilock and mpipool as they are installed."""

from pathlib import Path

import pytest
from launching import run
from reconstructions import contents

from bsbpool.worlds.launcher import launcher

HERE = Path(__file__).parent

# Under `mpirun` these tests would start programs on ranks of their own from each rank.
pytestmark = pytest.mark.skipif(launcher() is not None, reason="starts its own ranks")


def made(on, path, pool):
    """What a program that makes a network has stored.

    :param on: on which ranks it runs, as arguments for Python.
    """
    status, _, complaints = run(program=[*on, HERE / "reconstructs.py", path, pool], cwd=path.parent, limit=600)
    assert status == 0, complaints
    return contents(path)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What BSB's own pool makes on one real rank."""
    return made((), tmp_path_factory.mktemp("alone") / "network.hdf5", "bsbs")


@pytest.mark.parametrize("pool", ["ours", "bsbs"])
def test_a_compile_on_simulated_ranks_makes_the_same_network(tmp_path, alone, pool):
    assert made(("-m", "bsbpool_sim", "-n", 4, "--own", "bsbpool"), tmp_path / "network.hdf5", pool) == alone
