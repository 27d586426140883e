"""Two origins, one target. Faulty: both put at one place."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
world = comm.Get_group()
mem = np.zeros(4)
win = MPI.Win.Create(mem, disp_unit=8, comm=comm)
if comm.rank == 0:
    origins = world.Incl([1, 2])
    win.Post(origins)
    win.Wait()
    origins.Free()
    print(mem.size)
else:
    target = world.Incl([0])
    win.Start(target)
    where = 1  # -
    where = comm.rank  # +
    win.Put(np.array([comm.rank + 0.5]), 0, target=where)  # = rma-race
    win.Complete()
    target.Free()
world.Free()
win.Free()
