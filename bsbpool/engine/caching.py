"""Cached items: which are required, which rank holds which, and what a rank is to free before its next job.

For each item, the engine counts the unfinished jobs that require it, and knows which ranks hold it, because ranks
report with each outcome which items they have cached. An item that no unfinished job requires is *stale*; the next job
for a rank that holds it comes with the order to free it first.

What an item is, and how a rank frees it, belongs in `bsbpool.pool.caching`. `dispatch` has the rule that a rank with
cached items gets one job at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Caches:
    """The cached items of all ranks, as main knows them.

    :ivar required: items that unfinished jobs require, with the number of those jobs.
    :ivar held: by rank: how many items it holds; those that are there have a number.
    :ivar news: by rank: how often it told of items that it took in.
    """

    def __init__(self) -> None:
        self.required: dict[int, int] = {}
        self.held: dict[int, int] = {}
        self.news: dict[int, int] = {}
        self._holders: dict[int, list[int]] = {}
        self._stale: dict[int, list[int]] = {}

    # -- jobs --------------------------------------------------------------------------------------

    def require(self, items: Iterable[int]) -> None:
        """A job was queued that requires these items."""
        for item in items:
            self.required[item] = self.required.get(item, 0) + 1

    def release(self, items: Iterable[int]) -> None:
        """A job that requires these items has ended."""
        for item in items:
            count = self.required[item] - 1
            if count:
                self.required[item] = count
                continue
            del self.required[item]
            for rank in self._holders.pop(item, ()):
                if rank in self._stale:
                    self._stale[rank].append(item)

    # -- ranks -------------------------------------------------------------------------------------

    def joined(self, rank: int) -> None:
        """A rank is there."""
        self._stale[rank] = []
        self.held[rank] = self.news[rank] = 0

    def lost(self, rank: int) -> None:
        """A rank is gone."""
        del self._stale[rank], self.held[rank]

    def took_in(self, rank: int, items: Sequence[int]) -> None:
        """A rank has taken these items into its cache."""
        self.news[rank] += 1
        for item in items:
            self.held[rank] += 1
            if item in self.required:
                self._holders.setdefault(item, []).append(rank)
            else:
                self._stale[rank].append(item)

    # -- what is to be freed -----------------------------------------------------------------------

    def to_free(self, rank: int) -> list[int]:
        """Return the items that a rank has to free before its next job."""
        stale = self._stale[rank]
        if not stale:
            return []
        self._stale[rank] = []
        free = []
        for item in stale:
            if item in self.required:  # somebody queued a job that requires it after all
                self._holders.setdefault(item, []).append(rank)
            else:
                free.append(item)
        self.held[rank] -= len(free)
        return free

    def still_stale(self, rank: int, items: list[int]) -> list[int]:
        """Which of these items, that a rank was to free, still nobody requires, now that it is told.

        Jobs may have been queued since that was decided. The rank got one job then, and keeps what they require.
        """
        free = []
        for item in items:
            if item in self.required and rank in self.held:
                self.held[rank] += 1
                self._holders.setdefault(item, []).append(rank)
            else:
                free.append(item)
        return free

    def holdings(self) -> dict[int, list[int]]:
        """The cached items that each rank holds, of those that hold any; they free them when the pool ends."""
        held: dict[int, list[int]] = {rank: [*items] for rank, items in self._stale.items()}
        for item, ranks in self._holders.items():
            for rank in ranks:
                if rank in held:
                    held[rank].append(item)
        return {rank: sorted(items) for rank, items in held.items() if items}

    def validate(self, required: dict[int, int]) -> None:
        """Check that this is of a piece.

        :param required: what unfinished jobs require, as `Caches.required`.
        :raises AssertionError: it is not.
        """
        assert self.required == required, f"{self.required} is required, and {required} is"
        if not (self._holders or any(self._stale.values()) or any(self.held.values())):
            return
        held = self.holdings()
        for rank, count in self.held.items():
            assert count == len(held.get(rank, ())), f"rank {rank} holds {count} items, and {held.get(rank)}"
