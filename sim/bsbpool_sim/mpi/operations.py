"""The operations of reductions: those that MPI defines, and those of programs.

Which are for which datatypes, and the arithmetic of arrays, is in `reductions`; what programs hold of them, in
`op_handles`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from ..errors import MPIError
from .constants import real
from .handles import Handle, State, predefine


class Operation(State):
    """A reduction operation: a call with two objects returns the reduced one.

    :param function: of two objects, for the predefined ones; of two buffers and a datatype, for a user's.
    :param ufunc: name of the NumPy function that does the same to arrays.
    :param commute: whether the order of what is reduced makes no difference.
    :param user: whether a program made it for buffers.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        ufunc: str | None = None,
        commute: bool = True,
        user: bool = False,
    ):
        self.name = name
        #: as an argument of a call.
        self.detail = f"op={name}"
        self.function = function
        self.ufunc = ufunc
        self.commute = commute
        self.user = user
        self.freed = False

    def __call__(self, x: Any, y: Any) -> Any:
        return self.function(x, y, None) if self.user else self.function(x, y)

    def __repr__(self) -> str:
        return self.name


def _extreme(better: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    return lambda x, y: y if better(y, x) else x


def _located(better: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def choose(x: Any, y: Any) -> Any:
        (u, i), (v, j) = x, y
        later = better(v, u) or (not better(u, v) and j < i)
        return (v, j) if later else (u, i)

    return choose


#: MPI's own, by name.
OPS: dict[str, Operation] = {
    op.name: op
    for op in (
        Operation("SUM", operator.add, "add"),
        Operation("PROD", operator.mul, "multiply"),
        Operation("MAX", _extreme(operator.gt), "maximum"),
        Operation("MIN", _extreme(operator.lt), "minimum"),
        Operation("LAND", lambda x, y: bool(x) & bool(y), "logical_and"),
        Operation("LOR", lambda x, y: bool(x) | bool(y), "logical_or"),
        Operation("LXOR", lambda x, y: bool(x) ^ bool(y), "logical_xor"),
        Operation("BAND", operator.and_, "bitwise_and"),
        Operation("BOR", operator.or_, "bitwise_or"),
        Operation("BXOR", operator.xor, "bitwise_xor"),
        Operation("MAXLOC", _located(operator.gt)),
        Operation("MINLOC", _located(operator.lt)),
        Operation("REPLACE", lambda x, y: y, commute=False),
        Operation("NO_OP", lambda x, y: x, commute=False),
    )
}


#: Their numbers begin with that of the first of these, as in MPICH.
_NUMBERED = (
    "MAX", "MIN", "SUM", "PROD", "LAND", "BAND", "LOR", "BOR", "LXOR", "BXOR", "MINLOC", "MAXLOC", "REPLACE", "NO_OP",
)  # fmt: skip
for _number, _name in enumerate(_NUMBERED, 0x58000001):
    predefine(OPS[_name], _name, _number)


def operation(op: Any) -> Operation:
    """Return the operation for `op`: a handle of the simulator or of the real mpi4py, or a function of two objects.

    :raises TypeError: it is none of these.
    :raises MPIError: it is OP_NULL.
    """
    if isinstance(op, Operation):
        return op
    if isinstance(op, Handle):
        if isinstance(op._state, Operation):
            return op._state
        if op._null_name == "OP_NULL":
            raise MPIError("the operation is OP_NULL, or was freed", "ERR_OP")
    if isinstance(op, real("Op") or ()):
        for name, ours in OPS.items():
            if op == real(name):
                return ours
    if not callable(op):
        raise TypeError(f"op must be one like MPI.SUM, or a function of two objects, not {op!r}")
    return Operation(getattr(op, "__name__", type(op).__name__), op)
