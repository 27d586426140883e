"""Mistakes that were planted after scenarios, invariants and models had been written for those of `subtle.py`: they
show whether these find what they were not written for. What a mistake is, is said there.

Of these twelve they found seven, and tests of the engine and of the pool two; for three a scenario or a test was
missing. Six more that were planted with them make no difference that a program could see without real ranks, and are
not here.
"""

from functools import partial

import subtle
from subtle import D, E, F, W

LATER = {}
mistake = partial(subtle.mistake, among=LATER)

# -- a cached item, and jobs that were sent ahead
mistake(
    "jobs behind one that takes an item in are not taken back",
    E,
    "cached",
    "self.returned(rank, [*self.dispatch.lines[rank]][1:])",
    "pass",
)
mistake(
    "a rank runs what it was sent before main heard of its items",
    W,
    "_take",
    "if news != self._news_told:",
    "if False:",
)
mistake("a rank keeps its line when it takes an item in", W, "_news", "self._line.clear()", "pass")
mistake("a rank frees what it was last told to free only", W, "_take", "[*self._free, *free]", "free")

# -- a rank that is lost, or leaves
mistake(
    "a rank that leaves in its job is an error twice",
    F,
    "of_rank",
    "if not left or (job is not None and job._status.ended):",
    "if not left:",
)
mistake(
    "a rank that is stuck counts as one that is left",
    F,
    "of_ranks",
    "len(gone) + len(stuck) < ranks",
    "len(gone) < ranks",
)
mistake(
    "a job that was called back from a rank that died is called back for ever",
    D,
    "lost",
    "self._called_back.pop(running._id, None)",
    "pass",
)

# -- a cancel, or the program's hand, that crosses a start
mistake("other jobs go out while main asks for one", E, "asked", "self.dispatch.holding = True", "pass")
mistake("a job that was given back to be cancelled runs all the same", W, "_take", "self._line.remove(found)", "pass")
mistake(
    "a job that was sent ahead may be run by hand", E, "run_by_hand", "if self.dispatch.is_ahead(job):", "if False:"
)
mistake("a job that is queued by hand is never given out", E, "set_status", "self.graph.ready.append(job)", "pass")
mistake(
    "a job that was sent ahead is said to run only when it has ended",
    D,
    "vacate",
    "self._change(first, RUNNING)",
    "pass",
)
