"""Tells whether a test that runs on some real ranks seems to wait for all of them, in a call on `MPI.COMM_WORLD`."""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType
from typing import Any

from bsbpool.frames import is_users, outward


def waits_for_all(frame: FrameType | None, size: int, MPI: Any) -> str:
    """Return what is to be said if the code that a rank is in uses `MPI.COMM_WORLD`; "" if it does not.

    :param frame: where the rank is.
    :param size: the number of ranks of its test.
    """
    world = MPI.COMM_WORLD
    innermost = next((each for each in outward(frame) if is_users(each)), None)
    if size == world.size or innermost is None or not any(_is_world(each, MPI) for each in _named(innermost)):
        return ""
    ranks = f"{size} rank{'s'[: size != 1]}"
    return (
        f"it is in code that uses MPI.COMM_WORLD, whose collective calls wait for all {world.size} ranks, and the test "
        f"runs on {ranks}: start such tests with mpirun -n {size}, or use comm"
    )


def _is_world(value: Any, MPI: Any) -> bool:
    return isinstance(value, MPI.Intracomm) and bool(value == MPI.COMM_WORLD)


def _named(frame: FrameType) -> Iterator[Any]:
    """Give what the names in a function stand for: variables, and attributes of these."""
    names = frame.f_code.co_names
    for variables in (frame.f_locals, {name: frame.f_globals.get(name) for name in names}):
        for value in [*variables.values()]:
            yield value
            space = getattr(value, "__dict__", None)  # no property is called
            if isinstance(space, dict):
                yield from (space[name] for name in names if name in space)
