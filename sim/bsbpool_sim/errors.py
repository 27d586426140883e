"""Errors of the simulator. Errors of the pool are in `bsbpool.exceptions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SimulationError(Exception):
    """A simulation could not continue, or would not be true to MPI. Base of the simulator's errors.

    :ivar simulation: the `Simulation` that ended so, with its trace; None if there is none.
    """

    simulation: Any = None


class DeadlockError(SimulationError):
    """No task can run any more, and at least one waits.

    The message has a line for each waiting task: what it waits for, since when, and where in the code.

    :param message: what is said.
    :param waits_for: what each waiting task waits for, the programs of ranks first.
    :ivar waits_for: the same.

    >>> from bsbpool_sim import DeadlockError, simulate
    >>> try:
    ...     simulate(lambda comm: comm.recv(), ranks=1)
    ... except DeadlockError as error:
    ...     print(str(error).splitlines()[1].partition(", at ")[0].strip())
    rank 0 waits for a message from any rank with any tag (recv), since 0 s
    """

    def __init__(self, message: str, waits_for: tuple[str, ...] = ()):
        super().__init__(message)
        self.waits_for = waits_for


class HorizonError(SimulationError):
    """The simulation exceeded its limit of virtual time or of events."""


class CannotSimulateError(SimulationError):
    """A simulated rank used something that can't be simulated: a thread, a process, a socket."""


class MPIError(SimulationError, RuntimeError):
    """A program used MPI in a way that MPI forbids; programs know it as ``MPI.Exception``."""


class TruncationError(MPIError):
    """A message is larger than the buffer that should receive it."""


class CollectiveMismatchError(MPIError):
    """Two ranks made different collective calls, or named different roots, at the same position."""


class ScriptError(SimulationError):
    """A script is wrong: it names a job or rank that does not exist, or contradicts itself."""


class TapeError(SimulationError, ValueError):
    """A tape of choices that is none, or does not fit the run: it is of another program or version."""


class AbortError(SimulationError):
    """A simulated rank called `Abort`.

    :param message: which rank, and when.
    :param errorcode: the argument of the call.
    """

    def __init__(self, message: str, errorcode: int):
        super().__init__(message)
        self.errorcode = errorcode


class RankErrors(ExceptionGroup[Exception]):
    """The programs of some simulated ranks raised; the group holds their exceptions.

    :ivar by_rank: ``{rank: exception}``.
    :ivar simulation: the `Simulation`, with the results of the ranks that returned, and the trace.

    >>> from bsbpool_sim import RankErrors, simulate
    >>> try:
    ...     simulate(lambda comm: 1 // comm.rank, ranks=2)
    ... except RankErrors as errors:
    ...     print(errors.by_rank, errors.simulation.results)
    {0: ZeroDivisionError('integer division or modulo by zero')} [None, 1]
    """

    by_rank: Mapping[int, Exception] = {}
    simulation: Any = None

    def derive(self, excs: Any) -> Any:
        """Make a group of the same kind from some of the exceptions; `split` and `subgroup` call it.

        :param excs: the exceptions.
        :returns: the group.
        """
        return RankErrors(self.message, excs)
