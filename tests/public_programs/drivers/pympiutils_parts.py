"""pympiutils: parts of an array on each rank, their norm and their sums, and the array again."""

from __future__ import annotations

import numpy as np
import pympiutils
from mpi4py import MPI

if __name__ == "__main__":
    whole = np.arange(10.0) if MPI.COMM_WORLD.rank == 0 else None
    mpi = pympiutils.make_mpi_info(10, MPI)
    part = pympiutils.xglob2loc(whole, mpi.layout, MPI)
    print(part.tolist(), round(float(pympiutils.norm(part, mpi)), 6), pympiutils.mmax(part, mpi))
    again = pympiutils.xloc2glob(2 * part, mpi.layout, MPI)
    if MPI.COMM_WORLD.rank == 0:
        print(again.tolist())
    print(pympiutils.make_mpi_info(MPI.COMM_WORLD.rank + 1, MPI, isGlobal=False).layout.displ.tolist())
