"""Attributes: values that programs attach to communicators, windows and datatypes, under keys that they create."""

from __future__ import annotations

import operator
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

from ..errors import MPIError
from .handles import Handle, State
from .integer_arguments import integer
from .named_integers import NUMBERS
from .running_rank import note_made, running_task

KEYVAL_INVALID = NUMBERS["KEYVAL_INVALID"]

#: Under which key a rank keeps the keys of attributes that its program has made.
_KEYVALS = "keys of attributes"

#: And what that has attached to what MPI predefines.
_ATTACHED = "attributes of what is predefined"


class Keyval(NamedTuple):
    """A key of attributes.

    :ivar kind: name of the kind of objects that have it.
    :ivar copy: None: a duplicate does not get the attribute; True: it does; else makes the one that it gets.
    :ivar delete: is told that an attribute goes, or None.
    :ivar number: whether its attributes are integers, as those of C are.
    :ivar made: whether it was freed.
    """

    kind: str
    copy: Any
    delete: Callable[[Any, int, Any], Any] | None
    number: bool
    made: State


class WithAttributes(Handle):
    """An object that may have attributes. Its state keeps them, in `attributes`."""

    @classmethod
    def Create_keyval(cls, copy_fn: Any = None, delete_fn: Any = None, nopython: bool = False) -> int:
        """Create a key, and return its number.

        :param copy_fn: ``copy_fn(object, keyval, value)`` returns the attribute of a duplicate, or NotImplemented for
            none; True: it is the same; by default a duplicate gets none.
        :param delete_fn: ``delete_fn(object, keyval, value)`` is called when an attribute goes.
        :param nopython: attributes are integers, which other languages can read.
        """
        keyvals = _keyvals()
        number = 0x10000000 + len(keyvals)
        delete = None if delete_fn in (None, True, False) else delete_fn
        made = State()
        keyvals[number] = Keyval(cls._kind.__name__, None if copy_fn is False else copy_fn, delete, nopython, made)
        note_made(made, "key of attributes")
        return number

    @classmethod
    def Free_keyval(cls, keyval: int) -> int:
        """Free a key, and return KEYVAL_INVALID. Objects that have the attribute keep it.

        :raises MPIError: there is no such key.
        """
        cls._key("Free_keyval", keyval).made.freed = True
        _keyvals()[keyval] = None
        return KEYVAL_INVALID

    @classmethod
    def _key(cls, call: str, keyval: int) -> Keyval:
        known = _keyvals().get(integer(keyval, "keyval"))
        if known is None or known.kind != cls._kind.__name__:
            raise MPIError(f"{call}: {keyval} is no key of attributes of an MPI.{cls._kind.__name__}", "ERR_KEYVAL")
        return known

    def _attributes(self, call: str) -> dict[int, tuple[Keyval, Any]]:
        if self._state is None:
            kind = self._kind.__name__
            raise MPIError(f"{call} of {self._null_name}", f"ERR_{'TYPE' if kind == 'Datatype' else kind.upper()}")
        state = self._state
        if state.constant:
            # What MPI predefines may be one thing for all ranks; what they attach to it is their own.
            kept = running_task().rank.kept.setdefault(_ATTACHED, {})
            own: dict[int, tuple[Keyval, Any]] = kept.setdefault((self._kind.__name__, state.constant), {})
            return own
        attributes: dict[int, tuple[Keyval, Any]] = state.attributes
        return attributes

    def _predefined_attribute(self, keyval: int) -> Any:
        """The attribute that MPI itself gives the object; NotImplemented: `keyval` is no key of such."""
        return NotImplemented

    def Get_attr(self, keyval: int) -> Any:
        """Return an attribute, or None.

        :raises MPIError: there is no such key.
        """
        attributes = self._attributes("Get_attr")
        found = self._predefined_attribute(keyval)
        if found is not NotImplemented:
            return found
        if keyval in attributes:
            return attributes[keyval][1]
        self._key("Get_attr", keyval)
        return None

    def Set_attr(self, keyval: int, attrval: Any) -> None:
        """Set an attribute of the object. The one that it has under this key is deleted first.

        :raises MPIError: there is no such key, or it is MPI's own.
        """
        attributes = self._attributes("Set_attr")
        if self._predefined_attribute(keyval) is not NotImplemented:
            raise MPIError(f"Set_attr: {keyval} is a key of MPI's own, whose attributes can only be read", "ERR_KEYVAL")
        known = self._key("Set_attr", keyval)
        if known.number:
            attrval = operator.index(attrval)
        if keyval in attributes:
            self.Delete_attr(keyval)
        attributes[keyval] = (known, attrval)

    def Delete_attr(self, keyval: int) -> None:
        """Delete an attribute of the object.

        :raises MPIError: there is no such key, or the key's `delete_fn` raised.
        """
        attributes = self._attributes("Delete_attr")
        if keyval not in attributes:
            self._key("Delete_attr", keyval)
            return
        known, value = attributes.pop(keyval)
        if known.delete is not None:
            self._call("delete_fn", known.delete, keyval, value)

    def _call(self, what: str, function: Callable[[Any, int, Any], Any], keyval: int, value: Any) -> Any:
        state = self._state
        handle = self._kind._class_of(state)._of(state)
        try:
            return function(handle, keyval, value)
        except Exception as error:
            traceback.print_exception(error)  # as mpi4py: what MPI is told is only that it failed
            raise MPIError(f"the {what} of a key of attributes raised {type(error).__name__}: {error}", "ERR_OTHER")
        finally:
            handle._nullify()

    def _copied_attributes(self) -> dict[int, tuple[Keyval, Any]]:
        """The attributes that a duplicate of this gets."""
        copies = {}
        for keyval, (known, value) in self._attributes("Dup").items():
            if known.copy is None:
                continue
            copy = value if known.copy is True else self._call("copy_fn", known.copy, keyval, value)
            if copy is not NotImplemented:
                copies[keyval] = (known, copy)
        return copies

    def _delete_attributes(self) -> None:
        """Take all attributes, since the object goes: those first that came last."""
        for keyval in [*self._attributes("Free")][::-1]:
            self.Delete_attr(keyval)


def _keyvals() -> dict[int, Keyval | None]:
    kept: dict[int, Keyval | None] = running_task().rank.kept.setdefault(_KEYVALS, {})
    return kept
