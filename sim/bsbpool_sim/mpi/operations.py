"""Operations of reductions: MPI's own, and those of programs.

Which are for which datatypes, and the arithmetic of arrays, is in `reductions`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from .constants import real


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


def _predefined(name: str) -> Op:
    return OPS[name]
