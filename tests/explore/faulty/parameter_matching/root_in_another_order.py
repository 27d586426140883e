"""Halves of the ranks put their parts together from right to left. Faulty: for one rank another one is the root."""
# 4 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
half = comm.Split(comm.rank // 2, key=-comm.rank)
back = half.Split(0, key=-half.rank)
root = 0
if comm.rank == 3:  # -
    root = comm.rank % 2  # -
parts = half.gather(comm.rank, root=root)  # = collective-mismatch
print(parts)
order = back.allgather(comm.rank)
assert order == sorted(order) and len(order) == 2, order
if half.rank == 0 and parts:
    assert parts == order[::-1], parts
back.Free()
half.Free()
