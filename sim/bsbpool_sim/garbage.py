"""Controls garbage collection while a simulation runs: it happens at fixed points of the simulation, so that finalizers
run at the same virtual time in each run.

Python's collector starts after a number of allocations that differs between its versions, so finalizers would run at
different virtual times. A large simulation would also spend most of its time in it, since nearly all allocated objects
remain in use.
"""

from __future__ import annotations

import gc

from .python.real_lock import RealRLock

#: Events of the kernel between two looks, and new objects that make a collection worth its time.
LOOK_EVERY, WORTH_IT = 1 << 15, 600_000

#: Between two of many runs: new objects among which garbage is looked for, and how many such looks are one look at what
#: was new before them, too.
WORTH_A_LOOK, LOOKS = 5_000, 10

_lock = RealRLock()
_users = 0
_was_enabled = False


class deliberate_collection:
    """Turn the garbage collector off for the whole process; only `collect` collects."""

    # A class, and not a generator: what ends with it is still garbage in whole when the next object is made.

    def __enter__(self) -> None:
        global _users, _was_enabled
        with _lock:
            if _users == 0:
                _was_enabled = gc.isenabled()
                gc.disable()
            _users += 1

    def __exit__(self, *exc: object) -> None:
        global _users
        with _lock:
            _users -= 1
            if _users == 0 and _was_enabled:
                gc.enable()


def collect_between_runs() -> None:
    """Collect garbage of earlier runs, if there may be enough of it; those who run many keep the collector off."""
    new, looks, longer_looks = gc.get_count()
    if new > WORTH_A_LOOK:
        gc.collect(0 if looks < LOOKS else 1 if longer_looks < LOOKS else 2)


def collect() -> None:
    """Collect garbage, if there may be enough of it."""
    if gc.get_count()[0] > WORTH_IT:
        gc.collect()
