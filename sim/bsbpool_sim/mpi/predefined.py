"""The predefined datatypes, as data: their names, sizes and formats, and the operations that MPI defines for them.

The sizes are those of 64-bit Linux, on every machine; names and handles are those of MPICH. The methods of datatypes
are in `datatypes`; the arithmetic is in `reductions`.
"""

from __future__ import annotations

from typing import NamedTuple

#: For each letter of a format, as mpi4py gives them: bytes, alignment in bytes, and NumPy's name.
LETTERS = {
    "c": (1, 1, "S1"), "U": (4, 4, "U1"), "?": (1, 1, "b1"), "b": (1, 1, "i1"), "h": (2, 2, "i2"), "i": (4, 4, "i4"),
    "l": (8, 8, "i8"), "q": (8, 8, "i8"), "p": (8, 8, "i8"), "B": (1, 1, "u1"), "H": (2, 2, "u2"), "I": (4, 4, "u4"),
    "L": (8, 8, "u8"), "Q": (8, 8, "u8"), "e": (2, 2, "f2"), "f": (4, 4, "f4"), "d": (8, 8, "f8"), "g": (16, 16, "f16"),
    "E": (4, 2, "c4"), "F": (8, 4, "c8"), "D": (16, 8, "c16"), "G": (32, 16, "c32"),
}  # fmt: skip

# What a datatype holds, for the operations that MPI has for it.
INTEGER, FORTRAN_INTEGER, FLOATING, COMPLEX, LOGICAL, BYTES, PAIR, QUAD, OPAQUE = (
    "integers", "Fortran's integers", "floating-point numbers", "complex numbers", "truth values", "bytes",
    "pairs of a value and an index", "numbers of quadruple precision", "no numbers",
)  # fmt: skip

#: For each kind of content: name, letter, and handle, and "=" where the code is NumPy's name, not the letter.
_ROWS = {
    INTEGER: """
        CHAR c 101 | SIGNED_CHAR b 118 | SHORT h 203 | INT i 405 | LONG l 807 | LONG_LONG q 809
        UNSIGNED_CHAR B 102 | UNSIGNED_SHORT H 204 | UNSIGNED I 406 | UNSIGNED_LONG L 808 | UNSIGNED_LONG_LONG Q 819
        INT8_T b 137 = | INT16_T h 238 = | INT32_T i 439 = | INT64_T l 83a =
        UINT8_T B 13b = | UINT16_T H 23c = | UINT32_T I 43d = | UINT64_T L 83e =
        AINT p 843 | OFFSET p 844 | COUNT p 845""",
    FORTRAN_INTEGER: "INTEGER i 41b | INTEGER1 b 12d = | INTEGER2 h 22f = | INTEGER4 i 430 = | INTEGER8 l 831 =",
    FLOATING: """
        FLOAT f 40a | DOUBLE d 80b | LONG_DOUBLE g 100c | FLOAT16_T e 246
        REAL f 41c | DOUBLE_PRECISION d 81f | REAL4 f 427 = | REAL8 d 829 =""",
    QUAD: "REAL16 g 102b = | COMPLEX32 G 202c =",
    COMPLEX: """
        C_COMPLEX F 840 | C_DOUBLE_COMPLEX D 1041 | C_LONG_DOUBLE_COMPLEX G 2042
        CXX_FLOAT_COMPLEX F 834 | CXX_DOUBLE_COMPLEX D 1035 | CXX_LONG_DOUBLE_COMPLEX G 2036
        COMPLEX F 81e | DOUBLE_COMPLEX D 1022 | COMPLEX8 F 828 = | COMPLEX16 D 102a =""",
    LOGICAL: "C_BOOL ? 13f = | CXX_BOOL ? 133 | LOGICAL i 41d",
    BYTES: "BYTE B 10d",
    OPAQUE: "CHARACTER c 11a | WCHAR U 40e | PACKED B 10f",
}

#: Those of pairs: name, the letters of value and index, and handle.
_PAIRS = """SHORT_INT hi 8c000003 | INT_INT ii 4c000816 | LONG_INT li 8c000002 | FLOAT_INT fi 8c000000
    DOUBLE_INT di 8c000001 | LONG_DOUBLE_INT gi 8c000004"""

