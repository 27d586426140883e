"""Single integers that a program gives, such as tags and numbers of ranks, as mpi4py takes them.

Items of lists are not taken so: mpi4py wants them to be integers, and `operator.index` says whether they are.
"""

from __future__ import annotations

from typing import Any


def integer(value: Any, what: str, kind: str = "an integer") -> int:
    """An integer; of a float, which mpi4py hands over to C as well, what is in front of the point.

    :param what: what it is for, in the program's terms.
    :param kind: what it is, in words.
    :raises TypeError: it is nothing of the kind.
    """
    if isinstance(value, int):
        return value
    convert = getattr(type(value), "__int__", None)
    if convert is None:
        raise TypeError(f"{what} must be {kind}, not {value!r}")
    return int(convert(value))
