"""The result of exploring a program: what was found, how much was run, and what was not. How it comes about belongs in
`exploration`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..mpi.contexts import ranks as ranks_text
from .estimate import two_digits
from .findings import Finding


@dataclass
class Exploration:
    """The result of exploring a program.

    :ivar findings: the findings, one for each fault, in the order in which they were found.
    :ivar schedules: how many schedules were run.
    :ivar complete: whether these are all schedules, so that no other order of messages exists.
    :ivar distinct: how many of the schedules were different.
    :ivar left: an estimate of the schedules that are left; 0 if all were run, None if it is not known.
    :ivar strategy: how the last schedules were chosen: "exhaustive", or the name of a strategy that draws them.
    :ivar elapsed: seconds that it took.
    :ivar limits: what was not tried although it may make a difference.
    :ivar interrupted: whether Ctrl-C ended it.
    :ivar drawn: how many of the schedules were drawn by a strategy.
    :ivar tried: whether the exhaustive strategy was started.
    :ivar alike: ranks that were counted once as long as nothing distinguished them.
    """

    findings: list[Finding] = field(default_factory=list)
    schedules: int = 0
    complete: bool = False
    distinct: int = 0
    left: float | None = None
    strategy: str = "exhaustive"
    elapsed: float = 0.0
    limits: Sequence[str] = ()
    interrupted: bool = False
    drawn: int = 0
    tried: bool = False
    alike: Sequence[int] = ()

    def __str__(self) -> str:
        count = f"{self.schedules} schedule{'s' if self.schedules != 1 else ''}"
        if self.complete:
            text = f"complete: {count}"
        elif self.left == 0:
            text = f"all that is tried: {count}"
        else:
            text = f"{count}, {self.distinct} of them different"
            if self.left is not None:
                text += f", about {two_digits(self.left)} left"
        if self.alike:
            text += f", where {ranks_text(self.alike)} are alike"
        found = len(self.findings)
        return f"{text}; {found or 'no'} finding{'s' if found != 1 else ''}"
