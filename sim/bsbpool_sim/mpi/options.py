"""mpi4py's options: what ``mpi4py.rc`` says on a rank, as far as it makes a difference here. Reads none itself."""

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
    """Give the rank that runs its options."""
    running_task().rank.kept[_KEPT] = options


def options() -> Options:
    """The options of the rank that runs."""
    found: Options = running_task().rank.kept.get(_KEPT, _DEFAULT)
    return found
