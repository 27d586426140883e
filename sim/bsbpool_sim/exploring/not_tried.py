"""What going through all schedules does not try, although it may make a difference: in words."""

from __future__ import annotations

from typing import Protocol

from ..choices import Kind
from ..late_turns import LOOKS

_BY_KIND = {
    Kind.REQUEST: "which request Waitany and its like end was chosen among those that were done at that time",
    Kind.MESSAGE: "a receive of a job pool took what had arrived at its time",
    Kind.EVENT: "events were ordered within an instant of virtual time: other durations may have other orders",
}
_ACCESSES = "ranks used the same memory, or one file, in the order of virtual time: other orders were not tried"
_LOOKS = (
    f"who found nothing changed at a window {LOOKS} times let others go first: that it looks more often was not tried"
)
_POLLS = f"who tests or probes without waiting found what was there after {LOOKS} times in vain: more were not tried"
_HURRIED = "nobody waited for who sleeps again and again: that others go on only after that was not tried"
_THREADS = "ranks have threads, which were run in one order: others, as of who gets a lock, were not tried"


class Search(Protocol):
    """A search that has gone through schedules.

    :ivar timed: kinds of choices whose alternatives depend on virtual time.
    :ivar accessed: whether ranks have used the same memory, or one file.
    :ivar looked: whether who tests or probes, and counts it, was given what is there in the end.
    :ivar hurried: whether nobody waited for one who sleeps again and again.
    :ivar threaded: whether ranks had threads.
    :ivar withheld: whether a rank that found nothing changed at a window let others go on.
    """

    timed: dict[Kind, None]
    accessed: bool
    looked: bool
    hurried: bool
    threaded: bool
    withheld: bool


def limits_of(search: Search, late: bool) -> tuple[str, ...]:
    """Return what was not tried, one sentence each.

    :param late: whether receives from any rank were matched late.
    """
    if not late:
        return (_BY_KIND[Kind.EVENT],)
    seen = {
        _ACCESSES: search.accessed, _LOOKS: search.withheld, _POLLS: search.looked, _HURRIED: search.hurried,
        _THREADS: search.threaded,
    }  # fmt: skip
    return (*(_BY_KIND[kind] for kind in search.timed if kind in _BY_KIND), *(text for text in seen if seen[text]))
