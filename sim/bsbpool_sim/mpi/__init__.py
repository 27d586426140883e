"""The simulator's counterpart of `mpi4py.MPI`: ``from bsbpool_sim import mpi as MPI``.

This file has only names. They are implemented in the other files of this package, one for each chapter of the MPI
standard. COMM_WORLD and COMM_SELF are those of the simulated rank that uses them.
"""

from __future__ import annotations

from typing import Any

from ..error_classes import ERR_ABI, ERR_LASTCODE, ERROR_CLASSES, SUCCESS
from ..errors import MPIError
from . import datatypes, for_mpi4py, predefined
from .attributes import KEYVAL_INVALID
from .communicators import COMM_NULL, CONGRUENT, IDENT, SIMILAR, UNEQUAL, Comm, Intracomm, current, self_comm
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
    ROOT,
    TAG_UB,
    UNDEFINED,
    BottomType,
    BufferAutomaticType,
    InPlaceType,
)
from .datatypes import Datatype
from .dynamic import Close_port, Lookup_name, Open_port, Publish_name, Unpublish_name
from .environment import (
    SUBVERSION,
    VERSION,
    Aint_add,
    Aint_diff,
    Attach_buffer,
    Detach_buffer,
    Flush_buffer,
    Get_abi_fortran_info,
    Get_abi_info,
    Get_abi_version,
    Get_address,
    Get_hw_resource_info,
    Get_library_version,
    Get_processor_name,
    Get_version,
    Iflush_buffer,
    Is_thread_main,
    Pcontrol,
    Wtick,
    Wtime,
    get_vendor,
)
from .error_codes import (
    Add_error_class,
    Add_error_code,
    Add_error_string,
    Get_error_class,
    Get_error_string,
    Remove_error_class,
    Remove_error_code,
    Remove_error_string,
)
from .error_handlers import ERRHANDLER_NULL, ERRORS_ABORT, ERRORS_ARE_FATAL, ERRORS_RETURN, Errhandler
from .files import FILE_NULL, File, Register_datarep
from .generalized import Grequest
from .groups import GROUP_EMPTY, GROUP_NULL, Group
from .info import INFO_ENV, INFO_NULL, Info
from .initialization import (
    Finalize,
    Init,
    Init_thread,
    Is_finalized,
    Is_initialized,
    Query_thread,
)
from .intercommunicators import Intercomm
from .messages import MESSAGE_NO_PROC, MESSAGE_NULL, Message
from .named_integers import NUMBERS
from .op_handles import HANDLES, Op
from .options import THREAD_FUNNELED, THREAD_MULTIPLE, THREAD_SERIALIZED, THREAD_SINGLE
from .persistent_requests import Prequest
from .pickling import Pickle, own_pickle
from .private_duplicates import _comm_lock, _comm_lock_table, _commctx_inter, _commctx_intra
from .requests import Request
from .sessions import SESSION_NULL, Session
from .status import Status
from .topologies import Cartcomm, Distgraphcomm, Graphcomm, Topocomm
from .topology_arithmetic import Compute_dims
from .topology_constructors import UNWEIGHTED, WEIGHTS_EMPTY
from .windows import MODE_NOCHECK, MODE_NOPRECEDE, MODE_NOPUT, MODE_NOSTORE, MODE_NOSUCCEED, WIN_NULL, Win

