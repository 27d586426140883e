"""Which ranks share a host, and its memory, is on simulated ranks what it is under MPICH, on one host and on several.

MPICH takes the ranks of one machine for those of several, if it is told so.
"""

import json
from pathlib import Path

import pytest
from launching import MPIRUN, needs_mpich, run

PROGRAM = Path(__file__).with_name("on_hosts.py")


def told(*launch, program, **environ):
    """What each rank was told, by rank."""
    status, out, err = run(*launch, program=program, **environ)
    assert status == 0, out + err
    return sorted(json.loads(line) for line in out.splitlines() if line.startswith("["))


def on_simulated_ranks(ranks, hosts):
    return told(program=["-m", "bsbpool", "simulate", "-n", ranks, "--hosts", hosts, PROGRAM])


@needs_mpich
@pytest.mark.parametrize(("ranks", "hosts"), [(4, 1), (4, 2), (5, 3)])
def test_real_ranks_are_told_the_same(ranks, hosts):
    cliques = {"MPIR_CVAR_NUM_CLIQUES": str(hosts), "MPIR_CVAR_CLIQUES_BY_BLOCK": "1"}
    yields = {"MPIR_CVAR_ENABLE_HEAVY_YIELD": "1"}
    real = told(MPIRUN, "-n", ranks, program=[PROGRAM], **cliques, **yields)
    assert [rank for rank, _ in real] == [*range(ranks)]
    assert on_simulated_ranks(ranks, hosts) == real


def test_ranks_are_on_one_host_unless_it_is_said_otherwise():
    assert told(program=["-m", "bsbpool", "simulate", "-n", "3", PROGRAM]) == on_simulated_ranks(3, 1)
