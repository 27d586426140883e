"""Post, start, complete, wait between two ranks. Faulty: the origin has no start."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
memory = np.zeros(1)
window = MPI.Win.Create(memory, disp_unit=8, comm=comm)
everybody = comm.Get_group()
group = everybody.Incl([1 - rank])

if rank == 0:
    window.Post(group)
    window.Wait()
    print(memory[0])
else:
    window.Start(group)  # +
    window.Put(np.full(1, 2.5), 0)  # = epoch
    window.Complete()  # = epoch
group.Free()
everybody.Free()
window.Free()
