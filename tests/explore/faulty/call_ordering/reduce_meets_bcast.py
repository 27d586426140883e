"""The ranks agree on a time step. Faulty: rank 0 calls the two collectives in the other order."""
# 3 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()


def largest_speed(step):
    return 1.0 + 0.1 * rank * step


dt = 0.01
for step in range(4):
    if rank == 0:  # -
        dt = comm.bcast(dt, root=0)  # - collective-mismatch
        speed = comm.allreduce(largest_speed(step), op=MPI.MAX)  # -
    else:  # -
        speed = comm.allreduce(largest_speed(step), op=MPI.MAX)  # - collective-mismatch
        dt = comm.bcast(dt, root=0)  # -
    speed = comm.allreduce(largest_speed(step), op=MPI.MAX)  # +
    dt = comm.bcast(0.1 / speed, root=0)
if rank == 0:
    print(f"dt = {dt:.4f}")
