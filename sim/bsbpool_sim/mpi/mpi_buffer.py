"""``MPI.buffer``: memory as MPI hands it out, to programs and to the functions of their operations.

It is an array of NumPy, which C code finds the memory of; so this file is loaded where it is needed, not before.
"""

from __future__ import annotations

import operator
from typing import Any, Self, TypeVar

import numpy

from ..errors import MPIError
from .addresses import address_of
from .arrays import as_bytes, at_address, foreign
from .info import INFO_NULL, hints_of
from .integer_arguments import LONG, integer

AnyBuffer = TypeVar("AnyBuffer", bound="buffer")


class buffer(numpy.ndarray[Any, Any]):
    """Memory, as bytes.

    :param source: an object with the buffer protocol; none: no memory.
    """

    _object: Any = None
    _released = False
    _on_device = False

    def __new__(cls, source: Any = ..., /) -> Self:
        """The memory of an object, or none."""
        if source is ...:
            return _empty(cls)
        memory, owner, on_device = _memory(source)
        return _over(cls, memory, owner, on_device)

    @classmethod
    def allocate(cls, nbytes: int, clear: bool = False) -> Self:
        """New memory.

        :raises ValueError: its size is negative.
        """
        nbytes = operator.index(nbytes)
        if nbytes < 0:
            raise ValueError("expecting non-negative size")
        # Of one byte at least, so that it has an address. It is clear in any case, so that each run sees the same.
        memory = bytearray(max(1, nbytes))
        return _over(cls, memoryview(memory)[:nbytes], memoryview(memory)[:nbytes])

    @classmethod
    def frombuffer(cls, obj: Any, readonly: bool = False) -> Self:
        """The memory of an object.

        :raises BufferError: it is read-only, and must not be.
        """
        memory, owner, on_device = _memory(obj)
        if memory.readonly and not readonly:
            raise BufferError("Object is not writable.")
        return _over(cls, memory.toreadonly() if readonly else memory, owner, on_device)

    @classmethod
    def fromaddress(cls, address: int, nbytes: int, readonly: bool = False) -> Self:
        """The memory that begins at an address; that it is there is the caller's word.

        :raises ValueError: its size is negative, or the address nowhere.
        """
        if nbytes < 0:
            raise ValueError("expecting non-negative buffer length")
        if nbytes and not address:
            raise ValueError("expecting non-NULL address")
        return _over(cls, at_address(address, nbytes, readonly), None)

    @property
    def address(self) -> int:
        """Where it begins."""
        return 0 if self._released else address_of(self.data)

    @property
    def obj(self) -> Any:
        """The object whose memory it is; None if there is none."""
        return self._object

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return 0 if self._released else self.size

    @property
    def readonly(self) -> bool:
        """Whether it can only be read."""
        return not self._released and not self.flags.writeable

    @property
    def format(self) -> str:
        """``"B"``: an item is a byte."""
        return "B"

    def cast(self, format: str, shape: Any = ...) -> memoryview:
        """A view of it with another format, or with a shape."""
        self._check_reachable()
        view: Any = self.data
        found: memoryview = view.cast(format) if shape is ... else view.cast(format, shape)
        return found

    def tobytes(self, order: Any = None) -> bytes:
        """A copy of its content."""
        self._check_reachable()
        return bytes(self.data)[: self.nbytes]

    def toreadonly(self) -> buffer:
        """The same memory, to be read only."""
        return _over(buffer, self.data.toreadonly(), self if self._object is None else self._object)

    def release(self) -> None:
        """Let the memory go; this has none then."""
        self._released, self._object = True, None

    def __len__(self) -> int:
        return self.nbytes

    def __bool__(self) -> bool:
        return self.nbytes > 0

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    __hash__ = None

    def __repr__(self) -> str:
        return f"<buffer of {self.nbytes} bytes>"

    def _check_reachable(self) -> None:
        if self._on_device:
            raise BufferError("buffer is not CPU-accessible")

    def __getitem__(self, item: Any) -> Any:
        self._check_reachable()
        if isinstance(item, slice):
            start, stop = self._range(item)
            return _over(buffer, self.data[start:stop], self)
        return int(super().__getitem__(self._index(item)))

    def __setitem__(self, item: Any, value: Any) -> None:
        self._check_reachable()
        if self.readonly:
            raise TypeError("buffer is read-only")
        if isinstance(item, slice):
            start, stop = self._range(item)
            if hasattr(value, "__index__") and not hasattr(value, "__len__"):
                super().__setitem__(slice(start, stop), operator.index(value) & 255)
                return
            memory, _, _ = _memory(value)
            if memory.nbytes != stop - start:
                raise ValueError("slice length does not match buffer")
            super().__setitem__(slice(start, stop), numpy.frombuffer(memory, "B") if memory.nbytes else ())
            return
        super().__setitem__(self._index(item), operator.index(value) & 255)

    def __delitem__(self, item: Any) -> None:
        raise NotImplementedError("bytes of a buffer can't be deleted")  # which mpi4py raises here

    def _index(self, item: Any) -> int:
        if not hasattr(item, "__index__"):
            raise TypeError("index must be integer or slice")
        index = operator.index(item)
        index += self.nbytes if index < 0 else 0
        if not 0 <= index < self.nbytes:
            raise IndexError("index out of range")
        return index

    def _range(self, item: slice) -> tuple[int, int]:
        start, stop, step = item.indices(self.nbytes)
        if step != 1:
            raise IndexError("slice with step not supported")
        return start, max(start, stop)


def Alloc_mem(size: int, info: Any = INFO_NULL) -> buffer:
    """New memory of so many bytes.

    :raises MPIError: it is less than none.
    """
    hints_of(info, "Alloc_mem")
    size = integer(size, "size", bits=LONG)
    if size < 0:
        raise MPIError(f"Alloc_mem({size}): a size is 0 or more", "ERR_ARG")
    return buffer.allocate(size)


def Free_mem(mem: buffer) -> None:
    """Let memory go."""
    mem.release()


def _memory(source: Any) -> tuple[memoryview, Any, bool]:
    """The bytes of an object, what has them, and whether they are on a device."""
    try:
        memory = memoryview(source)
    except TypeError:
        found = foreign(source)
        if found is None:
            raise
        return found.memory, source, found.on_device
    if not memory.contiguous:
        raise BufferError("a buffer must be contiguous: copy it first, with numpy.ascontiguousarray(…)")
    if not memory.nbytes:
        return memoryview(b"" if memory.readonly else bytearray()), source, False
    return as_bytes(source, memory), source, False


def _over(cls: type[AnyBuffer], memory: memoryview, owner: Any, on_device: bool = False) -> AnyBuffer:
    self = numpy.ndarray.__new__(cls, (memory.nbytes,), "B", memory)
    if memory.readonly:
        self.flags.writeable = False
    self._object, self._on_device = owner, on_device
    return self


def _empty(cls: type[AnyBuffer]) -> AnyBuffer:
    self = _over(cls, memoryview(bytearray()), None)
    self._released = True
    return self
