"""An array goes to another rank. Faulty: as an object, and is received as items."""
# 2 ranks; MPICH raises an error, or says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
field = np.linspace(0.0, 1.0, 50)
if comm.rank == 0:
    comm.send(field, dest=1)  # - type-mismatch, truncation
    comm.Send(field, dest=1)  # +
else:
    got = np.zeros(50)
    comm.Recv(got, source=0)  # = type-mismatch, truncation
    print(np.isfinite(got).all())
