"""What stands for `mpi4py.MPI` on simulated ranks: ``from bsbpool_sim import mpi as MPI``.

Names only. What they mean is in the files beside it, one for each chapter of the MPI standard. COMM_WORLD and COMM_SELF
are those of the simulated rank that asks.
"""

from __future__ import annotations

from typing import Any

from ..error_classes import ERR_ABI, ERR_LASTCODE, ERROR_CLASSES
from ..errors import MPIError
from . import datatypes, operations, predefined
from .communicators import (
    COMM_NULL,
    CONGRUENT,
    IDENT,
    SIMILAR,
    UNEQUAL,
    Cartcomm,
    Comm,
    Distgraphcomm,
    Graphcomm,
    Intercomm,
    Intracomm,
    Topocomm,
    current,
    self_comm,
)
from .constants import (
    ANY_SOURCE,
    ANY_TAG,
    BOTTOM,
    BSEND_OVERHEAD,
    BUFFER_AUTOMATIC,
    COMM_TYPE_SHARED,
    IN_PLACE,
    LOCK_EXCLUSIVE,
    LOCK_SHARED,
    PROC_NULL,
    TAG_UB,
    UNDEFINED,
)
from .datatypes import Datatype
from .environment import (
    SUBVERSION,
    SUCCESS,
    THREAD_FUNNELED,
    THREAD_MULTIPLE,
    THREAD_SERIALIZED,
    THREAD_SINGLE,
    VERSION,
    Aint_add,
    Aint_diff,
    Attach_buffer,
    Detach_buffer,
    Finalize,
    Get_address,
    Get_library_version,
    Get_processor_name,
    Get_version,
    Init,
    Init_thread,
    Is_finalized,
    Is_initialized,
    Is_thread_main,
    Pcontrol,
    Query_thread,
    Wtick,
    Wtime,
    get_vendor,
)
from .files import FILE_NULL, File, Register_datarep
from .numbers import NUMBERS
from .operations import Op
from .pickling import Pickle, own_pickle
from .requests import Matched as Message
from .requests import Request
from .status import Status
from .windows import MODE_NOCHECK, MODE_NOPRECEDE, MODE_NOPUT, MODE_NOSTORE, MODE_NOSUCCEED, Win

__all__ = [
    "ANY_SOURCE", "ANY_TAG", "Attach_buffer", "BSEND_OVERHEAD", "Detach_buffer", "TAG_UB", "COMM_NULL",
    "COMM_TYPE_SHARED", "CONGRUENT", "IDENT",
    "INFO_NULL", "MODE_NOCHECK", "MODE_NOPRECEDE", "MODE_NOPUT", "MODE_NOSTORE", "MODE_NOSUCCEED",
    "IN_PLACE", "LOCK_EXCLUSIVE", "LOCK_SHARED", "PROC_NULL", "SIMILAR", "SUCCESS",
    "THREAD_FUNNELED", "THREAD_MULTIPLE", "THREAD_SERIALIZED", "THREAD_SINGLE", "UNDEFINED", "UNEQUAL",
    "Cartcomm", "Comm", "Datatype", "Distgraphcomm", "Exception", "Finalize", "Get_library_version",
    "Get_processor_name", "Get_version", "Graphcomm", "Init", "Init_thread", "Intercomm", "Intracomm", "Is_finalized",
    "Is_initialized", "Is_thread_main", "Message", "Op", "Query_thread", "Request", "Status", "Topocomm", "Win",
    "Wtick", "Wtime", "current",
    "ERR_ABI", "ERR_LASTCODE",
    *operations.OPS, *datatypes.DATATYPES, *NUMBERS, *(name for name in ERROR_CLASSES if name != "SUCCESS"),
    "Aint_add", "Aint_diff", "Get_address", "Pcontrol", "Pickle", "SUBVERSION", "VERSION", "get_vendor",
    "FILE_NULL", "File", "Register_datarep",
    "BOTTOM", "BUFFER_AUTOMATIC",
]  # fmt: skip

#: Private names of mpi4py's that its own package `mpi4py.util` uses.
_datatype_create, _datatype_decode = datatypes.create, datatypes.decode
_typealign, _typecode = datatypes.typealign, datatypes.typecode
_typedict = {code: datatypes.DATATYPES[name] for code, name in predefined.CODES.items()}
_typedict_c = {code: datatypes.DATATYPES[name] for code, name in predefined.C_CODES.items()}
_typedict_f = {code: datatypes.DATATYPES[name] for code, name in predefined.FORTRAN_CODES.items()}

Exception = MPIError
INFO_NULL = None


def __getattr__(name: str) -> Any:
    if name == "COMM_WORLD":
        return current()
    if name == "pickle":
        return own_pickle()
    if name == "COMM_SELF":
        here = current()
        return self_comm(here.cluster, here.world_rank)
    if name in ERROR_CLASSES:
        return ERROR_CLASSES[name]
    if name in ("buffer", "memory"):
        # It takes NumPy, which not every program needs.
        from .memory import buffer

        return buffer
    found = operations.OPS.get(name, datatypes.DATATYPES.get(name))
    if found is None and name in NUMBERS:
        return NUMBERS[name]
    if found is None:
        raise AttributeError(f"MPI.{name} can't be simulated, or is not there at all")
    return found
