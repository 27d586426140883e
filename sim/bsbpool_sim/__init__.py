"""Simulated ranks: any program written for mpi4py, in one process, in virtual time, reproducibly.

``simulate(program, ranks)`` runs ``program(comm)`` on each rank; ``from bsbpool_sim import mpi as MPI`` gives the rest
of mpi4py's names. A `Script` injects faults and durations into ranks, jobs and links. This file has only the public
names; their modules are loaded on first use, because pytest loads the plugin in every run where the package is
installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .choices import Choice
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
        TapeError,
        TruncationError,
    )
    from .exploring.exploration import Exploration, ExplorationError, explore
    from .exploring.findings import Finding
    from .script import Script
    from .simulation import Simulation, simulate
    from .tape import Tape

__all__ = [
    "AbortError",
    "CannotSimulateError",
    "Choice",
    "CollectiveMismatchError",
    "DeadlockError",
    "Exploration",
    "ExplorationError",
    "Finding",
    "HorizonError",
    "MPIError",
    "RankErrors",
    "Script",
    "ScriptError",
    "Simulation",
    "SimulationError",
    "Tape",
    "TapeError",
    "TruncationError",
    "explore",
    "simulate",
]

_PLACES = {
    "AbortError": "errors",
    "CannotSimulateError": "errors",
    "Choice": "choices",
    "CollectiveMismatchError": "errors",
    "DeadlockError": "errors",
    "Exploration": "exploring.exploration",
    "ExplorationError": "exploring.exploration",
    "Finding": "exploring.findings",
    "HorizonError": "errors",
    "MPIError": "errors",
    "RankErrors": "errors",
    "Script": "script",
    "ScriptError": "errors",
    "Simulation": "simulation",
    "SimulationError": "errors",
    "Tape": "tape",
    "TapeError": "errors",
    "TruncationError": "errors",
    "explore": "exploring.exploration",
    "simulate": "simulation",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f".{_PLACES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
