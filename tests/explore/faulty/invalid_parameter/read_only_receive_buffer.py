"""Bytes are received. Faulty: into an object that can't be changed."""
# 2 ranks; MPICH raises an error

from mpi4py import MPI

comm = MPI.COMM_WORLD
if comm.rank == 0:
    comm.Send([b"abcdef", MPI.BYTE], dest=1)
else:
    buffer = memoryview(bytes(6))  # -
    buffer = memoryview(bytearray(6))  # +
    comm.Recv([buffer, MPI.BYTE], source=0)  # = invalid-argument
    print(bytes(buffer).decode())
