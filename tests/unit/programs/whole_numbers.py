"""Numbers that are no integers, where MPI wants one: mpi4py takes what is in front of the point, but not in lists."""

from typing import Any

from mpi4py import MPI as untyped

MPI: Any = untyped
comm = MPI.COMM_WORLD
rank, size = comm.rank, comm.size


class Numbered:
    def __int__(self):
        return 0


def kind(call):
    try:
        return call()
    except Exception as error:
        return type(error).__name__


right, left = (rank + 1) % size, (rank - 1) % size
found = []
comm.send(rank, dest=float(right), tag=3.9)
found.append(comm.recv(source=left + 0.5, tag=3))
request = comm.isend(rank, right, 1.0)
found.append(comm.recv(source=float(MPI.ANY_SOURCE), tag=float(MPI.ANY_TAG)))
request.wait()
split = comm.Split(rank / 2, -rank / 1)
grid = comm.Create_cart([size])
vector = MPI.INT.Create_vector(2.5, 1.5, 2.5)
win = MPI.Win.Allocate(8.0, 1.5, comm=comm)
found += [
    comm.bcast(rank, root=size / 2),
    comm.bcast(rank, root=Numbered()),
    split.size,
    comm.group.Range_incl([(0, size / 2, 1)]).size,
    vector.size,
    grid.Shift(0.5, 1.0),
    kind(lambda: comm.group.Incl([0.0])),
    kind(lambda: comm.bcast(rank, root="0")),
    kind(lambda: comm.send(rank, dest=None)),
    kind(lambda: comm.send(rank, dest=right, tag=2j)),
    win.Get_attr(MPI.WIN_SIZE),
    win.Get_attr(MPI.WIN_DISP_UNIT),
]
for each in win, vector, grid, split:
    each.Free()
for each in comm.gather(found) or ():
    print(*each)
