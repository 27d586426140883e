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
    assert made(("-m", "bsbpool_sim", "-n", 4), tmp_path / "network.hdf5", pool) == alone


INSTALLS = """
import bsbpool.bsb
bsbpool.bsb.install()
import bsb, bsbpool.pool
print(bsb.MPI.get_rank(), bsb.JobPool is bsbpool.pool.JobPool)
"""


@pytest.mark.parametrize("how", ["script", "code", "named"])
def test_each_rank_installs_for_its_own_bsb(tmp_path, how):
    (tmp_path / "installs.py").write_text(INSTALLS)
    program = {
        "script": ["installs.py"],
        "code": ["-c", "import bsb; " + "; ".join(INSTALLS.strip().splitlines())],
        "named": ["--own", "bsbpool", "-c", "import installs"],
    }[how]
    status, said, complaints = run(program=["-m", "bsbpool_sim", "-n", 2, *program], cwd=tmp_path)
    assert (status, said) == (0, "0 True\n1 True\n"), complaints


def test_a_module_that_installs_is_refused_with_what_to_write(tmp_path):
    (tmp_path / "installs.py").write_text(INSTALLS)
    status, said, complaints = run(program=["-m", "bsbpool_sim", "-n", 2, "-c", "import installs"], cwd=tmp_path)
    assert (status, said) == (1, "") and "at installs.py:2 in <module>; so did rank 1" in complaints
    assert "each rank needs bsbpool to itself" in complaints and "bsbpool simulate --own bsbpool …" in complaints


FREED, LATE = (f"tables that no job needs: {first} 0 0 0\n" for first in (0, 1))


def test_a_race_of_bsbs_own_pool_is_shown_by_a_seed_and_is_none_in_this_one(tmp_path):
    """When a cached item is freed: `docs/bsb.md` tells of it."""
    installed = "import bsbpool.bsb; bsbpool.bsb.install(); import cached"

    def said(seed, *program):
        where = tmp_path / f"{len([*tmp_path.iterdir()])}"
        where.mkdir()
        (where / "cached.py").write_text((HERE / "cached.py").read_text())
        simulated = ("-m", "bsbpool_sim", "-n", 2, "--seed", seed)
        status, out, complaints = run(program=[*simulated, *program], cwd=where, limit=600)
        assert status == 0, complaints
        return out

    seeds = {}
    for seed in range(1, 30):
        seeds[said(seed, "cached.py")] = seed
        if len(seeds) == 2:
            break
    assert {*seeds} == {FREED, LATE}
    assert said(seeds[LATE], "cached.py") == LATE  # each time
    assert said(seeds[LATE], "-c", installed) == FREED
