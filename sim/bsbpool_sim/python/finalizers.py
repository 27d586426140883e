"""What Python does with objects of a program at the end of its process: here for each rank, while MPI is still there.

Functions of `weakref.finalize` are called like those of `atexit`, and what variables of modules hold is freed, so that
its `__del__` is called. Functions of `atexit` itself belong in `process`.
"""

from __future__ import annotations

import atexit
import gc
import sys
import types
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from .process import Process, current_process

#: Objects that are looked at from one variable.
_MOST = 1000
#: What is not freed before Python has called all of `__del__`, which may need it; and what has nothing to free.
_STAYS = (
    types.ModuleType, type, types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.FrameType,
    int, float, complex, str, bytes, type(None),
)  # fmt: skip
_OURS = __name__.partition(".")[0]
#: All objects of `weakref.finalize` that are waiting; its own attributes are no public ones.
_WAITING, _CALLED_AT_EXIT = "_registry", "_registered_with_atexit"


class _Registry(dict[Any, Any]):
    """What waits to be finalized: of each object, it is known which rank's it is."""

    def __init__(self, before: dict[Any, Any]):
        super().__init__(before)
        self._of: dict[Any, Process] = {}

    def __setitem__(self, finalizer: Any, value: Any) -> None:
        process = current_process()
        if process is not None:
            if not process.finalizers:
                process.at_exit.append((_finalize, (process,), {}))
            process.finalizers[finalizer] = self._of[finalizer] = process
        super().__setitem__(finalizer, value)

    def pop(self, finalizer: Any, *default: Any) -> Any:
        process = self._of.pop(finalizer, None)
        if process is not None:
            del process.finalizers[finalizer]
        return super().pop(finalizer, *default)

    def of_nobody(self) -> dict[Any, Any]:
        """Return what waits for the end of the real process."""
        return {finalizer: value for finalizer, value in self.items() if finalizer not in self._of}


def _finalize(process: Process) -> None:
    """Call what waits for the end of a rank, the last first."""
    while process.finalizers:
        finalizer = next(reversed(process.finalizers))
        if finalizer.atexit:
            try:
                finalizer()
            except Exception:  # as in Python: it is told, and the others are called all the same
                sys.excepthook(*sys.exc_info())
        else:
            finalizer.detach()


def finalizers_of_ranks() -> Callable[[], None]:
    """Tell ranks' objects of `weakref.finalize` apart; return a function that undoes this."""
    kept: Any = weakref.finalize
    if not getattr(kept, _CALLED_AT_EXIT):
        atexit.register(kept._exitfunc)
        setattr(kept, _CALLED_AT_EXIT, True)
    registry = _Registry(getattr(kept, _WAITING))
    setattr(kept, _WAITING, registry)
    return lambda: setattr(kept, _WAITING, registry.of_nobody())


def free_variables(modules: Iterable[types.ModuleType]) -> None:
    """Free what variables of modules hold, if anything in it is told by its `__del__`."""
    for module in modules:
        variables = vars(module)
        for name in [*variables]:
            # Most variables stay. None is kept here: what is freed is freed at once.
            if issubclass(type(variables.get(name)), _STAYS) or name.startswith("__"):
                continue
            if _is_told(variables.get(name)):
                variables[name] = None


def _is_told(value: Any) -> bool:
    """Whether a value is, or leads to, an object of the program's with a `__del__`."""
    found, seen = [value], dict[int, Any]()
    while found and len(seen) < _MOST:
        each = found.pop()
        kind = type(each)
        if id(each) in seen or issubclass(kind, _STAYS) or str(kind.__module__).partition(".")[0] == _OURS:
            continue
        if hasattr(kind, "__del__"):
            return True
        seen[id(each)] = each
        found += gc.get_referents(each)
    return False
