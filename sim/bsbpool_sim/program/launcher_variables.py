"""The variables of the environment by which a program sees that an MPI launcher has started it, and as which rank.

Ranks get those that MPICH's launcher sets. What a launcher of the simulation itself has set is no rank's. Other
variables belong in `python.process`.
"""

from __future__ import annotations

from typing import Any

from ..hosts import Hosts

#: How names of variables begin that launchers set for each of their processes.
_OF_LAUNCHERS = (
    b"PMI_", b"PMIX_", b"MPI_LOCAL", b"MPI_RANKID", b"HYDI_", b"OMPI_COMM_WORLD_", b"OMPI_UNIVERSE_SIZE",
    b"PRTE_LAUNCHED", b"MV2_COMM_WORLD_", b"I_MPI_HYDRA_INFO", b"MSMPI_LOCAL_ONLY", b"PALS_", b"ALPS_APP_PE",
)  # fmt: skip


def as_launched(environment: dict[Any, Any], rank: int, size: int, hosts: Hosts) -> dict[Any, Any]:
    """Return a copy of an environment in which a rank sees its launcher.

    :param environment: as `os.environ` keeps it.
    :param size: how many ranks there are.
    :param hosts: those of all ranks.
    """
    of_host, on_host = hosts.place(rank)
    mpich = {b"PMI_RANK": rank, b"PMI_SIZE": size, b"MPI_LOCALRANKID": of_host, b"MPI_LOCALNRANKS": on_host}
    # A batch job of Slurm's has these without any launcher: as those of a single process.
    slurm = {b"SLURM_PROCID": rank, b"SLURM_LOCALID": of_host, b"SLURM_NTASKS": size, b"SLURM_NPROCS": size}
    kept = {name: value for name, value in environment.items() if not name.startswith(_OF_LAUNCHERS)}
    numbers = mpich | {name: number for name, number in slurm.items() if name in kept}
    return kept | {name: b"%d" % number for name, number in numbers.items()}
