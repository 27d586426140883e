"""Cells are put into the window of the other rank. Faulty: the items of the target's datatype share cells."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
cells = np.zeros(8)
window = MPI.Win.Create(cells, 8, comm=comm)
rows = MPI.DOUBLE.Create_vector(3, 2, 1).Commit()  # -
rows = MPI.DOUBLE.Create_vector(3, 2, 2).Commit()  # +
window.Fence()
window.Put([np.ones(6), 6, MPI.DOUBLE], 1 - comm.rank, [0, 1, rows])  # = buffer-race
window.Fence()
rows.Free()
window.Free()
