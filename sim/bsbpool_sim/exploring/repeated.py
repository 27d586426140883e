"""Checks whether a program behaves the same with the same choices: the first difference between two runs, and its
possible cause. Exploring refuses a program that does not.

Running a schedule belongs in `schedules`; `exhaustive` detects that a later run has other choices.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence

from bsbpool.values import shown

from .findings import faults_of
from .schedules import Schedule

#: So many files are named.
_NAMED = 3


class Files:
    """The names of the files in the present folder, as they are before a program runs.

    What is in them is compared only over a further run, once a run was seen to differ: to ask for that of each file
    before each exploration would take longer than some schedules of a small program do.
    """

    def __init__(self) -> None:
        self._names = _names()

    def changed(self, run: Callable[[], object]) -> list[str]:
        """Run the program once more. Return the files that have come or gone since it first ran, or that this run has
        changed, sorted.
        """
        before = _contents()
        run()
        now = _contents()
        come_or_gone = self._names ^ now.keys()
        return sorted(come_or_gone | {name for name in before.keys() & now.keys() if before[name] != now[name]})


def _names() -> set[str]:
    with contextlib.suppress(OSError):  # the folder may be gone
        return {*os.listdir()}
    return set()


def _contents() -> dict[str, tuple[int, int]]:
    """What tells whether a file was changed, by its name."""
    found = {}
    with contextlib.suppress(OSError), os.scandir() as entries:  # the folder, or a file, may be gone meanwhile
        for entry in entries:
            about = entry.stat(follow_symlinks=False)
            found[entry.name] = about.st_size, about.st_mtime_ns
    return found


def difference_of_runs(first: Schedule, again: Schedule, late: bool) -> str | None:
    """Return what differs between two runs that should be equal; None if nothing does.

    :param late: whether receives from any rank were matched late: then time is set aside, and other times are no
        difference.
    """
    if first.simulation.tape != again.simulation.tape or [*first.simulation.tape.counts] != [
        *again.simulation.tape.counts
    ]:
        return "something else to choose from"
    events = first.simulation.trace.events, again.simulation.trace.events
    for number, (one, other) in enumerate(zip(*events, strict=False)):
        if one != other and not (late and one._replace(t=0) == other._replace(t=0)):
            return f"as event {number + 1} {shown(one)} in one run, and {shown(other)} in another"
    if len(events[0]) != len(events[1]):
        return "one event more in one of two runs"
    faults = [[fault[:4] for fault in faults_of(each)] for each in (first, again)]
    return None if faults[0] == faults[1] else "another end of the run"


def not_repeated(what: object, changed: Sequence[str], only_first: bool = False) -> str:
    """Return why a program can't be explored, and what to do.

    :param what: what differs, in words.
    :param changed: the files that have changed since its first run began.
    :param only_first: whether all runs after the first do the same.
    """
    text = f"the program is not repeated, though the same was chosen: there is {what}. "
    files = ", ".join(changed[:_NAMED]) + (f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else "")
    if only_first and files:
        return text + (
            f"Only its first run is another one, and what this leaves behind is there from then on: {files}. Remove it "
            "at the beginning of the program, or run the program once before it is explored"
        )
    if only_first:
        return text + (
            "Only its first run is another one: it may set something in a module that all ranks share, which stays. "
            "Set it anew at the beginning of the program, or name that module in --own: each rank loads it in each run"
        )
    where = f"as it does in {files}, " if files else ""
    return text + (
        f"It has to do the same each time: it may keep something from one run to the next, {where}in modules or "
        "globals, or go by something real"
    )
