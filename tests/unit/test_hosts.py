"""Simulated hosts: how ranks are laid out on them, and where that shows."""

import os
import platform
import socket
import time
import uuid
from typing import Any

import pytest
from launching import run

from bsbpool import JobPool, Owner
from bsbpool_sim import RankErrors, Script, explore, simulate
from bsbpool_sim.hosts import Hosts
from bsbpool_sim.mpi import COMM_TYPE_SHARED, ERR_RMA_SHARED


def names(comm):
    from mpi4py import MPI

    assert {socket.gethostname(), socket.getfqdn(), platform.node(), os.uname().nodename} == {MPI.Get_processor_name()}
    return MPI.Get_processor_name()


@pytest.mark.parametrize("ranks", [1, 2, 7, 16])
def test_hosts_are_blocks_of_ranks_as_equal_as_can_be(ranks):
    for count in range(1, ranks + 1):
        hosts = Hosts(ranks, count)
        of = [hosts.of(rank) for rank in range(ranks)]
        assert of == sorted(of)
        sizes = [of.count(host) for host in range(count)]
        assert sizes == sorted(sizes, reverse=True)
        assert max(sizes) - min(sizes) <= 1 <= min(sizes)
        assert [hosts.place(rank) for rank in range(ranks)] == [(n, size) for size in sizes for n in range(size)]
        assert [hosts.together([first, last]) for first in range(ranks) for last in range(ranks)] == [
            of[first] == of[last] for first in range(ranks) for last in range(ranks)
        ]


def test_all_names_of_a_host_are_the_same_and_each_host_has_its_own():
    assert simulate(names, 3).results == ["simulated-0"] * 3
    assert simulate(names, 5, hosts=3).results == [f"simulated-{host}" for host in (0, 0, 1, 1, 2)]


def test_a_host_has_one_node_number_and_ids_of_its_ranks_differ():
    def program(comm):
        return uuid.getnode(), uuid.uuid1()

    found = simulate(program, 6, hosts=2).results
    assert [node - found[0][0] for node, _ in found] == [0, 0, 0, 1, 1, 1]
    assert len({one for _, one in found}) == 6


def test_the_example_of_a_program_that_sums_up_within_hosts_first():
    def program(comm):
        host = comm.Split_type(COMM_TYPE_SHARED)
        heads = comm.Split(0 if host.rank == 0 else 1)
        total = host.reduce(comm.rank)
        total = heads.allreduce(total) if host.rank == 0 else None
        return host.bcast(total), host.size

    for hosts in (1, 2, 3, 7):
        found = simulate(program, 7, hosts=hosts).results
        assert {total for total, _ in found} == {21}
        assert {size for _, size in found} <= {7 // hosts, -(-7 // hosts)}


def test_memory_can_not_be_shared_across_hosts():
    def program(comm):
        from mpi4py import MPI

        MPI.Win.Allocate_shared(8, comm=comm)

    with pytest.raises(RankErrors, match=r"several hosts, .* with comm\.Split_type\(MPI\.COMM_TYPE_SHARED\)") as caught:
        simulate(program, 3, hosts=2)
    errors: dict[int, Any] = dict(caught.value.by_rank)  # also of the one that has its host for itself
    assert [errors[rank].Get_error_class() for rank in range(3)] == [ERR_RMA_SHARED] * 3
    assert simulate(lambda comm: comm.Split_type(COMM_TYPE_SHARED).size, 3, hosts=2).results == [2, 2, 1]


def test_memory_that_another_rank_of_the_host_can_reach_makes_exploring_incomplete():
    def program(comm):
        from mpi4py import MPI

        window = MPI.Win.Allocate(8, comm=comm)
        window.Fence()
        reached = len(window.Shared_query(1 - comm.rank)[0])
        window.Fence()
        window.Free()
        return reached

    on_one, on_two = (explore(program, 2, hosts=hosts, checks=()) for hosts in (1, 2))
    assert "used the same memory, or one file" in on_one.limits[0]
    assert on_two.complete


def test_what_is_told_of_a_rank_names_its_host_if_there_are_several():
    def program(comm):
        with JobPool("pool", Owner(comm)) as pool:
            if pool.is_main():
                for _ in range(3):
                    pool.queue(lambda owner: time.sleep(1))
            pool.execute()

    for hosts, name in ((1, "a simulated host"), (2, "simulated-1")):
        with pytest.raises(RankErrors) as caught:
            simulate(program, 4, hosts=hosts, script=Script().rank(3, dies=0.5))
        error: Any = caught.value.by_rank[0]
        assert f"Rank 3 on {name} died at 0.5 s" in str(error.exceptions[0])


def test_a_trace_says_which_rank_was_on_which_host():
    for hosts, told in ((1, ["simulated"]), (2, ["simulated-0", "simulated-0", "simulated-1"])):
        trace = simulate(lambda comm: None, 3, hosts=hosts).trace
        assert trace.header["hosts"] == told


@pytest.mark.parametrize("hosts", [0, -1, 4, 1.5, "2", True, None])
def test_another_number_of_hosts_is_refused_in_one_line(hosts):
    for call in (simulate, explore):
        with pytest.raises(ValueError, match=r"hosts=.*: it must be an integer from 1 to 3, the number of ranks$"):
            call(names, 3, hosts=hosts)


@pytest.mark.parametrize("command", ["simulate", "explore"])
@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ("3", "--hosts 3 is more than the 2 ranks: each host needs one at least"),
        ("0", "Invalid value for '--hosts': 0 is not in the range x>=1."),
        ("two", "Invalid value for '--hosts': 'two' is not a valid integer range."),
    ],
)
def test_the_commands_refuse_it_too(command, hosts, said):
    status, out, err = run(program=["-m", "bsbpool", command, "-n", "2", "--hosts", hosts, "-c", "pass"])
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert said in err


def test_what_exploring_finds_on_several_hosts_is_run_again_on_as_many():
    program = (
        "from mpi4py import MPI; comm = MPI.COMM_WORLD; assert comm.Split_type(MPI.COMM_TYPE_SHARED).size == comm.size"
    )
    explored = ["-m", "bsbpool", "explore", "-n", "2", "--no-check", "leaked-handle"]
    status, out, _ = run(program=[*explored, "--hosts", "2", "-c", program])
    assert status == 1
    again = next(line for line in out.splitlines() if "Again:" in line)
    assert "-n 2 --hosts 2 -c" in again
    assert run(program=[*explored, "-c", program])[0] == 0


def test_a_scenario_has_no_hosts():
    status, _, err = run(program=["-m", "bsbpool", "explore", "--hosts", "2", "scenarios/errors"])
    assert status == 2
    assert "--hosts is for programs" in err
