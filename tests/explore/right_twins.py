"""Runs all right programs of so many ranks, one after the other, on this mpirun's ranks; prints what each printed.

    mpirun -n 3 python right_twins.py

Rank 0 prints a JSON object: by name of the program, what its ranks printed, in the order of the ranks.
"""

import contextlib
import io
import json

from mpi4py import MPI
from variants import PAIRS

comm = MPI.COMM_WORLD.Dup()
said = {}
for pair in PAIRS:
    if pair.ranks == comm.size:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(pair.right, pair.name, "exec"), {"__name__": "__main__"})
        said[pair.name] = comm.gather(out.getvalue(), root=0)
        comm.Barrier()  # else a receive from any rank may take what a rank sends that is in the next program already
if comm.rank == 0:
    print(json.dumps(said))
