"""A Markov chain of emcee's, whose likelihoods schwimmbad's pool computes."""

from __future__ import annotations

import sys

import emcee
import numpy as np
from schwimmbad import MPIPool


def log_probability(x: np.ndarray) -> float:
    return float(-0.5 * np.sum(x**2))


if __name__ == "__main__":
    with MPIPool() as pool:
        if not pool.is_master():
            pool.wait()
            sys.exit(0)
        np.random.seed(7)
        sampler = emcee.EnsembleSampler(8, 2, log_probability, pool=pool)
        state = sampler.run_mcmc(np.random.randn(8, 2), int(sys.argv[1]))
        print(state.coords.tolist())
        print(sampler.acceptance_fraction.tolist())
