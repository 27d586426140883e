"""An exchange in each step, with ready sends. Faulty: there is no barrier after the receives have begun."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
other = 1 - comm.rank
edge, halo = np.zeros(2), np.zeros(2)
receive, send = comm.Recv_init(halo, other), MPI.Prequest(comm.Rsend_init(edge, other))
for step in range(3):
    edge[:] = step
    receive.Start()
    comm.Barrier()  # +
    send.Start()  # = buffering
    MPI.Request.Waitall([receive, send])
    assert halo[0] == step
receive.Free()
send.Free()
