"""The private names of `mpi4py.MPI` that mpi4py's own modules in Python use, such as `mpi4py.util.pkl5`.

Programs have no use for it. Some of it is for C code, which can do nothing with simulated ranks: it is refused by name.
"""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import CannotSimulateError
from .initialization import set_abort_status

#: Names that mpi4py's own modules know.
NAMES = (
    "_addressof", "_handleof", "_set_abort_status", "_sizeof",
)  # fmt: skip

_set_abort_status = set_abort_status


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
