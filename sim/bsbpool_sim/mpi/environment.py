"""Environment: clocks, versions, names, beginning and end, and the buffer that a rank attaches for `bsend`."""

from __future__ import annotations

import re
import sys
from typing import Any

from greenlet import getcurrent

from bsbpool import __version__

from ..kernel import SECOND, Task
from ..virtual import host
from .addresses import address_of
from .arrays import view_of
from .datatypes import DATATYPES
from .info import INFO_NULL, Info
from .integer_arguments import LONG, integer
from .point_to_point import attachments
from .requests import Request
from .running_rank import running_task

#: The standard that mpi4py 4.1 has names for.
VERSION, SUBVERSION = 4, 1
VENDOR = "bsbpool"


def Wtime() -> float:
    """Virtual seconds since the simulation began."""
    now: int = running_task().kernel.measure("Wtime")
    return now / SECOND


def Wtick() -> float:
    """Seconds between two ticks of `Wtime`: a nanosecond."""
    return 1 / SECOND


def Get_processor_name() -> str:
    """The name of this rank's host, such as ``simulated-0``."""
    return host(running_task())


def Get_version() -> tuple[int, int]:
    """Version of the MPI standard that the simulated ranks follow, as far as they do."""
    return VERSION, SUBVERSION


def Get_library_version() -> str:
    """The name and version of this MPI."""
    return f"{VENDOR} {__version__}, simulated ranks"


def get_vendor() -> tuple[str, tuple[int, int, int]]:
    """The name of this MPI, and its version in three numbers."""
    major, minor, micro = (int(digits) for digits in re.findall(r"\d+", __version__ + ".0.0")[:3])
    return VENDOR, (major, minor, micro)


def Pcontrol(level: int) -> None:
    """Do nothing: there is no profiler that it could control.

    :raises TypeError: the level is no integer.
    """
    integer(level, "level")


def Get_hw_resource_info() -> Info:
    """Info about the hardware; there is none in it: simulated ranks have no hardware."""
    return Info.Create()


def Get_abi_version() -> tuple[int, int]:
    """(-1, -1): by which MPI says that it has no binary interface, for code in C."""
    return -1, -1


def Get_abi_info() -> Info:
    """Sizes in bytes of the integers of MPI."""
    return Info.Create({f"mpi_{name}_size": str(DATATYPES[name.upper()].size) for name in ("aint", "count", "offset")})


def Get_abi_fortran_info() -> Info:
    """INFO_NULL: no code in Fortran can use this MPI."""
    return INFO_NULL


def Get_address(location: Any) -> int:
    """The address of a buffer in memory; 0 for None and BOTTOM."""
    if location is None or (isinstance(location, int) and location == 0):
        return 0
    memory = sys.modules.get(f"{__package__}.mpi_buffer")  # it needs NumPy, and who has an MPI.buffer has loaded it
    if memory is not None and isinstance(location, memory.buffer):
        return int(location.address)
    return address_of(view_of(location)[0])


def Aint_add(base: int, disp: int) -> int:
    """An address that is `disp` bytes behind another."""
    return integer(base, "base", bits=LONG) + integer(disp, "disp", bits=LONG)


def Aint_diff(addr1: int, addr2: int) -> int:
    """Bytes from the second of two addresses to the first."""
    return integer(addr1, "addr1", bits=LONG) - integer(addr2, "addr2", bits=LONG)


def Attach_buffer(buf: Any) -> None:
    """Give this rank a buffer for what it sends with `bsend`.

    :raises MPIError: it has one.
    """
    attachments().attach(buf)


def Detach_buffer() -> Any:
    """Take the buffer back that was attached, once all that is sent with it has arrived."""
    return attachments().detach()


def Flush_buffer() -> None:
    """Wait until all that is sent with the buffer has arrived."""
    attachments().flush().wait()


def Iflush_buffer() -> Request:
    """Begin to wait until all that is sent with the buffer has arrived."""
    return attachments().flush()


def Is_thread_main() -> bool:
    """Whether the thread that calls runs its rank's program."""
    task = getcurrent()
    return not isinstance(task, Task) or task is task.rank.main
