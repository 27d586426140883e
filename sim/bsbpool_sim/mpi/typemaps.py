"""Type maps: which primitive of a datatype is at which displacement, and how data is packed and unpacked.

A map is a tree whose size does not depend on counts, so that a datatype of a billion items costs nothing. Handles,
names and constructors of datatypes are in `datatypes`; what memory a map is applied to, in `buffers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


class Repeated:
    """A part of a type map: `count` times `map`, from `displacement` on, each `stride` bytes after the one before."""

    __slots__ = ("count", "displacement", "map", "stride")

    def __init__(self, map: TypeMap, displacement: int, count: int = 1, stride: int = 0):
        self.map = map
        self.displacement = displacement
        self.count = count
        self.stride = stride


class TypeMap:
    """The layout of one item of a datatype.

    :param parts: what it consists of, in the order in which it is sent.
    :param bounds: its lower and upper bound in bytes, if they are not those of its parts.
    :ivar size: bytes of data in an item.
    :ivar lb: lower bound; `ub`: upper bound; `extent`: from one to the other.
    :ivar true_lb: the same of data alone; `true_ub`.
    :ivar alignment: that of the primitive which needs the largest.
    :ivar elements: number of primitives in an item.
    :ivar dense: whether any number of items, one after the other, is contiguous memory.
    """

    __slots__ = ("_ranges", "alignment", "dense", "elements", "extent", "lb", "parts", "primitive", "size", "true_lb",
                 "true_ub", "ub")  # fmt: skip

    size: int
    elements: int
    alignment: int
    lb: int
    ub: int
    extent: int
    true_lb: int
    true_ub: int
    dense: bool

    def __init__(self, parts: Sequence[Repeated], bounds: tuple[int, int] | None = None):
        # Parts without items count for nothing, not even for bounds.
        self.parts = tuple(p for p in parts if p.count and (p.map.size or p.map.extent))
        self.primitive: str | None = None
        self._ranges: list[tuple[int, int]] | None = None
        self.size = sum(p.count * p.map.size for p in self.parts)
        self.elements = sum(p.count * p.map.elements for p in self.parts)
        self.alignment = max((p.map.alignment for p in self.parts), default=1)
        self.lb = min((_first(p) + p.map.lb for p in self.parts), default=0)
        self.ub = max((_last(p) + p.map.ub for p in self.parts), default=0)
        filled = [p for p in self.parts if p.map.size]
        self.true_lb = min((_first(p) + p.map.true_lb for p in filled), default=0)
        self.true_ub = max((_last(p) + p.map.true_ub for p in filled), default=0)
        if bounds is not None:
            self.lb, self.ub = bounds
        self.extent = self.ub - self.lb
        self.dense = self.lb == 0 and self.size == self.ub and self._in_a_row()

    @classmethod
    def of_primitive(cls, name: str, size: int, alignment: int) -> TypeMap:
        """The map of a primitive datatype."""
        self = cls(())
        self.primitive, self.size, self.alignment, self.elements = name, size, alignment, 1
        self.ub = self.true_ub = self.extent = size
        self.dense = True
        return self

    def _in_a_row(self) -> bool:
        """Whether each part begins where the one before it ends."""
        at = 0
        for part in self.parts:
            if part.displacement != at or not _solid(part):
                return False
            at += part.count * part.map.size
        return True

    # -- what is made of it ------------------------------------------------------------------------

    def repeated(self, count: int, stride: int | None = None, displacement: int = 0) -> TypeMap:
        """`count` items, `stride` bytes (an extent, by default) from each other."""
        return TypeMap([Repeated(self, displacement, count, self.extent if stride is None else stride)])

    def blocks(self, blocks: Iterable[tuple[int, int]]) -> TypeMap:
        """For each displacement in bytes and length in items, a block of items."""
        return TypeMap([Repeated(self, at, count, self.extent) for at, count in blocks])

    def resized(self, lb: int, extent: int) -> TypeMap:
        """The same data, with other bounds."""
        return TypeMap([Repeated(self, 0)], (lb, lb + extent))

    def aligned(self) -> TypeMap:
        """The same, with an extent that is a multiple of its alignment, as C has it for a structure."""
        extent = -(-self.extent // self.alignment) * self.alignment
        return self if extent == self.extent else TypeMap(self.parts, (self.lb, self.lb + extent))

    # -- its primitives ----------------------------------------------------------------------------

    def primitives(self) -> Iterator[tuple[str, int]]:
        """The names of its primitives in order, each with how many of them follow each other in one part."""
        if self.primitive is not None:
            yield self.primitive, 1
        for part in self.parts:
            if part.map.primitive is not None:
                yield part.map.primitive, part.count
            else:
                for _ in range(part.count):
                    yield from part.map.primitives()

    def signature(self) -> list[tuple[str, int]]:
        """The same, as few as possible: items of equal signature may be sent for each other."""
        runs: list[tuple[str, int]] = []
        for name, count in self.primitives():
            if runs and runs[-1][0] == name:
                runs[-1] = (name, runs[-1][1] + count)
            else:
                runs.append((name, count))
        return runs

    def elements_of(self, size: int) -> int | None:
        """How many primitives `size` bytes of data are; None if the last of them is not whole."""
        if self.size == 0:
            return 0 if size == 0 else None
        items, left = divmod(size, self.size)
        found = items * self.elements
        if self.primitive is not None:
            return None if left else found
        for part in self.parts:
            whole = part.count * part.map.size
            if left < whole:
                inner = part.map.elements_of(left)
                return None if inner is None else found + inner
            found += part.count * part.map.elements
            left -= whole
        return found

    def size_of(self, elements: int) -> int:
        """How many bytes the first `elements` primitives of an item are; it has more of them."""
        size = 0
        for part in self.parts:
            items, left = divmod(elements, part.map.elements)
            if items < part.count:
                return size + items * part.map.size + part.map.size_of(left)
            size += part.count * part.map.size
            elements -= part.count * part.map.elements
        return size

    # -- its bytes ---------------------------------------------------------------------------------

    def ranges(self) -> list[tuple[int, int]]:
        """Where the bytes of an item are, in order: displacements and lengths, adjacent ones joined."""
        if self._ranges is None:
            found: list[tuple[int, int]] = []
            if self.dense:
                found = [(0, self.size)] if self.size else []
            for part in () if self.dense else self.parts:
                if _solid(part):
                    _add(found, part.displacement, part.count * part.map.size)
                    continue
                inner = part.map.ranges()
                for i in range(part.count):
                    base = part.displacement + i * part.stride
                    for at, length in inner:
                        _add(found, base + at, length)
            self._ranges = found
        return self._ranges

    def span(self, count: int) -> tuple[int, int]:
        """From which byte to which one `count` items reach, seen from where the first is."""
        if count == 0 or self.size == 0:
            return 0, 0
        shift = (count - 1) * self.extent
        return self.true_lb + min(0, shift), self.true_ub + max(0, shift)

    def pack(self, memory: memoryview, at: int, count: int) -> bytes:
        """The data of `count` items, of which the first is at byte `at` of `memory`."""
        if self.dense:
            return bytes(memory[at : at + count * self.size])
        ranges = self.ranges()
        return b"".join(
            [memory[base + o : base + o + n] for base in self._bases(at, count) for o, n in ranges]
        )  # fmt: skip

    def unpack(self, memory: memoryview, at: int, count: int, data: bytes | memoryview) -> None:
        """Put data where items of this map have it; where there is less than `count` items need, the rest stays."""
        if not data:
            return
        if self.dense:
            memory[at : at + len(data)] = data
            return
        ranges, read, end = self.ranges(), 0, len(data)
        for base in self._bases(at, count):
            for o, n in ranges:
                if read >= end:
                    return
                part = data[read : read + n]
                memory[base + o : base + o + len(part)] = part
                read += n

    def _bases(self, at: int, count: int) -> Iterable[int]:
        return range(at, at + count * self.extent, self.extent) if self.extent else [at] * count


def _first(part: Repeated) -> int:
    """The lowest displacement of an item of a part."""
    return part.displacement + min(0, (part.count - 1) * part.stride)


def _last(part: Repeated) -> int:
    """The highest one."""
    return part.displacement + max(0, (part.count - 1) * part.stride)


def _solid(part: Repeated) -> bool:
    """Whether the items of a part are contiguous memory."""
    return part.map.dense and (part.count == 1 or part.stride == part.map.size)


def _add(ranges: list[tuple[int, int]], at: int, length: int) -> None:
    """Add a range, to the one before if it goes on there."""
    if ranges and ranges[-1][0] + ranges[-1][1] == at:
        ranges[-1] = (ranges[-1][0], ranges[-1][1] + length)
    elif length:
        ranges.append((at, length))


# -- parts of arrays -------------------------------------------------------------------------------------


def subarray(map: TypeMap, sizes: Sequence[int], subsizes: Sequence[int], starts: Sequence[int]) -> TypeMap:
    """A part of an array whose last dimension is contiguous."""
    step, found = map.extent, map
    for size, subsize, start in zip(reversed(sizes), reversed(subsizes), reversed(starts), strict=True):
        found = TypeMap([Repeated(found, start * step, subsize, step)])
        step *= size
    return TypeMap([Repeated(found, 0)], (0, step))


def distributed(map: TypeMap, sizes: Sequence[int], runs: Sequence[Sequence[tuple[int, int]]]) -> TypeMap:
    """What one rank has of an array whose last dimension is contiguous.

    :param runs: for each dimension, its runs of indices that the rank has: the first of each, and how many.
    """
    step, found = map.extent, map
    for size, of_dimension in zip(reversed(sizes), reversed(runs), strict=True):
        found = TypeMap([Repeated(found, first * step, count, step) for first, count in of_dimension])
        step *= size
    return TypeMap([Repeated(found, 0)], (0, step))
