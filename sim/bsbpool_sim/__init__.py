"""Simulated ranks: any program written for mpi4py, in one process, in virtual time, reproducibly.

``simulate(program, ranks)`` runs ``program(comm)`` on each rank; ``from bsbpool_sim import mpi as MPI`` gives
the rest of mpi4py's names. A `Script` says what befalls ranks, jobs and links. Only the front door is here.
"""

from .errors import (
    AbortError,
    CannotSimulateError,
    CollectiveMismatchError,
    DeadlockError,
    HorizonError,
    MPIError,
    RankErrors,
    ScriptError,
    SimulationError,
    TruncationError,
)
from .script import Script
from .simulation import Simulation, simulate

__all__ = [
    "AbortError",
    "CannotSimulateError",
    "CollectiveMismatchError",
    "DeadlockError",
    "HorizonError",
    "MPIError",
    "RankErrors",
    "Script",
    "ScriptError",
    "Simulation",
    "SimulationError",
    "TruncationError",
    "simulate",
]
