"""The mean of each part. Faulty: a part may be empty, and then its rank raises and the others wait."""
# 4 ranks; MPICH raises an error

import sys

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
count = int(sys.argv[1]) if len(sys.argv) > 1 else 3
mine = list(range(count))[rank::size]

mean = sum(mine) / len(mine)  # - failure
mean = sum(mine) / len(mine) if mine else 0.0  # +
means = comm.gather(mean, root=0)  # = deadlock, failure
if rank == 0:
    print(means)
