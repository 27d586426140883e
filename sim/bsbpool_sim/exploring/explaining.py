"""Explains a finding: its choices, the nearest run that passes, and the smallest delays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bsbpool.worlds.local import ThreadedWorld

from .delays import InTime
from .findings import Finding
from .nearest_run import Comparing
from .schedules import Runner, Schedule
from .shrinking import Shrinking

_SECOND_NS = 1_000_000_000


def explain_findings(
    findings: list[Finding], run: Runner, findings_of: Callable[[Schedule, int | None], list[Finding]], *,
    compare: bool, seconds: float | None,
) -> bool:  # fmt: skip
    """Replace findings by the same ones, small and explained.

    :param run: runs the program.
    :param findings_of: what is wrong with a schedule that has this eager limit.
    :param compare: whether they are compared with other runs, and not only made small.
    :param seconds: real time that all of them may take together; None: as long as it takes.
    :returns: whether there was time enough; if not, they stay as far as they came.
    """
    until = None if seconds is None else ThreadedWorld.now() + seconds * _SECOND_NS

    def spent() -> bool:
        return until is not None and ThreadedWorld.now() >= until

    for place, found in enumerate(findings):
        finding = findings[place] = Shrinking(run, findings_of, spent).shrink(found)
        if compare and (runs := Comparing(run, findings_of, spent).compare(finding)) is not None:
            delays = InTime(run, findings_of, spent).delays(finding, (*runs.before, *runs.failing))
            findings[place] = replace(finding, runs=runs, delays=delays)
    return not findings or not spent()