#: Other names of the same datatypes.
ALIASES = {
    alias: name
    for name, aliases in {
        "SHORT": "SIGNED_SHORT", "INT": "SIGNED_INT", "LONG": "SIGNED_LONG", "LONG_LONG": "SIGNED_LONG_LONG",
        "UNSIGNED": "UNSIGNED_INT", "C_BOOL": "BOOL", "INT8_T": "SINT8_T", "INT16_T": "SINT16_T", "INT32_T": "SINT32_T",
        "INT64_T": "SINT64_T", "FLOAT": "FLOAT32_T", "DOUBLE": "FLOAT64_T", "C_COMPLEX": "C_FLOAT_COMPLEX",
        "INT_INT": "TWOINT", "LOGICAL": "F_BOOL", "INTEGER": "F_INT", "REAL": "F_FLOAT", "DOUBLE_PRECISION": "F_DOUBLE",
        "COMPLEX": "F_COMPLEX F_FLOAT_COMPLEX", "DOUBLE_COMPLEX": "F_DOUBLE_COMPLEX",
    }.items()
    for alias in aliases.split()
}  # fmt: skip

#: Names of datatypes that this MPI, as MPICH, does not have: each is DATATYPE_NULL.
ABSENT = (
    "BFLOAT16_T", "COMPLEX4", "INTEGER16", "LOGICAL1", "LOGICAL2", "LOGICAL4", "LOGICAL8", "LOGICAL16", "REAL2",
)  # fmt: skip

#: The names that MPI gives to those where it is not "MPI_" and the name of mpi4py.
_MPI_NAMES = {"LONG_LONG": "MPI_LONG_LONG_INT", "INT_INT": "MPI_2INT", "FLOAT16_T": "MPIX_C_FLOAT16"}


class Predefined(NamedTuple):
    """A predefined datatype.

    :param name: mpi4py's; `mpi_name`: MPI's.
    :param letters: the formats of its primitives.
    :param holds: what, for the operations that MPI has for it.
    :param code: what `tocode` returns; "" for a pair.
    :param handle: MPICH's.
    """

    name: str
    mpi_name: str
    letters: str
    holds: str
    code: str
    handle: int


def _rows() -> list[Predefined]:
    rows = []
    for holds, text in _ROWS.items():
        for name, letter, handle, *by_size in (
            row.split() for row in text.replace("\n", "|").split("|") if row.split()
        ):
            code = LETTERS[letter][2] if by_size else letter
            rows.append(Predefined(name, _mpi_name(name), letter, holds, code, 0x4C000000 + int(handle, 16)))
    for name, letters, handle in (row.split() for row in _PAIRS.replace("\n", "|").split("|")):
        rows.append(Predefined(name, _mpi_name(name), letters, PAIR, "", int(handle, 16)))
    return rows


def _mpi_name(name: str) -> str:
    return _MPI_NAMES.get(name, "MPI_" + name)


PREDEFINED = _rows()

#: The datatype of each code: a letter of `struct` or the buffer protocol, or NumPy's name.
CODES = {
    code: name
    for name, codes in {
        "C_BOOL": "? b1", "SIGNED_CHAR": "b", "SHORT": "h", "INT": "i", "LONG": "l", "LONG_LONG": "q",
        "UNSIGNED_CHAR": "B", "UNSIGNED_SHORT": "H", "UNSIGNED": "I", "UNSIGNED_LONG": "L N P",
        "UNSIGNED_LONG_LONG": "Q", "FLOAT16_T": "e f2", "FLOAT": "f f4", "DOUBLE": "d f8", "LONG_DOUBLE": "g f16",
        "C_COMPLEX": "Zf F c8", "C_DOUBLE_COMPLEX": "Zd D c16", "C_LONG_DOUBLE_COMPLEX": "Zg G c32", "INT8_T": "i1",
        "INT16_T": "i2", "INT32_T": "i4", "INT64_T": "i8 M M8 m m8", "UINT8_T": "u1", "UINT16_T": "u2 u 1u",
        "UINT32_T": "u4", "UINT64_T": "u8", "COUNT": "n", "AINT": "p", "CHAR": "c a S S1 s 1s", "WCHAR": "U U1 w 1w",
    }.items()
    for code in codes.split()
}  # fmt: skip

#: The same for C's types alone, and for Fortran's.
_OF_C = "? b h i l q B H I L Q f d g F D G b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 c8 f8 c16 f16 c32"
C_CODES = {code: CODES[code] for code in _OF_C.split()}
FORTRAN_CODES = {
    "l": "LOGICAL", "i": "INTEGER", "r": "REAL", "s": "REAL", "d": "DOUBLE_PRECISION", "c": "COMPLEX",
    "z": "DOUBLE_COMPLEX", "i1": "INTEGER1", "i2": "INTEGER2", "i4": "INTEGER4", "i8": "INTEGER8", "r4": "REAL4",
    "r8": "REAL8", "r16": "REAL16", "c8": "COMPLEX8", "c16": "COMPLEX16", "c32": "COMPLEX32",
}  # fmt: skip
