"""mpiplus: a task for each of many arguments, distributed among ranks."""

from __future__ import annotations

from mpi4py import MPI
from mpiplus import distribute, on_single_node


@on_single_node(rank=0, broadcast_result=True)
def names() -> list[str]:
    return ["a", "bb", "ccc", "dddd", "eeeee"]


if __name__ == "__main__":
    print(MPI.COMM_WORLD.rank, distribute(len, names(), send_results_to="all"))
    print(distribute(str.upper, names(), send_results_to=0))
