"""pySDC: a parallel-in-time integration of a test equation, a rank for each time step of a block."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI
from pySDC.helpers.stats_helper import get_sorted
from pySDC.implementations.controller_classes.controller_MPI import controller_MPI
from pySDC.implementations.problem_classes.TestEquation_0D import testequation0d
from pySDC.implementations.sweeper_classes.generic_implicit import generic_implicit

if __name__ == "__main__":
    description = {
        "problem_class": testequation0d,
        "problem_params": {"lambdas": np.array([-1.0, -0.5j]), "u0": 1.0},
        "sweeper_class": generic_implicit,
        "sweeper_params": {"quad_type": "RADAU-RIGHT", "num_nodes": 3, "QI": "LU"},
        "level_params": {"dt": 0.1, "restol": 1e-10},
        "step_params": {"maxiter": 30},
    }
    controller = controller_MPI({"logger_level": 40}, description, MPI.COMM_WORLD)
    start = controller.S.levels[0].prob.u_exact(0.0)
    end, stats = controller.run(u0=start, t0=0.0, Tend=0.8)
    print(np.asarray(end).tolist(), [n for _, n in get_sorted(stats, type="niter", sortby="time")])
