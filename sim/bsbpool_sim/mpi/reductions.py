"""The arithmetic of reductions of buffers: the operations for each datatype, and the requirements for both buffers.

Waiting for ranks belongs in `collective_call`; reading buffers belongs in `buffers`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from ..errors import CannotSimulateError, MPIError
from . import predefined
from .datatypes import Datatype
from .operations import OPS, Operation
from .reduction_orders import ReductionOrder, by_neighbours

_ARITHMETIC, _ORDER = ("SUM", "PROD"), ("MAX", "MIN")
_LOGICAL, _BITWISE, _LOCATED = ("LAND", "LOR", "LXOR"), ("BAND", "BOR", "BXOR"), ("MAXLOC", "MINLOC")

#: The operations that MPI has for what datatypes hold.
_FOR = {
    predefined.INTEGER: (*_ARITHMETIC, *_ORDER, *_LOGICAL, *_BITWISE),
    predefined.FORTRAN_INTEGER: (*_ARITHMETIC, *_ORDER, *_BITWISE),
    predefined.FLOATING: (*_ARITHMETIC, *_ORDER),
    predefined.QUAD: (*_ARITHMETIC, *_ORDER),
    predefined.COMPLEX: _ARITHMETIC,
    predefined.LOGICAL: _LOGICAL,
    predefined.BYTES: _BITWISE,
    predefined.PAIR: _LOCATED,
    predefined.OPAQUE: (),
}

#: Those that accesses to windows have besides.
OF_WINDOWS = ("REPLACE", "NO_OP")


def check(call: str, op: Operation, type: Datatype, also: Sequence[str] = ()) -> None:
    """Check that MPI defines the operation for this datatype.

    :param also: operations that are allowed for all types.
    :raises MPIError: it has not.
    :raises TypeError: the operation is a function of two objects.
    :raises CannotSimulateError: it has, for numbers that can't be simulated.
    """
    if op.user:
        return
    if op is not OPS.get(op.name):
        raise TypeError(f"{call}: {op!r} is a function of two objects: for buffers make an operation, MPI.Op.Create(…)")
    definition = type.definition
    if op.name in also or definition is None:
        return
    if definition.holds is None:
        raise MPIError(
            f"{call}: MPI has no {op!r} for {type!r}: its own operations are for predefined datatypes; make one for "
            "yours with MPI.Op.Create(…)",
            "ERR_OP",
        )
    allowed = _FOR[definition.holds]
    if op.name not in allowed:
        right = f"for {definition.holds} it has {', '.join(allowed)}" if allowed else f"it holds {definition.holds}"
        raise MPIError(f"{call}: MPI has no {op!r} for {type!r}: {right}", "ERR_OP")
    if definition.holds == predefined.QUAD:
        raise CannotSimulateError(f"{call}: {op!r} of {type!r} can't be simulated: NumPy has no quadruple precision")


def combine(
    op: Operation, type: Datatype, parts: Sequence[bytes | memoryview], order: ReductionOrder = by_neighbours
) -> bytes:
    """Reduce `parts`, which are data of `type` of equal length.

    :param order: which of them are put together first; those of a user's operation, one after the other.

    :raises MPIError: their lengths differ.
    """
    if len({len(p) for p in parts}) > 1:
        raise MPIError(f"ranks reduce buffers of different sizes: {sorted({len(p) for p in parts})} bytes", "ERR_COUNT")
    if op.user:
        return _by_user(op, type, parts)
    if op.name in OF_WINDOWS:
        return bytes(parts[-1] if op.name == "REPLACE" else parts[0])
    import numpy

    dtype = _dtype(type)
    arrays = [numpy.frombuffer(p, dtype) for p in parts]
    with numpy.errstate(all="ignore"):
        if op.name in _LOCATED:
            total = order(functools.partial(_located, op.name == "MAXLOC"), arrays)
        else:
            assert op.ufunc is not None
            ufunc = getattr(numpy, op.ufunc)
            total = order(lambda a, b: ufunc(a, b).astype(dtype), arrays)
    return bytes(total.tobytes())


def _dtype(type: Datatype) -> Any:
    """NumPy's type of a predefined datatype, as its data is packed."""
    assert type.definition is not None
    import numpy

    row = type.definition.row
    assert row is not None
    # What C calls a character is a small number to MPICH.
    names = ["i1"] if row.name == "CHAR" else [predefined.LETTERS[letter][2] for letter in row.letters]
    # A long double has its place in 16 bytes, whatever NumPy calls it.
    of_numpy = [{"f16": "g", "c32": "G"}.get(name, name) for name in names]
    return numpy.dtype(of_numpy[0] if len(names) == 1 else [("value", of_numpy[0]), ("index", of_numpy[1])])


def _located(largest: bool, a: Any, b: Any) -> Any:
    """The larger or smaller values with their indices; of equal values, the smaller index."""
    import numpy

    better = b["value"] > a["value"] if largest else b["value"] < a["value"]
    equal = (a["value"] == b["value"]) & (b["index"] < a["index"])
    return numpy.where(better | equal, b, a)


def _by_user(op: Operation, type: Datatype, parts: Sequence[bytes | memoryview]) -> bytes:
    """A program's function gets memory as its datatype lays it out, not as it is packed."""
    from .mpi_buffer import buffer

    assert type.definition is not None  # a buffer's datatype is not null
    map = type.definition.map
    count = len(parts[0]) // map.size if map.size else 0
    low, high = map.span(count)
    if low < 0 or high > count * map.extent:
        raise CannotSimulateError(f"{op!r} of {type!r} can't be simulated: its data reaches beyond its bounds")

    def laid_out(part: bytes | memoryview) -> Any:
        memory = buffer.allocate(count * map.extent, clear=True)
        map.unpack(memory.data, 0, count, part)
        return memory

    result = laid_out(parts[0])
    for part in parts[1:]:
        after = laid_out(part)
        op.function(result, after, Datatype(type))
        result = after
    return map.pack(result.data, 0, count)
