"""The observable effects of a program: how much its ranks send and contribute to collective calls, and the numbers and
texts in the variables of a script at its end. Two runs are compared by these.

The contents of messages are not compared: uninitialised memory of NumPy may be sent, and differs from run to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Effects:
    """The effects of a program that others see: what its ranks give to each other and end with, in order.

    :ivar notes: the rank, and what it let see.
    """

    def __init__(self) -> None:
        self.notes: list[tuple[int, Any]] = []

    def gave(
        self, rank: int, what: object, dest: int | None = None, tag: int | None = None, call: str = ""
    ) -> None:  # fmt: skip
        """A rank gave bytes to others, or a sequence of them: in a message to `dest`, or in a collective `call`."""
        self.notes.append((rank, _size(what)))

    def ended(self, rank: int, namespace: Mapping[str, Any]) -> None:
        """The script of a rank has ended."""
        values = [(name, repr(each)) for name, each in namespace.items() if name[:1] != "_" and _is_simple(each)]
        self.notes.append((rank, values))


def _size(what: object) -> int:
    if isinstance(what, bytes | memoryview):
        return len(what)
    return sum(map(_size, what)) if isinstance(what, list | tuple) else 0


def _is_simple(value: object) -> bool:
    """Whether a value is a number or a text, also one of NumPy's."""
    if type(value).__module__ == "numpy":
        return getattr(value, "ndim", None) == 0
    return type(value) in (int, float, complex, bool, str, bytes)
