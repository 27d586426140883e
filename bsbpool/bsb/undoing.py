"""Undoes what `install` did: keeps the functions that do so, and calls them in reverse order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Functions that undo what `install` did, in the order in which it was done; None if it is not installed.
_undo: list[Callable[[], Any]] | None = None


def installed() -> bool:
    """Return whether BSB uses this pool in this process.

    :returns: True after `install`, until `uninstall`.

    >>> import bsbpool.bsb
    >>> bsbpool.bsb.installed()
    False
    """
    return _undo is not None


def take_back(undo: list[Callable[[], Any]]) -> None:
    """Call all of them, the last first."""
    while undo:
        undo.pop()()


def take_all_back() -> None:
    """Undo all that `install` did."""
    global _undo
    undo, _undo = _undo or [], None
    take_back(undo)


def keep_undo(undo: list[Callable[[], Any]]) -> None:
    """Keep what undoes all that `install` did, now that it is done."""
    global _undo
    _undo = undo


def set_attribute(holder: Any, name: str, value: Any, undo: list[Callable[[], Any]]) -> None:
    """Set an attribute, and add what sets it back."""
    old = vars(holder)[name]
    setattr(holder, name, value)
    undo.append(lambda: setattr(holder, name, old))
