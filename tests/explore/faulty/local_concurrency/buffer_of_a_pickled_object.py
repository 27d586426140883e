"""A buffer is given for an object. Faulty: it is written before that has come."""
# 2 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
if comm.rank == 0:
    comm.send(list(range(50)), dest=1)
else:
    store = bytearray(4096)
    request = comm.irecv(store, source=0)  # = buffer-race
    store[:4] = b"head"  # - buffer-race
    numbers = request.wait()
    store[:4] = b"head"  # +
    assert len(numbers) == 50
