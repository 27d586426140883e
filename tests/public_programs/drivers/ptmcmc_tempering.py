"""PTMCMCSampler: chains at several temperatures, one on each rank, that change places."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI
from PTMCMCSampler import PTMCMCSampler


def log_likelihood(x: np.ndarray) -> float:
    return float(-0.5 * np.sum(x**2))


def log_prior(x: np.ndarray) -> float:
    return 0.0 if np.all(np.abs(x) < 10) else -np.inf


if __name__ == "__main__":
    sampler = PTMCMCSampler.PTSampler(
        2, log_likelihood, log_prior, np.eye(2), comm=MPI.COMM_WORLD, outDir="chains", verbose=False, seed=5
    )
    sampler.sample(np.zeros(2), 600, burn=100, thin=1, isave=100, covUpdate=100)
    MPI.COMM_WORLD.barrier()
    if MPI.COMM_WORLD.rank == 0:
        print(np.loadtxt("chains/chain_1.0.txt")[-3:, :2].tolist())
