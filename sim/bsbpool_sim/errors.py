"""Errors of the simulator. Errors of the pool are in `bsbpool.exceptions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .error_classes import ABOUT, ERROR_CLASSES


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
    """A program used MPI in a way that MPI forbids; programs know it as ``MPI.Exception``.

    :param message: what is wrong; or a number of an error class, as ``MPI.Exception`` takes it.
    :param kind: the name of its error class, such as ``"ERR_ARG"``.
    :ivar error_class: the number of its error class; `error_code` and ``int(error)`` are the same.
    """

    #: the class of those that name none.
    kind = "ERR_OTHER"

    def __init__(self, message: str | int = 0, kind: str | None = None):
        if isinstance(message, str):
            super().__init__(message)
            self.error_class = ERROR_CLASSES[kind or self.kind]
        else:
            super().__init__(ABOUT.get(message, f"error {message}"))
            self.error_class = message

    @property
    def error_code(self) -> int:
        """The number of its error class."""
        return self.error_class

    @property
    def error_string(self) -> str:
        """What is wrong."""
        return str(self)

    def Get_error_class(self) -> int:
        """The number of its error class.

        :returns: the number.
        """
        return self.error_class

    def Get_error_code(self) -> int:
        """The number of its error class.

        :returns: the number.
        """
        return self.error_class

    def Get_error_string(self) -> str:
        """What is wrong.

        :returns: the message.
        """
        return str(self)

    def __int__(self) -> int:
        return self.error_class

    def __bool__(self) -> bool:
        return self.error_class != 0

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MPIError):
            return self.error_class == other.error_class and str(self) == str(other)
        return isinstance(other, int) and self.error_class == other

    def __hash__(self) -> int:
        return self.error_class


class TruncationError(MPIError):
    """A message is larger than the buffer that should receive it."""

    kind = "ERR_TRUNCATE"


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
