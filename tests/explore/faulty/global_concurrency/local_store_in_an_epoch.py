"""A rank changes its own window while others may put into it. Faulty: within the epoch, at the same place."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
board = np.zeros(4)
window = MPI.Win.Create(board, disp_unit=8, comm=comm)

window.Fence()
if rank == 1:
    window.Put(np.ones(1), 0, target=2)  # = rma-race
else:
    board[2] = 5.0  # - rma-race
    board[3] = 5.0  # +
window.Fence()  # = rma-race
print(rank, board.sum())
window.Free()
