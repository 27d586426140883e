"""Handles: what all objects of MPI that programs hold have in common, as in mpi4py.

A handle refers to what MPI keeps (its `state`), or to nothing: the null handle. Several handles may refer to one thing;
they are equal then. `Free` makes the handle null on which it is called. ``class Info(Handle, root=True)`` begins a
kind: comparisons and constructors take handles of the same kind. What is kept belongs to the chapters.
"""

from __future__ import annotations

import copyreg
import functools
import sys
from typing import Any, ClassVar, TypeVar

from ..errors import MPIError
from .running_rank import running_task

_H = TypeVar("_H", bound="Handle")

#: Under which key a rank keeps what its programs have asked the numbers of.
_NUMBERED = "numbered handles"


class State:
    """The object to which handles refer.

    :ivar constant: the name in `MPI` of what MPI predefines, such as ``"COMM_WORLD"``; "" for what a program made.
    :ivar number: of its handles, once somebody asked.
    """

    constant = ""
    #: whether a program has freed it.
    freed = False
    number: int | None = None
    #: its error handler; None: ERRORS_RETURN, which raises.
    errhandler: Any = None

    @functools.cached_property
    def attributes(self) -> dict[int, Any]:
        """The attributes of the program, by key: see `attributes`."""
        return {}


class Handle:
    """A handle of one kind of object.

    :param other: a handle of the same kind, to which the new one is equal; None: the new one is null.
    :raises TypeError: `other` is something else.
    """

    #: What it refers to; None if it is null.
    _state: Any = None
    #: Whether it is the handle that a name of `MPI` stands for: freeing it leaves it what it is.
    _is_name = False
    #: Of each kind: its root, the name of its null handle, and the number of that one.
    _kind: ClassVar[type[Handle]]
    _null_name: ClassVar[str] = ""
    _null_number: ClassVar[int] = 0

    def __init_subclass__(cls, root: bool = False, **options: Any):
        """Begin a kind, if this is its root."""
        super().__init_subclass__(**options)
        if root:
            cls._kind = cls

    def __new__(cls: type[_H], other: Any = None) -> _H:
        """Make a handle that refers to what `other` refers to."""
        self = object.__new__(cls)
        if other is not None:
            if not isinstance(other, cls._kind):
                raise TypeError(f"{cls.__name__} takes an MPI.{cls._kind.__name__}, not {type(other).__name__}")
            if other._state is not None:
                self._check(other._state)
                self._attach(other._state)
                self._copied(other)
        return self

    @classmethod
    def _of(cls: type[_H], state: Any) -> _H:
        """Make a handle of `state`."""
        self = object.__new__(cls)
        self._attach(state)
        return self

    @classmethod
    def _named(cls: type[_H], state: Any) -> _H:
        """Make the handle that a name of `MPI` stands for."""
        self = object.__new__(cls)
        if state is not None:
            self._attach(state)
        self._is_name = True
        return self

    # -- for classes to override -------------------------------------------------------------------

    def _attach(self, state: Any) -> None:
        """Refer to `state`."""
        self._state = state

    def _nullify(self) -> None:
        """Refer to nothing."""
        self._state = None

    def _copied(self, other: Any) -> None:
        """Take what a handle has besides its state from the one that this was made of."""

    @classmethod
    def _check(cls, state: Any) -> None:
        """Raise TypeError if no handle of this class may refer to `state`."""

    @classmethod
    def _class_of(cls, state: Any) -> type[Handle]:
        """The class of handles that refer to `state`, or to nothing."""
        return cls._kind

    def _release(self) -> None:
        """Free what the program made: `Free`, `Close` or `Finalize`."""
        self.Free()  # type: ignore[attr-defined]  # each kind has it, or overrides this

    # -- what programs see -------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return self._state is not None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, self._kind):
            return NotImplemented
        return self._state is other._state

    def __reduce__(self) -> Any:
        name = self._null_name if self._state is None else self._state.constant
        if not name:
            raise ValueError(f"cannot serialize 'mpi4py.MPI.{type(self).__name__}' instance")
        return (constant, (name,)) if self._is_name else (copyreg.__newobj__, (type(self), constant(name)))  # type: ignore[attr-defined]  # it is there, if not documented

    def free(self) -> None:
        """Free the object, unless the handle is null or predefined."""
        if self._is_name or self._state is None:
            return
        if self._state.constant:
            self._nullify()
        else:
            self._release()

    @property
    def handle(self) -> int:
        """The number of the handle."""
        state = self._state
        if state is None:
            return self._null_number
        if state.number is None:
            numbered = _numbered()
            state.number = 0x10000 + len(numbered)
            numbered.append(state)
        number: int = state.number
        return number

    @classmethod
    def fromhandle(cls, handle: int) -> Any:
        """Return a handle with this number.

        :raises MPIError: this rank has none.
        """
        kind = cls._kind
        if handle == kind._null_number:
            return kind._class_of(None)._of_number(None)
        state = kind._state_numbered(handle)
        if state is None or not issubclass(kind._class_of(state), kind):
            raise MPIError(f"{handle} is the number of no MPI.{kind.__name__} of this rank", "ERR_ARG")
        return kind._class_of(state)._of_number(state)

    @classmethod
    def _state_numbered(cls, number: int) -> Any:
        """What a handle with this number refers to."""
        return next((state for state in (*_predefined, *_numbered()) if state.number == number), None)

    @classmethod
    def _of_number(cls: type[_H], state: Any) -> _H:
        return cls() if state is None else cls._of(state)

    def toint(self) -> int:
        """Return the number of the handle."""
        return self.handle

    fromint = fromhandle
    py2f = toint
    f2py = fromhandle


#: What MPI predefines for all ranks and has a number.
_predefined: list[State] = []


def predefine(state: Any, name: str, number: int) -> Any:
    """Make `state` a predefined one, which is the same for all ranks; return it."""
    state.constant, state.number = name, number
    _predefined.append(state)
    return state


def _numbered() -> list[Any]:
    kept: list[Any] = running_task().rank.kept.setdefault(_NUMBERED, [])
    return kept


def constant(name: str) -> Any:
    """Return what `name` means in `MPI` on the rank that asks: handles of constants are pickled by name."""
    return getattr(sys.modules[__package__], name)
