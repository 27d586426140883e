"""Error handlers: what happens when a call on a communicator, a window, a file or a session fails.

As mpi4py has it, a new object has ERRORS_RETURN: errors are exceptions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Self

from ..errors import MPIError
from .aborting import abort
from .handles import Handle, State, predefine
from .integer_arguments import integer
from .options import options
from .running_rank import note_made, running_task

#: As many as mpi4py has of each kind of objects.
MOST = 32

#: Under which key a rank keeps how many error handlers its program has made, by kind of objects.
_MADE = "error handlers"

#: What is not guarded by a handler: it is about handlers, or is none of MPI's calls.
_PLAIN = ("Set_errhandler", "Get_errhandler", "Call_errhandler", "Create_errhandler", "free", "handle", "Abort")


class ErrhandlerState(State):
    """An error handler.

    :param function: one that a program made; None: one of MPI's.
    :param kind: name of the kind of objects that it is for.
    """

    def __init__(self, function: Callable[[Any, int], Any] | None = None, kind: str = ""):
        self.function = function
        self.kind = kind
        self.references = 1


_ARE_FATAL = predefine(ErrhandlerState(), "ERRORS_ARE_FATAL", 0x54000000)
_RETURN = predefine(ErrhandlerState(), "ERRORS_RETURN", 0x54000001)
_ABORT = predefine(ErrhandlerState(), "ERRORS_ABORT", 0x54000003)


class Errhandler(Handle, root=True):
    """An error handler."""

    _null_name = "ERRHANDLER_NULL"
    _null_number = 0x14000000
    _state: ErrhandlerState | None

    def Free(self) -> None:
        """Give the handler up; this handle is null then. What has the handler keeps it.

        :raises MPIError: it is null.
        """
        if self._state is None:
            raise MPIError("Free of ERRHANDLER_NULL", "ERR_ARG")
        _forget(self._state)
        self._state.freed = True
        if not self._is_name:
            self._nullify()


ERRHANDLER_NULL = Errhandler._named(None)
ERRORS_ARE_FATAL = Errhandler._named(_ARE_FATAL)
ERRORS_RETURN = Errhandler._named(_RETURN)
ERRORS_ABORT = Errhandler._named(_ABORT)


#: What a new object has, by mpi4py's option; None: what MPI gives it.
_FIRST = {"exception": _RETURN, "default": None, "abort": _ABORT, "fatal": _ARE_FATAL}


class WithErrhandler(Handle):
    """An object that has an error handler. Its state keeps it, in `errhandler`; None: ERRORS_RETURN."""

    def _of_this(self, call: str) -> Any:
        """The state.

        :raises MPIError: there is none.
        """
        if self._state is None:
            raise MPIError(f"{call} of {self._null_name}", f"ERR_{self._kind.__name__.upper()}")
        return self._state

    def _all_handles(self) -> list[Any]:
        """The handles of the object whose calls its handler is to be told of."""
        return [self]

    @classmethod
    def Create_errhandler(cls, errhandler_fn: Callable[[Self, int], None]) -> Errhandler:
        """Make an error handler.

        :param errhandler_fn: ``errhandler_fn(object, errorcode)`` is called when a call fails, which
            returns None then, and does not raise.
        :raises RuntimeError: the rank has 32 of this kind already.
        """
        if not callable(errhandler_fn):
            raise TypeError(f"an error handler is a function of an object and an error code, not {errhandler_fn!r}")
        made, kind = _made(), cls._kind.__name__
        if made.get(kind, 0) >= MOST:
            raise RuntimeError(f"a rank can't have more than {MOST} error handlers for one kind of objects: free some")
        made[kind] = made.get(kind, 0) + 1
        state = ErrhandlerState(errhandler_fn, kind)
        note_made(state, "error handler")
        return Errhandler._of(state)

    def Get_errhandler(self) -> Errhandler:
        """Return the object's error handler."""
        state = self._of_this("Get_errhandler").errhandler or _RETURN
        state.references += 1
        return Errhandler._of(state)

    def Set_errhandler(self, errhandler: Errhandler) -> None:
        """Set the object's error handler.

        :raises MPIError: it is null, or for another kind of objects.
        """
        state = self._of_this("Set_errhandler")
        if not isinstance(errhandler, Errhandler):
            raise TypeError(f"Set_errhandler takes an MPI.Errhandler, not {type(errhandler).__name__}")
        new = errhandler._state
        if new is None:
            raise MPIError("Set_errhandler(ERRHANDLER_NULL): give one like MPI.ERRORS_RETURN", "ERR_ERRHANDLER")
        if new.kind not in ("", self._kind.__name__):
            raise MPIError(f"Set_errhandler: this handler is for an MPI.{new.kind}", "ERR_ARG")
        new.references += 1
        _forget(state.errhandler)
        state.errhandler = None if new is _RETURN else new
        for handle in self._all_handles():
            guard(handle)

    def Call_errhandler(self, errorcode: int) -> None:
        """Let the object's error handler handle an error."""
        state = self._of_this("Call_errhandler")
        _handle(self, state.errhandler, integer(errorcode, "errorcode"), "Call_errhandler")


