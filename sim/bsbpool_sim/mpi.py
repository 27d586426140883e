"""What stands for `mpi4py.MPI` on simulated ranks: ``from bsbpool_sim import mpi as MPI``.

Names only; what they mean is in `comm`, `requests`, `window` and `constants`. COMM_WORLD and COMM_SELF are
those of the simulated rank that asks.
"""

from __future__ import annotations

from typing import Any

from . import constants
from .buffers import Buffer
from .comm import BSEND_BUFFER, COMM_NULL, CONGRUENT, IDENT, SIMILAR, UNEQUAL, Comm, current, self_comm
from .constants import (
    ANY_SOURCE,
    ANY_TAG,
    BSEND_OVERHEAD,
    COMM_TYPE_SHARED,
    IN_PLACE,
    LOCK_EXCLUSIVE,
    LOCK_SHARED,
    PROC_NULL,
    TAG_UB,
    UNDEFINED,
    Datatype,
    Op,
    Status,
)
from .errors import MPIError
from .kernel import SECOND
from .requests import Matched as Message
from .requests import Request
from .virtual import host
from .window import Win

__all__ = [
    "ANY_SOURCE", "ANY_TAG", "Attach_buffer", "BSEND_OVERHEAD", "Detach_buffer", "TAG_UB", "COMM_NULL",
    "COMM_TYPE_SHARED", "CONGRUENT", "IDENT",
    "INFO_NULL", "MODE_NOCHECK", "MODE_NOPRECEDE", "MODE_NOPUT", "MODE_NOSTORE", "MODE_NOSUCCEED",
    "IN_PLACE", "LOCK_EXCLUSIVE", "LOCK_SHARED", "PROC_NULL", "SIMILAR", "SUCCESS",
    "THREAD_FUNNELED", "THREAD_MULTIPLE", "THREAD_SERIALIZED", "THREAD_SINGLE", "UNDEFINED", "UNEQUAL",
    "Comm", "Datatype", "Exception", "Finalize", "Get_library_version", "Get_processor_name", "Get_version",
    "Init", "Init_thread", "Intracomm", "Is_finalized", "Is_initialized", "Is_thread_main", "Message", "Op",
    "Query_thread", "Request", "Status", "Win", "Wtick", "Wtime", "current",
    *constants.OPS, *constants.DATATYPES,
]  # fmt: skip

Intracomm = Comm
Exception = MPIError
INFO_NULL = None
SUCCESS = 0
MODE_NOCHECK, MODE_NOSTORE, MODE_NOPUT, MODE_NOPRECEDE, MODE_NOSUCCEED = 1024, 2048, 4096, 8192, 16384
THREAD_SINGLE, THREAD_FUNNELED, THREAD_SERIALIZED, THREAD_MULTIPLE = range(4)


def Wtime() -> float:
    """Virtual seconds since the simulation began."""
    return current().cluster.kernel.read_clock() / SECOND


def Wtick() -> float:
    """Seconds between two ticks of `Wtime`: a nanosecond."""
    return 1 / SECOND


def Get_processor_name() -> str:
    """``simulated-3``: each simulated rank is a host of its own."""
    return host(current().world_rank)


def Get_version() -> tuple[int, int]:
    """Version of the MPI standard that the simulated ranks follow, as far as they do."""
    return 3, 1


def Get_library_version() -> str:
    """The name of this MPI."""
    return "bsbpool_sim"


def Attach_buffer(buf: Any) -> None:
    """Give this rank a buffer for what it sends with `bsend`.

    :raises MPIError: it has one.
    """
    kept = _kept()
    if BSEND_BUFFER in kept:
        raise MPIError("Attach_buffer: this rank has a buffer attached already: detach it first")
    kept[BSEND_BUFFER], kept[_ATTACHED] = len(Buffer(buf)), buf


def Detach_buffer() -> Any:
    """Take the buffer back that was attached; None if none was."""
    kept = _kept()
    kept.pop(BSEND_BUFFER, None)
    return kept.pop(_ATTACHED, None)


_ATTACHED = "attached buffer"


def _kept() -> dict[str, Any]:
    here = current()
    kept: dict[str, Any] = here.cluster.kernel.ranks[here.world_rank].kept
    return kept


def Is_initialized() -> bool:
    """True."""
    return True


def Is_finalized() -> bool:
    """False."""
    return False


def Init() -> None:
    """Nothing to do."""


Finalize = Init


def Init_thread(required: int = THREAD_MULTIPLE) -> int:
    """Nothing to do; gives the level of thread support."""
    return THREAD_MULTIPLE


def Query_thread() -> int:
    """THREAD_MULTIPLE."""
    return THREAD_MULTIPLE


def Is_thread_main() -> bool:
    """True: simulated ranks have no threads."""
    return True


def __getattr__(name: str) -> Any:
    if name == "COMM_WORLD":
        return current()
    if name == "COMM_SELF":
        here = current()
        return self_comm(here.cluster, here.world_rank)
    found = constants.OPS.get(name) or constants.DATATYPES.get(name)
    if found is None:
        raise AttributeError(f"MPI.{name} can't be simulated, or is not there at all")
    return found
