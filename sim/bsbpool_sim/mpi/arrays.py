"""Gives access to the memory of arrays as bytes, also of arrays without the buffer protocol (with DLPack's or CUDA's
array interface).

Memory of a device can't be reached from here, and is refused.
"""

from __future__ import annotations

import ctypes
import math
import operator
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from .constants import BOTTOM, means

_NOTHING = memoryview(b"")


def is_bottom(array: Any) -> bool:
    """Return whether None or MPI.BOTTOM is given in place of an array."""
    return array is None or means(array, BOTTOM)


def no_buffer(spec: Any) -> NoReturn:
    """Return the exception for an object that is not a buffer.

    :raises TypeError: always.
    """
    raise TypeError(f"message: expecting buffer or list/tuple, not {spec!r}")


def view_of(array: Any) -> tuple[memoryview, str, Any]:
    """Return the memory of an array, its format, and an object that must live as long as the memory is used.

    :raises TypeError: it has none.
    :raises BufferError: it is not contiguous.
    """
    try:
        memory = memoryview(array)
    except TypeError:
        if is_bottom(array):
            return _NOTHING, "B", None
        found = foreign(array) or no_buffer(array)
        return found.memory, found.format, found.owner
    if not memory.contiguous:
        raise BufferError("a buffer must be contiguous: copy it first, with numpy.ascontiguousarray(…)")
    return memory, memory.format, None


def as_bytes(array: Any, memory: memoryview) -> memoryview:
    """Return the memory of an array as bytes.

    :raises TypeError: they are references to objects.
    """
    if memory.nbytes == 0:
        return _NOTHING
    if has_objects(memory):
        raise TypeError(
            "message: the buffer holds references to Python objects, which mean nothing elsewhere: use send and the "
            "like, which pickle objects"
        )
    # Of an array in Fortran's order, the transposed has C's.
    return (memory if memory.c_contiguous else memoryview(array.T)).cast("B")


def has_objects(memory: memoryview) -> bool:
    """Whether memory holds references to objects."""
    return "O" in memory.format


def bytes_of(array: Any, receives: bool = False) -> memoryview:
    """Return the memory of an array as bytes.

    :param receives: whether they will be written.
    :raises BufferError: they can't be.
    """
    memory, _, _ = view_of(array)
    if receives and memory.readonly and memory.nbytes:
        raise BufferError("the buffer that receives is read-only: give one that can be written")
    return as_bytes(array, memory)


def at_address(address: int, size: int, readonly: bool = False) -> memoryview:
    """Return `size` bytes of memory that begin at an address. The caller guarantees that there is memory."""
    memory = memoryview((ctypes.c_ubyte * size).from_address(address)).cast("B") if size else memoryview(bytearray())
    return memory.toreadonly() if readonly else memory


class Foreign(NamedTuple):
    """The memory of an array without the buffer protocol.

    :param memory: its bytes.
    :param format: that of an item, as the buffer protocol has it.
    :param owner: what must live as long as the memory is used.
    :param on_device: whether the array says that it is in memory of a device.
    """

    memory: memoryview
    format: str
    owner: Any
    on_device: bool = False


def foreign(array: Any) -> Foreign | None:
    """Return the memory of an array with DLPack's or CUDA's interface; None if it has neither.

    :raises BufferError: it is on a device, or not contiguous, or has an order of bytes that can't be read.
    """
    if hasattr(array, "__dlpack__") and hasattr(array, "__dlpack_device__"):
        return _of_dlpack(array)
    interface = getattr(array, "__cuda_array_interface__", None)
    return None if interface is None else _of_cuda(array, interface)


#: The format of each kind of numbers and size in bits, as DLPack and NumPy have them.
_FORMATS = {
    ("i", 8): "b", ("i", 16): "h", ("i", 32): "i", ("i", 64): "l", ("u", 8): "B", ("u", 16): "H", ("u", 32): "I",
    ("u", 64): "L", ("f", 16): "e", ("f", 32): "f", ("f", 64): "d", ("f", 128): "g", ("c", 64): "Zf", ("c", 128): "Zd",
    ("c", 256): "Zg", ("b", 8): "?",
}  # fmt: skip


def _memory(address: int, size: int, readonly: bool) -> memoryview:
    """Memory that somebody says is there: that of a device is not."""
    if size:
        try:
            own = os.open("/proc/self/mem", os.O_RDONLY)
        except OSError:
            raise BufferError("an array without the buffer protocol can be reached on Linux only") from None
        try:
            os.pread(own, 1, address)
            os.pread(own, 1, address + size - 1)
        except (OSError, OverflowError):
            raise BufferError(
                "the array is in memory of a device, which simulated ranks can't reach: copy it to the host first"
            ) from None
        finally:
            os.close(own)
    return at_address(address, size, readonly)