def give_first_handler(handle: WithErrhandler, parent: Any = None) -> None:
    """Give a new object the error handler that mpi4py's options ask for: ``mpi4py.rc.errors``.

    :param parent: the state of the communicator that a communicator was made of.
    """
    asked = options().errors
    handler = _FIRST[asked]
    if asked == "default":  # as MPI has it: communicators inherit theirs, and files have ERRORS_RETURN
        handler = _RETURN if handle._kind.__name__ == "File" else _ARE_FATAL if parent is None else parent.errhandler
    if handler is not None and handler is not _RETURN:
        handler.references += 1
        handle._of_this("a new object").errhandler = handler
        guard(handle)


def give_handler(handle: WithErrhandler, given: Any) -> None:
    """Give a new object the error handler that its call was given; None: the first, by mpi4py's options."""
    if given is None:
        give_first_handler(handle)
    else:
        handle.Set_errhandler(given)


def guard(handle: Any) -> None:
    """Let the handler of an object hear of calls on this handle that fail, if it is not ERRORS_RETURN.

    The calls are wrapped in the handle alone: all others, which raise, are as fast as without handlers.
    """
    for name, value in [*vars(handle).items()]:
        if isinstance(value, _Guarded):
            delattr(handle, name)
    if handle._state is None or handle._state.errhandler is None:
        return
    for name in dir(type(handle)):
        if name.startswith("_") or name in _PLAIN:
            continue
        method = getattr(type(handle), name)
        if callable(method) and not isinstance(method, type) and getattr(method, "__self__", None) is None:
            setattr(handle, name, _Guarded(handle, method))


class _Guarded:
    """A method of an object whose error handler is told if it fails."""

    def __init__(self, handle: Any, method: Callable[..., Any]):
        self._handle = handle
        self._method = method
        functools.update_wrapper(self, method)

    def __call__(self, *args: Any, **options: Any) -> Any:
        handle = self._handle
        state = handle._state
        try:
            return self._method(handle, *args, **options)
        except MPIError as error:
            if state is None or state.errhandler is None or error.handled:
                raise
            error.handled = True
            if not _handle(handle, state.errhandler, error.error_code, str(error)):
                raise


def _handle(handle: Any, handler: ErrhandlerState | None, errorcode: int, why: str) -> bool:
    """Let a handler handle an error. Returns whether it has: as with MPICH, nothing is raised then."""
    if handler is None or handler is _RETURN:
        return False
    if handler.function is not None:
        handler.function(handle, errorcode)
        return True
    if errorcode:
        abort(errorcode, f"was aborted by {handler.constant} ({why})")
    return False


def _forget(state: ErrhandlerState | None) -> None:
    if state is None or state.function is None:
        return
    state.references -= 1
    if state.references == 0:
        _made()[state.kind] -= 1


def _made() -> dict[str, int]:
    kept: dict[str, int] = running_task().rank.kept.setdefault(_MADE, {})
    return kept
