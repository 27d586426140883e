"""Private duplicates and locks of a communicator, for mpi4py's own package `mpi4py.util`."""

from __future__ import annotations

from _thread import LockType, allocate_lock
from typing import Any, NamedTuple

from .communicators import Comm
from .constants import LARGEST_TAG
from .contexts import Context
from .endpoint import handle_of
from .members import CommMember


class _Duplicate(NamedTuple):
    """A private duplicate for the messages of `mpi4py.util`.

    :ivar copy: a duplicate, for messages; `local`: of an inter-communicator, a communicator of this rank's group.
    """

    copy: Any
    local: Any


def _comm_lock_table(comm: Comm) -> dict[Any, LockType]:
    """Return the locks of a communicator, by what they are for."""
    table: dict[Any, LockType] = comm.member.locks
    return table


def _comm_lock(comm: Comm, key: Any = None) -> LockType:
    """Return a communicator's lock for something: the threads of a rank take turns by it."""
    return _comm_lock_table(comm).setdefault(key, allocate_lock())


def _commctx_intra(comm: Any) -> tuple[Any, int]:
    """Return a private duplicate of a communicator, and a tag for one call. All ranks call it."""
    with _comm_lock(comm, "@commctx_intra"):
        found = _duplicate(comm)
        return found.copy, _next_tag(comm.member)


def _commctx_inter(comm: Any) -> tuple[Any, int, Any, bool]:
    """Return the same of an inter-communicator, a communicator of this group, and whether it is the lower one."""
    with _comm_lock(comm, "@commctx_inter"):
        found = _duplicate(comm)
        own, others = comm.size, comm.Get_remote_size()
        lower = own < others if own != others else comm.member.context.own[0] < comm.member.context.members[0]
        return found.copy, _next_tag(comm.member), found.local, lower


def _duplicate(comm: Any) -> _Duplicate:
    member: CommMember = comm.member
    if member.duplicate is None:
        call = comm._together("_commctx")
        if call.result is None:
            # Both groups' own contexts too: the first rank makes what all share.
            local = [Context(member.cluster, shared.own) for shared in member.bridge[:2]] if member.bridge else []
            call.result = member.shared_anew(), local
        shared, local = call.result
        own = handle_of(CommMember(local[member.side], member.rank, private=True)) if local else None
        member.duplicate = _Duplicate(handle_of(member.like(shared, private=True)), own)
    found: _Duplicate = member.duplicate
    return found


def _next_tag(member: CommMember) -> int:
    tag = member.next_tag
    member.next_tag = 0 if tag == LARGEST_TAG else tag + 1
    return tag
