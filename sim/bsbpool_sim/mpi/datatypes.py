"""Datatypes: what the items of a buffer are.

A buffer, which has a datatype, is in `buffers`.
"""

from __future__ import annotations

import sys
from typing import Any

from ..errors import CannotSimulateError


class Datatype:
    """A predefined datatype: its MPI name, its size in bytes, and NumPy's name for it."""

    def __init__(self, name: str, size: int, dtype: str):
        self.name = name
        self.size = size
        self.dtype = dtype

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        return _predefined, (self.name,)

    def Get_size(self) -> int:
        """Bytes of one item."""
        return self.size

    def Get_name(self) -> str:
        return "MPI_" + self.name

    @property
    def extent(self) -> int:
        return self.size


_TYPES = {
    "i1": "CHAR SIGNED_CHAR INT8_T SINT8_T INTEGER1",
    "u1": "BYTE UNSIGNED_CHAR UINT8_T PACKED",
    "S1": "CHARACTER",
    "i2": "SHORT SIGNED_SHORT INT16_T SINT16_T INTEGER2",
    "u2": "UNSIGNED_SHORT UINT16_T",
    "i4": "INT SIGNED_INT INT32_T SINT32_T INTEGER INTEGER4 F_INT",
    "u4": "UNSIGNED UNSIGNED_INT UINT32_T",
    "i8": "LONG SIGNED_LONG LONG_LONG SIGNED_LONG_LONG INT64_T SINT64_T INTEGER8 AINT COUNT OFFSET",
    "u8": "UNSIGNED_LONG UNSIGNED_LONG_LONG UINT64_T",
    "f2": "FLOAT16_T REAL2",
    "f4": "FLOAT REAL REAL4 F_FLOAT FLOAT32_T",
    "f8": "DOUBLE DOUBLE_PRECISION REAL8 F_DOUBLE FLOAT64_T",
    "c8": "COMPLEX C_COMPLEX C_FLOAT_COMPLEX COMPLEX8 F_COMPLEX",
    "c16": "DOUBLE_COMPLEX C_DOUBLE_COMPLEX COMPLEX16 F_DOUBLE_COMPLEX",
    "g": "LONG_DOUBLE",
    "G": "C_LONG_DOUBLE_COMPLEX",
    "=U1": "WCHAR",
    "?": "BOOL C_BOOL CXX_BOOL",
}
#: Each predefined datatype, by name; the sizes are those of 64-bit Linux, on every machine.
_SIZES = {"?": 1, "g": 16, "G": 32, "=U1": 4}
DATATYPES: dict[str, Datatype] = {
    name: Datatype(name, _SIZES.get(dtype) or int(dtype[1:]), dtype)
    for dtype, names in _TYPES.items()
    for name in names.split()
}
BYTE = DATATYPES["BYTE"]

#: The datatype of each format of the buffer protocol (`struct`'s letters, and NumPy's for complex).
_FORMATS = {
    "b": "SIGNED_CHAR", "B": "UNSIGNED_CHAR", "c": "CHAR", "s": "CHAR", "1s": "CHAR", "h": "SHORT",
    "H": "UNSIGNED_SHORT", "i": "INT", "I": "UNSIGNED", "l": "LONG", "L": "UNSIGNED_LONG", "q": "LONG_LONG",
    "Q": "UNSIGNED_LONG_LONG", "n": "COUNT", "N": "UNSIGNED_LONG", "e": "FLOAT16_T", "f": "FLOAT", "d": "DOUBLE",
    "g": "LONG_DOUBLE", "?": "C_BOOL", "Zf": "C_COMPLEX", "Zd": "C_DOUBLE_COMPLEX", "Zg": "C_LONG_DOUBLE_COMPLEX",
    "w": "WCHAR", "1w": "WCHAR",
}  # fmt: skip


#: Names of one datatype.
_ALIKE = (
    "INT SIGNED_INT", "LONG SIGNED_LONG", "SHORT SIGNED_SHORT", "LONG_LONG SIGNED_LONG_LONG", "UNSIGNED UNSIGNED_INT",
    "C_BOOL BOOL", "INT8_T SINT8_T", "INT16_T SINT16_T", "INT32_T SINT32_T", "INT64_T SINT64_T", "INTEGER F_INT",
    "REAL F_FLOAT", "DOUBLE_PRECISION F_DOUBLE", "COMPLEX F_COMPLEX", "DOUBLE_COMPLEX F_DOUBLE_COMPLEX",
    "C_COMPLEX C_FLOAT_COMPLEX",
)  # fmt: skip
_FIRST_NAME = {name: names.split()[0] for names in _ALIKE for name in names.split()}

_FOREIGN = (">", "!") if sys.byteorder == "little" else ("<",)


def is_same(one: Datatype, other: Datatype) -> bool:
    """Whether two datatypes are one, perhaps with two names."""
    return _FIRST_NAME.get(one.name, one.name) == _FIRST_NAME.get(other.name, other.name)


def of_format(format: str) -> Datatype | None:
    """The datatype of a buffer's format; None if no predefined one has it."""
    name = _FORMATS.get(format if format.startswith(_FOREIGN) else format.lstrip("@=<>!"))
    return DATATYPES[name] if name else None


def of_buffer(format: str) -> Datatype:
    """The datatype of a buffer for which the program names none.

    :raises BufferError: its bytes are in the order of another machine.
    :raises KeyError: no predefined datatype has its format.
    """
    found = of_format(format)
    if found is not None:
        return found
    if format.startswith(_FOREIGN):
        raise BufferError(
            f"the format {format!r} of this buffer has the byte order of another machine, which MPI does not turn: "
            "convert it first, with array.astype(array.dtype.newbyteorder('='))"
        )
    raise KeyError(
        f"the format {format!r} of this buffer is that of no MPI datatype: name one, as [array, MPI.BYTE], or use the "
        "lower-case methods"
    )


def datatype(given: Any) -> Datatype:
    """`given` as one of our datatypes: ours, a predefined one of the real mpi4py's, or a format like ``"d"``.

    :raises CannotSimulateError: it is a derived datatype.
    """
    if isinstance(given, Datatype):
        return given
    if isinstance(given, str):
        found = of_format(given) or DATATYPES.get(given)
    else:
        found = DATATYPES.get(given.Get_name().removeprefix("MPI_")) if hasattr(given, "Get_name") else None
    if found is None:
        raise CannotSimulateError(
            f"{given!r} is no predefined MPI datatype, and derived ones can't be simulated: "
            "send a contiguous array, or a list with the lower-case methods"
        )
    return found


def _predefined(name: str) -> Datatype:
    return DATATYPES[name]
