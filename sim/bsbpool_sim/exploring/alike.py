"""Ranks that do the same: the order among them is tried once, as long as they have done the same.

The caller names these ranks, because this can't be observed from outside. The names are checked: the messages that each
rank has sent and received are recorded. Two ranks are alike while these records are equal, and no receive from any rank
has taken a message of either. Then exchanging their names changes nothing, and the consequences of the second one
coming first are those of the first one, with exchanged names. The first schedule is run again with each pair of such
ranks exchanged, and must be the same with exchanged names.

`exhaustive` decides which schedules are left out for that reason.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from ..choices import Choice, Kind
from ..cluster import Cluster
from ..errors import SimulationError
from ..late_turns import LateTurns
from ..mailbox import SentMessage
from ..matches import Ready
from .schedules import Runner

#: Collective calls in which ranks that bring the same get the same; they may be non-blocking.
_SAME_FOR_ALL = frozenset(
    ("barrier", "bcast", "gather", "gatherv", "allgather", "allgatherv", "reduce", "allreduce")
)  # fmt: skip

#: What a receive may take, and at which rank, as in `exhaustive`.
_RankStep = tuple[int, tuple[int, int]]
#: What a rank has to do with others.
_Notes = Mapping[tuple[Any, ...], list[Any]]


class NotAlikeError(SimulationError):
    """Ranks that were said to do the same do not."""


class Decided(NamedTuple):
    """A step of a run.

    :ivar rank: the rank that receives.
    :ivar number: which of its receives.
    :ivar source: whose message it takes.
    :ivar instead: ranks whose message it could have taken as well, and that was left out.
    """

    rank: int
    number: int
    source: int
    instead: tuple[int, ...]


class AlikeRanks:
    """What ranks that are said to do the same have done in a run.

    :param ranks: these ranks.
    :ivar decided: the steps of the run.
    :ivar plain: whether all choices of the run were such steps, of which messages receives take.
    """

    def __init__(self, ranks: Collection[int]):
        self.ranks = sorted(ranks)
        self.decided: list[Decided] = []
        self.plain = True
        #: by rank and receiver, None for collective calls: what it has given there.
        self.sent: dict[tuple[int, int | None], list[Any]] = {}
        #: what two of them have done otherwise before others could tell them from each other, in words; "": nothing.
        self.problem = ""

    def begin(self, cluster: Cluster) -> None:
        """A run begins on this cluster."""
        self._cluster = cluster
        self.decided, self.plain = [], True
        #: those that were not told from the others yet.
        self._same = set(self.ranks)
        #: by rank, and by what it has to do with which other one: what that was, in order.
        self._notes: dict[int, dict[tuple[Any, ...], list[Any]]] = {rank: {} for rank in self.ranks}
        self.sent = {}
        cluster.observed = self

    # -- what ranks do -----------------------------------------------------------------------------

    def _note(self, rank: int, key: tuple[Any, ...], what: Any) -> None:
        if rank in self._notes:
            self._notes[rank].setdefault(key, []).append(what)

    def gave(
        self, rank: int, what: object, dest: int | None = None, tag: int | None = None, call: str = ""
    ) -> None:  # fmt: skip
        """A rank sends a message, or brings something to a collective call."""
        content = _digest(what)
        self.sent.setdefault((rank, dest), []).append((tag, call, content))
        if dest is None:
            self._note(rank, ("calls",), (call, content))
            if call.lower().removeprefix("i") not in _SAME_FOR_ALL:
                self._same.clear()  # who gets what is not known
            return
        self._note(rank, ("to", dest), (tag, content))
        self._note(dest, ("from", rank), (tag, content))
        if rank in self._notes and dest in self._notes:
            self._same -= {rank, dest}

    def ended(self, rank: int, namespace: Mapping[str, Any]) -> None:
        """The script of a rank has ended."""

    # -- what is left out --------------------------------------------------------------------------

    def left_out(self, ready: Sequence[Ready]) -> frozenset[_RankStep]:
        """The steps that lead to what another one of these leads to, with other names."""
        if len(self._same) < 2 or self._cluster.shares_memory or self._cluster.reads_and_writes:
            return frozenset()
        found = set()
        for each in ready:
            if each.kind is not Kind.MESSAGE or each.rank in self._same:
                continue
            first: list[int] = []
            for source in sorted(self._same & {*each.sources}):
                if any(self._are_alike(other, source) for other in first):
                    found.add((each.rank, (each.number, source)))
                else:
                    first.append(source)
        return frozenset(found)

    def like(self, rank: int) -> Sequence[int]:
        """Return the ranks that were said to be alike with this one; itself, if none was."""
        return self.ranks if rank in self._notes else (rank,)

    def _are_alike(self, one: int, other: int) -> bool:
        """Whether two ranks that nobody told from each other have done the same, and others with them."""
        mine, its = self._notes[one], self._notes[other]
        if mine != its:
            self.problem = self.problem or _differs(one, mine, other, its)
            return False
        return self._untaken(one) == self._untaken(other)

    def _untaken(self, rank: int) -> list[Any]:
        """The messages of a rank that are under way, or wait to be received."""
        late = self._cluster.late
        assert late is not None and late.sent is not None
        messages = [(each.place, each.message) for each in late.sent if each.source == rank]
        return [
            (place, message.tag, _digest(message.data)) for place, message in messages
            if isinstance(message, SentMessage) and not message.taken
        ]  # fmt: skip

    def decide(self, one: Ready, source: int, left_out: Collection[_RankStep]) -> None:
        """Note which step is taken: it tells ranks from each other."""
        notes = self._notes.get(source)
        instead = [
            other for rank, (number, other) in left_out
            if (rank, number) == (one.rank, one.number) and self._notes[other] == notes
        ]  # fmt: skip
        self.decided.append(Decided(one.rank, one.number, source, tuple(sorted(instead))))
        if one.kind is Kind.MESSAGE:
            self._same -= {one.rank, source}
        else:  # whose request ends, or whose turn it is
            self.plain = False
            self._same.clear()


class Exchanged:
    """The strategy of a run in which two ranks are exchanged from one step on.

    :param alike: notes what ranks do.
    :param decided: the steps of the run that it is held against.
    :param at: the step that takes the message of the other one.
    :param other: this rank.
    """

    def __init__(self, alike: AlikeRanks, decided: Sequence[Decided], at: int, other: int):
        self.alike = alike
        self._decided, self._at = decided, at
        self.names = {decided[at].source: other, other: decided[at].source}
        self._step = 0
        self._answers: dict[Kind, int] = {}

    def install(self, cluster: Cluster) -> None:
        """The run begins on this cluster."""
        self.alike.begin(cluster)
        assert cluster.late is not None
        cluster.late.on_step = self._on_step

    def pick(self, choice: Choice) -> int:
        """Pick what the step has that is taken."""
        return self._answers.pop(choice.kind, 0)

    def _on_step(self, ready: list[Ready]) -> None:
        self._answers.clear()
        if self._step >= len(self._decided):
            raise NotAlikeError(self._refused())
        rank, number, source, _ = self._decided[self._step]
        if self._step >= self._at:
            rank, source = self.names.get(rank, rank), self.names.get(source, source)
        self._step += 1
        index = next((i for i, each in enumerate(ready) if (each.rank, each.number) == (rank, number)), None)
        if index is None or source not in ready[index].sources or isinstance(ready[index].place, LateTurns):
            raise NotAlikeError(self._refused())
        if len(ready) > 1:
            self._answers[Kind.RECEIVER] = index
        if len(ready[index].messages) > 1:
            self._answers[ready[index].kind] = ready[index].sources.index(source)

    def compare(self, sent: Mapping[tuple[int, int | None], list[Any]]) -> None:
        """See that all ranks have sent the same as in the run that this is held against, with exchanged names.

        :raises NotAlikeError: they have not.
        """
        renamed = {
            (self.names.get(rank, rank), None if dest is None else self.names.get(dest, dest)): what
            for (rank, dest), what in sent.items()
        }
        if renamed != self.alike.sent or self._step < len(self._decided):
            raise NotAlikeError(self._refused())

    def _refused(self) -> str:
        one, other = sorted(self.names)
        return not_alike(
            f"ranks {one} and {other}: what follows if {one} comes first is not what follows if {other} does"
        )


def _digest(what: object) -> Any:
    if isinstance(what, bytes | bytearray | memoryview):
        return len(what), zlib.crc32(what)
    return tuple(map(_digest, what)) if isinstance(what, list | tuple) else None


def _differs(one: int, mine: _Notes, other: int, its: _Notes) -> str:
    """What two ranks have done otherwise, in words; "" if one of them has only done more of it yet."""
    for key, notes in mine.items():
        pairs = enumerate(zip(notes, its.get(key, ()), strict=False), 1)
        number = next((number for number, (this, that) in pairs if this != that), None)
        if number is not None:
            what = {
                "to": "message {} to rank {}",
                "from": "message {} of rank {} to them",
                "calls": "collective call {}",
            }
            text = what[key[0]].format(number, *key[1:])
            return f"ranks {one} and {other}: {text} is another one, or has another content"
    return ""


def not_alike(why: str) -> str:
    """Return why ranks are not alike, and what would be right."""
    return (
        f"not alike are {why}. Name as alike only ranks that send and are sent the same until a receive from any rank "
        "takes a message of one of them; what a rank sends must not have its number in it"
    )


def see_that_alike(alike: AlikeRanks, run: Runner) -> None:
    """See that the ranks are alike in a run that has ended, as far as that can be seen.

    :param alike: what they have done in it.
    :param run: runs the program.
    :raises NotAlikeError: they are not.
    """
    if alike.problem:
        raise NotAlikeError(not_alike(alike.problem))
    decided, sent = alike.decided, alike.sent
    if not alike.plain and any(step.instead for step in decided):
        raise NotAlikeError(
            "whether these ranks are alike can't be checked in a program in which it is also open which request ends, "
            "what a test finds, or whose turn it is: explore it without naming them"
        )
    for at, step in enumerate(decided):
        for other in step.instead:
            exchanged = Exchanged(AlikeRanks(alike.ranks), decided, at, other)
            run(exchanged, None, late=True)
            exchanged.compare(sent)


def ranks_alike(ranks: Collection[int], size: int) -> Sequence[int]:
    """Return the ranks that are said to be alike, in order.

    :param size: how many ranks there are.
    :raises ValueError: some of them are not there, or it is a single one.
    """
    found = sorted({*ranks})
    if found and (len(found) < 2 or not 0 <= found[0] <= found[-1] < size):
        raise ValueError(f"alike={[*ranks]}: it must be two or more of the ranks 0 to {size - 1}")
    return found
