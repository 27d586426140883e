"""Dynamic processes: all of it is refused by name. Simulated ranks are there from the beginning, and no others join."""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import UnsupportedError


def _refuse(call: str, instead: str) -> NoReturn:
    raise UnsupportedError(f"{call} can't be simulated: {instead}")


_RANKS = "the ranks of a simulation are there from the beginning: start it with as many as are needed"
_NO_OTHERS = "no other programs than that of these ranks are there to be connected with"


class Dynamic:
    """The calls of a communicator that start processes, or connect with others."""

    def Spawn(
        self, command: Any, args: Any = None, maxprocs: int = 1, info: Any = None, root: int = 0, errcodes: Any = None
    ) -> NoReturn:
        """Refuse.

        :raises CannotSimulateError: always.
        """
        _refuse("Spawn", _RANKS)

    def Spawn_multiple(
        self,
        command: Any,
        args: Any = None,
        maxprocs: Any = None,
        info: Any = None,
        root: int = 0,
        errcodes: Any = None,
    ) -> NoReturn:
        """Refuse.

        :raises CannotSimulateError: always.
        """
        _refuse("Spawn_multiple", _RANKS)

    def Accept(self, port_name: str, info: Any = None, root: int = 0) -> NoReturn:
        """Refuse.

        :raises CannotSimulateError: always.
        """
        _refuse("Accept", _NO_OTHERS)

    def Connect(self, port_name: str, info: Any = None, root: int = 0) -> NoReturn:
        """Refuse.

        :raises CannotSimulateError: always.
        """
        _refuse("Connect", _NO_OTHERS)


def join(fd: int) -> NoReturn:
    """Refuse ``Comm.Join``.

    :raises CannotSimulateError: always.
    """
    _refuse("Join", _NO_OTHERS)


def Open_port(info: Any = None) -> NoReturn:
    """Refuse.

    :raises CannotSimulateError: always.
    """
    _refuse("Open_port", _NO_OTHERS)


def Close_port(port_name: str) -> NoReturn:
    """Refuse.

    :raises CannotSimulateError: always.
    """
    _refuse("Close_port", _NO_OTHERS)


def Publish_name(service_name: str, port_name: str, info: Any = None) -> NoReturn:
    """Refuse.

    :raises CannotSimulateError: always.
    """
    _refuse("Publish_name", _NO_OTHERS)


def Unpublish_name(service_name: str, port_name: str, info: Any = None) -> NoReturn:
    """Refuse.

    :raises CannotSimulateError: always.
    """
    _refuse("Unpublish_name", _NO_OTHERS)


def Lookup_name(service_name: str, info: Any = None) -> NoReturn:
    """Refuse.

    :raises CannotSimulateError: always.
    """
    _refuse("Lookup_name", _NO_OTHERS)
