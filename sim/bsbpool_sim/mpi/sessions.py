"""Sessions: a rank's own access to MPI, through named sets of processes."""

from __future__ import annotations

from typing import Any, Self

from ..errors import MPIError
from .attached_buffers import Attachments
from .error_handlers import WithErrhandler, give_handler
from .groups import Group
from .handles import Handle, State
from .info import INFO_NULL, Info, hints_of
from .integer_arguments import integer, text_argument
from .requests import Request
from .running_rank import note_made, running_task

_WORLD, _SELF = "mpi://WORLD", "mpi://SELF"


class SessionState(State):
    """A session.

    :param hints: those that it was begun with.
    """

    def __init__(self, hints: dict[str, str]):
        self.hints = hints
        #: the buffer that was attached, once there was one.
        self.attached: Attachments | None = None


class Session(WithErrhandler, Handle, root=True):
    """A session."""

    _null_name = "SESSION_NULL"
    _null_number = 0x38000000
    _state: SessionState | None

    @classmethod
    def Init(cls, info: Any = INFO_NULL, errhandler: Any = None) -> Self:
        """Begin a session."""
        new = cls.__new__(cls)
        state = SessionState(hints_of(info, "Session.Init"))
        new._attach(state)
        give_handler(new, errhandler)
        note_made(state, "session")
        return new

    def Finalize(self) -> None:
        """End the session; this handle is null then.

        :raises MPIError: it is null.
        """
        self._of_this("Finalize").freed = True
        self._nullify()

    def _release(self) -> None:
        self.Finalize()

    def Get_num_psets(self, info: Any = INFO_NULL) -> int:
        """Return the number of sets of processes that have a name: all ranks, and this one."""
        self._of_this("Get_num_psets")
        hints_of(info, "Get_num_psets")
        return 2

    def Get_nth_pset(self, n: int, info: Any = INFO_NULL) -> str:
        """Return the name of the n-th set of processes.

        :raises MPIError: there are fewer.
        """
        self._of_this("Get_nth_pset")
        hints_of(info, "Get_nth_pset")
        n = integer(n, "n")
        if not 0 <= n < 2:
            raise MPIError(f"Get_nth_pset({n}): there are 2 sets of processes, numbered from 0 on", "ERR_ARG")
        return (_WORLD, _SELF)[n]

    def Get_info(self) -> Info:
        """Return the session's hints."""
        state: SessionState = self._of_this("Get_info")
        return Info._new({"thread_level": "MPI_THREAD_MULTIPLE", **state.hints})

    def Get_pset_info(self, pset_name: str) -> Info:
        """Return what is known of a set of processes: its size, as ``mpi_size``.

        :raises MPIError: there is none of this name.
        """
        return Info._new({"mpi_size": str(len(self._ranks("Get_pset_info", pset_name)))})

    def Create_group(self, pset_name: str) -> Group:
        """Return the group of a set of processes.

        :raises MPIError: there is none of this name.
        """
        return Group._made(self._ranks("Create_group", pset_name))

    # -- the buffer for what is sent with `bsend` on communicators of the session ------------------

    def _attachments(self, call: str) -> Attachments:
        state: SessionState = self._of_this(call)
        if state.attached is None:
            state.attached = Attachments(running_task().kernel)
        return state.attached

    def Attach_buffer(self, buf: Any) -> None:
        """Give the session a buffer.

        :raises MPIError: it has one.
        """
        self._attachments("Attach_buffer").attach(buf)

    def Detach_buffer(self) -> Any:
        """Take the session's buffer back."""
        return self._attachments("Detach_buffer").detach()

    def Flush_buffer(self) -> None:
        """Wait until all that is sent with the session's buffer has arrived."""
        self._attachments("Flush_buffer").flush().wait()

    def Iflush_buffer(self) -> Request:
        """Begin to wait until all that is sent with the session's buffer has arrived."""
        return self._attachments("Iflush_buffer").flush()

    def _ranks(self, call: str, pset_name: str) -> range:
        self._of_this(call)
        task, pset_name = running_task(), text_argument(pset_name, "pset_name")
        if pset_name == _WORLD:
            return range(len(task.kernel.ranks))
        if pset_name == _SELF:
            return range(task.rank.index, task.rank.index + 1)
        raise MPIError(f"{call}({pset_name!r}): the sets of processes are {_WORLD} and {_SELF}", "ERR_ARG")


SESSION_NULL = Session._named(None)
