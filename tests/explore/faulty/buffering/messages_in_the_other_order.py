"""A header and a body. Faulty: the body is sent first, and received last."""
# 2 ranks; MPICH says nothing, or hangs with large messages

from mpi4py import MPI

comm = MPI.COMM_WORLD
HEADER, BODY = 1, 2
body = [1.5, 2.5]
if comm.rank == 0:
    comm.send(body, dest=1, tag=BODY)  # - buffering
    comm.send({"length": len(body)}, dest=1, tag=HEADER)
    comm.send(body, dest=1, tag=BODY)  # +
else:
    header = comm.recv(source=0, tag=HEADER)  # = buffering
    body = comm.recv(source=0, tag=BODY)
    assert len(body) == header["length"]
