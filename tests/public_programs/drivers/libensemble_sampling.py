"""libEnsemble: a manager, a generator that draws points, and workers that evaluate them, on MPI."""

from __future__ import annotations

import numpy as np
from libensemble import Ensemble
from libensemble.gen_funcs.sampling import latin_hypercube_sample
from libensemble.specs import ExitCriteria, GenSpecs, LibeSpecs, SimSpecs


def square(history, _, __):
    out = np.zeros(len(history), dtype=[("f", float)])
    out["f"] = np.sum(history["x"] ** 2, axis=1)
    return out


if __name__ == "__main__":
    ensemble = Ensemble(libE_specs=LibeSpecs(comms="mpi", disable_log_files=True, disable_resource_manager=True))
    ensemble.sim_specs = SimSpecs(sim_f=square, inputs=["x"], outputs=[("f", float)])
    user = {"gen_batch_size": 6, "lb": np.array([-1.0, -1.0]), "ub": np.array([1.0, 1.0])}
    ensemble.gen_specs = GenSpecs(
        gen_f=latin_hypercube_sample, outputs=[("x", float, 2)], persis_in=[], user=user, batch_size=6
    )
    ensemble.exit_criteria = ExitCriteria(sim_max=12)
    ensemble.add_random_streams()
    ensemble.run()
    if ensemble.is_manager:
        done = ensemble.H[ensemble.H["sim_ended"]]
        print(len(done), np.allclose(done["f"], np.sum(done["x"] ** 2, axis=1)))
