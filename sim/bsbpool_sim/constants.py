"""MPI's constants, operations, datatypes and statuses, as the simulated ranks have them.

Everything here is a value: nothing waits, sends, or knows of a kernel. Programs may have got theirs from
the real mpi4py, at import; those are known by name here, whatever number the installed MPI gave them.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from typing import Any

from .errors import CannotSimulateError, MPIError


class Constant(int):
    """An integer that MPI gives a meaning to; it knows its own name, so numbers of two MPIs can't mix."""

    name: str

    def __new__(cls, value: int, name: str) -> Constant:
        self = super().__new__(cls, value)
        self.name = name
        return self

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        return Constant, (int(self), self.name)


ANY_SOURCE = Constant(-2, "ANY_SOURCE")
ANY_TAG = Constant(-1, "ANY_TAG")
PROC_NULL = Constant(-1, "PROC_NULL")
UNDEFINED = Constant(-32766, "UNDEFINED")
IN_PLACE = Constant(-1, "IN_PLACE")
#: The largest tag, that of MPICH; MPI itself promises 32767.
LARGEST_TAG = (1 << 29) - 1
#: The key of the attribute of a communicator that is the largest tag.
TAG_UB = Constant(0x64400001, "TAG_UB")
#: Bytes that a message with `bsend` takes besides its own, in the buffer that was attached.
BSEND_OVERHEAD = 96
COMM_TYPE_SHARED = Constant(1, "COMM_TYPE_SHARED")
LOCK_EXCLUSIVE = Constant(234, "LOCK_EXCLUSIVE")
LOCK_SHARED = Constant(235, "LOCK_SHARED")

_real: dict[str, Any] = {}


def real(name: str) -> Any:
    """What `name` is in the real `mpi4py.MPI`, if that is imported; else None."""
    if not _real and "mpi4py.MPI" in sys.modules:
        # Its dictionary, not its attributes: those are ours while a simulation runs. A stand-in's has none.
        names = vars(sys.modules["mpi4py.MPI"])
        if "ANY_SOURCE" in names:
            _real.update(names)
    return _real.get(name)


def means(value: Any, constant: Constant) -> bool:
    """Whether `value` is `constant`: ours, the real mpi4py's, or a number that equals it."""
    if isinstance(value, Constant):
        return value.name == constant.name
    theirs = real(constant.name)
    if constant is IN_PLACE:
        return theirs is not None and value is theirs
    return bool(value == (constant if theirs is None else theirs))


# -- operations ------------------------------------------------------------------------------------------


class Op:
    """A reduction operation; called with two objects it gives the reduced one.

    :param function: of two objects, for the predefined ones; of two buffers and a datatype, for a user's.
    :param ufunc: name of the NumPy function that does the same to arrays.
    """

    def __init__(self, name: str, function: Callable[..., Any], ufunc: str | None = None, commute: bool = True):
        self.name = name
        self.function = function
        self.ufunc = ufunc
        self.user = False
        self._commute = commute

    @classmethod
    def Create(cls, function: Callable[..., Any], commute: bool = False) -> Op:
        """An operation of the user's: ``function(a, b, datatype)`` makes ``b`` of ``a`` and ``b``.

        For buffers it changes ``b`` in place; for objects, where `datatype` is None, it returns the result.
        """
        op = cls(getattr(function, "__name__", "user"), function, commute=commute)
        op.user = True
        return op

    def __call__(self, x: Any, y: Any) -> Any:
        return self.function(x, y, None) if self.user else self.function(x, y)

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        return (Op.Create, (self.function, self._commute)) if self.user else (_predefined, (self.name,))

    def Free(self) -> None:
        """Nothing to free here."""

    def Is_commutative(self) -> bool:
        return self._commute

    @property
    def is_commutative(self) -> bool:
        return self._commute

    @property
    def is_predefined(self) -> bool:
        return not self.user


