"""Packing data of datatypes into buffers, and out of them: MPI's ``Pack`` and ``Unpack``, and the format external32.

How data lies in memory is in `typemaps`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from ..errors import CannotSimulateError, MPIError
from .arrays import bytes_of, no_buffer
from .definitions import DEFINITIONS, TypeHandle
from .integer_arguments import LONG, integer, text_argument
from .predefined import LETTERS
from .typemaps import TypeMap


class Packing(TypeHandle):
    """The methods of a datatype that pack and unpack."""

    def Pack(self, inbuf: Any, outbuf: Any, position: int, comm: Any) -> int:
        """Pack the items in `inbuf` into `outbuf`, from a position on. Returns the next position.

        :raises MPIError: there is no room.
        """
        _there(comm, "Pack")
        return self._pack(inbuf, outbuf, position, bytes)

    def Unpack(self, inbuf: Any, position: int, outbuf: Any, comm: Any) -> int:
        """Unpack as many items as `outbuf` has room for from `inbuf`. Returns the next position.

        :raises MPIError: they are not there.
        """
        _there(comm, "Unpack")
        return self._unpack(inbuf, position, outbuf, self._defined().map.size, bytes)

    def Pack_size(self, count: int, comm: Any) -> int:
        """Bytes that `count` items take."""
        _there(comm, "Pack_size")
        return _count(count, "Pack_size") * self._defined().map.size

    def Pack_external(self, datarep: str, inbuf: Any, outbuf: Any, position: int) -> int:
        """`Pack`, in the format external32: that of any machine."""
        map = _checked(datarep, self._defined().map)
        return self._pack(inbuf, outbuf, position, lambda data: _converted(map, data, _to_external))

    def Unpack_external(self, datarep: str, inbuf: Any, position: int, outbuf: Any) -> int:
        """`Unpack`, from the format external32."""
        map = _checked(datarep, self._defined().map)
        return self._unpack(
            inbuf, position, outbuf, _external_size(map), lambda data: _converted(map, data, _to_native)
        )

    def Pack_external_size(self, datarep: str, count: int) -> int:
        """Bytes that `count` items take in the format external32."""
        return _count(count, "Pack_external_size") * _external_size(_checked(datarep, self._defined().map))

    def _pack(self, inbuf: Any, outbuf: Any, position: int, convert: Callable[[bytes], bytes]) -> int:
        map, source, target = self._defined().map, _bytes(inbuf), _bytes(outbuf, receives=True)
        data = convert(map.pack(source, 0, _items(map, source)))
        position = integer(position, "position", bits=LONG)
        end = position + len(data)
        if position < 0 or end > len(target):
            raise MPIError(
                f"packing {len(data)} bytes at {position} needs {end}, and outbuf has {len(target)}", "ERR_ARG"
            )
        if data:
            target[position:end] = data
        return end

    def _unpack(
        self, inbuf: Any, position: int, outbuf: Any, size: int, convert: Callable[[bytes], bytes]
    ) -> int:  # fmt: skip
        map, source, target = self._defined().map, _bytes(inbuf), _bytes(outbuf, receives=True)
        count = _items(map, target)
        position = integer(position, "position", bits=LONG)
        end = position + count * size
        if position < 0 or end > len(source):
            raise MPIError(
                f"unpacking {count} items at {position} needs {end} bytes, and inbuf has {len(source)}", "ERR_ARG"
            )
        map.unpack(target, 0, count, convert(bytes(source[position:end])))
        return end


def _bytes(buffer: Any, receives: bool = False) -> memoryview:
    return no_buffer(buffer) if buffer is None else bytes_of(buffer, receives)


def _there(comm: Any, call: str) -> None:
    """See that a communicator is one; which one it is makes no difference."""
    if not hasattr(comm, "Is_inter"):
        raise TypeError(f"{call}: comm must be an MPI.Comm, not {comm!r}")
    if not comm:
        raise MPIError(f"{call}: comm is COMM_NULL, or was freed", "ERR_COMM")


def _count(count: Any, call: str) -> int:
    number = integer(count, "count", bits=LONG)
    if number < 0:
        raise MPIError(f"{call}: count={number} is negative", "ERR_COUNT")
    return number


def _items(map: TypeMap, memory: memoryview) -> int:
    if map.extent <= 0:
        raise MPIError(f"a datatype of extent {map.extent} says not how many items a buffer has", "ERR_TYPE")
    count = len(memory) // map.extent
    first, last = map.span(count)
    if first < 0 or last > len(memory):
        raise MPIError(
            f"a buffer of {len(memory)} bytes stands for {count} items of {map.extent} bytes, which reach from byte "
            f"{first} to byte {last}: give one that has them all",
            "ERR_BUFFER",
        )
    return count


# -- external32 ------------------------------------------------------------------------------------------

#: Bytes of C's long in external32, where they are not those of 64-bit Linux.
_SIZES = {"l": 4, "L": 4}
_FIXED = ("INT64_T", "UINT64_T", "INTEGER8")
#: Those that have none there that is known.
_UNKNOWN = ("WCHAR", "FLOAT16_T", "REAL16", "COMPLEX32")


def _checked(datarep: str, map: TypeMap) -> TypeMap:
    if text_argument(datarep, "datarep") != "external32":
        raise MPIError(f"datarep={datarep!r}: the representation is 'external32'", "ERR_ARG")
    for name, _ in map.primitives():
        if name in _UNKNOWN or name not in DEFINITIONS:
            raise CannotSimulateError(f"the format external32 of {name} can't be simulated")
    return map


def _external_size(map: TypeMap) -> int:
    return sum(count * _size(name) for name, count in map.primitives())


def _size(name: str) -> int:
    letter = str(DEFINITIONS[name].letter)
    return LETTERS[letter][0] if name in _FIXED else _SIZES.get(letter, LETTERS[letter][0])


def _converted(map: TypeMap, data: bytes, convert: Callable[[str, bytes], bytes]) -> bytes:
    """Data of items, primitive by primitive."""
    parts, at = [], 0
    while at < len(data):
        for name, count in map.primitives():
            size = _size(name) if convert is _to_native else DEFINITIONS[name].map.size
            for _ in range(count):
                parts.append(convert(name, data[at : at + size]))
                at += size
    return b"".join(parts)


def _to_external(name: str, item: bytes) -> bytes:
    letter = str(DEFINITIONS[name].letter)
    if letter in "FDG":
        return b"".join(_to_external(_PARTS[letter], half) for half in _halves(item))
    if letter == "g":
        return _to_quad(item)
    return item[: _size(name)][::-1]


def _to_native(name: str, item: bytes) -> bytes:
    letter, native = str(DEFINITIONS[name].letter), item[::-1]
    if letter in "FDG":
        return b"".join(_to_native(_PARTS[letter], half) for half in _halves(item))
    if letter == "g":
        return _from_quad(item)
    missing = DEFINITIONS[name].map.size - len(item)
    sign = b"\xff" if missing and letter == "l" and item[0] & 0x80 else b"\0"
    return native + sign * missing


_PARTS = {"F": "FLOAT", "D": "DOUBLE", "G": "LONG_DOUBLE"}


def _halves(item: bytes) -> tuple[bytes, bytes]:
    return item[: len(item) // 2], item[len(item) // 2 :]


def _to_quad(item: bytes) -> bytes:
    """A long double of 80 bits in quadruple precision, where the first bit of the fraction is implied."""
    fraction, exponent = struct.unpack("<QH", item[:10])
    number: int = (exponent << 112) | ((fraction & (1 << 63) - 1) << 49)
    return number.to_bytes(16, "big")


def _from_quad(item: bytes) -> bytes:
    number = int.from_bytes(item, "big")
    exponent, fraction = number >> 112, (number & (1 << 112) - 1) >> 49
    if exponent & 0x7FFF:
        fraction |= 1 << 63
    return struct.pack("<QH6x", fraction, exponent)
