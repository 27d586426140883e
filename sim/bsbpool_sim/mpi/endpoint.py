"""A communicator as one rank has it: a handle, with what point-to-point and collective calls both use.

What programs call belongs to the chapters.
"""

from __future__ import annotations

import pickle
import sys
import weakref
from typing import Any

from bsbpool.frames import is_own
from bsbpool.values import text_of

from ..cluster import Cluster
from ..errors import MPIError
from ..mailbox import MessageQueue
from .constants import PROC_NULL, means
from .contexts import Context
from .error_handlers import give_first_handler
from .handles import Handle
from .integer_arguments import integer
from .members import CommMember
from .pickling import dumps

#: What a handle takes from its state, so that sending a message looks it up in one step.
_TAKEN = (
    "member", "context", "cluster", "mailbox", "meeting", "world_rank", "place", "peers", "_rank", "_size",
)  # fmt: skip

#: What the chapters make of that, once, and keep in the handle.
_MADE = ("_own_side", "_roles")


#: The classes of communicators, by name: `handle_of` makes them, and files below them don't know them.
CLASSES: dict[str, type[Endpoint]] = {}


def handle_of(member: CommMember) -> Any:
    """Return a new handle of a communicator, of the right class."""
    return CLASSES[member.kind]._of(member)


def new_comm(member: CommMember, parent: CommMember) -> Any:
    """Return a communicator that the program made of another one, with the error handler that a new one gets."""
    new = handle_of(member)
    give_first_handler(new, parent)
    return new


class _Nowhere:
    """The state of a null handle: any use of it raises an error.

    :param why: what is said behind the name of the call.
    """

    def __init__(self, why: str):
        self._why = why

    def __getattr__(self, name: str) -> Any:
        frame = sys._getframe(1)
        while frame.f_back is not None and is_own(frame.f_back):
            frame = frame.f_back
        raise MPIError(
            f"{frame.f_code.co_name} {self._why}",
            "ERR_COMM",
        )


_NOWHERE: Any = _Nowhere("of a communicator that was freed, or is COMM_NULL: this rank is not in it")


class Endpoint(Handle):
    """A communicator, as one simulated rank has it.

    :ivar member: what this rank has of it, whatever handle it uses.
    :ivar context: its ranks, by the numbers that messages have.
    :ivar cluster: the simulated ranks, their kernel, network and recorder.
    :ivar world_rank: its number in the simulation.
    :ivar peers: number of ranks that it can send to.
    :ivar mailbox: where messages to this rank arrive.
    :ivar meeting: where the collective calls meet, of both groups; `place`: this rank's number there.
    """

    # Attributes of the instance; here for handles that lack them. `__getattr__`, or properties, would be slower.
    _state: CommMember | None
    member: CommMember = _NOWHERE
    context: Context = _NOWHERE
    cluster: Cluster = _NOWHERE
    mailbox: MessageQueue = _NOWHERE
    meeting: Context = _NOWHERE
    world_rank: int = -1
    peers: int = 0
    place: int = -1
    _rank: int = -1
    _size: int = 0

    @property
    def rank(self) -> int:
        """This rank's number in its group."""
        return self.member.rank

    @property
    def size(self) -> int:
        """The number of ranks of its group."""
        return self.member.size

    def _attach(self, state: CommMember) -> None:
        self._state = self.member = state
        # All in `_TAKEN`, one by one: a loop over their names takes longer than all else that makes a communicator.
        self.context, self.cluster = state.context, state.cluster
        self.mailbox, self.meeting = state.mailbox, state.meeting
        self.world_rank, self.place, self.peers = state.world_rank, state.place, state.peers
        self._rank, self._size = state.rank, state.size
        state.handles.append(weakref.ref(self))

    def _nullify(self) -> None:
        self._state = None
        self._detach()

    def _detach(self) -> None:
        """Let all further calls be errors."""
        for name in (*_TAKEN, *_MADE):
            self.__dict__.pop(name, None)

    def _suspend(self, why: str) -> None:
        """Let all further calls be errors, until it is attached again.

        :param why: what they say behind the name of the call.
        """
        self._detach()
        nowhere = _Nowhere(why)
        for name in ("member", "context", "cluster", "mailbox", "meeting"):
            setattr(self, name, nowhere)

    def _dumps(self, obj: Any, to: Any = 0) -> bytes:
        """Pickle an object; for PROC_NULL it stays as it is, whatever it is."""
        if (to.__class__ is not int or to < 0) and means(to, PROC_NULL):
            return b""
        try:
            return dumps(obj)
        except (
            AttributeError,
            pickle.PicklingError,
            TypeError,
            ValueError,
        ) as error:  # the rest is the object's own
            raise TypeError(f"rank {self.rank} can't send this {type(obj).__name__}: {text_of(error)}") from error

    def _peer(self, rank: Any, what: str) -> int | None:
        """A rank as an index; None for PROC_NULL."""
        if rank.__class__ is not int:
            rank = integer(rank, what, "a rank, an integer")
        if 0 <= rank < self.peers:
            return int(rank)
        if rank < 0 and means(rank, PROC_NULL):
            return None
        last = self.member.peers - 1
        integer(rank, what)  # one that is too large for C is something else
        raise MPIError(f"{what}={rank!r} is no rank: this communicator has the ranks 0 to {last}", "ERR_RANK")