def _contiguous(shape: Sequence[int], strides: Sequence[int], itemsize: int) -> bool:
    """Whether an array with these strides has no gaps, in the order of C or Fortran."""
    for dimensions in (range(len(shape)), reversed(range(len(shape)))):
        size = itemsize
        for i in dimensions:
            if shape[i] > 1 and strides[i] != size:
                break
            size *= shape[i]
        else:
            return True
    return False


def _of_cuda(array: Any, interface: Mapping[str, Any]) -> Foreign:
    (address, readonly), typestr, shape = interface["data"], interface["typestr"], interface["shape"]
    strides, itemsize = interface.get("strides"), int(typestr[2:])
    if typestr[0] not in ("|", "<" if sys.byteorder == "little" else ">"):
        raise BufferError(f"the array's format {typestr!r} has the byte order of another machine: convert it first")
    if interface.get("mask") is not None:
        raise BufferError("the array is masked: give its data and its mask one by one")
    if math.prod(shape) < 0 or (strides is not None and not _contiguous(shape, strides, itemsize)):
        raise BufferError("the array must be contiguous: copy it first")
    descr = interface.get("descr")
    if not isinstance(descr, list | None):
        raise TypeError(f"__cuda_array_interface__: 'descr' is a list, not {descr!r}")
    if descr not in (None, [("", typestr)]):
        warnings.warn("__cuda_array_interface__: ignoring 'descr' key", RuntimeWarning, stacklevel=2)
    memory = _memory(address or 0, math.prod(shape) * itemsize, readonly)
    return Foreign(memory, _FORMATS.get((typestr[1], 8 * itemsize), "B"), array, True)


class _Tensor(ctypes.Structure):
    """DLPack's description of an array, without a version."""

    _fields_ = (
        ("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )  # fmt: skip


class _VersionedTensor(ctypes.Structure):
    """DLPack's description of an array, with a version."""

    _fields_ = (
        ("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("manager_ctx", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("tensor", _Tensor),
    )  # fmt: skip


#: DLPack's numbers for kinds of numbers, and for the device that is the CPU.
_CODES = {0: "i", 1: "u", 2: "f", 5: "c", 6: "b"}
_CPU = 1


def _of_dlpack(array: Any) -> Foreign:
    kind, number = array.__dlpack_device__()
    device, _ = operator.index(kind), operator.index(number)
    stream = {} if device == _CPU else {"stream": -1}
    try:
        capsule, name = array.__dlpack__(max_version=(1, 0), copy=False, **stream), b"dltensor_versioned"
    except TypeError:
        capsule, name = array.__dlpack__(**stream), b"dltensor"
    if not _capsule_is_valid(capsule, name):
        raise BufferError("dlpack: invalid capsule object")
    pointer, readonly = _capsule_pointer(capsule, name), False
    if name == b"dltensor":
        tensor = _Tensor.from_address(pointer)
    else:
        versioned = _VersionedTensor.from_address(pointer)
        if versioned.major < 1:
            raise BufferError("dlpack: unexpected version")
        tensor, readonly = versioned.tensor, bool(versioned.flags & 1)
    if tensor.ndim < 0 or (tensor.ndim and not tensor.shape):
        raise BufferError("dlpack: the array has no shape")
    shape = tensor.shape[: tensor.ndim] if tensor.ndim else []
    strides = tensor.strides[: tensor.ndim] if tensor.ndim and tensor.strides else None
    if min(shape, default=0) < 0 or min(strides or (0,)) < 0:
        raise BufferError("dlpack: a shape or stride is negative")
    if strides is not None and not _contiguous(shape, strides, 1):
        raise BufferError("dlpack: the array must be contiguous: copy it first")
    kind, bits = _CODES.get(tensor.code, "?"), tensor.bits * tensor.lanes
    if kind == "f" and tensor.lanes == 2:
        kind = "c"
    memory = _memory((tensor.data or 0) + tensor.byte_offset, math.prod(shape) * ((bits + 7) // 8), readonly)
    return Foreign(memory, _FORMATS.get((kind, bits), "B"), (array, capsule), bool(stream))


_capsule_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_IsValid", ctypes.pythonapi)
)
_capsule_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
