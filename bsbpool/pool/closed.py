"""What the parts of a pool call in place of the pool's own, once it is closed: so they refer to it no longer."""

from __future__ import annotations

from typing import Any

from ..exceptions import JobPoolError


def to_nobody(*told: Any) -> None:
    """Nobody is told anything any more."""


def stopped() -> bool:
    """Whoever still runs is to stop."""
    return True


def no_folder() -> str:
    """There is no folder any more.

    :raises JobPoolError: always.
    """
    raise JobPoolError("The pool is closed, and has no folder any more.")
