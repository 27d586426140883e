"""Epochs of windows: when a rank may access the memory of other ranks, and how it begins and ends this.

A rank has one epoch of access at a time: between fences, between Start and Complete, or under locks. The effect of an
access belongs in `window_access`; waiting for ranks belongs in `windows`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import MPIError


class Epochs:
    """The epochs of one rank on one window.

    :ivar fenced: whether it may access between fences.
    :ivar used: whether it has, since the last fence.
    :ivar started: the ranks that it may access until Complete; None: it has not called Start.
    :ivar posted: the ranks that may access its memory until Wait; None: it has not called Post.
    :ivar locked: the ranks that it has locked.
    :ivar all_locked: whether it has locked all at once.
    """

    def __init__(self) -> None:
        self.fenced = self.used = self.all_locked = False
        self.started: Sequence[int] | None = None
        self.posted: Sequence[int] | None = None
        self.locked: list[int] = []

    def _open(self) -> str:
        """What would have to be called before another epoch of access begins; "" if none is open."""
        if self.all_locked:
            return "Unlock_all()"
        if self.locked:
            return f"Unlock({self.locked[0]})"
        if self.started is not None:
            return "Complete()"
        return "Fence()" if self.used else ""

    def begin(self, call: str) -> None:
        """Begin an epoch of access that is not one between fences.

        :raises MPIError: another one is open.
        """
        if needed := self._open():
            raise _sync(f"{call} in an epoch of access that is open: call {needed} first")
        self.fenced = False

    def fence(self, succeeds: bool) -> None:
        """End the accesses since the last fence, and begin others if any may follow."""
        self.fenced, self.used = succeeds, False

    def check_fence(self, call: str, first: bool) -> None:
        """See that a fence may be called.

        :param first: whether the program says that it ends no accesses.
        :raises MPIError: it does, or an epoch of another kind is open.
        """
        if first and self.used:
            right = "leave MODE_NOPRECEDE out, since this rank has accessed the window since the last fence"
            raise _sync(f"{call}(MODE_NOPRECEDE): {right}")
        needed = self._open() if not self.used else ""
        if needed or self.posted is not None:
            raise _sync(f"{call} in an epoch that is open: call {needed or 'Wait()'} first")

    def check_free(self, call: str) -> None:
        """See that no epoch is open.

        :raises MPIError: one is.
        """
        if self._open():
            raise _sync(f"{call} in an epoch of access that is open: call {self._open()} first")
        if self.posted is not None:
            raise _sync(f"{call} that others may access: call Wait() first")

    def check_lock(self, target: int) -> None:
        """See that a rank may be locked.

        :raises MPIError: it is locked already, or an epoch of another kind is open.
        """
        if target in self.locked:
            raise _sync(f"Lock({target}): this rank holds the lock of rank {target} already")
        if not self.locked:
            self.begin(f"Lock({target})")

    def lock(self, target: int) -> None:
        """A rank is locked now."""
        self.locked.append(target)

    def unlock(self, target: int) -> None:
        """Unlock a rank.

        :raises MPIError: it is not locked.
        """
        if target not in self.locked:
            raise _sync(f"Unlock({target}): this rank doesn't hold the lock of rank {target}")
        self.locked.remove(target)

    def post(self, ranks: Sequence[int]) -> None:
        """Let ranks access the memory of this one.

        :raises MPIError: it is let already, or the last accesses between fences have not been ended.
        """
        if self.posted is not None or self.used:
            raise _sync(f"Post in an epoch that is open: call {'Fence()' if self.used else 'Wait()'} first")
        self.fenced, self.posted = False, ranks

    def passive(self, call: str, target: int | None = None) -> None:
        """See that this rank has locked `target`, or (None) any.

        :raises MPIError: it has not.
        """
        if not (self.all_locked or (self.locked if target is None else target in self.locked)):
            which = "Lock or Lock_all" if target is None else f"Lock({target}) or Lock_all"
            raise _sync(f"{call} without a lock: it is for what follows {which}")

    def access(self, call: str, target: int) -> None:
        """See that this rank may access the memory of `target`.

        :raises MPIError: it may not.
        """
        if self.all_locked or target in self.locked or (self.started is not None and target in self.started):
            return
        if not self.fenced:
            right = f"call Lock({target}), Start with a group that has it, or Fence() first"
            raise _sync(f"{call} of rank {target}'s window without its lock: {right}")
        self.used = True


def _sync(text: str) -> MPIError:
    return MPIError(text, "ERR_RMA_SYNC")
