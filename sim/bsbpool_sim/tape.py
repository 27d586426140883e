"""Tapes: the choices of a run as data, with which it can be repeated, and their text form.

A run is determined by a program and a tape. Choices with two or more alternatives are numbered from 0; the tape has
the index of the alternative that each of them took. `choices` defines choices, and `chooser` applies a tape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from bsbpool.values import shown

from .errors import TapeError

_VERSION = "v1"
_TAPE = re.compile(r"v1:(?:\d+\.[1-9]\d*(?:,\d+\.[1-9]\d*)*)?", re.ASCII)
#: Longer numbers are none that a tape can have.
_DIGITS = 18


class Tape:
    """The alternatives that a run took, or is to take, without those of index 0, the default.

    ``str(tape)`` is a short text, such as ``v1:12.1,40.2``: alternative 1 in choice 12, and alternative 2 in choice
    40, both counted from 0. `Tape.parse` reads it. An alternative other than 0 is called a departure; tapes with the
    same departures are equal.

    :param indices: the alternative of each choice, from the first one on.
    :raises TapeError: an index is not an integer, or is negative.
    :ivar departures: ``{choice: alternative}`` where that is not 0, in order.
    :ivar counts: the number of alternatives of each choice of the run that made it; empty if it was not recorded.

    >>> from bsbpool_sim import Tape
    >>> str(Tape([0, 2, 0, 1])), Tape.parse("v1:1.2,3.1").departures
    ('v1:1.2,3.1', {1: 2, 3: 1})
    """

    __slots__ = ("_length", "counts", "departures")

    def __init__(self, indices: Iterable[int] = ()):
        given = [*indices]
        if given and any(not isinstance(index, int) or index < 0 for index in given):
            raise TapeError(f"a tape holds indices of alternatives, from 0 on, not {shown(given)}")
        self.departures = {number: int(index) for number, index in enumerate(given) if index}
        self.counts: Sequence[int] = ()
        self._length = len(given)

    @classmethod
    def parse(cls, text: str) -> Tape:
        """Read a tape from its text.

        :param text: the text of a tape, as `str` gives it.
        :returns: the tape.
        :raises TapeError: it is not the text of a tape.
        """
        if _TAPE.fullmatch(text) is None:
            version = re.match(r"(v\d+):", text)
            if version is not None and version[1] != _VERSION:
                raise TapeError(f"the tape {shown(text)} has version {version[1]}, this simulator reads {_VERSION}")
            raise TapeError(
                f"{shown(text)} is no tape: one is v1: and then choice.alternative for each departure from the "
                "default, as v1:12.1,40.2"
            )
        tape, last = cls(), -1
        for item in text[len(_VERSION) + 1 :].split(",") if text != f"{_VERSION}:" else ():
            number, index = item.split(".")
            if len(number) > _DIGITS or len(index) > _DIGITS or int(number) <= last:
                raise TapeError(
                    f"{shown(text)} is no tape: its choices are numbers that grow: {shown(item)} does not fit"
                )
            last = int(number)
            tape.departures[last] = int(index)
        tape._length = last + 1
        return tape

    @classmethod
    def of(cls, tape: Tape | str | Iterable[int]) -> Tape:
        """Make a tape from what `simulate` accepts as one.

        :param tape: a tape, its text, or the indices of its alternatives.
        :returns: the tape.
        :raises TapeError: it is none of these.
        """
        return tape if isinstance(tape, Tape) else cls.parse(tape) if isinstance(tape, str) else cls(tape)

    @classmethod
    def with_departures(cls, departures: Mapping[int, int]) -> Tape:
        """Make a tape that has only some departures.

        :param departures: ``{choice: alternative}``; entries with alternative 0 are ignored.
        :returns: the tape.
        """
        return cls(departures.get(number, 0) for number in range(max(departures, default=-1) + 1))

    def __len__(self) -> int:
        """For how many choices it says what to take."""
        return self._length

    def __getitem__(self, number: int) -> int:
        if not 0 <= number < self._length:
            raise IndexError(f"the tape has {self._length} choices, and no choice {number}")
        return self.departures.get(number, 0)

    def __str__(self) -> str:
        return f"{_VERSION}:" + ",".join(f"{number}.{index}" for number, index in self.departures.items())

    def __repr__(self) -> str:
        return f"<Tape {self}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tape) and other.departures == self.departures

    def __hash__(self) -> int:
        return hash(tuple(self.departures.items()))


def tape_of_run(departures: dict[int, int], counts: Sequence[int]) -> Tape:
    """Return the tape of a run.

    :param departures: ``{choice: alternative}`` where that is not 0, in order.
    :param counts: the number of alternatives of each choice.
    """
    tape = Tape()
    tape.departures, tape.counts, tape._length = departures, counts, len(counts)
    return tape
