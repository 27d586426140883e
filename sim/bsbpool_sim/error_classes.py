"""The classes of MPI's errors: their names, their numbers (those of MPICH), and their meanings.

The code that raises an error gives its class: see `errors.MPIError`. Programs add classes and codes with
`mpi/error_codes`; they are stored here.
"""

from __future__ import annotations

from typing import Any

_TABLE = """
1 ERR_BUFFER: a buffer that is none
2 ERR_COUNT: a count that is none
3 ERR_TYPE: a datatype that is none, or can't be used so
4 ERR_TAG: a tag that is none
5 ERR_COMM: a communicator that is none, or can't be used so
6 ERR_RANK: a rank that is none
7 ERR_ROOT: a root that is none
8 ERR_GROUP: a group that is none
9 ERR_OP: an operation that is none, or not for this datatype
10 ERR_TOPOLOGY: a topology that is none
11 ERR_DIMS: dimensions that are none
12 ERR_ARG: an argument that is not allowed
13 ERR_UNKNOWN: an unknown error
13 ERR_PROC_FAILED: a process that failed
13 ERR_PROC_FAILED_PENDING: a process that failed, and a request that may still be completed
13 ERR_REVOKED: a communicator that was revoked
14 ERR_TRUNCATE: a message that is larger than its buffer
15 ERR_OTHER: an error without a class of its own
16 ERR_INTERN: an error of the MPI library
17 ERR_IN_STATUS: an error that the statuses tell
18 ERR_PENDING: no error: a request that is not complete
19 ERR_REQUEST: a request that is none
20 ERR_ACCESS: a file that may not be used so
21 ERR_AMODE: a mode in which no file can be opened
22 ERR_BAD_FILE: a name that no file can have
23 ERR_CONVERSION: an error in a function that converts data of a file
24 ERR_DUP_DATAREP: a data representation that was registered already
25 ERR_FILE_EXISTS: a file that exists
26 ERR_FILE_IN_USE: a file that is in use
27 ERR_FILE: a file that is none
28 ERR_INFO: an info that is none
29 ERR_INFO_KEY: a key of an info that is none
30 ERR_INFO_VALUE: a value of an info that is none
31 ERR_INFO_NOKEY: a key that an info does not have
32 ERR_IO: an error of input or output
33 ERR_NAME: the name of a service that is none
34 ERR_NO_MEM: no memory
35 ERR_NOT_SAME: arguments of a collective call that differ from rank to rank
36 ERR_NO_SPACE: no space on the device
37 ERR_NO_SUCH_FILE: a file that does not exist
38 ERR_PORT: a port that is none
39 ERR_QUOTA: a quota that is exceeded
40 ERR_READ_ONLY: a file that can only be read
41 ERR_SERVICE: a service that can't be looked up
42 ERR_SPAWN: processes that can't be started
43 ERR_UNSUPPORTED_DATAREP: a data representation that there is not
44 ERR_UNSUPPORTED_OPERATION: an operation that this file does not have
45 ERR_WIN: a window that is none
46 ERR_BASE: a base address that is none
47 ERR_LOCKTYPE: a kind of lock that is none
48 ERR_KEYVAL: a key of attributes that is none
49 ERR_RMA_CONFLICT: accesses to a window that conflict
50 ERR_RMA_SYNC: accesses to a window, or the synchronization of them, at a time when they are not allowed
51 ERR_SIZE: a size that is none
52 ERR_DISP: a displacement that is none
53 ERR_ASSERT: an assertion that is none
55 ERR_RMA_RANGE: an access beyond the memory of a window
56 ERR_RMA_ATTACH: memory that can't be attached
57 ERR_RMA_SHARED: memory that can't be shared
58 ERR_RMA_FLAVOR: a window of the wrong kind
75 ERR_SESSION: a session that is none
76 ERR_PROC_ABORTED: a process that was aborted
77 ERR_VALUE_TOO_LARGE: a value that is too large
80 ERR_ERRHANDLER: an error handler that is none
"""

SUCCESS = 0

#: The number of each class, by its name.
ERROR_CLASSES: dict[str, int] = {"SUCCESS": SUCCESS}
#: What each class is about, by its number.
ABOUT: dict[int, str] = {SUCCESS: "no error"}
for _line in _TABLE.strip().splitlines():
    _number, _name, _about = _line.split(" ", 2)
    ERROR_CLASSES[_name.rstrip(":")] = int(_number)
    ABOUT.setdefault(int(_number), _about)

ERR_LASTCODE = ERR_ABI = 0x3FFFFFFF

#: Under which key a rank keeps the classes and codes that its program has added: what each is about, by number.
ADDED = "added error classes and codes"

#: Marks a number that a program has added, and a class among these.
DYNAMIC, DYNAMIC_CLASS = 0x40000000, 0x80


def added() -> dict[int, str]:
    """Return the classes and codes that the program of the simulated rank that runs now has added."""
    from greenlet import getcurrent  # not when this is loaded: whoever tests without simulated ranks loads it too

    rank: Any = getattr(getcurrent(), "rank", None)
    kept: dict[int, str] = {} if rank is None else rank.kept.setdefault(ADDED, {})
    return kept


def error_class(code: int) -> int:
    """Return the class of a code; of a class, itself."""
    if not code & DYNAMIC or code == ERR_LASTCODE:
        return code
    return code & (DYNAMIC | 0xFF) if code & DYNAMIC_CLASS else code & 0xFF


def error_string(code: int) -> str:
    """Return what a class or a code is about; "" for one that a program has added and said nothing of."""
    known = ABOUT.get(code)
    return added().get(code, f"error {code}") if known is None else known
