"""Iterate until the residual is small. Faulty: each rank decides by its own residual when to stop."""
# 3 ranks; MPICH hangs

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()

residual, steps = 2.0 ** (rank + 1), 0
while True:
    total = comm.allreduce(residual)  # = deadlock, collective-mismatch
    steps += 1
    residual /= 4
    if residual < 0.5:  # -
        break  # -
    if comm.allreduce(residual, op=MPI.MAX) < 0.5:  # +
        break  # +
everybody = comm.gather(steps, root=0)  # = deadlock, collective-mismatch
if rank == 0:
    print(everybody)
