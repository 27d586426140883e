"""Finds the address of a buffer in memory. What the buffer contains, and how much of it counts, is in `buffers`."""

from __future__ import annotations

import ctypes
from typing import Any


class _View(ctypes.Structure):
    """Python's ``Py_buffer``; it is large enough for that of any version."""

    _fields_ = [("buf", ctypes.c_void_p), ("rest", ctypes.c_char * 256)]


_get = ctypes.pythonapi.PyObject_GetBuffer
_get.argtypes = [ctypes.py_object, ctypes.c_void_p, ctypes.c_int]
_release = ctypes.pythonapi.PyBuffer_Release
_release.argtypes = [ctypes.c_void_p]
_release.restype = None
_SIMPLE = 0


def address_of(buffer: Any) -> int:
    """Return the address of the first byte of an object with the buffer protocol; 0 if it has none.

    :raises TypeError: it has no such protocol.
    :raises BufferError: its bytes are not in one run.
    """
    view = _View()
    _get(buffer, ctypes.byref(view), _SIMPLE)
    try:
        return view.buf or 0
    finally:
        _release(ctypes.byref(view))
