"""Depth-first search of all orders of events of the same instant of virtual time: the schedules of programs with job
pools.

An event of the kernel concerns a rank: a message arrives there, or a task of it continues. Events of different ranks
are independent, so only orders are tried that differ on some rank: dynamic partial-order reduction with sleep sets, as
in `exhaustive`, for events instead of matches. There are two differences. At one instant an earlier turn goes before a
later one (`bsbpool_sim.same_instant`), so an event can delay another one through the events that it causes. And
messages of one link arrive in order, so only the first of them is an alternative. All other choices, such as whether a
fault occurs, are tried one by one.

Running a schedule belongs in `schedules`; findings belong in `findings`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from ..choices import Choice, Kind
from ..chooser import KernelEvent
from ..cluster import Cluster
from ..event_protocols import Happening
from ..kernel import Rank, Runs
from .exhaustive import NotRepeatedError, Plain, Redundant, next_branch

#: What an event is while it waits for its turn: the same in each order in which it comes.
EventName = tuple[Any, ...]


class _Instant:
    """A place at which one of the events of one instant and turn goes first.

    :param enabled: the ranks that each of them touches, as bits, in the order in which they were scheduled.
    :param asleep: those that lead to nothing new.
    """

    def __init__(self, enabled: dict[EventName, int], asleep: dict[EventName, int], reduced: bool):
        self.enabled = enabled
        self.asleep = asleep
        self.done: set[EventName] = set()
        #: the ranks that each of those touches which were tried, with what it brings about at once.
        self.touched: dict[EventName, int] = {}
        awake = [name for name in enabled if name not in asleep]
        self.wanted = awake[:1] if reduced else awake
        self.now: EventName | None = awake[0] if awake else None

    def want(self, name: EventName) -> None:
        if name not in self.wanted and name not in self.asleep:
            self.wanted.append(name)

    def advance(self) -> bool:
        """Go on to the next event that is to be tried first. Returns whether there is one."""
        if self.now is not None:
            self.done.add(self.now)
        self.now = next((name for name in self.wanted if name not in self.done), None)
        return self.now is not None

    def share(self) -> tuple[float, float]:
        """The share of what is below this that was gone through before, and the share of what is gone through now."""
        return len(self.done) / len(self.wanted), 1 / len(self.wanted)


class _Happened(NamedTuple):
    """An event of the run that is being made.

    :ivar time: when.
    :ivar turn: in which turn.
    :ivar parent: the number of the event in which it was scheduled; -1: none.
    :ivar place: where in the stack it was chosen; -1: nowhere.
    :ivar name: what it is.
    """

    time: int
    turn: int
    parent: int
    place: int
    name: EventName


class Instants:
    """The strategy that goes through all orders of events; `advance` goes on to the next schedule.

    :param reduced: whether orders are left out that differ on no rank; else all are tried.
    :param alike: ranks that do the same until others hear of them: which of these is heard first is not tried, it is
        the lowest.
    """

    #: a search through matches notes it where what it goes through depends on time; here all does.
    accessed = False
    withheld = spun = limited = looked = hurried = False

    def __init__(self, reduced: bool = True, alike: Collection[int] = ()):
        self.reduced = reduced
        self._alike = sorted(alike) if reduced else []
        #: whether ranks access each other's memory: then events of different ranks are not independent.
        self.ordered = False
        self.timed: dict[Kind, None] = {}
        self._stack: list[Plain | _Instant] = []
        self._depth = 0

    # -- one schedule ------------------------------------------------------------------------------

    def install(self, cluster: Cluster) -> None:
        """A schedule begins on this cluster."""
        kernel = cluster.kernel
        self._cluster, self._kernel = cluster, kernel
        self._depth = 0
        self._every = (1 << len(kernel.ranks)) - 1
        self._happened: list[_Happened] = []
        self._touches: list[int] = []
        self._begun: list[int] = []
        self._tasks: dict[Runs, EventName] = {}
        self._of_name: dict[tuple[int, str], int] = {}
        self._pools: dict[Any, int] = {}
        self._asleep: dict[EventName, int] = {}
        self._unheard = [*self._alike]
        self._index = 0
        kernel.on_death.append(self._died)
        assert kernel.events is not None
        kernel.events.observer = self

    def _died(self, rank: Rank) -> None:
        if self._touches:
            self._touches[-1] |= 1 << rank.index
        self._hear(rank.index)

    def _hear(self, rank: int) -> None:
        if rank in self._unheard:
            self._unheard.remove(rank)

    def pick(self, choice: Choice) -> int:
        """Pick what the schedule that is being made has there."""
        if choice.kind is Kind.EVENT:
            return self._index
        if choice.kind is Kind.FAULT and choice.who in self._unheard[1:]:
            return 0  # it strikes the first of those that are alike
        depth, self._depth = self._depth, self._depth + 1
        if depth == len(self._stack):
            self._stack.append(Plain(choice.kind, choice.count))
        node = self._stack[depth]
        if not isinstance(node, Plain) or not node.same(choice.kind, choice.count):
            # Where a task of the program asks, it is never resumed.
            self._kernel.fail(error := NotRepeatedError(f"{choice} in place of another"))
            raise error
        return node.now

    def _wake(self) -> None:
        """What sleeps wakes up where the event that went last touches what it touches."""
        if self._asleep and self._touches:
            went = self._touches[-1]
            self._asleep = {name: touched for name, touched in self._asleep.items() if not touched & went}

    def among(self, when: int, turn: int, events: Sequence[KernelEvent]) -> None:
        """One of these events goes next; `pick` is asked for its index."""
        self._wake()
        names: dict[EventName, int] = {}
        touches: dict[EventName, int] = {}
        lowest: dict[int, int] = {}
        links = [*map(_link, events)]
        unheard = self._unheard
        if unheard:
            for link in links:
                if link is not None and link[1] in unheard:
                    lowest[link[0]] = min(lowest.get(link[0], link[1]), link[1])
        for index, event in enumerate(events):
            ranks = self._ranks(event)
            if not ranks:  # nothing comes of it: out of the way
                self._index, self._next = index, ()
                self._place = -1
                return
            link = links[index]
            if unheard and link is not None and link[1] in unheard and link[1] != lowest[link[0]]:
                continue
            name = link or self._name(event)
            if name not in names:
                names[name], touches[name] = index, ranks
        if len(names) == 1:
            self._index, self._place = 0, -1
            self._next = next(iter(names))
            return
        depth, self._depth = self._depth, self._depth + 1
        if depth == len(self._stack):
            self._stack.append(_Instant(touches, dict(self._asleep), self.reduced))
        node = self._stack[depth]
        if not isinstance(node, _Instant) or node.enabled != touches:
            raise NotRepeatedError(f"other events to choose from, at place {depth} of the schedule")
        if node.now is None:
            self._stack.pop()
            raise Redundant
        if self.reduced:
            self._asleep = {**node.asleep, **{name: node.touched[name] for name in node.done}}
        self._index, self._place, self._next = names[node.now], depth, node.now

    def goes(self, event: KernelEvent, turn: int, alone: bool) -> None:
        """An event goes now."""
        if alone:
            self._wake()
            self._place, self._next = -1, self._name(event)
        if self._unheard and (link := _link(event)) is not None:
            self._hear(link[1])
        name = self._next
        if name and name in self._asleep:
            raise Redundant
        parent = bisect_left(self._begun, event[2]) - 1
        self._happened.append(_Happened(event[0], turn, parent, self._place, name))
        self._touches.append(self._ranks(event))
        self._begun.append(self._kernel.sequence)

    def _ranks(self, event: KernelEvent) -> int:
        """The ranks that it touches, as bits; 0: nothing comes of it."""
        argument = event[4]
        if isinstance(argument, Runs):
            return 0 if self._kernel.is_idle(event) else 1 << argument.rank.index
        owner = getattr(event[3], "__self__", None)
        if isinstance(owner, Happening):
            happens = owner.happening(argument)
            if happens.idle:
                return 0
            if happens.rank is not None:
                return 1 << happens.rank
        if isinstance(argument, tuple) and argument and isinstance(argument[0], Rank):
            return 1 << argument[0].index
        return self._every

    def _name(self, event: KernelEvent) -> EventName:
        argument = event[4]
        if isinstance(argument, Runs):
            name = self._tasks.get(argument)
            if name is None:
                key = argument.rank.index, argument.name
                number = self._of_name[key] = self._of_name.get(key, 0) + 1
                name = self._tasks[argument] = (*key, number)
            return (*name, event[3] is None)
        return _link(event) or ("event", event[2])

    # -- between schedules -------------------------------------------------------------------------

    def advance(self) -> bool:
        """Go on to the next schedule. Returns whether there is one.

        :raises NotRepeatedError: the last one did not have the choices that were to be repeated.
        """
        if self._depth < len(self._stack):
            raise NotRepeatedError(f"no choice any more at place {self._depth} of the schedule")
        self.ordered = self.ordered or self._cluster.shares_memory
        if self.reduced:
            self._note_touched()
            self._look_for_races()
        return next_branch(self._stack)

    def _note_touched(self) -> None:
        """An event goes together with what it brings about in earlier turns, which goes right after it."""
        happened, touches = self._happened, self._touches
        for number, event in enumerate(happened):
            if event.place < 0:
                continue
            node = self._stack[event.place] if event.place < len(self._stack) else None
            if not isinstance(node, _Instant):
                continue
            ranks = touches[number]
            for after in range(number + 1, len(happened)):
                if happened[after].time != event.time or happened[after].turn >= event.turn:
                    break
                ranks |= touches[after]
            node.touched[event.name] = node.touched.get(event.name, 0) | ranks

    def _look_for_races(self) -> None:
        """Where an event could have gone before another one that touches the same rank: let it go first there."""
        happened, touches = self._happened, self._touches
        size = self._every.bit_length()
        # By event: of each rank, the last event that comes before it in any order, or is it.
        before: list[list[int]] = []
        last = [-1] * size
        none = [-1] * size
        for number, event in enumerate(happened):
            caused = before[event.parent] if event.parent >= 0 else none
            ranks = [rank for rank in range(size) if touches[number] >> rank & 1]
            for rank in ranks:
                other = last[rank]
                if other > caused[rank] and happened[other].time == event.time:
                    past = caused
                    if len(ranks) > 1:
                        past = caused[:]
                        for each in ranks:
                            if last[each] >= 0 and last[each] != other:
                                past = [*map(max, past, before[last[each]])]
                    if past[rank] < other:
                        self._turn_round(other, number, past, before)
            mine = caused[:]
            for rank in ranks:
                if last[rank] >= 0:
                    mine = [*map(max, mine, before[last[rank]])]
            for rank in ranks:
                mine[rank] = last[rank] = number
            before.append(mine)

    def _turn_round(self, first: int, then: int, past: Sequence[int], before: Sequence[Sequence[int]]) -> None:
        """Let event `then` go before event `first`, or before what has brought that about.

        :param past: of each rank, the last event that comes before `then` in any order.
        """
        happened, touches = self._happened, self._touches
        at = first
        while at >= 0 and happened[at].time == happened[then].time:
            if touches[at] and past[_lowest(touches[at])] >= at:
                return  # it comes before it in any order
            node = self._stack[place] if (place := happened[at].place) >= 0 and place < len(self._stack) else None
            if isinstance(node, _Instant):
                goes = next(
                    number
                    for number in range(at + 1, then + 1)
                    if number == then or (touches[number] and past[_lowest(touches[number])] >= number)
                )
                if happened[goes].name in node.enabled and happened[goes].name != happened[at].name:
                    node.want(happened[goes].name)
                    return
            at = happened[at].parent

    def share(self) -> float:
        """The share of all schedules that was gone through, by estimate, as `exhaustive` makes it."""
        done, weight = 0.0, 1.0
        for node in self._stack:
            before, now = node.share()
            done += weight * before
            weight *= now
        return done


def _link(event: KernelEvent) -> EventName | None:
    """The link on which an event is the arrival of a message: first the rank of its receiver, then of its sender."""
    owner = getattr(event[3], "__self__", None)
    return owner.key() if isinstance(owner, Happening) and event[4] is None else None


def _lowest(ranks: int) -> int:
    return (ranks & -ranks).bit_length() - 1
