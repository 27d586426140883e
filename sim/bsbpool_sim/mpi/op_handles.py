"""``MPI.Op``: the handles of operations that programs hold. What they refer to is in `operations`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from ..errors import MPIError
from .handles import Handle
from .operations import OPS, Operation
from .reduction_parts import reduce_local
from .running_rank import note_made, running_rank

#: How many operations of its own a rank can have at once, as in mpi4py; and under which key it keeps their number.
_MOST = 32
_MADE = "operations that it made"


class Op(Handle, root=True):
    """A reduction operation.

    :param op: another handle, of the same operation; None: the new one is OP_NULL.
    """

    _null_name = "OP_NULL"
    _null_number = 0x18000000
    _state: Operation | None
    #: Whether its function is known here: not to a handle that was made of a number.
    _known = True

    @classmethod
    def Create(cls, function: Callable[..., Any], commute: bool = False) -> Self:
        """Make an operation: ``function(a, b, datatype)`` makes ``b`` of ``a`` and ``b``.

        For buffers it changes ``b`` in place; for objects, where `datatype` is None, it returns the result.

        :param function: the function.
        :param commute: whether the order of what is reduced makes no difference.
        :raises RuntimeError: this rank has 32 already.
        """
        if not callable(function):
            raise TypeError(f"an operation is made of a function, not of {function!r}")
        _count(1)
        operation = Operation(getattr(function, "__name__", "user"), function, commute=bool(commute), user=True)
        note_made(operation, "operation")
        return cls._of(operation)

    def Free(self) -> None:
        """Give the operation up; the handle is OP_NULL then.

        :raises MPIError: it is predefined, or null.
        """
        operation = self._operation("Free")
        if operation.constant:
            raise MPIError(f"Free of MPI.{self!r}, which is MPI's own", "ERR_OP")
        _count(-1)
        operation.freed = True
        self._nullify()

    def _operation(self, call: str) -> Operation:
        if self._state is None:
            raise MPIError(f"{call} of OP_NULL, or of an operation that was freed", "ERR_OP")
        return self._state

    def __call__(self, x: Any, y: Any) -> Any:
        """Reduce two objects.

        :raises ValueError: it is OP_NULL, or was made of a number.
        """
        if self._state is None or not self._known:
            raise ValueError("cannot call OP_NULL, or an operation that was made of a number")
        return self._state(x, y)

    def __repr__(self) -> str:
        return "OP_NULL" if self._state is None else self._state.name

    def __reduce__(self) -> Any:
        if self._state is None or self._state.constant or not self._known:
            return super().__reduce__()
        return type(self).Create, (self._state.function, self._state.commute)

    @classmethod
    def _of_number(cls, state: Any) -> Self:
        made = super()._of_number(state)
        made._known = state is None or not state.user
        return made

    def _copied(self, other: Any) -> None:
        self._known = other._known

    def Is_commutative(self) -> bool:
        """Return whether the order of what is reduced makes no difference."""
        return self._operation("Is_commutative").commute

    is_commutative = property(Is_commutative, doc="Whether the order of what is reduced makes no difference.")

    @property
    def is_predefined(self) -> bool:
        """Whether it is MPI's own, or OP_NULL."""
        return self._state is None or bool(self._state.constant)

    def Reduce_local(self, inbuf: Any, inoutbuf: Any) -> None:
        """Reduce two buffers of this rank's, item by item, into the second.

        :param inbuf: the first.
        :param inoutbuf: the second.
        :raises ValueError: they differ in datatype or number of items.
        """
        reduce_local(self._operation("Reduce_local"), inbuf, inoutbuf)


def _count(change: int) -> None:
    """Count the operations of the rank that runs."""
    rank = running_rank()
    if rank is None:
        return
    made = rank.kept.get(_MADE, 0) + change
    if made > _MOST:
        raise RuntimeError(f"cannot create more than {_MOST} operations: free some, with their Free()")
    rank.kept[_MADE] = made


#: The handles that names of `MPI` stand for.
OP_NULL = Op._named(None)
HANDLES: dict[str, Op] = {"OP_NULL": OP_NULL} | {name: Op._named(op) for name, op in OPS.items()}
