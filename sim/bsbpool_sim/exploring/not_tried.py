"""The orders that the exhaustive strategy did not try, although they may make a difference, as text."""

from __future__ import annotations

from typing import Protocol

from ..choices import Kind
from ..late_turns import LOOKS
from ..thread_turns import MOST_SPINS

_BY_KIND = {
    Kind.REQUEST: "Waitany and its like chose among the requests that were complete at that time",
    Kind.MESSAGE: "a receive of a job pool took a message that had arrived at its time",
    Kind.EVENT: "events were ordered within an instant of virtual time: other durations may have other orders",
}
_ACCESSES = "ranks used the same memory, or one file, in the order of virtual time: other orders were not tried"
_LOOKS = (
    f"a rank that found a window unchanged {LOOKS} times let others continue: that it looks more often was not tried"
)
_POLLS = f"a test or probe that came {LOOKS} times in vain found what was there: more attempts were not tried"
_HURRIED = "other ranks did not wait for a rank or thread that sleeps in a loop: that they do was not tried"
_SPINS = f"a thread that had {MOST_SPINS} turns in a row let others continue: that it takes more was not tried"
_LIMITS = "a wait of a thread ended by its timeout only where nothing else could continue: earlier was not tried"


#: Where the horizon came before somebody who could go on.
TOO_LATE = "schedules were given up in which ranks slept until the horizon while others could go on: how these end"
#: Where somebody goes by memory that MPI has not written yet, and it was not found out by which.
EARLY_READS = "which memory is read before MPI has written it, since some is: the time for that was over"
#: Where making findings small took too long.
FEWER_CHOICES = "whether findings need fewer choices, and how other runs differ: the time for that was over"


class Search(Protocol):
    """A search that has gone through schedules.

    :ivar timed: kinds of choices whose alternatives depend on virtual time.
    :ivar accessed: whether ranks have used the same memory, or one file.
    :ivar looked: whether a test or probe found what was there because it had come in vain too often.
    :ivar hurried: whether other ranks did not wait for a rank or thread that sleeps in a loop.
    :ivar spun: whether a thread that had many turns in a row let others continue.
    :ivar limited: whether a thread waited with a timeout.
    :ivar withheld: whether a rank that found nothing changed at a window let others go on.
    """

    timed: dict[Kind, None]
    accessed: bool
    looked: bool
    hurried: bool
    spun: bool
    limited: bool
    withheld: bool


def limits_of(search: Search, late: bool) -> tuple[str, ...]:
    """Return what was not tried, one sentence each.

    :param late: whether receives from any rank were matched late.
    """
    if not late:
        return (_BY_KIND[Kind.EVENT],)
    seen = {
        _ACCESSES: search.accessed, _LOOKS: search.withheld, _POLLS: search.looked, _HURRIED: search.hurried,
        _SPINS: search.spun, _LIMITS: search.limited,
    }  # fmt: skip
    return (*(_BY_KIND[kind] for kind in search.timed if kind in _BY_KIND), *(text for text in seen if seen[text]))
