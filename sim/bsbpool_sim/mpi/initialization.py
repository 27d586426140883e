"""The beginning and end of MPI on a rank: `Init`, `Finalize`, thread support, and the status of an abort.

On ranks of `simulate` MPI has begun before their function does, on those of a program when they import it. The options
that say so are in `options`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import MPIError
from .communicators import current, self_comm, world_comms
from .error_handlers import give_first_handler
from .options import THREAD_MULTIPLE, THREAD_SINGLE, options
from .running_rank import kept_on_rank, running_task


@dataclass
class _State:
    """The state of MPI on a rank."""

    initialized: bool = True
    finalized: bool = False
    thread_level: int = THREAD_MULTIPLE
    abort_status: int = 0


_KEPT = "state of MPI"


def _state() -> _State:
    return kept_on_rank(_KEPT, _State)


def _predefined() -> list[Any]:
    """Handles of COMM_WORLD and COMM_SELF of the rank that runs."""
    task = running_task()
    found = (world_comms(task.kernel.cluster)[task.rank.index], self_comm(task.kernel.cluster, task.rank.index))
    states = [comm._state for comm in found if comm._state is not None]
    return [handle for state in states for each in state.handles if (handle := each()) is not None]


def _suspend(why: str) -> None:
    for comm in _predefined():
        comm._suspend(why)


def begin() -> None:
    """Begin MPI when a rank imports it, if the rank's options say so."""
    running_task().rank.kept[_KEPT] = _State(initialized=False)
    if options().initialize:
        Init_thread(options().thread_level)
    else:
        _suspend("before Init: MPI has not begun on this rank, since mpi4py.rc.initialize is False")


def end() -> None:
    """End MPI when a rank's program is over, if its options say so; abort if that was asked for."""
    state = _state()
    if not state.initialized or state.finalized:
        return
    if state.abort_status:
        current().Abort(state.abort_status)
    if options().finalize:
        Finalize()


def Init() -> None:
    """Begin MPI on this rank, with THREAD_SINGLE.

    :raises MPIError: it has begun.
    """
    Init_thread(THREAD_SINGLE)


def Init_thread(required: int = THREAD_MULTIPLE) -> int:
    """Begin MPI on this rank.

    :param required: the level of thread support; it is given.
    :returns: the level.
    :raises MPIError: it has begun.
    """
    state = _state()
    if state.initialized:
        raise MPIError(
            "MPI has begun on this rank already: mpi4py begins it on import, unless mpi4py.rc.initialize is False"
        )
    state.initialized, state.thread_level = True, required
    if not options().initialize:
        for comm in _predefined():
            comm._attach(comm._state)
    for comm in _predefined():
        give_first_handler(comm)
    return required


def Finalize() -> None:
    """End MPI on this rank. Any later use of COMM_WORLD and COMM_SELF is an error.

    :raises MPIError: it has not begun, or has ended.
    """
    state = _state()
    if not state.initialized or state.finalized:
        raise MPIError(f"Finalize: MPI has {'ended' if state.finalized else 'not begun'} on this rank")
    state.finalized = True
    _suspend("after Finalize: MPI has ended on this rank")


def Is_initialized() -> bool:
    """Whether MPI has begun on this rank; it stays so when MPI has ended."""
    return _state().initialized


def Is_finalized() -> bool:
    """Whether MPI has ended on this rank."""
    return _state().finalized


def Query_thread() -> int:
    """The level of thread support that MPI began with."""
    return _state().thread_level


def set_abort_status(status: int) -> None:
    """The rank aborts with this status when its program is over; `mpi4py.run` calls this."""
    _state().abort_status = status
