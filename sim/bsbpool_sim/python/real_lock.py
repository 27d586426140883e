"""A lock whose methods are never replaced: for what the simulator itself guards against other threads."""

from __future__ import annotations

from _thread import RLock


class RealRLock(RLock):  # type: ignore[misc]  # final for typeshed; Python lets it have subclasses
    """An `RLock` that is real on simulated ranks, too, and as fast as it ever is."""

    __slots__ = ()
    acquire = RLock.acquire
    release = RLock.release
    __enter__ = RLock.__enter__
    __exit__ = RLock.__exit__
