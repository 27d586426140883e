"""Parameters go to all ranks. Faulty: the root updates them before the broadcast has ended."""
# 3 ranks; MPICH says nothing, or sends the wrong values

import numpy as np
from mpi4py import MPI


class Optimizer:
    def __init__(self, comm):
        self.comm = comm
        self.parameters = np.zeros(5)

    def step(self):
        request = self.comm.Ibcast(self.parameters, root=0)  # = buffer-race
        request.Wait()  # +
        if self.comm.rank == 0:
            self.parameters += 1  # = buffer-race
        request.Wait()  # - buffer-race


optimizer = Optimizer(MPI.COMM_WORLD)
for _ in range(2):
    optimizer.step()
print("done")
