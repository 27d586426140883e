"""Faults as choices: at each place where a fault can occur in a rank or a pool, a choice decides whether it does.

A rank can die before it sends a message; a worker of a pool also after it has sent one. So a death can occur between
any two actions that other ranks can observe. A job can raise, or take an hour longer, past its limit. The number of
faults in a run is limited. The effects of faults on ranks belong in `script`; `exploring` decides which choices are
tried.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from bsbpool.exceptions import JobInterrupted
from bsbpool.facts import Died
from bsbpool.text import scrub

from .choices import Kind, Strikes
from .chooser import Chooser
from .cluster import Cluster, JobScript, PoolKey, PossibleFaults
from .kernel import SECOND

#: Virtual nanoseconds that a job takes longer which a fault strikes.
LONGER = 3600 * SECOND

_BEFORE, _AFTER, _RAISES, _LONGER, _ON = "dies", "dies then", "raises", "takes longer", "runs on"


class InjectedError(Exception):
    """The exception of a job that a fault strikes."""


def _raise(said: str) -> None:
    raise InjectedError(f"{said} was made to raise")


class ExploredFaults:
    """Makes faults choices in one run: it stands between the cluster and its script.

    :param most: how many may strike.
    :ivar struck: those that did, in words.
    """

    def __init__(self, cluster: Cluster, chooser: Chooser, most: int):
        self._cluster = cluster
        self._kernel = cluster.kernel
        self._chooser = chooser
        self._left = most
        #: the script itself.
        self.script: JobScript | None = cluster.script
        self._possible: PossibleFaults | None = cluster.faults
        self._names: dict[Any, str] = {}
        self._dying: int | None = None
        self.struck: list[str] = []

    # -- messages ------------------------------------------------------------------------------------

    def before_send(self, source: int, dest: int, worker: bool = False) -> int:
        """Choose whether rank `source` dies before it sends a message to rank `dest`; if it is a worker of a pool, or
        after.
        """
        if self._left and source != dest:
            faults: list[tuple[str, str]] = [(_BEFORE, f"rank {source} dies before it sends to rank {dest}")]
            if worker:
                faults.append((_AFTER, f"rank {source} dies when it has sent to rank {dest}"))
            fault = self._one_of(source, "send", faults)
            if fault == _BEFORE:
                self._kill(source)
            elif fault == _AFTER:
                self._dying = source
        return 0 if self._possible is None else self._possible.before_send(source, dest)

    def after_send(self) -> None:
        """Called when the message was sent."""
        if self._dying is not None:
            dying, self._dying = self._dying, None
            self._kill(dying)

    def _kill(self, rank: int) -> None:
        self._cluster.recorder.emit("fault", rank, Died())
        self._kernel.kill(self._kernel.ranks[rank])

    # -- jobs ----------------------------------------------------------------------------------------

    def introduce(self, key: PoolKey, job: int, name: str, context: Mapping[str, Any]) -> None:
        """Called when a job was queued."""
        self._names[key, job] = scrub(name)
        if self.script is not None:
            self.script.introduce(key, job, name, context)

    def perform(self, key: PoolKey, job: int, function: Callable[[], Any]) -> Any:
        """Run a job, and choose whether a fault strikes it."""
        script, fault = self.script, None
        if self._left:
            task = self._kernel.task
            said = f"job {job} ({self._names.get((key, job), 'of no name')})"
            faults = [(_RAISES, f"{said} raises"), (_LONGER, f"{said} takes an hour longer")]
            if task.limited:
                faults.append((_ON, f"{said} takes an hour longer, and can't be interrupted"))
            fault = self._one_of(task.rank.index, "run", faults)
        if fault == _RAISES:
            return self.strike(key, job, functools.partial(_raise, said))
        if fault is not None:
            return self.strike(key, job, functools.partial(self._take_longer, said, fault == _ON, function))
        return function() if script is None else script.perform(key, job, function)

    def strike(self, key: PoolKey, job: int, function: Callable[[], Any]) -> Any:
        """Call the function in place of a job."""
        return function() if self.script is None else self.script.strike(key, job, function)

    def _take_longer(self, said: str, runs_on: bool, function: Callable[[], Any]) -> Any:
        end, interrupted = self._kernel.now + LONGER, False
        while (left := end - self._kernel.now) > 0:
            try:
                self._kernel.compute(left, f"{said} to end, which was made to take an hour longer")
            except JobInterrupted:
                if not runs_on:
                    raise
                interrupted = True
        return None if interrupted else function()

    def send(self, rank: int) -> None:
        """Called before a rank sends a message of its pool."""
        if self.script is not None:
            self.script.send(rank)

    # ------------------------------------------------------------------------------------------------

    def _one_of(self, rank: int, call: str, faults: list[tuple[Any, str]]) -> Any:
        if self._chooser.closed:
            return None
        items = [(None, None), *faults]
        fault, what = self._chooser.one_of(Kind.FAULT, rank, call, items, lambda item: Strikes(item[1]))
        if what is not None:
            self._left -= 1
            self.struck.append(what)
        return fault


def install_faults(cluster: Cluster, most: int) -> None:
    """Make faults choices in a simulation that has not begun and has its script. The default is that no fault strikes.

    :param most: how many may strike.
    """
    if cluster.kernel.chooser is not None:
        cluster.faults = cluster.script = ExploredFaults(cluster, cluster.kernel.chooser, most)
