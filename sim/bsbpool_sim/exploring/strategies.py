"""The portfolio: strategies take turns, because each finds failures that others find slowly.

A walk is best if many orders show a failure, and PCT if one rank has to be late for a long time. Two similar tools for
Python have measured this (simloop and simloom).
"""

from __future__ import annotations

from collections.abc import Callable

from ..random_streams import Random, stream
from .drawing import Rule
from .pct import of_depth
from .pos import Pos
from .walk import Walk

#: What makes the rule of a schedule: from its chance, and the number of steps that earlier ones had.
Maker = Callable[[Random, int], Rule]

STRATEGIES: dict[str, tuple[Maker, ...]] = {
    "walk": (Walk,),
    "pos": (Pos,),
    "pct": (of_depth(2), of_depth(3), of_depth(4)),
    "portfolio": (Walk, of_depth(2), Pos, of_depth(3)),
}


def rule_of(strategy: str, seed: int, number: int, length: int) -> Rule:
    """Return the rule of one schedule.

    :param number: which schedule of the exploration it is, from 0.
    :param length: the number of steps that earlier ones had.
    """
    makers = STRATEGIES[strategy]
    return makers[number % len(makers)](stream(seed, f"schedule {number} of {strategy}"), length)
