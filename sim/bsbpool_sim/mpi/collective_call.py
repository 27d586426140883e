"""One collective call while ranks arrive at it: which ranks have arrived, which wait for which, and when it ends for
each.

The data that a rank contributes and receives is its `Part`; `collective_parts` defines the buffers of parts. `contexts`
finds the calls that belong together.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from ..cluster import Auditor, Cluster
from ..errors import CollectiveMismatchError
from ..kernel import Task
from . import signatures
from .requests import Request

#: Calls in which a rank waits for some of the others only, if MPI lets it: see `Part`.
_FOR_SOME = ("root", "gather", "lower")

#: Brought by a rank that others neither wait for nor get anything from.
NOTHING: Any = object()


class Sides(Protocol):
    """Interface of the memory that a rank gives to a call, or receives into: a buffer, or blocks of one."""

    @property
    def buffers(self) -> Sequence[Any]:
        """The buffers that it consists of."""


class Part:
    """One rank's part in a collective call: the same description for the blocking, non-blocking and persistent form.

    :param name: the method, as the program calls it.
    :param bring: reads the rank's buffers: what it brings, and how many bytes of that go to one rank or all.
    :param take: writes into the rank's buffers, once the call has ended for it; returns what the method returns.
    :param root: the rank that the call is about, by its number in the context; None: none, or this rank only stands
        beside the root, where two groups make the call.
    :param waits: who waits for whom: "all" for all, "root" the others for the root, "gather" the root for all that
        bring something, "lower" each rank for the lower ones, "some" for some of them, "nobody" for anyone.
    :param detail: what all ranks must say alike, besides name and root.
    """

    __slots__ = ("_reads", "_writes", "bring", "detail", "name", "root", "take", "waits")

    # Of a call between two groups, and of one with several names, only: most parts are made without.
    sources: Sequence[int] | None = None
    kind = ""

    def __init__(
        self,
        name: str,
        bring: Callable[[], tuple[Any, int]],
        take: Callable[[Collective], Any],
        waits: str = "all",
        root: int | None = None,
        detail: str = "",
    ):
        self.name = name
        self.bring = bring
        self.take = take
        self.waits = waits
        self.root = root
        self.detail = detail
        self._reads: Sides | None = None
        self._writes: Sides | None = None

    def having(self, reads: Sides | None, writes: Sides | None) -> Part:
        """Set the buffers of this part, and return it.

        :param reads: what the call reads; None: nothing. `writes`: what it writes.
        """
        self._reads, self._writes = reads, writes
        return self

    @property
    def given(self) -> list[tuple[Any, bool]]:
        """The buffers that the rank gives, each with whether the call writes into it."""
        reads, writes = self._reads, self._writes
        found = [] if reads is None or reads is writes else [(buffer, False) for buffer in reads.buffers]
        return found if writes is None else [*found, *[(buffer, True) for buffer in writes.buffers]]


class SpecialPart(Part):
    """A part with more conditions than most have.

    :param sources: those whom this rank waits for with "some", and those whom the root waits for with "gather" if it is
        not all ranks; by their numbers in the context.
    :param kind: what all ranks must call, where it has several names.
    """

    __slots__ = ("kind", "sources")

    def __init__(
        self,
        name: str,
        bring: Callable[[], tuple[Any, int]],
        take: Callable[[Collective], Any],
        waits: str = "all",
        root: int | None = None,
        detail: str = "",
        *,
        sources: Sequence[int] | None = None,
        kind: str = "",
    ):
        super().__init__(name, bring, take, waits, root, detail)
        self.sources = sources
        self.kind = kind


class Meeting(Protocol):
    """Interface of the ranks that make a call together, as `contexts.Context` implements it."""

    cluster: Cluster
    members: Sequence[int]
    between: bool

    def call_text(self, numbers: Iterable[int], call: str) -> str:
        """Return which ranks have not made a call, and what became of them."""


class Collective:
    """One collective call.

    :param part: that of the rank that came first.
    :param first: this rank.
    :param start: whether it is the start of a persistent one.
    :ivar payloads: what each rank brought; `from_root`: what the root did, where others wait for it.
    :ivar result: for what is computed once for all ranks.
    :ivar arrived: how many ranks have come.
    """

    def __init__(self, context: Meeting, part: Part, first: int, start: bool = False):
        self.name = part.name
        self.kind = part.kind or part.name
        self.root = part.root
        self.detail = part.detail
        self.first = first
        self.payloads: dict[int, Any] = {}
        self.from_root: Any = None
        self.result: Any = None
        self.arrived = 0
        #: the datatype that the ranks give which have come, for who compares it.
        self._type: Any = None
        self._start = start
        self._context = context
        self._waits = part.waits
        #: where nothing is buffered, those who have come: all wait for all, as MPI allows.
        self._here: set[int] | None = None
        if part.waits in _FOR_SOME and context.cluster.eager_limit == 0:
            self._waits, self._here = "all", set()
        self._expected = part.sources if part.waits == "gather" and part.sources is not None else None
        self._size = 0
        self._ready: int | None = None
        self._prefix: list[int] = []
        #: when what each rank brought has come to its neighbours, and who waits for it.
        self._ends: dict[int, int] = {}
        self._wanted: dict[int, list[int]] = {}
        self._sources: dict[int, Sequence[int]] = {}
        self._waiting: dict[int, Task | Request] = {}

    def begun(self) -> str:
        """Return where the rank that came first began the call, in words that end a sentence; "" if it waits there, or
        that is not known."""
        request = self._waiting.get(self.first)
        line = getattr(request, "line", None)
        if line is None:
            return ""
        return f"; rank {self._context.members[self.first]} began {self.name} at {line[0]}:{line[1]}"

    def text(self) -> str:
        """Return the call as a program would write it."""
        text = call_text(self._context, self.name, self.root, self.detail)
        return f"Start() of {text}" if self._start else text

    def arrive(self, rank: int, part: Part, payload: Any, size: int) -> None:
        """Note that `rank` arrives and brings `payload`, which has `size` bytes on the wire."""
        cluster = self._context.cluster
        if cluster.races is not None:
            cluster.races.arrived(self, cluster.kernel.task.rank.index)
        if cluster.audit is not None and (given := part.given):
            self._compare_types(cluster.audit, given)
        if cluster.observed is not None:
            cluster.observed.gave(cluster.kernel.task.rank.index, payload, call=self.kind)
        if cluster.late is not None:
            cluster.late.looks.happened(cluster.kernel.task.rank.index)
        self.arrived += 1
        if payload is not NOTHING:
            self.payloads[rank] = payload
        if size > self._size:
            self._size = size
        waits = self._waits
        if waits == "all":
            if self._here is not None:
                self._here.add(rank)
                self._note_root(rank, part, payload)
            if self.arrived == len(self._context.members):
                self._release()
        elif waits == "root":
            self._note_root(rank, part, payload)
            if rank == part.root:
                self._release()
        elif waits == "gather":
            self._note_root(rank, part, payload)
            if len(self.payloads) == len(self._expected or self._context.members):
                self._release()
        elif waits == "lower":
            while (r := len(self._prefix)) in self.payloads:
                self._prefix.append(self._end())
                self._let_go(r)
        elif waits == "some":
            self._sources[rank] = part.sources or ()
            self._ends[rank] = self._context.cluster.kernel.now + self._context.cluster.network.takes(size)
            for r in self._wanted.pop(rank, ()):
                if self.ends(r) is not None:
                    self._let_go(r)

    def _note_root(self, rank: int, part: Part, payload: Any) -> None:
        if part.root is not None:
            self.root = part.root
            if rank == part.root:
                self.from_root = payload

    def _compare_types(self, audit: Auditor, given: Sequence[tuple[Any, bool]]) -> None:
        """See that all buffers of a call have items of one type."""
        for buffer, _ in given:
            type = buffer.type.definition
            if not buffer.size or "alltoallw" in self.name.lower():
                continue
            if self._type is None:
                self._type = type
            elif not signatures.matches(self._type, type, max(self._type.map.size, type.map.size)):
                right = f"others give it {signatures.text(self._type)}; all ranks have to give the same type"
                audit.mismatched(f"gives {signatures.text(type)} to {self.name}", right)
                return

    def _release(self) -> None:
        self._ready = self._end()
        waiting, self._waiting = self._waiting, {}
        kernel = self._context.cluster.kernel
        for each in waiting.values():
            if isinstance(each, Task):
                kernel.wake(each)
            else:
                kernel.at(self._ready, each.complete, None)

    def _let_go(self, rank: int) -> None:
        each = self._waiting.pop(rank, None)
        end = self.ends(rank)
        if each is None or end is None:
            return
        kernel = self._context.cluster.kernel
        if isinstance(each, Task):
            kernel.wake(each)
        else:
            kernel.at(end, each.complete, None)

    def _end(self) -> int:
        """When a call ends whose last rank comes now: after as many hops as a binary tree has levels."""
        cluster = self._context.cluster
        hops = (len(self._context.members) - 1).bit_length()
        return cluster.kernel.now + (cluster.network.takes(self._size) * hops if hops else 0)

    def ends(self, rank: int) -> int | None:
        """Return when the call ends for `rank`, which waits for others; None if these have not all arrived."""
        if self._waits == "lower":
            return self._prefix[rank] if rank < len(self._prefix) else None
        if self._waits == "some":
            latest = 0
            for source in self._sources[rank]:
                end = self._ends.get(source)
                if end is None:
                    self._wanted.setdefault(source, []).append(rank)
                    return None
                latest = max(latest, end)
            return latest
        return self._ready

    def needs_nobody(self, rank: int, part: Part) -> bool:
        """Return whether `rank` waits for nobody."""
        waits = self._waits
        if waits == "root":
            return part.root in (None, rank)
        if waits == "gather":
            return rank != part.root
        return waits == "nobody"

    def wait(self, rank: int, part: Part) -> None:
        """Let the task of `rank` wait until the call ends for it."""
        waits = self._waits
        if waits == "root":
            root = part.root
            if root is None or rank == root:
                return
        elif waits != "all" and self.needs_nobody(rank, part):
            return
        kernel = self._context.cluster.kernel
        while (end := self.ends(rank)) is None:
            self._waiting[rank] = kernel.task
            kernel.park(functools.partial(self.waits_for, rank))
        while kernel.now < end:
            kernel.park(self._travels, end)
        if self._context.cluster.races is not None:
            self._context.cluster.races.left(self, kernel.task.rank.index)

    def complete(self, rank: int, part: Part, request: Request) -> None:
        """Complete `request` when the call ends for `rank`."""
        kernel = self._context.cluster.kernel
        if self.needs_nobody(rank, part):
            request.complete()
        elif (end := self.ends(rank)) is None:
            self._waiting[rank] = request
        else:
            kernel.at(max(end, kernel.now), request.complete, None)

    def came(self, rank: int) -> bool:
        """Return whether all ranks have arrived for which `rank` waits."""
        return not self._missing(rank)

    def _missing(self, rank: int) -> list[int]:
        if self._waits == "root":
            return [] if self.root in self.payloads or self.root is None else [self.root]
        wanted: Sequence[int] = range(len(self._context.members))
        if self._here is not None:
            return [r for r in wanted if r not in self._here]
        if self._waits == "lower":
            wanted = range(rank)
        elif self._waits == "some":
            wanted = sorted(set(self._sources[rank]))
        elif self._expected is not None:
            wanted = self._expected
        return [r for r in wanted if r not in self.payloads]

    def waits_for(self, rank: int) -> str:
        """Return for whom `rank` waits, in words."""
        missing = self._missing(rank)
        return self._context.call_text(missing, self.text()) if missing else self._travels()

    def _travels(self) -> str:
        return f"the end of {self.text()}"


def call_text(meeting: Meeting, name: str, root: int | None, detail: str) -> str:
    """Return a call as a program would write it."""
    arguments = []
    if root is not None:
        arguments = [f"root=rank {meeting.members[root]}" if meeting.between else f"root={root}"]
    return f"{name}({', '.join([*arguments, detail] if detail else arguments)})"


def see_alike(call: str, given: Mapping[int, Any], kind: str, text: Callable[[Any], str] = str) -> None:
    """See that all ranks gave the same to a call.

    :param given: what each gave, by its number in the communicator.
    :param kind: the name of the error's class.
    :param text: says what a rank gave, as a program would write it.
    :raises CollectiveMismatchError: two gave different things.
    """
    first = min(given)
    for rank in sorted(given):
        if given[rank] != given[first]:
            what = f"rank {first} gives {text(given[first])}, and rank {rank} {text(given[rank])}"
            raise CollectiveMismatchError(f"{call}: {what}: all ranks have to give the same", kind)


def nothing() -> tuple[Any, int]:
    """Return what a rank brings to a call that gives nothing."""
    return NOTHING, 0


def present() -> tuple[Any, int]:
    """Return what a rank brings to a call in which it only says that it has arrived."""
    return None, 0


def none(call: Collective) -> None:
    """Return what a rank takes from a call that gives it nothing."""
