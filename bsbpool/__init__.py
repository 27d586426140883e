"""The job pool of the Brain Scaffold Builder, for one process, for MPI, and for simulated ranks.

This file has only the public names and the services; the pool belongs in `bsbpool.pool`. Services and large modules
are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .owner import Owner, job_pool
    from .pool import JobPool, Workflow, WorkflowError
    from .pool.caching import pool_cache

    MPI: Any
    MPILock: Any

__version__ = "0.2.0.dev0"

__all__ = [
    "MPI",
    "JobPool",
    "MPILock",
    "Owner",
    "Workflow",
    "WorkflowError",
    "job_pool",
    "pool_cache",
    "register_service",
]

_PLACES = {
    "JobPool": "pool",
    "Owner": "owner",
    "Workflow": "pool",
    "WorkflowError": "exceptions",
    "job_pool": "owner",
    "pool_cache": "pool.caching",
}


def register_service(name: str, provider: Any) -> None:
    """Add a service, or replace one: from now on it is an attribute of the package.

    :param name: the attribute.
    :param provider: what the attribute is.
    :raises ValueError: `name` is not a name, or is that of something of the package that is no service.

    >>> import bsbpool
    >>> bsbpool.register_service("MPI pool", None)
    Traceback (most recent call last):
    ValueError: a service is named like an attribute, such as 'MPI', not 'MPI pool'
    """
    if not name.isidentifier():
        raise ValueError(f"a service is named like an attribute, such as 'MPI', not {name!r}")
    if (name in globals() or name in _PLACES) and name not in _services:
        raise ValueError(f"{name!r} is a part of bsbpool, not the name of a service")
    _services[name] = globals()[name] = provider


_services: dict[str, Any] = {"MPI": None, "MPILock": None}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        value = getattr(importlib.import_module(f".{_PLACES[name]}", __name__), name)
        globals()[name] = value
        return value
    if name == "MPI":
        # Made anew each time: on simulated ranks, each has a COMM_WORLD of its own.
        from .mpi import MPIService

        return MPIService()
    if name == "MPILock":
        from .mpilock import MPILockModule

        register_service(name, MPILockModule("mpilock"))
        return _services[name]
    raise AttributeError(
        f"module 'bsbpool' has no attribute {name!r}; its services are {', '.join(_services)}, "
        "and register_service adds one"
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_services})
