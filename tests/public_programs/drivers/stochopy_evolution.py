"""stochopy: differential evolution, whose candidates ranks evaluate."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI
from stochopy.optimize import minimize


def sphere(x: np.ndarray) -> float:
    return float(np.sum(x**2))


if __name__ == "__main__":
    options = {"maxiter": 20, "popsize": 8, "seed": 3, "workers": -1, "backend": "mpi"}
    found = minimize(sphere, [[-5, 5]] * 3, method="de", options=options)
    if MPI.COMM_WORLD.rank == 0:
        print(found.x.tolist(), found.fun, found.nfev)
