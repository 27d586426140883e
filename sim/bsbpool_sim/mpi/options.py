"""The options of mpi4py, ``mpi4py.rc``, on a rank, as far as the simulator follows them. They are not read here."""

from __future__ import annotations

from dataclasses import dataclass

from .running_rank import running_task

THREAD_SINGLE, THREAD_FUNNELED, THREAD_SERIALIZED, THREAD_MULTIPLE = range(4)
THREAD_LEVELS = {
    "single": THREAD_SINGLE,
    "funneled": THREAD_FUNNELED,
    "serialized": THREAD_SERIALIZED,
    "multiple": THREAD_MULTIPLE,
}


@dataclass(frozen=True)
class Options:
    """The options of a rank.

    :ivar initialize: whether importing `mpi4py.MPI` begins MPI.
    :ivar thread_level: of thread support, that is asked for then.
    :ivar finalize: whether MPI ends with the program.
    :ivar irecv_bufsz: bytes that `irecv` has room for, unless it is told otherwise.
    :ivar errors: what is done of an error of MPI: "exception", "default", "abort" or "fatal".
    """

    initialize: bool = True
    thread_level: int = THREAD_MULTIPLE
    finalize: bool = True
    irecv_bufsz: int = 1 << 15
    errors: str = "exception"


_KEPT = "options of mpi4py"
_DEFAULT = Options()


def set_options(options: Options) -> None:
    """Set the options of the running rank."""
    running_task().rank.kept[_KEPT] = options


def options() -> Options:
    """Return the options of the running rank."""
    found: Options = running_task().rank.kept.get(_KEPT, _DEFAULT)
    return found