def _extreme(better: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    return lambda x, y: y if better(y, x) else x


def _located(better: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def choose(x: Any, y: Any) -> Any:
        (u, i), (v, j) = x, y
        if u == v:
            return u, min(i, j)
        return (v, j) if better(v, u) else (u, i)

    return choose


OPS: dict[str, Op] = {
    op.name: op
    for op in (
        Op("SUM", operator.add, "add"),
        Op("PROD", operator.mul, "multiply"),
        Op("MAX", _extreme(operator.gt), "maximum"),
        Op("MIN", _extreme(operator.lt), "minimum"),
        Op("LAND", lambda x, y: bool(x) & bool(y), "logical_and"),
        Op("LOR", lambda x, y: bool(x) | bool(y), "logical_or"),
        Op("LXOR", lambda x, y: bool(x) ^ bool(y), "logical_xor"),
        Op("BAND", operator.and_, "bitwise_and"),
        Op("BOR", operator.or_, "bitwise_or"),
        Op("BXOR", operator.xor, "bitwise_xor"),
        Op("MAXLOC", _located(operator.gt)),
        Op("MINLOC", _located(operator.lt)),
        Op("REPLACE", lambda x, y: y, commute=False),
        Op("NO_OP", lambda x, y: x, commute=False),
    )
}


def operation(op: Any) -> Op:
    """`op` as ours: one of ours, one of the real mpi4py's, or a function of two objects.

    :raises TypeError: it is none of these.
    """
    if isinstance(op, Op):
        return op
    if isinstance(op, real("Op") or ()):
        for name, ours in OPS.items():
            if op == real(name):
                return ours
    if not callable(op):
        raise TypeError(f"op must be one like MPI.SUM, or a function of two objects, not {op!r}")
    return Op(getattr(op, "__name__", type(op).__name__), op)


# -- datatypes -------------------------------------------------------------------------------------------


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


def _predefined(name: str) -> Op | Datatype:
    return OPS.get(name) or DATATYPES[name]


# -- statuses --------------------------------------------------------------------------------------------


class Status:
    """Where a message came from, its tag, and its size in bytes."""

    def __init__(self, status: Status | None = None):
        self.source: int = ANY_SOURCE if status is None else status.source
        self.tag: int = ANY_TAG if status is None else status.tag
        self.count: int = 0 if status is None else status.count
        self.cancelled = False
        self.error = 0

    def Get_source(self) -> int:
        return self.source

    def Get_tag(self) -> int:
        return self.tag

    def Get_error(self) -> int:
        return self.error

    def Get_count(self, datatype: Any = BYTE) -> int:
        """Items of `datatype` in the message; UNDEFINED if it holds no whole number of them."""
        size: int = datatype.Get_size()
        return UNDEFINED if self.count % size else self.count // size

    Get_elements = Get_count

    def Is_cancelled(self) -> bool:
        return self.cancelled

    def Set_source(self, source: int) -> None:
        self.source = source

    def Set_tag(self, tag: int) -> None:
        self.tag = tag

    def Set_elements(self, datatype: Any, count: int) -> None:
        self.count = count * datatype.Get_size()

    def Set_cancelled(self, flag: bool) -> None:
        self.cancelled = flag


def fill(status: Any, source: int, tag: int, size: int, cancelled: bool = False) -> None:
    """Write into `status`, ours or the real mpi4py's or None, what is known of a message."""
    if status is None:
        return
    if isinstance(status, Status):
        status.source, status.tag, status.count, status.cancelled = source, tag, size, cancelled
        return
    if not hasattr(status, "Set_elements"):
        raise MPIError(f"a status must be an MPI.Status, not {status!r}")
    if isinstance(source, Constant):
        source, tag = real(source.name), real("ANY_TAG")
    status.Set_source(source)
    status.Set_tag(tag)
    status.Set_elements(real("BYTE"), size)
    status.Set_cancelled(cancelled)
