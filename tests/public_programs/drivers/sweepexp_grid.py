"""sweepexp: experiments on a grid of parameters; the main rank gives them out, looks for results, and works itself."""

from __future__ import annotations

from mpi4py import MPI
from sweepexp import SweepExpMPI


def experiment(x: int, y: int) -> dict[str, int]:
    return {"total": x + y, "product": x * y}


if __name__ == "__main__":
    sweep = SweepExpMPI(func=experiment, parameters={"x": [1, 2], "y": [3, 4, 5]}, manager_works=True)
    data = sweep.run()
    if MPI.COMM_WORLD.rank == 0:
        print(data["product"].values.tolist(), data["status"].values.tolist())
