"""Messages of unknown size. Faulty: it probes one message for its size, and then receives whichever comes."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()

if rank == 0:
    status = MPI.Status()
    received = []
    for _ in range(size - 1):
        comm.Probe(source=MPI.ANY_SOURCE, tag=5, status=status)
        spikes = np.empty(status.Get_count(MPI.DOUBLE))
        comm.Recv(spikes, source=MPI.ANY_SOURCE, tag=5)  # - truncation
        comm.Recv(spikes, source=status.source, tag=5)  # +
        received.append(len(spikes))
    print(sorted(received))
else:
    comm.Send(np.zeros(100 * rank), dest=0, tag=5)