__all__ = [
    "ANY_SOURCE", "ANY_TAG", "Attach_buffer", "BSEND_OVERHEAD", "Detach_buffer", "TAG_UB", "COMM_NULL",
    "COMM_TYPE_SHARED", "CONGRUENT", "IDENT",
    "INFO_NULL", "MODE_NOCHECK", "MODE_NOPRECEDE", "MODE_NOPUT", "MODE_NOSTORE", "MODE_NOSUCCEED",
    "IN_PLACE", "LOCK_EXCLUSIVE", "LOCK_SHARED", "PROC_NULL", "ROOT", "SIMILAR", "SUCCESS",
    "THREAD_FUNNELED", "THREAD_MULTIPLE", "THREAD_SERIALIZED", "THREAD_SINGLE", "UNDEFINED", "UNEQUAL",
    "Cartcomm", "Comm", "Datatype", "Distgraphcomm", "Exception", "Finalize", "Get_library_version",
    "Get_processor_name", "Get_version", "Graphcomm", "Init", "Init_thread", "Intercomm", "Intracomm", "Is_finalized",
    "Is_initialized", "Is_thread_main", "Message", "Op", "Query_thread", "Request", "Status", "Topocomm", "Win",
    "Wtick", "Wtime", "current",
    "Add_error_class", "Add_error_code", "Add_error_string", "Close_port", "Compute_dims", "ERRHANDLER_NULL",
    "ERRORS_ABORT", "ERRORS_ARE_FATAL", "ERRORS_RETURN", "Errhandler", "GROUP_EMPTY", "GROUP_NULL",
    "Get_error_class", "Get_error_string", "Group", "INFO_ENV", "Info", "KEYVAL_INVALID", "Lookup_name", "Open_port",
    "Publish_name", "Remove_error_class", "Remove_error_code", "Remove_error_string", "SESSION_NULL", "Session",
    "UNWEIGHTED", "Unpublish_name", "WEIGHTS_EMPTY",
    "_comm_lock", "_comm_lock_table", "_commctx_inter", "_commctx_intra",
    "ERR_ABI", "ERR_LASTCODE",
    *HANDLES, *datatypes.DATATYPES, *NUMBERS, *(name for name in ERROR_CLASSES if name != "SUCCESS"),
    "Aint_add", "Aint_diff", "Get_abi_fortran_info", "Get_abi_info", "Get_abi_version",
    "Get_address", "Get_hw_resource_info", "Pcontrol", "Pickle", "SUBVERSION", "VERSION", "get_vendor",
    "FILE_NULL", "File", "WIN_NULL", "Register_datarep",
    "BOTTOM", "BUFFER_AUTOMATIC", "Flush_buffer", "Grequest", "Iflush_buffer", "MESSAGE_NO_PROC", "MESSAGE_NULL",
    "Prequest", "REQUEST_NULL",
    "BottomType", "BufferAutomaticType", "InPlaceType",
]  # fmt: skip

#: Private names of mpi4py's that its own package `mpi4py.util` uses.
_datatype_create, _datatype_decode = datatypes.create, datatypes.decode
_typealign, _typecode = datatypes.typealign, datatypes.typecode
_typedict = {code: datatypes.DATATYPES[name] for code, name in predefined.CODES.items()}
_typedict_c = {code: datatypes.DATATYPES[name] for code, name in predefined.C_CODES.items()}
_typedict_f = {code: datatypes.DATATYPES[name] for code, name in predefined.FORTRAN_CODES.items()}

REQUEST_NULL = Request()
REQUEST_NULL._is_name = True

Exception = MPIError


def __getattr__(name: str) -> Any:
    if name in for_mpi4py.NAMES:
        return getattr(for_mpi4py, name)
    if name == "COMM_WORLD":
        return current()
    if name == "pickle":
        return own_pickle()
    if name == "COMM_SELF":
        here = current()
        return self_comm(here.cluster, here.world_rank)
    if name in ERROR_CLASSES:
        return ERROR_CLASSES[name]
    if name in ("buffer", "memory", "Alloc_mem", "Free_mem"):
        # It takes NumPy, which not every program needs.
        from . import mpi_buffer

        return getattr(mpi_buffer, "buffer" if name == "memory" else name)
    found = HANDLES.get(name, datatypes.DATATYPES.get(name))
    if found is None and name in NUMBERS:
        return NUMBERS[name]
    if found is None:
        raise AttributeError(f"MPI.{name} can't be simulated, or is not there at all")
    return found
