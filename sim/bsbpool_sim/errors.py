"""What a simulation raises. No error of the pool belongs here: those are in `bsbpool.exceptions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SimulationError(Exception):
    """A simulation could not go on, or could not be believed.

    :ivar simulation: the `Simulation` that it ended, with the trace up to there; None if there is none.
    """

    simulation: Any = None


class DeadlockError(SimulationError):
    """Nothing can ever run again, and somebody waits.

    The message has a line for each waiting task: what it waits for, since when, and where in the code.

    >>> from bsbpool_sim import DeadlockError, simulate
    >>> try:
    ...     simulate(lambda comm: comm.recv(), ranks=1)
    ... except DeadlockError as error:
    ...     print(str(error).splitlines()[1].partition(", at ")[0].strip())
    rank 0 waits for a message from any rank with any tag (recv), since 0 s
    """


class HorizonError(SimulationError):
    """The simulation went past its horizon of virtual time or of events."""


class CannotSimulateError(SimulationError):
    """A simulated rank tried to start something real: a thread, a process, a socket."""


class MPIError(SimulationError, RuntimeError):
    """A program used MPI in a way that MPI forbids; programs know it as ``MPI.Exception``."""


class TruncationError(MPIError):
    """A message is larger than the buffer that should receive it."""


class CollectiveMismatchError(MPIError):
    """Two ranks made different collective calls, or named different roots, at the same position."""


class ScriptError(SimulationError):
    """A script that can't be meant: it names a job or a rank that is not there, or contradicts itself."""


class TapeError(SimulationError, ValueError):
    """A tape of choices that is none, or does not fit the run: it is of another program or version."""


class AbortError(SimulationError):
    """A simulated rank called `Abort`.

    :param message: which rank, and where.
    :param errorcode: what it was called with.

    :ivar errorcode: what it was called with.
    """

    def __init__(self, message: str, errorcode: int):
        super().__init__(message)
        self.errorcode = errorcode


class RankErrors(ExceptionGroup[Exception]):
    """Some simulated ranks raised; holds each one's exception.

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
        """What `split` and `except*` make of a part of it.

        :param excs: the exceptions of that part.
        :returns: an error of this kind.
        """
        return RankErrors(self.message, excs)
