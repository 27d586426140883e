"""Parameters are scattered. Faulty: there are fewer of them than ranks."""
# 4 ranks; MPICH raises an error

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
rates = [0.1, 0.2, 0.5]  # -
rates = [0.1, 0.2, 0.5, 1.0]  # +

rate = comm.scatter(rates if rank == 0 else None, root=0)  # = invalid-argument
print(rank, rate)
