"""Several requests at once: waits and tests for all, any or some of them. A single request is in `requests`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self

from ..choices import Completed, Kind
from ..kernel import Kernel
from ..looks import Look
from ..mailbox import fits
from ..matches import number_of_ends
from .constants import ANY_SOURCE, ANY_TAG, UNDEFINED
from .status import Status, fill

#: Virtual nanoseconds that an unsuccessful test or probe takes, so that a loop of them gets somewhere.
POLL = 1000
#: After so many virtual nanoseconds of nothing but such tests, each takes a thousandth of the time since they began,
#: and at most ten milliseconds: a worker may compute for an hour, which would be billions of tests.
_LONG, _SHARE, _MOST = 100_000_000, 1000, 10_000_000


def poll(kernel: Kernel) -> None:
    """Let the virtual time of a test or probe that found nothing pass."""
    rank, now = kernel.task.rank, kernel.now
    if rank.polled_until != now:
        rank.polls_since = now
    waited = now - rank.polls_since
    kernel.park("its next test or probe", now + (POLL if waited < _LONG else min(waited // _SHARE, _MOST)))
    rank.polled_until = kernel.now


def polled(kernel: Kernel) -> None:
    """Note that a test or probe has found something: those that come wait for something else."""
    kernel.task.rank.polled_until = -1


def look(kernel: Kernel, call: str, enough: Callable[[], bool], requests: Sequence[Completable] = ()) -> bool:
    """Whether a test finds what it looks for. If not, virtual time passes, as `poll` says.

    :param enough: whether it is there.
    :param requests: the requests that it looks at; none: others complete what it looks at.
    """
    late = kernel.cluster.late
    if late is not None:
        known = bool(requests) and all(r.known for r in requests)
        return late_look(late, kernel, call, requests, lambda: [0] if enough() else [], known) is not None
    if enough():
        polled(kernel)
        return True
    poll(kernel)
    return False


def late_look(
    late: Any, kernel: Kernel, call: str, requests: Sequence[Any], found: Callable[[], Sequence[Any]], known: bool
) -> Any:
    """What a test finds if that is decided late; None: nothing, since it comes too early, or nothing is there.

    :param found: returns what it could find: requests by their places.
    :param known: whether its program knows that it finds something.
    """
    there = found()
    if known and len(there) == 1:
        return there[0]
    late.polled = late.polled or not requests or _by_others(requests)
    receives = [r for r in requests if not r.done and hasattr(r, "match")]

    def takes(place: Any, message: Any) -> bool:
        return any(fits(r, message) for r in receives)

    def why() -> str:
        return " and ".join(r.waits_for() for r in requests if not r.done)

    what = call, *map(late.looks.number, requests)
    return late.looks.find(Look(kernel, call, Kind.REQUEST, found, _completed, number_of_ends, what, takes, why), known)


class Completable(Protocol):
    """Interface of a request for the waits here."""

    done: bool
    over: bool
    known: bool
    number_of_look: int | None
    _kernel: Any
    _waiters: list[Any]
    also: Any

    def waits_for(self) -> str:
        """Return what it waits for, in words."""

    @property
    def _own(self) -> Self: ...
    def _conclude(self, status: Any) -> Any: ...
    def _peek(self, status: Any) -> None: ...


class ManyRequests:
    """The class methods for several requests, as mpi4py has them."""

    @classmethod
    def waitall(cls, requests: Sequence[Any], statuses: Any = None) -> list[Any]:
        """Wait until all are done; return what each received."""
        own = _own(requests)
        active = _active(own)
        if active:
            block(active[0]._kernel, active, all)
        return [r._conclude(s) for r, s in zip(own, _each(statuses, len(own)), strict=True)]

    @classmethod
    def waitany(cls, requests: Sequence[Any], status: Any = None) -> tuple[int, Any]:
        """Wait until one is done; return its index and what it received (UNDEFINED, None if all are over)."""
        own = _own(requests)
        active = _active(own)
        if not active:
            fill(status, ANY_SOURCE, ANY_TAG, 0)
            return UNDEFINED, None
        block(active[0]._kernel, active, any)
        done = _done(own)
        chooser, late = active[0]._kernel.chooser, active[0]._kernel.cluster.late
        if late is not None:
            i = late.one_done("waitany", lambda: _done(own), Completed, _by_others(own))
        elif chooser is not None:
            i = chooser.one_of(Kind.REQUEST, active[0]._kernel.task.rank.index, "waitany", done, Completed)
        else:
            i = done[0]
        return i, own[i]._conclude(status)

    @classmethod
    def waitsome(cls, requests: Sequence[Any], statuses: Any = None) -> tuple[list[int] | None, Any]:
        """Wait until at least one is done; return the indices of all that are, and what they received."""
        own = _own(requests)
        active = _active(own)
        if not active:
            return None, None
        block(active[0]._kernel, active, any)
        return _some(own, statuses)

    @classmethod
    def testall(cls, requests: Sequence[Any], statuses: Any = None) -> tuple[bool, list[Any] | None]:
        """Return whether all are done, and what each received then."""
        active = _active(_own(requests))
        if not active or look(active[0]._kernel, "testall", lambda: all(r.done for r in active), active):
            return True, cls.waitall(requests, statuses)
        return False, None

    @classmethod
    def testany(cls, requests: Sequence[Any], status: Any = None) -> tuple[int, bool, Any]:
        """Return the index of one that is done, whether there is one, and what it received."""
        own = _own(requests)
        active = _active(own)
        if active and active[0]._kernel.cluster.late is not None:
            kernel = active[0]._kernel
            i = late_look(kernel.cluster.late, kernel, "testany", own, lambda: _done(own), _any_known(own))
            return (UNDEFINED, False, None) if i is None else (i, True, own[i]._conclude(status))
        if active and not look(active[0]._kernel, "testany", lambda: any(r.done for r in active)):
            return UNDEFINED, False, None
        i, received = cls.waitany(requests, status)
        return i, True, received

    @classmethod
    def testsome(cls, requests: Sequence[Any], statuses: Any = None) -> tuple[list[int] | None, Any]:
        """Return the indices of all that are done, and what they received; None and None if all are over."""
        own = _own(requests)
        active = _active(own)
        if not active:
            return None, None
        kernel = active[0]._kernel
        if kernel.cluster.late is not None:
            found = late_look(kernel.cluster.late, kernel, "testsome", own, lambda: _sets(_done(own)), _any_known(own))
            return _concluded(own, found or (), statuses)
        if not look(kernel, "testsome", lambda: any(r.done for r in active)):
            return [], []
        return _some(own, statuses)

    @classmethod
    def get_status_any(cls, requests: Sequence[Any], status: Any = None) -> tuple[int, bool]:
        """Return the index of one that is done, and whether there is one, without ending it."""
        own = _own(requests)
        active = _active(own)
        if not active:
            fill(status, ANY_SOURCE, ANY_TAG, 0)
            return UNDEFINED, True
        if not look(active[0]._kernel, "get_status_any", lambda: bool(_done(own)), active):
            return UNDEFINED, False
        done = _known(own)
        own[done[0]]._peek(status)
        return done[0], True

    @classmethod
    def get_status_all(cls, requests: Sequence[Any], statuses: Any = None) -> bool:
        """Return whether all are done, without ending them."""
        own = _own(requests)
        active = _active(own)
        if active and not look(active[0]._kernel, "get_status_all", lambda: all(r.done for r in active), active):
            return False
        _known(own)
        for request, status in zip(own, _each(statuses, len(own)), strict=True):
            request._peek(status)
        return True

    @classmethod
    def get_status_some(cls, requests: Sequence[Any], statuses: Any = None) -> list[int] | None:
        """Return the indices of all that are done, without ending them; None if all are over."""
        own = _own(requests)
        active = _active(own)
        if not active:
            return None
        found = look(active[0]._kernel, "get_status_some", lambda: bool(_done(own)), active)
        done = _known(own) if found else []
        for i, status in zip(done, _each(statuses, len(done)), strict=True):
            own[i]._peek(status)
        return done

    @classmethod
    def Waitall(cls, requests: Sequence[Any], statuses: Any = None) -> bool:
        """`waitall` for buffers."""
        cls.waitall(requests, statuses)
        return True

    @classmethod
    def Waitany(cls, requests: Sequence[Any], status: Any = None) -> int:
        """`waitany` for buffers."""
        return cls.waitany(requests, status)[0]

    @classmethod
    def Waitsome(cls, requests: Sequence[Any], statuses: Any = None) -> list[int] | None:
        """`waitsome` for buffers."""
        return cls.waitsome(requests, statuses)[0]

    @classmethod
    def Testall(cls, requests: Sequence[Any], statuses: Any = None) -> bool:
        """`testall` for buffers."""
        return cls.testall(requests, statuses)[0]

    @classmethod
    def Testany(cls, requests: Sequence[Any], status: Any = None) -> tuple[int, bool]:
        """`testany` for buffers."""
        return cls.testany(requests, status)[:2]

    @classmethod
    def Testsome(cls, requests: Sequence[Any], statuses: Any = None) -> list[int] | None:
        """`testsome` for buffers."""
        return cls.testsome(requests, statuses)[0]

    Get_status_any = get_status_any
    Get_status_all = get_status_all
    Get_status_some = get_status_some


def _own(requests: Sequence[Any]) -> list[Any]:
    """The requests themselves, of which handles are given.

    :raises TypeError: something else is given.
    """
    for each in requests:
        if not isinstance(each, ManyRequests):
            raise TypeError(f"a request is an MPI.Request, not {each!r}")
    return [each._own for each in requests]


def _active(requests: Sequence[Completable]) -> list[Completable]:
    """Those that are under way, or done and nobody was told so."""
    return [r for r in requests if not r.over]


def _done(requests: Sequence[Completable]) -> list[int]:
    """The indices of the requests that are done, and of which nobody was told so."""
    return [i for i, r in enumerate(requests) if r.done and not r.over]


def _any_known(requests: Sequence[Completable]) -> bool:
    """Whether the program knows of one that it is done."""
    return any(r.known and r.done and not r.over for r in requests)


def _known(requests: Sequence[Completable]) -> list[int]:
    """The same, and whoever looks at them again finds them so."""
    done = _done(requests)
    for i in done:
        requests[i].known = True
    return done


def _some(requests: Sequence[Completable], statuses: Any) -> tuple[list[int], list[Any]]:
    indices = _done(requests)
    kernel = requests[indices[0]]._kernel
    if kernel.cluster.late is not None:
        late = kernel.cluster.late
        indices = [*late.one_done("waitsome", lambda: _sets(_done(requests)), _completed, _by_others(requests))]
    elif len(indices) > 1 and kernel.chooser is not None:
        # MPI ends one or more of those that are done: all of them, or any single one.
        one = kernel.chooser.one_of(
            Kind.REQUEST, kernel.task.rank.index, "waitsome", [None, *indices], Completed
        )  # fmt: skip
        indices = indices if one is None else [one]
    return _concluded(requests, indices, statuses)


def _concluded(requests: Sequence[Any], indices: Sequence[int], statuses: Any) -> tuple[list[int], list[Any]]:
    """End these of the requests."""
    pairs = zip(indices, _each(statuses, len(indices)), strict=True)
    return [*indices], [requests[i]._conclude(s) for i, s in pairs]


def _sets(done: Sequence[int]) -> list[tuple[int, ...]]:
    """What a call may end that ends one or more: all that are done, or any single one."""
    return [tuple(done), *((place,) for place in done if len(done) > 1)] if done else []


def _completed(places: int | tuple[int, ...]) -> Completed:
    if isinstance(places, int):
        return Completed(places)
    return Completed(places[0] if len(places) == 1 else None)


def _by_others(requests: Sequence[Completable]) -> bool:
    """Whether a request may be completed by anything but a message that arrives."""
    return any(not r.done and (not hasattr(r, "match") or r.also is not None) for r in requests)


def _each(statuses: Any, count: int) -> Sequence[Any]:
    """So many statuses, of those that were given; a list that is too short gets further ones."""
    if statuses is None:
        return [None] * count
    for each in statuses:
        if not hasattr(each, "Set_elements"):  # ours, or the real mpi4py's
            raise TypeError(f"a status is an MPI.Status, not {each!r}")
    if len(statuses) < count and isinstance(statuses, list):
        statuses += [Status() for _ in range(count - len(statuses))]
    return [*statuses[:count], *[None] * (count - len(statuses))]


def wait_for(request: Completable) -> None:
    """Wait until a request is done."""
    kernel = request._kernel
    task = kernel.task
    while not request.done:
        waiters = request._waiters
        waiters.append(task)
        kernel.park(request.waits_for)
        if task in waiters:
            waiters.remove(task)


def block(kernel: Kernel, requests: Sequence[Completable], enough: Callable[[Any], bool]) -> None:
    """Wait until enough of the requests are done: all, or any."""
    if enough(r.done for r in requests):
        return
    task = kernel.task
    why = requests[0].waits_for if len(requests) == 1 else functools.partial(_why, requests, enough)
    while not enough(r.done for r in requests):
        waiting = [r for r in requests if not r.done]
        for r in waiting:
            r._waiters.append(task)
        kernel.park(why)
        for r in waiting:
            if task in r._waiters:
                r._waiters.remove(task)


def _why(requests: Sequence[Completable], enough: Callable[[Any], bool]) -> str:
    texts = [r.waits_for() for r in requests if not r.done]
    more = [f"{len(texts) - 5} more"] if len(texts) > 5 else []
    return (" and " if enough is all else " or ").join(texts[:5] + more)
