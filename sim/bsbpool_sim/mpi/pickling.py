"""Pickling: converts objects that a rank sends to bytes, and received bytes to objects.

A program can change it, with ``MPI.pickle``. Sending the bytes does not belong here.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from typing import Any

from .running_rank import kept_on_rank, running_task

PROTOCOL = 5
#: Bytes from which a buffer travels beside the pickle, for who asks for that.
THRESHOLD = 1 << 18


class Pickle:
    """How objects are pickled: Python's `pickle`, or what a program gives instead.

    :param dumps: called with an object, and with the protocol if there is one; returns bytes.
    :param loads: called with bytes; returns the object.
    :param protocol: of pickle; None: the highest, or none, if `dumps` was given.
    :param threshold: bytes from which `dumps_oob` puts a buffer beside the pickle; None: 256 kB.
    """

    def __init__(
        self,
        dumps: Callable[..., bytes] | None = None,
        loads: Callable[..., Any] | None = None,
        protocol: int | None = None,
        threshold: int | None = None,
    ):
        self._dumps: Callable[..., bytes] = pickle.dumps if dumps is None else dumps
        self._loads: Callable[..., Any] = pickle.loads if loads is None else loads
        self.PROTOCOL = protocol
        self.THRESHOLD = threshold

    def dumps(self, obj: Any) -> bytes:
        """Make bytes of an object."""
        return self._dumps(obj) if self._protocol is None else self._dumps(obj, self._protocol)

    def loads(self, data: Any) -> Any:
        """Make an object of bytes."""
        return self._loads(data)

    def dumps_oob(self, obj: Any) -> tuple[bytes, list[Any]]:
        """Make bytes of an object, and leave its large buffers as they are.

        :returns: the bytes, and the buffers.
        """
        buffers: list[Any] = []

        def keep(buffer: Any) -> bool:
            view = memoryview(buffer).cast("B")
            if view.nbytes < self._threshold:
                return True
            # It takes NumPy, which most programs don't need.
            from .mpi_buffer import buffer as of_mpi

            buffers.append(of_mpi.frombuffer(view, view.readonly))
            return False

        protocol = max(PROTOCOL if self._protocol is None else self._protocol, 5)
        return self._dumps(obj, protocol, buffer_callback=keep), buffers

    def loads_oob(self, data: Any, buffers: Iterable[Any]) -> Any:
        """Make an object of bytes and buffers."""
        return self._loads(data, buffers=buffers)

    @property
    def PROTOCOL(self) -> int | None:
        """The protocol of pickle; None: what `dumps` has for itself."""
        return self._protocol

    @PROTOCOL.setter
    def PROTOCOL(self, protocol: int | None) -> None:
        self._protocol = PROTOCOL if protocol is None and self._dumps is pickle.dumps else protocol

    @property
    def THRESHOLD(self) -> int:
        """Bytes from which a buffer travels beside the pickle."""
        return self._threshold

    @THRESHOLD.setter
    def THRESHOLD(self, threshold: int | None) -> None:
        self._threshold = THRESHOLD if threshold is None else threshold


_KEPT = "pickle"


def own_pickle() -> Pickle:
    """``MPI.pickle`` of the simulated rank that runs."""
    return kept_on_rank(_KEPT, Pickle)


def dumps(obj: Any) -> bytes:
    """Make bytes of an object, as the rank that runs has it."""
    own: Pickle | None = running_task().rank.kept.get(_KEPT)
    return pickle.dumps(obj, PROTOCOL) if own is None else own.dumps(obj)


def loads(data: Any) -> Any:
    """Make an object of bytes, as the rank that runs has it; of none at all, None."""
    if not data:
        return None
    own: Pickle | None = running_task().rank.kept.get(_KEPT)
    return pickle.loads(data) if own is None else own.loads(data)
