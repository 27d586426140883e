"""Errors of the simulator. Errors of the pool are in `bsbpool.exceptions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .error_classes import ERROR_CLASSES, error_class, error_string


class Stuck(NamedTuple):
    """A task that waits although nothing can run any more.

    :ivar rank: the rank whose task it is.
    :ivar task: what the task does, if it is not the rank's program; else None.
    :ivar waits_for: what it waits for.
    :ivar file: the file of the innermost line of the user's code at which it waits; "" if it has not started.
    :ivar line: that line.
    :ivar function: the function that it is in.
    :ivar call: the function of MPI that it calls there, such as "recv"; "" if it calls none.
    """

    rank: int
    task: str | None
    waits_for: str
    file: str
    line: int
    function: str
    call: str


class SimulationError(Exception):
    """A simulation could not continue, or would not be true to MPI. Base of the simulator's errors.

    :ivar simulation: the `Simulation` that ended so, with its trace; None if there is none.
    """

    simulation: Any = None


class DeadlockError(SimulationError):
    """No task can run any more, and at least one waits.

    The message has a line for each waiting task: what it waits for, since when, and where in the code.

    :param message: what is said.
    :param stuck: each waiting task, the programs of ranks first.
    :ivar stuck: the same.

    >>> from bsbpool_sim import DeadlockError, simulate
    >>> try:
    ...     simulate(lambda comm: comm.recv(), ranks=1)
    ... except DeadlockError as error:
    ...     print(str(error).splitlines()[1].partition(", at ")[0].strip())
    rank 0 waits for a message from any rank with any tag (recv), since 0 s
    """

    def __init__(self, message: str, stuck: tuple[Stuck, ...] = ()):
        super().__init__(message)
        self.stuck = stuck

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Return what each waiting task waits for, in words, the programs of ranks first."""
        return tuple(each.waits_for for each in self.stuck)


class HorizonError(SimulationError):
    """The simulation exceeded its limit of virtual time or of events.

    :ivar passed_over: with late matching: whether somebody could have gone on, while time passed for those who sleep.
    """

    passed_over = False


class OverlongError(SimulationError):
    """The simulation exceeded its limit of real time. The message says where each rank is."""


class CannotSimulateError(SimulationError):
    """A simulated rank used something that can't be simulated: a process, a socket, a signal."""


class MPIError(SimulationError, RuntimeError):
    """A program used MPI in a way that MPI forbids; programs know it as ``MPI.Exception``.

    :param message: what is wrong; or a number of an error class, as ``MPI.Exception`` takes it.
    :param kind: the name of its error class, such as ``"ERR_ARG"``.
    :ivar error_code: the number of its error class, or of a code that a program has added to one.
    """

    #: the class of those that name none.
    kind = "ERR_OTHER"
    #: whether an error handler was told of it.
    handled = False

    def __init__(self, message: str | int = 0, kind: str | None = None):
        if isinstance(message, str):
            super().__init__(message)
            self._code = ERROR_CLASSES[kind or self.kind]
            self._of_number = False
        else:
            self._code = ERROR_CLASSES["ERR_UNKNOWN"] if message < 0 else int(message)
            super().__init__(error_string(self._code))
            self._of_number = True

    def __repr__(self) -> str:
        return f"MPI.Exception({self._code})" if self._of_number else super().__repr__()

    def Get_error_code(self) -> int:
        """Return the number of the error's class, or of a code that a program has added to one.

        :returns: the number.
        """
        return self._code

    def Get_error_class(self) -> int:
        """Return the number of the error's class.

        :returns: the number.
        """
        return error_class(self._code)

    def Get_error_string(self) -> str:
        """Return what is wrong.

        :returns: the message.
        """
        return str(self)

    error_code = property(Get_error_code)
    error_class = property(Get_error_class)
    error_string = property(Get_error_string)

    def __int__(self) -> int:
        return self._code

    def __bool__(self) -> bool:
        return self._code != 0

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MPIError):
            return self._code == other._code and str(self) == str(other)
        return isinstance(other, int) and self._code == other

    def __hash__(self) -> int:
        return self._code

    def __lt__(self, other: int) -> bool:
        return self._code < other

    def __le__(self, other: int) -> bool:
        return self._code <= other

    def __gt__(self, other: int) -> bool:
        return self._code > other

    def __ge__(self, other: int) -> bool:
        return self._code >= other


class UnsupportedError(CannotSimulateError, MPIError, NotImplementedError):
    """A program called something that MPI has, and simulated ranks do not have.

    mpi4py raises NotImplementedError for what its MPI lacks, and programs catch that.
    """

    kind = "ERR_UNSUPPORTED_OPERATION"


class TruncationError(MPIError):
    """A message is larger than the buffer that should receive it."""

    kind = "ERR_TRUNCATE"


class CollectiveMismatchError(MPIError):
    """Two ranks made different collective calls, or named different roots, at the same position.

    :ivar other: the call that the other rank made.
    """

    other = ""


class CountMismatchError(CollectiveMismatchError):
    """Two ranks gave buffers of different sizes to a collective call."""

    kind = "ERR_COUNT"


class TypeMismatchError(MPIError):
    """Two ranks gave items of different datatypes to a collective call."""

    kind = "ERR_TYPE"


class ScriptError(SimulationError):
    """A script is wrong: it names a job or rank that does not exist, or contradicts itself."""


class TapeError(SimulationError, ValueError):
    """A tape is invalid, or does not fit the run: it belongs to another program or version."""


class AbortError(SimulationError):
    """A simulated rank called `Abort`.

    :param message: which rank, and when.
    :param errorcode: the argument of the call.
    :param rank: the rank.
    :param file: the file of the call.
    :param line: the line of the call.
    :param function: the function that called.
    """

    def __init__(self, message: str, errorcode: int, rank: int = 0, file: str = "", line: int = 0, function: str = ""):
        super().__init__(message)
        self.errorcode = errorcode
        self.rank = rank
        self.file = file
        self.line = line
        self.function = function


class RankErrors(ExceptionGroup[Exception]):
    """The programs of some simulated ranks raised; the group holds their exceptions.

    :ivar by_rank: ``{rank: exception}``.
    :ivar simulation: the `Simulation`, with the results of the ranks that returned, and the trace.
    :ivar stuck: the tasks of other ranks that wait for ever then.

    >>> from bsbpool_sim import RankErrors, simulate
    >>> try:
    ...     simulate(lambda comm: 1 // comm.rank, ranks=2)
    ... except RankErrors as errors:
    ...     print(errors.by_rank, errors.simulation.results)
    {0: ZeroDivisionError('integer division or modulo by zero')} [None, 1]
    """

    by_rank: Mapping[int, Exception] = {}
    simulation: Any = None
    stuck: tuple[Stuck, ...] = ()

    def derive(self, excs: Any) -> Any:
        """Make a group of the same kind from some of the exceptions; `split` and `subgroup` call it.

        :param excs: the exceptions.
        :returns: the group.
        """
        return RankErrors(self.message, excs)
