"""Finds MPI: whether mpi4py is there, and whether an MPI launcher started this process.

Launchers are recognised by the variables that they set, never by a name that merely contains "mpi".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..exceptions import DependencyError

#: A variable that a launcher sets for each rank, with the launcher's name.
LAUNCHERS = {
    "OMPI_COMM_WORLD_SIZE": "Open MPI's mpirun",
    "PRTE_LAUNCHED": "PRRTE",
    "PMIX_RANK": "a PMIx launcher",
    "PMI_RANK": "MPICH's mpiexec or another with PMI",
    "MPI_LOCALNRANKS": "MPICH's mpiexec",
    "MV2_COMM_WORLD_SIZE": "MVAPICH's mpirun",
    "I_MPI_HYDRA_INFO": "Intel MPI's mpiexec",
    "MSMPI_LOCAL_ONLY": "Microsoft MPI's mpiexec",
    "PALS_RANKID": "HPE's PALS",
    "ALPS_APP_PE": "Cray's aprun",
}

#: Set it to run every process on its own, whatever started them.
IGNORE = "BSB_IGNORE_PARALLEL"


def launcher(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the MPI launcher that started this process, and the variable that shows it; None if there is none."""
    for variable, name in LAUNCHERS.items():
        if variable in environ:
            return f"{name} ({variable} is set)"
    if "SLURM_STEP_NUM_TASKS" in environ and environ["SLURM_STEP_NUM_TASKS"] != "1" and "SLURM_PROCID" in environ:
        return "Slurm's srun (SLURM_STEP_NUM_TASKS is set)"
    return None


#: Variables in which launchers set the rank of a process.
RANKS = (
    "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK", "PALS_RANKID", "ALPS_APP_PE",
    "SLURM_PROCID",
)  # fmt: skip


def rank_of_process(environ: Mapping[str, str] = os.environ) -> int:
    """Return the rank that a launcher gave this process, if that is known before MPI is initialised; otherwise 0."""
    return next((int(environ[name]) for name in RANKS if environ.get(name, "").isdecimal()), 0)


def find_comm_world(environ: Mapping[str, str] = os.environ) -> Any:
    """Return mpi4py's COMM_WORLD; None without mpi4py, in a process that no MPI launcher started.

    :raises DependencyError: mpi4py is missing, but an MPI launcher started this process.
    """
    try:
        from mpi4py import MPI
    except ImportError:
        return without_mpi4py(environ)
    return MPI.COMM_WORLD


def without_mpi4py(environ: Mapping[str, str] = os.environ) -> None:
    """Return None, which stands for COMM_WORLD without mpi4py.

    :raises DependencyError: an MPI launcher started this process.
    """
    started_by = launcher(environ)
    if started_by is not None and IGNORE not in environ:
        raise DependencyError(
            f"This process was started by {started_by}, but mpi4py is not installed, so that its ranks can't "
            "work together. Install MPI support with `pip install bsbpool[mpi]` (for the MPI of this machine) "
            f"or `pip install bsbpool[mpich]`; or set {IGNORE}=1 to run each process on its own."
        )
