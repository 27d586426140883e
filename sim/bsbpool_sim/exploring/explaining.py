"""Explains a finding: its choices, the nearest run that passes, and the smallest delays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .delays import InTime
from .findings import Finding
from .nearest_run import Comparing
from .schedules import Runner, Schedule
from .shrinking import Shrinking


def explained(
    finding: Finding, run: Runner, findings_of: Callable[[Schedule, int | None], list[Finding]], *, compare: bool
) -> Finding:
    """The same finding, small and explained.

    :param run: runs the program.
    :param findings_of: what is wrong with a schedule that has this eager limit.
    :param compare: whether it is compared with other runs, and not only made small.
    """
    finding = Shrinking(run, findings_of).shrink(finding)
    if not compare:
        return finding
    runs = Comparing(run, findings_of).compare(finding)
    if runs is None:
        return finding
    delays = InTime(run, findings_of).delays(finding, (*runs.before, *runs.failing))
    return replace(finding, runs=runs, delays=delays)
