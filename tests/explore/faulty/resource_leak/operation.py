"""The longest name of all ranks. Faulty: the user-defined operation is not freed."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()


def absolute_maximum(source, target, datatype):
    a, b = np.frombuffer(source, "d"), np.frombuffer(target, "d")
    b[:] = np.where(np.abs(a) > np.abs(b), a, b)


operation = MPI.Op.Create(absolute_maximum, commute=True)  # = leaked-handle
result = np.empty(2)
comm.Allreduce(np.array([-rank, rank + 0.5]), result, op=operation)
operation.Free()  # +
print(result)
