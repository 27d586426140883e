"""Statistics of parts, with a barrier before they are printed. Faulty: ranks without data leave out the barrier."""
# 4 ranks; MPICH hangs

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()

numbers = list(range(10 * rank, 10 * rank + 5)) if rank % 2 == 0 else []
total = sum(numbers)

if numbers:  # -
    comm.Barrier()  # - deadlock, collective-mismatch
comm.Barrier()  # +
totals = comm.gather(total, root=0)  # = deadlock, collective-mismatch
if rank == 0:
    print("totals:", totals)
