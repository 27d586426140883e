"""Depth-first search of all schedules, each once, over the matches of receives from any rank.

A step is one match that was decided late, or one turn at a window (`bsbpool_sim.matches`). Steps of different ranks are
independent: their order does not change the state that is reached, because neither takes a message that the other could
have taken. A window's memory, and its lock, are treated like a rank that receives requests from any rank. So orders of
ranks are tried only where one step leads to a message that a receive of the other could have taken: dynamic
partial-order reduction (Flanagan and Godefroid, POPL 2005) with source sets (Abdulla, Aronis, Jonsson and Sagonas, POPL
2014), and sleep sets (Godefroid, 1996), which leave out states that were already reached. All other choices, such as
which rank gets a lock, are tried one by one.

Running a schedule belongs in `schedules`; findings belong in `findings`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from ..choices import Choice, Kind
from ..cluster import Cluster
from ..late_turns import LateTurns
from ..looks import Look
from ..matches import LateMatching, Ready
from .alike import AlikeRanks

#: What a receive may take: the number of the receive at its rank, and the rank whose message it is.
Taken = tuple[int, int]
#: A step: the rank that receives, and what.
RankStep = tuple[int, Taken]
#: What is there to choose from: a rank, the number of its receive, and the ranks whose messages that may take.
Offered = tuple[int, int, tuple[int, ...]]


class Redundant(BaseException):
    """This schedule reaches only states that were reached before; it is abandoned."""


class NotRepeatedError(Exception):
    """The alternatives of a choice differ from those of an earlier run: the program is not deterministic."""


class Plain:
    """A choice without further information: all of its alternatives are tried."""

    def __init__(self, kind: Kind, count: int):
        self.kind = kind
        self.count = count
        self.now = 0

    def advance(self) -> bool:
        """Go on to the next alternative. Returns whether there is one."""
        self.now += 1
        return self.now < self.count

    def share(self) -> tuple[float, float]:
        """The share of what is below this that was gone through before, and the share of what is gone through now."""
        return self.now / self.count, 1 / self.count

    def same(self, kind: Kind, count: int) -> bool:
        """Whether a choice is the one that was made here before."""
        return kind is self.kind and count == self.count


def _repeated() -> None:
    """Somebody has looked in vain, and is where it was: what comes is what comes if it finds what is there."""
    raise Redundant


class Branching(Protocol):
    """Interface of a choice in the search: a `Plain` one, or a step."""

    def advance(self) -> bool:
        """Go on to the next alternative. Return whether there is one."""


B = TypeVar("B", bound=Branching)


def next_branch(stack: list[B]) -> bool:
    """Go on to the next schedule: the last choice with another alternative takes that; those after it are dropped.

    :param stack: the choices of the last schedule, in order.
    :returns: whether there is another schedule.
    """
    while stack:
        if stack[-1].advance():
            return True
        stack.pop()
    return False


class _Step:
    """A step of the search, at which one of several receives is matched.

    :param offered: what there was to choose from.
    :param ready: what each rank may take of it, by rank.
    :param sleep: steps that lead to nothing new.
    :param apart: steps for which it does not matter when others of that rank are taken.
    :param reduced: whether ranks are tried in another order only where that was seen to matter.
    :param left_out: steps that lead to what another one here leads to, with other names of ranks.
    """

    def __init__(
        self, offered: list[Offered], ready: dict[int, list[Taken]], sleep: frozenset[RankStep],
        apart: Sequence[RankStep], reduced: bool, left_out: frozenset[RankStep],
    ):  # fmt: skip
        self.offered = offered
        self.ready = ready
        self.sleep = sleep
        self.left_out = left_out
        #: what of it is tried, by rank: a step that has nothing to do with the others is enough.
        self.tries = ready
        if apart:
            self.tries = {**ready, **{rank: [each] for rank, each in reversed(apart) if (rank, each) not in sleep}}
        self.done: set[RankStep] = set()
        self.ranks: list[int] = []
        self.now: RankStep | None = None
        if not reduced:
            self.ranks += ready
        else:
            none = sleep | left_out if left_out else sleep
            first = next((rank for rank in ready if not none.issuperset([(rank, each) for each in ready[rank]])), None)
            if first is not None:
                self.ranks.append(first)
        self.advance()

    def advance(self) -> bool:
        """Go on to the next step that is to be tried. Returns whether there is one."""
        if self.now is not None:
            self.done.add(self.now)
        for rank in self.ranks:
            for each in self.tries[rank]:
                step = rank, each
                if step not in self.done and step not in self.sleep and step not in self.left_out:
                    self.now = step
                    return True
        self.now = None
        return False

    def let_go_first(self, rank: int) -> None:
        """Try all steps of a rank here, if there are some."""
        if rank in self.ready:
            self.tries = {**self.tries, rank: self.ready[rank]}
            if rank not in self.ranks:
                self.ranks.append(rank)

    def share(self) -> tuple[float, float]:
        """The share of what is below this that was gone through before, and the share of what is gone through now."""
        none = self.sleep | self.left_out
        total = sum((rank, each) not in none for rank in self.ranks for each in self.tries[rank])
        return len(self.done) / total, 1 / total

    def asleep(self) -> frozenset[RankStep]:
        """The steps that lead to nothing new after the one that is taken now: those of other ranks."""
        assert self.now is not None
        rank = self.now[0]
        return frozenset([step for step in (*self.sleep, *self.done) if step[0] != rank])


def _apart(ready: Sequence[Ready]) -> list[RankStep]:
    """The turns that have nothing to do with all others that are there."""
    return [
        (one.rank, (one.number, asked.source))
        for one in ready
        if isinstance(one.place, LateTurns)
        for asked in one.messages
        if not one.place.matters(asked)
    ]


class _Taken(NamedTuple):
    """A step of the current run.

    :ivar place: where it is in the stack.
    :ivar waiting: the receives of its rank that it could have matched, if only a message had been there: where each
        waits, what it is, and its number. Of a turn: where it is, who had it, and its number.
    :ivar ends: whether a call of its rank waits that ends one of some requests: any message may complete another.
    :ivar looks: the tests and probes of its rank that could have found something else.
    :ivar causes: the steps that come before it in any order, as bits.
    """

    place: int
    rank: int
    waiting: Sequence[tuple[Any, Any, int]]
    ends: bool
    looks: Sequence[Look]
    causes: int


class Exhaustive:
    """Strategy that enumerates all schedules; `advance` moves to the next one.

    :param reduced: whether steps of different ranks count as independent; else all orders are tried.
    :param alike: which ranks do the same, and what they have done; only if it is reduced.
    :ivar ordered: whether a schedule was seen in which they are not.
    """

    def __init__(self, reduced: bool = True, alike: AlikeRanks | None = None):
        self.reduced = reduced
        self._alike = alike if reduced else None
        self.ordered = False
        #: whether ranks have read and written the same memory or file: in which order they did is no choice.
        self.accessed = False
        #: whether ranks looked in a loop whether something was changed: how many times is no choice.
        self.withheld = False
        #: whether somebody who tests or probes, and counts it, was given what was there; and whether nobody waited for
        #: one who sleeps again and again.
        self.looked = self.hurried = False
        #: whether a thread that had turn after turn let others go first; and whether one waited with a limit of time.
        self.spun = self.limited = False
        #: kinds of choices whose alternatives depend on virtual time: other times would offer others.
        self.timed: dict[Kind, None] = {}
        self._stack: list[Plain | _Step] = []
        self._depth = 0
        self._late: LateMatching | None = None
        self._answers: dict[Kind, int] = {}
        self._steps: list[_Taken] = []
        self._branched = False
        self._last_of: dict[int, int] = {}
        #: by place of turns: the number of the step of each, from 1, and who had it.
        self._turns_of: dict[int, list[tuple[int, Any]]] = {}
        self._last_step: _Step | None = None

    # -- one schedule ------------------------------------------------------------------------------

    def install(self, cluster: Cluster) -> None:
        """A schedule begins on this cluster."""
        self._depth = 0
        self._steps, self._last_of, self._turns_of, self._last_step, self._branched = [], {}, {}, None, False
        self._cluster = cluster
        self._fail = cluster.kernel.fail
        self._late = cluster.late
        if self._alike is not None:
            self._alike.begin(cluster)
        if self._late is not None:
            self._late.on_step, self._late.on_repeat = self._on_step, _repeated
            if self.reduced:
                self._late.sent = []

    def pick(self, choice: Choice) -> int:
        """Pick what the schedule that is being made has there."""
        if self._answers and (answer := self._answers.pop(choice.kind, None)) is not None:
            return answer
        if self._late is not None and choice.kind is not Kind.FAULT:
            self.timed[choice.kind] = None
        depth, self._depth = self._depth, self._depth + 1
        if depth == len(self._stack):
            self._stack.append(Plain(choice.kind, choice.count))
        node = self._stack[depth]
        if not isinstance(node, Plain) or not node.same(choice.kind, choice.count):
            # Where a task of the program asks, it is never resumed.
            self._fail(error := NotRepeatedError(f"{choice} in place of another"))
            raise error
        return node.now

    def _on_step(self, ready: list[Ready]) -> None:
        offered = [(each.rank, each.number, each.sources) for each in ready]
        depth, self._depth = self._depth, self._depth + 1
        if depth == len(self._stack):
            self._stack.append(self._step(ready, offered))
        node = self._stack[depth]
        if not isinstance(node, _Step) or node.offered != offered:
            raise NotRepeatedError(f"another set of messages to choose from, at place {depth} of the schedule")
        if node.now is None:
            self._stack.pop()
            raise Redundant
        self._last_step = node
        rank, (number, source) = node.now
        index = 0 if len(ready) == 1 else [each[:2] for each in offered].index((rank, number))
        one = ready[index]
        message = one.sources.index(source)
        if self._alike is not None:
            self._alike.decide(one, source, node.left_out)
        self._answers.clear()
        if len(ready) > 1:
            self._answers[Kind.RECEIVER] = index
        if len(one.messages) > 1:
            self._answers[one.kind] = message
        branches = len(node.ready) > 1  # else there is nobody to let go first
        if isinstance(one.place, LateTurns):
            branches = branches or len(one.messages) > 1  # of which one may be enough
            if one.place.held_back(one.messages[message]):
                for other in node.ready:
                    node.let_go_first(other)
        if self.reduced:
            self._note(depth, one, message, branches)

    def _step(self, ready: list[Ready], offered: list[Offered]) -> _Step:
        """The step at which one of these is chosen, where none was in an earlier schedule."""
        by_rank: dict[int, list[Taken]] = {}
        for rank, number, sources in offered:
            by_rank.setdefault(rank, []).extend([(number, source) for source in sources])
        sleep = self._last_step.asleep() if self.reduced and self._last_step is not None else frozenset()
        left_out = frozenset[RankStep]() if self._alike is None else self._alike.left_out(ready)
        return _Step(offered, by_rank, sleep, _apart(ready) if self.reduced else (), self.reduced, left_out)

    def _note(self, depth: int, one: Ready, message: int, branches: bool) -> None:
        assert self._late is not None
        taken = one.messages[message]
        if isinstance(one.place, LateTurns):
            turns = self._turns_of.setdefault(one.rank, [])
            before = [one.place.since(taken), *(number for number, had in turns if one.place.could_take(had, taken))]
            turns.append((len(self._steps) + 1, taken))
            before.append(taken.since)
        else:
            before = [one.since, self._last_of.get(one.rank, 0)]
            if one.place is not None:
                before.append(taken.after)
        causes = 0
        for after in before:
            if after:
                causes |= 1 << after - 1 | self._steps[after - 1].causes
        waiting: Sequence[tuple[Any, Any, int]] = ()
        looks: Sequence[Look] = ()
        ends = False
        if branches:
            turn = isinstance(one.place, LateTurns)
            waiting = [(one.place, taken, one.number)] if turn else [*self._late.pending(one.rank)]
            ends = any(rank.index == one.rank for rank in self._late.ending())
            looks = self._late.looking(one.rank)
            self._branched = True
        self._steps.append(_Taken(depth, one.rank, waiting, ends, looks, causes))
        self._last_of[one.rank] = len(self._steps)

    # -- between schedules -------------------------------------------------------------------------

    def advance(self) -> bool:
        """Move to the next schedule. Returns whether there is one.

        :raises NotRepeatedError: the last one did not have the choices that were to be repeated.
        """
        if self._depth < len(self._stack):
            raise NotRepeatedError(f"no choice any more at place {self._depth} of the schedule")
        late = self._late
        self.accessed = self.accessed or self._cluster.reads_and_writes
        if late is not None:
            self.ordered = self.ordered or late.polled or self._cluster.reads_and_writes
            self.looked = self.looked or late.looks.withheld
            self.hurried = self.hurried or late.hurried
            self.spun = self.spun or late.threads.withheld
            self.limited = self.limited or late.threads.limited
            self.withheld = self.withheld or late.withheld
        if self._branched:
            self._look_for_races()
        if late is not None:  # what it holds refers to it: it would be gone only when garbage is collected
            late.on_step = late.sent = None
        return next_branch(self._stack)

    def _look_for_races(self) -> None:
        """Where a message came that a receive could have taken which took another before: let others go first there.

        So where somebody asked for a turn that another had before.
        """
        assert self._late is not None
        of_rank: dict[int, list[tuple[int, _Taken]]] = {}
        for number, step in enumerate(self._steps):
            if step.waiting or step.ends or step.looks:
                of_rank.setdefault(step.rank, []).append((number, step))
        for one in self._late.sent or ():
            if not one.after or one.place.rank not in of_rank:
                continue
            bringing = one.after - 1
            chain = self._steps[bringing].causes | 1 << bringing
            for number, step in of_rank[one.place.rank]:
                if number >= bringing:
                    break
                if chain >> number & 1:
                    continue
                node = self._stack[step.place] if step.place < len(self._stack) else None
                if not isinstance(node, _Step):
                    continue
                if (
                    step.ends
                    or any(
                        place is one.place
                        and place.could_take(receive, one.message)
                        and (its, one.source) not in node.tries[step.rank]
                        for place, receive, its in step.waiting
                    )
                    or any(
                        look.takes(one.place, one.message) and (look.number, one.source) not in node.tries[step.rank]
                        for look in step.looks
                    )
                ):
                    first = next(i for i in range(number + 1, bringing + 1) if chain >> i & 1)
                    rank = self._steps[first].rank
                    for each in self._alike.like(rank) if self._alike is not None else (rank,):
                        node.let_go_first(each)

    def share(self) -> float:
        """The share of all schedules that was gone through, estimated as Knuth does (Mathematics of Computation 29,
        1975): as if what was not tried yet at a place were like the rest there."""
        done, weight = 0.0, 1.0
        for node in self._stack:
            before, now = node.share()
            done += weight * before
            weight *= now
        return done
