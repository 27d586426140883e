"""Error classes and codes that programs add, and what MPI says of them. Those of MPI are in `error_classes`."""

from __future__ import annotations

from .. import error_classes
from ..error_classes import ABOUT, DYNAMIC, DYNAMIC_CLASS, added
from ..errors import MPIError
from .integer_arguments import integer, text_argument


def Get_error_class(errorcode: int) -> int:
    """Return the class of an error code; of a class, itself."""
    return error_classes.error_class(integer(errorcode, "errorcode"))


def Get_error_string(errorcode: int) -> str:
    """Return what an error class or code is about."""
    return error_classes.error_string(integer(errorcode, "errorcode"))


def Add_error_class() -> int:
    """Add an error class to those that this rank knows, and return its number."""
    known = added()
    number = DYNAMIC | DYNAMIC_CLASS | 1
    while number in known:
        number += 1
    if number & 0x7F == 0:
        raise MPIError("Add_error_class: a program may add 127 classes: remove some", "ERR_OTHER")
    known[number] = ""
    return number


def Add_error_code(errorclass: int) -> int:
    """Add an error code to a class, and return its number.

    :raises MPIError: there is no such class.
    """
    known, errorclass = added(), integer(errorclass, "errorclass")
    if errorclass not in known and errorclass not in ABOUT:
        raise MPIError(f"Add_error_code({errorclass}): there is no such error class", "ERR_ARG")
    nth = 1
    while (number := DYNAMIC | nth << 8 | errorclass & 0xFF) in known:
        nth += 1
    known[number] = ""
    return number


def Add_error_string(errorcode: int, string: str) -> None:
    """Say what an error class or code means that this program has added.

    :raises MPIError: it is one of MPI's own, or there is none.
    """
    errorcode = integer(errorcode, "errorcode")
    _its_own("Add_error_string", errorcode)[errorcode] = text_argument(string, "string")


def Remove_error_class(errorclass: int) -> None:
    """Remove an error class that this program has added.

    :raises MPIError: it is one of MPI's own, or there is none, or it has a string or a code.
    """
    errorclass = integer(errorclass, "errorclass")
    known = _its_own("Remove_error_class", errorclass)
    if any(code != errorclass and error_classes.error_class(code) == errorclass for code in known):
        raise MPIError(f"Remove_error_class({errorclass}): it has codes: remove them first", "ERR_OTHER")
    _remove("Remove_error_class", errorclass, known)


def Remove_error_code(errorcode: int) -> None:
    """Remove an error code that this program has added.

    :raises MPIError: it is one of MPI's own, or there is none, or it has a string.
    """
    errorcode = integer(errorcode, "errorcode")
    _remove("Remove_error_code", errorcode, _its_own("Remove_error_code", errorcode))


def Remove_error_string(errorcode: int) -> None:
    """Remove what an error class or code means that this program has added.

    :raises MPIError: it is one of MPI's own, or there is none.
    """
    errorcode = integer(errorcode, "errorcode")
    _its_own("Remove_error_string", errorcode)[errorcode] = ""


def _its_own(call: str, number: int) -> dict[int, str]:
    known = added()
    if number not in known:
        raise MPIError(f"{call}({number}): this is no error class or code that this program has added", "ERR_OTHER")
    return known


def _remove(call: str, number: int, known: dict[int, str]) -> None:
    if known[number]:
        raise MPIError(f"{call}({number}): it has a string: remove it first, with Remove_error_string", "ERR_OTHER")
    del known[number]
