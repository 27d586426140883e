"""What jobs of a scenario have, return and raise that can't travel to another rank as it is."""

from __future__ import annotations

from typing import Any, NoReturn


class Unpicklable:
    """An object that can't be pickled."""

    def __reduce__(self) -> NoReturn:
        raise TypeError("it can't be pickled")


def unloadable(error: BaseException) -> BaseException:
    """Return an exception like this one that can be pickled, and not unpickled.

    Many exceptions are like that: their `__init__` takes other arguments than those that `Exception` keeps.
    """

    def reduce(self: Any) -> Any:
        return _refuse, ()

    kind = type(error)
    made: type[BaseException] = type(kind.__name__, (kind,), {"__reduce__": reduce})
    return made(*error.args)


def _refuse() -> NoReturn:
    raise TypeError("it can't be unpickled")
