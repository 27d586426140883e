"""Lets a class give memory in each Python, as compiled classes do: ``memoryview(window)``, ``numpy.frombuffer(win)``.

Since Python 3.12 a class does so that has `__buffer__`. Before, Python asks a function of C that the type points to. A
class that is not compiled has none, so it is put there.
"""

from __future__ import annotations

import ctypes
import sys
import traceback
from typing import Any, TypeVar

Class = TypeVar("Class", bound=type)

#: Where in a type of CPython its functions for buffers are, behind 20 fields. The first of them gives one.
_FUNCTIONS = 20 * ctypes.sizeof(ctypes.c_void_p)

_get = ctypes.pythonapi.PyObject_GetBuffer
_get.argtypes, _get.restype = [ctypes.py_object, ctypes.c_void_p, ctypes.c_int], ctypes.c_int


def _give(of: Any, view: int, flags: int) -> int:
    try:
        return int(_get(of.__buffer__(flags), view, flags))
    except BaseException:
        # A function of C can't pass it on from here: Python raises a SystemError, and this says why.
        traceback.print_exc()
        return -1


#: The same as a function of C.
_GIVE = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_void_p, ctypes.c_int)(_give)


def gives_memory(of: Class) -> Class:
    """Decorate a class that has `__buffer__`: Python uses it, in every version, also in classes that inherit it."""
    if sys.version_info < (3, 12):
        functions = ctypes.c_void_p.from_address(id(of) + _FUNCTIONS)
        ctypes.c_void_p.from_address(functions.value or 0).value = ctypes.cast(_GIVE, ctypes.c_void_p).value
    return of
