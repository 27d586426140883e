"""What mpi4py's own modules in Python, such as `mpi4py.util.pkl5`, take of the inside of `mpi4py.MPI`.

Programs have no use for it. Some of it is for C code, which can do nothing with simulated ranks: it is refused by name.
"""

from __future__ import annotations

import _thread
from collections.abc import Hashable
from typing import Any, NoReturn

from ..errors import CannotSimulateError
from .constants import LARGEST_TAG
from .initialization import set_abort_status
from .members import Member

#: Names that mpi4py's own modules know.
NAMES = (
    "_addressof", "_comm_lock", "_comm_lock_table", "_commctx_inter", "_commctx_intra", "_handleof",
    "_set_abort_status", "_sizeof",
)  # fmt: skip

_set_abort_status = set_abort_status
_LOCKS, _DUPLICATE, _TAG, _LOCAL = "locks", "duplicate", "tag", "local"


def _kept(comm: Any) -> dict[str, Any]:
    """What is kept of a communicator, whichever handle refers to it."""
    member: Member = comm.member
    found: dict[str, Any] = member.__dict__.setdefault("inside", {})
    return found


def _comm_lock_table(comm: Any) -> dict[Hashable, Any]:
    """The locks of a communicator, by what they are for."""
    table: dict[Hashable, Any] = _kept(comm).setdefault(_LOCKS, {})
    return table


def _comm_lock(comm: Any, key: Hashable = None) -> Any:
    """A lock of a communicator, with which the threads of a rank take turns."""
    table = _comm_lock_table(comm)
    if key not in table:
        table[key] = _thread.allocate_lock()
    return table[key]


def _commctx_intra(comm: Any) -> tuple[Any, int]:
    """A duplicate of a communicator, made at the first call, which all ranks make; and the tag to use in it next."""
    kept = _kept(comm)
    if _DUPLICATE not in kept:
        kept[_DUPLICATE] = comm.Dup()
    tag = kept.get(_TAG, 0)
    kept[_TAG] = 0 if tag + 1 >= LARGEST_TAG else tag + 1
    return kept[_DUPLICATE], tag


def _commctx_inter(comm: Any) -> tuple[Any, int, Any, bool]:
    """The same of a communicator of two groups; with a communicator of this group, and whether it is the lower one."""
    duplicate, tag = _commctx_intra(comm)
    kept = _kept(comm)
    if _LOCAL not in kept:
        mine, theirs = comm.Get_size(), comm.Get_remote_size()
        merged = comm.Merge(mine > theirs)
        local = merged.Split(min(comm.member.context.own))
        low = merged.rank < mine if mine == theirs else mine < theirs
        merged.Free()
        kept[_LOCAL] = local, low
    return duplicate, tag, *kept[_LOCAL]


def _refuse(name: str) -> NoReturn:
    raise CannotSimulateError(f"{name} can't be simulated: it is for code in C, and no MPI in C knows simulated ranks")


def _sizeof(obj: Any) -> NoReturn:
    """Refuse.

    :raises CannotSimulateError: always.
    """
    _refuse("MPI._sizeof")


def _addressof(obj: Any) -> NoReturn:
    """Refuse.

    :raises CannotSimulateError: always.
    """
    _refuse("MPI._addressof")


def _handleof(obj: Any) -> NoReturn:
    """Refuse.

    :raises CannotSimulateError: always.
    """
    _refuse("MPI._handleof")
