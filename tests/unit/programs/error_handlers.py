"""The error handlers that new objects have, by mpi4py's option: what it says on the command line."""

import os
import sys

from mpi4py import rc

rc.errors = sys.argv[1]

from mpi4py import MPI  # noqa: E402

HANDLERS = ("ERRORS_ARE_FATAL", "ERRORS_RETURN", "ERRORS_ABORT")
world = MPI.COMM_WORLD
session = MPI.Session.Init()
grid = world.Create_cart([world.size])
own = world.Dup()
own.Set_errhandler(MPI.ERRORS_RETURN)
window = MPI.Win.Allocate(8, comm=world)
file = MPI.File.Open(world, os.devnull, MPI.MODE_WRONLY)
for each in (
    world, session, grid, grid.Sub([True]), world.Split(0), world.Create(world.group), world.Create_group(world.group),
    own, own.Dup(), MPI.Intracomm.Create_from_group(world.group), window, file,
):  # fmt: skip
    handler = each.Get_errhandler()
    if world.rank == 0:
        print(type(each).__name__, [name for name in HANDLERS if getattr(MPI, name) == handler])
window.Free()
file.Close()
session.Finalize()
