"""Tags say step and field. Faulty: they grow above what MPI has."""
# 2 ranks; MPICH raises an error

from mpi4py import MPI

comm = MPI.COMM_WORLD
other = 1 - comm.rank
top = comm.Get_attr(MPI.TAG_UB)


def tag(step, field):
    return (step << 28) + field  # -
    return ((step << 28) + field) % (top + 1)  # +


for step in range(4):
    comm.sendrecv(step, dest=other, sendtag=tag(step, 3), source=other, recvtag=tag(step, 3))  # = invalid-argument
