"""Reductions of buffers: which operations are for which datatypes, what both buffers must be, and the arithmetic.

Who waits for whom belongs to `group`; how a buffer is read, to `buffers`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from ..errors import CannotSimulateError, MPIError
from .buffers import Buffer, in_place
from .datatypes import Datatype, is_same
from .operations import OPS, Op

_ARITHMETIC, _ORDER = ("SUM", "PROD"), ("MAX", "MIN")
_LOGICAL, _BITWISE = ("LAND", "LOR", "LXOR"), ("BAND", "BOR", "BXOR")

#: The operations that MPI has for each kind of datatype, by the first letter of NumPy's name for it.
_FOR = {
    "i": ("integers", (*_ARITHMETIC, *_ORDER, *_LOGICAL, *_BITWISE)),
    "f": ("floating-point numbers", (*_ARITHMETIC, *_ORDER)),
    "c": ("complex numbers", _ARITHMETIC),
    "?": ("truth values", _LOGICAL),
    "b": ("bytes", _BITWISE),
    "S": ("characters", ()),
}
_KINDS = {"u": "i", "g": "f", "G": "c", "=": "S"}
_LOCATED = ("MAXLOC", "MINLOC")

#: Those that accesses to windows have besides.
OF_WINDOWS = ("REPLACE", "NO_OP")


def check(call: str, op: Op, type: Datatype, also: Sequence[str] = ()) -> None:
    """See that MPI has the operation for this datatype.

    :param also: operations that are allowed for all types.
    :raises MPIError: it has not.
    :raises TypeError: the operation is a function of two objects.
    :raises CannotSimulateError: it has, for pairs of values, which can't be simulated.
    """
    if op.user:
        return
    if op is not OPS.get(op.name):
        raise TypeError(f"{call}: {op!r} is a function of two objects: for buffers make an operation, MPI.Op.Create(…)")
    if op.name in also:
        return
    letter = "b" if type.name in ("BYTE", "PACKED") else _KINDS.get(type.dtype[0], type.dtype[0])
    what, allowed = _FOR[letter]
    if op.name in _LOCATED:
        raise CannotSimulateError(
            f"{call}: {op!r} of buffers is for pairs of a value and a place, and can't be simulated: use the "
            "lower-case method"
        )
    if op.name not in allowed:
        right = f"for {what} it has {', '.join(allowed)}" if allowed else f"it reduces no {what}"
        raise MPIError(f"{call}: MPI has no {op!r} for {type!r}: {right}")


class Reduction:
    """The buffers of one rank in a reduction.

    :param call: the method.
    :param receives: whether this rank gets the result.
    :raises ValueError: the two buffers differ in type or number of items.
    :raises TypeError: there is no buffer for the result.
    """

    def __init__(self, call: str, op: Op, sendbuf: Any, recvbuf: Any, receives: bool = True):
        self._call, self._op = call, op
        if recvbuf is None and receives:
            raise TypeError(f"{call}: the result needs a buffer, and recvbuf is None")
        if in_place(sendbuf):
            self._source = self._target = Buffer(recvbuf)
        else:
            self._source = Buffer(sendbuf)
            self._target = Buffer(recvbuf) if receives else self._source
        source, target = self._source, self._target
        if not is_same(source.type, target.type):
            raise ValueError(
                f"{call}: sendbuf is of {source.type!r} and recvbuf of {target.type!r}: give the same type"
            )
        if len(source) != len(target):
            counts = [len(each) // each.type.size for each in (source, target)]
            raise ValueError(
                f"{call}: sendbuf has {counts[0]} items and recvbuf {counts[1]}: give buffers of one size, such as "
                f"recvbuf[:{counts[0]}]"
            )
        check(call, op, source.type)
        #: what this rank brings: the datatype, and the bytes.
        self.part = (source.type, bytes(source.bytes))
        self.size = len(source)

    def of(self, parts: Sequence[tuple[Datatype, bytes]]) -> bytes:
        """The reduction of what ranks brought, in their order.

        :raises MPIError: they brought different datatypes, or numbers of items.
        """
        for type, _ in parts:
            if not is_same(type, self._source.type):
                raise MPIError(f"{self._call}: one rank reduces {type!r} and another {self._source.type!r}")
        return combine(self._op, self._source.type, [data for _, data in parts])

    def put(self, result: bytes) -> None:
        """Write the result into this rank's buffer for it."""
        self._target.put(result, f"the result of {self._call}")


def combine(op: Op, type: Datatype, parts: Sequence[bytes | memoryview]) -> bytes:
    """The reduction of `parts`, arrays of `type` of equal length, in order.

    :raises MPIError: their lengths differ.
    """
    if len({len(p) for p in parts}) > 1:
        raise MPIError(f"ranks reduce buffers of different sizes: {sorted({len(p) for p in parts})} bytes")
    if op.user:
        result = bytearray(parts[0])
        for part in parts[1:]:
            after = bytearray(part)
            op.function(memoryview(result), memoryview(after), type)
            result = after
        return bytes(result)
    if op.name in OF_WINDOWS:
        return bytes(parts[-1] if op.name == "REPLACE" else parts[0])
    import numpy

    assert op.ufunc is not None
    ufunc = getattr(numpy, op.ufunc)
    arrays = (numpy.frombuffer(p, type.dtype) for p in parts)
    with numpy.errstate(all="ignore"):
        total = functools.reduce(lambda a, b: ufunc(a, b).astype(type.dtype), arrays)
    return bytes(total.tobytes())
