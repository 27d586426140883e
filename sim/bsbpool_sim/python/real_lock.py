"""A lock that stays real while simulations run, for state that the simulator itself shares with other threads."""

from __future__ import annotations

from _thread import RLock


class RealRLock(RLock):  # type: ignore[misc]  # final for typeshed; Python lets it have subclasses
    """An `RLock` whose methods are never replaced."""

    __slots__ = ()
    acquire = RLock.acquire
    release = RLock.release
    __enter__ = RLock.__enter__
    __exit__ = RLock.__exit__
