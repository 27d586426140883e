"""Persistent requests: sends and receives that can be started again and again. Those of collective calls are in
`collective_forms`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..errors import MPIError
from .buffers import Buffer
from .constants import ANY_SOURCE, ANY_TAG, PROC_NULL
from .integer_arguments import instance, integer, items
from .requests import Receive, Receiver, Request
from .running_rank import note_made
from .status import fill


class Prequest(Request):
    """A persistent request: it remains when its communication has ended, and can be started again.

    :raises TypeError: it is made a further handle of a request that is none.
    """

    persistent = True
    #: MPI has none that a program needs not free.
    constant = ""

    def __init__(self, of: Any = None, why: Any = None):
        if isinstance(of, Request) and of and not isinstance(of._own, Prequest):
            raise TypeError(f"Prequest takes an MPI.Prequest, not {type(of._own).__name__}")
        super().__init__(of, why)
        if of is not None and not isinstance(of, Request):
            note_made(self, "persistent request")

    def Start(self) -> None:
        """Start the communication.

        :raises MPIError: it is under way already, or the request is null.
        """
        own = self._there("Start")
        assert isinstance(own, Prequest)
        if not own.over:
            raise MPIError("Start of a request that is active already: wait for its end first", "ERR_REQUEST")
        own._start()

    @classmethod
    def Startall(cls, requests: Sequence[Prequest]) -> None:
        """Start several requests."""
        for request in requests:
            instance(request, Prequest, "a request that is started").Start()

    def _start(self) -> None:
        """Begin what the request is for."""

    # -- partitions --------------------------------------------------------------------------------

    def Pready(self, partition: int) -> None:
        """Mark a partition as ready to be sent.

        :raises MPIError: the request sends no partitions, or it is not started, or the partition was ready.
        """
        self._ready([integer(partition, "partition")])

    def Pready_range(self, partition_low: int, partition_high: int) -> None:
        """Mark the partitions from the first to the last as ready."""
        low, high = integer(partition_low, "partition_low"), integer(partition_high, "partition_high")
        if low > high:
            raise MPIError(f"Pready_range({low}, {high}): there is no partition in this range", "ERR_ARG")
        self._ready(range(low, high + 1))

    def Pready_list(self, partitions: Sequence[int]) -> None:
        """Mark some partitions as ready."""
        self._ready(items(partitions, "a partition"))

    def Parrived(self, partition: int) -> bool:
        """Return whether a partition has arrived. If it has not, virtual time passes.

        :raises MPIError: the request receives no partitions.
        """
        own = self._there("Parrived")
        assert isinstance(own, Prequest)
        return own._arrived(integer(partition, "partition"))

    def _ready(self, partitions: Sequence[int]) -> None:
        own = self._there("Pready")
        assert isinstance(own, Prequest)
        for partition in partitions:
            own._send_partition(partition)

    def _send_partition(self, partition: int) -> None:
        raise MPIError("Pready of a request that sends no partitions", "ERR_REQUEST")

    def _arrived(self, partition: int) -> bool:
        raise MPIError("Parrived of a request that receives no partitions", "ERR_REQUEST")

    def _idle(self) -> None:
        """It waits to be started."""
        self.done = self.over = True


class SendsAndReceives(Protocol):
    """Interface of a communicator for sends and receives, as `bsbpool_sim.mpi.point_to_point.PointToPoint` implements
    it.
    """

    cluster: Any
    member: Any

    def _send(self, data: bytes, dest: int, tag: int, sync: Any = None, type: Any = None) -> None: ...
    def _waits_for_receiver(self, data: bytes, to: int | None) -> bool: ...
    def _bsend(self, data: bytes, dest: int, tag: int, type: Any = None) -> None: ...
    def _is_ready(self, dest: int, tag: int) -> None: ...
    def _take_or_post(self, receive: Receive) -> None: ...


class PersistentSend(Prequest):
    """The persistent request of a send.

    :param buffer: what is sent; None: nothing, to PROC_NULL.
    :param call: the method that made it.
    """

    _is_done = False

    def __init__(self, comm: SendsAndReceives, buffer: Buffer | None, dest: int, tag: int, call: str):
        super().__init__(comm.cluster.kernel)
        self._comm, self._buffer, self._dest, self._tag, self._call = comm, buffer, dest, tag, call
        self._idle()

    def waits_for(self) -> str:
        """Return what it waits for, in words."""
        return f"rank {self._dest} to receive its message with tag {self._tag} ({self._call})"

    def _start(self) -> None:
        buffer = self._buffer
        data = b"" if buffer is None else buffer.read()
        waits = self._call == "Ssend_init"
        if self._call == "Send_init":
            waits = self._comm._waits_for_receiver(data, self._dest)
        self.done, self.over = not waits, False
        type = None if buffer is None else buffer.type.definition
        if self._call == "Rsend_init":
            self._comm._is_ready(self._dest, self._tag)
        if self._call == "Bsend_init":
            self._comm._bsend(data, self._dest, self._tag, type)
        else:
            self._comm._send(data, self._dest, self._tag, self if waits else None, type)
        if buffer is not None and self._kernel.cluster.buffers is not None:
            self._kernel.cluster.buffers.begins(self, ((buffer, False),))


class PersistentReceive(Receive, Prequest):
    """The persistent request of a receive."""

    def __init__(self, comm: SendsAndReceives, source: int | None, tag: int | None, buffer: Buffer):
        receiver: Receiver = comm.member
        super().__init__(receiver, source, tag, buffer, "Recv_init")
        self._from = comm
        self._idle()

    def _start(self) -> None:
        self.message, self.taken_in, self.done, self.over, self._cancelled = None, None, False, False, False
        self._from._take_or_post(self)
        if self._kernel.cluster.buffers is not None:
            self._kernel.cluster.buffers.begins(self, ((self.buffer, True),))


class PersistentFromNobody(Prequest):
    """The persistent request of a receive from PROC_NULL."""

    def __init__(self, kernel: Any):
        super().__init__(kernel)
        self._idle()

    def _start(self) -> None:
        self.over = False

    def _end(self, status: Any) -> None:
        self.over = True
        fill(status, PROC_NULL, ANY_TAG, 0)

    def _peek(self, status: Any) -> None:
        fill(status, ANY_SOURCE if self.over else PROC_NULL, ANY_TAG, 0)
