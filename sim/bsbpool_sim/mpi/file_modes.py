"""Files: the modes in which they are opened, and what MPI calls the errors of the operating system.

What a file is, and how programs use it, is in `files`.
"""

from __future__ import annotations

import errno

from ..errors import MPIError

MODE_CREATE, MODE_RDONLY, MODE_WRONLY, MODE_RDWR = 1, 2, 4, 8
MODE_DELETE_ON_CLOSE, MODE_UNIQUE_OPEN, MODE_EXCL, MODE_APPEND, MODE_SEQUENTIAL = 16, 32, 64, 128, 256
SEEK_SET, SEEK_CUR, SEEK_END = 600, 602, 604
DISPLACEMENT_CURRENT = -54278278
#: Characters that the name of a data representation may have.
MAX_DATAREP_STRING = 128

#: Modes of files, from where to seek, and what else files have of numbers, by their names.
FILE_NUMBERS = {
    "MODE_APPEND": MODE_APPEND, "MODE_CREATE": MODE_CREATE, "MODE_DELETE_ON_CLOSE": MODE_DELETE_ON_CLOSE,
    "MODE_EXCL": MODE_EXCL, "MODE_RDONLY": MODE_RDONLY, "MODE_RDWR": MODE_RDWR, "MODE_SEQUENTIAL": MODE_SEQUENTIAL,
    "MODE_UNIQUE_OPEN": MODE_UNIQUE_OPEN, "MODE_WRONLY": MODE_WRONLY, "SEEK_CUR": SEEK_CUR, "SEEK_END": SEEK_END,
    "SEEK_SET": SEEK_SET, "DISPLACEMENT_CURRENT": DISPLACEMENT_CURRENT, "DISP_CUR": DISPLACEMENT_CURRENT,
    "MAX_DATAREP_STRING": MAX_DATAREP_STRING,
}  # fmt: skip

_ACCESS = (MODE_RDONLY, MODE_WRONLY, MODE_RDWR)
_ALL = (1 << 9) - 1

#: The error class of each error of the operating system that has one; the others are ERR_IO.
_CLASSES = {
    errno.ENOENT: "ERR_NO_SUCH_FILE",
    errno.EEXIST: "ERR_FILE_EXISTS",
    errno.EACCES: "ERR_ACCESS",
    errno.EPERM: "ERR_ACCESS",
    errno.EROFS: "ERR_READ_ONLY",
    errno.EISDIR: "ERR_BAD_FILE",
    errno.ENOTDIR: "ERR_BAD_FILE",
    errno.ENAMETOOLONG: "ERR_BAD_FILE",
    errno.ELOOP: "ERR_BAD_FILE",
    errno.ETXTBSY: "ERR_FILE_IN_USE",
    errno.EBUSY: "ERR_FILE_IN_USE",
    errno.ENOSPC: "ERR_NO_SPACE",
    errno.EDQUOT: "ERR_QUOTA",
}


def of_system(call: str, path: str, error: OSError) -> MPIError:
    """The error of MPI for an error of the operating system.

    :param call: the method that met it.
    :param path: the file.
    """
    return MPIError(f"{call}: {error.strerror or error}: {path}", kind_of_system(error))


def kind_of_system(error: OSError) -> str:
    """The name of MPI's class for an error of the operating system."""
    return _CLASSES.get(error.errno or 0, "ERR_IO")


def mode_text(amode: int) -> str:
    """A mode in which a file is opened, as programs write it."""
    names = [name for name, mode in FILE_NUMBERS.items() if name.startswith("MODE_") and amode & mode]
    return " | ".join(names) if 0 < amode <= _ALL else str(amode)


def wrong_mode(amode: int) -> str | None:
    """What is wrong with the mode in which a file is to be opened; None if nothing is."""
    access = [mode for mode in _ACCESS if amode & mode]
    if amode & ~_ALL or amode < 0:
        return "it has bits that are no mode"
    if len(access) != 1:
        return "give exactly one of MODE_RDONLY, MODE_WRONLY and MODE_RDWR"
    if amode & MODE_RDONLY and amode & (MODE_CREATE | MODE_EXCL):
        return "MODE_RDONLY goes with neither MODE_CREATE nor MODE_EXCL"
    if amode & MODE_RDWR and amode & MODE_SEQUENTIAL:
        return "MODE_RDWR does not go with MODE_SEQUENTIAL"
    return None
