"""The order of two events that happen at the same instant of virtual time.

This table is the only place that defines it. Each event of the kernel has one of five turns. At one instant all events
of an earlier turn happen before those of a later one, also those that are created only then. Within a turn the policy
decides, except for `FAULTS` and `LOSSES`, which have a fixed order. So `PAIRS` holds with every policy and seed.

The kernel implements turns. How a pool handles several messages of one instant belongs in the pool.
"""

from __future__ import annotations

from typing import NamedTuple

#: Faults of ranks and links: deaths, pauses, slowness, delays, Ctrl-C. In the order of the script.
FAULTS = 0
#: What programs do: a task starts, its sleep or its job's time is over, a message reaches its rank.
WORK = 1
#: A pool's task that waits learns that something is there for it: a message, or what another task of its rank says.
NEWS = 2
#: A pool is told that a rank has died: the lowest first.
LOSSES = 3
#: Somebody in a pool has waited for long enough: for the end of a job, or for anything to happen.
DEADLINES = 4


class Pair(NamedTuple):
    """Two things that may happen at one instant, in the order that always holds.

    :ivar first: what comes first.
    :ivar then: what comes after it.
    :ivar so: what follows from that.
    """

    first: str
    then: str
    so: str


#: Each row has a test of its own in tests/pool/test_same_instant.py, by its place.
PAIRS = (
    Pair("a job ends", "its time limit is over", "it was in time"),
    Pair("an interrupted job ends", "the time that it has for that is over", "its rank is not stuck"),
    Pair("a rank's word arrives", "main would give the rank up", "main does not give it up"),
    Pair("listeners are told something", "a ping is due", "there is no ping; the next one is counted from here"),
    Pair("a rank dies", "its job ends", "the job is lost with its rank"),
    Pair("a rank dies", "a message reaches it", "nobody there receives it"),
    Pair("a message of one rank arrives", "main learns that another one died", "a job that failed stops a pool that "
         "fails fast before another one is tried again"),
    Pair("main learns that a rank died", "main learns the same of a higher rank", "jobs that run again keep an order"),
    Pair("a task of main cancels a job", "main learns what lets the job start", "the job is cancelled"),
    Pair("a task of main cancels a job", "main learns that it has ended", "that is too late, and the job succeeds"),
    Pair("a rank is paused", "its job ends", "the job ends when the rank goes on"),
    Pair("a rank becomes slower", "a job starts there", "the job takes longer"),
    Pair("a link becomes slower", "a message is sent over it", "the message takes longer"),
    Pair("Ctrl-C interrupts main", "a job ends", "the job is aborted"),
    Pair("a scheduler queues a job", "main learns that the last job has ended", "the pool runs that job too"),
    Pair("a job ends", "the jobs behind it have waited for too long", "they stay where they are"),
    Pair("jobs arrive at a rank", "it gives back what stands behind a long job", "it gives these back as well"),
)  # fmt: skip
