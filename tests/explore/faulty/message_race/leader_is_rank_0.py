"""The rank that is first at a flag leads. Faulty: that is rank 0, it thinks."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
FREE = -1
window = MPI.Win.Create(np.full(1, FREE, "i"), 4, comm=comm)
comm.Barrier()
window.Lock_all()
old, mine, free = np.empty(1, "i"), np.array([comm.rank], "i"), np.array([FREE], "i")
window.Compare_and_swap(mine, free, old, 0)
window.Flush(0)
window.Unlock_all()
leader = comm.rank if old[0] == FREE else int(old[0])
if leader == comm.rank:
    assert comm.rank == 0  # - failure
    config = {"seed": 3}
else:
    config = None
config = comm.bcast(config, root=leader)
window.Free()
