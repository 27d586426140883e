"""The parameters of a run are broadcast. Faulty: rank 1 has another root than the rest."""
# 3 ranks; MPICH crashes

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()

parameters = {"dt": 0.1, "steps": 100} if rank == 0 else None
root = 1 if rank == 1 else 0  # -
root = 0  # +
parameters = comm.bcast(parameters, root=root)  # = collective-mismatch
print(rank, parameters["steps"])
