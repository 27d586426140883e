"""The constructors of datatypes: mpi4py's ``Create_…``. What they make is in `definitions` and `typemaps`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from ..errors import MPIError
from . import predefined
from .constants import UNDEFINED
from .definitions import (
    DEFINITIONS,
    DISTRIBUTE_BLOCK,
    DISTRIBUTE_CYCLIC,
    DISTRIBUTE_DFLT_DARG,
    DISTRIBUTE_NONE,
    ORDER_C,
    ORDER_FORTRAN,
    AnyHandle,
    Definition,
    TypeHandle,
    wrap,
)  # fmt: skip
from .integer_arguments import LONG, integer, items
from .kept_by_rank import of_rank
from .predefined import CODES, LETTERS
from .running_rank import note_made
from .typemaps import Repeated, TypeMap, distributed, subarray


class Constructors(TypeHandle):
    """The constructors, as methods of the datatype that a new one is made of."""

    def _made(self, map: TypeMap, combiner: str, letter: str | None = None, **params: Any) -> Self:
        return wrap(type(self), _noted(Definition(map, combiner, params, [self._defined()], letter)))

    def Dup(self) -> Self:
        """The same datatype once more."""
        definition = self._defined()
        return self._made(definition.map, "DUP", definition.letter)

    def Create_contiguous(self, count: int) -> Self:
        """`count` items, one after the other."""
        (count,) = _counts(count=count)
        return self._made(self._defined().map.repeated(count), "CONTIGUOUS", count=count)

    def Create_vector(self, count: int, blocklength: int, stride: int) -> Self:
        """`count` blocks, whose first items are `stride` items from each other."""
        count, blocklength = _counts(count=count, blocklength=blocklength)
        stride = integer(stride, "stride", bits=LONG)
        found = self._defined().map
        return self._made(
            found.repeated(blocklength).repeated(count, stride * found.extent), "VECTOR",
            count=count, blocklength=blocklength, stride=stride,
        )  # fmt: skip

    def Create_hvector(self, count: int, blocklength: int, stride: int) -> Self:
        """`count` blocks, `stride` bytes from each other."""
        count, blocklength = _counts(count=count, blocklength=blocklength)
        stride = integer(stride, "stride", bits=LONG)
        return self._made(
            self._defined().map.repeated(blocklength).repeated(count, stride), "HVECTOR",
            count=count, blocklength=blocklength, stride=stride,
        )  # fmt: skip

    def Create_indexed(self, blocklengths: Sequence[int], displacements: Sequence[int]) -> Self:
        """Blocks of different lengths, at displacements in items."""
        lengths, at = _lists(blocklengths, displacements)
        found = self._defined().map
        return self._made(
            found.blocks(zip([d * found.extent for d in at], lengths, strict=True)), "INDEXED",
            blocklengths=lengths, displacements=at,
        )  # fmt: skip

    def Create_hindexed(self, blocklengths: Sequence[int], displacements: Sequence[int]) -> Self:
        """Blocks of different lengths, at displacements in bytes."""
        lengths, at = _lists(blocklengths, displacements)
        return self._made(
            self._defined().map.blocks(zip(at, lengths, strict=True)), "HINDEXED",
            blocklengths=lengths, displacements=at,
        )  # fmt: skip

    def Create_indexed_block(self, blocklength: int, displacements: Sequence[int]) -> Self:
        """Blocks of one length, at displacements in items."""
        (blocklength,), at = _counts(blocklength=blocklength), _integers(displacements)
        found = self._defined().map
        return self._made(
            found.blocks((d * found.extent, blocklength) for d in at), "INDEXED_BLOCK",
            blocklength=blocklength, displacements=at,
        )  # fmt: skip

    def Create_hindexed_block(self, blocklength: int, displacements: Sequence[int]) -> Self:
        """Blocks of one length, at displacements in bytes."""
        (blocklength,), at = _counts(blocklength=blocklength), _integers(displacements)
        return self._made(
            self._defined().map.blocks((d, blocklength) for d in at), "HINDEXED_BLOCK",
            blocklength=blocklength, displacements=at,
        )  # fmt: skip

    @classmethod
    def Create_struct(
        cls, blocklengths: Sequence[int], displacements: Sequence[int], datatypes: Sequence[TypeHandle]
    ) -> Self:
        """Blocks of different datatypes, at displacements in bytes."""
        lengths, at = _lists(blocklengths, displacements)
        datatypes = list(datatypes)
        if len(datatypes) != len(lengths):
            raise ValueError(f"expecting {len(lengths)} items, got {len(datatypes)}")
        bases = [each._defined() for each in datatypes]
        found = TypeMap([Repeated(b.map, d, n, b.map.extent) for n, d, b in zip(lengths, at, bases, strict=True)])
        # One of different datatypes is padded as C pads a structure; one of a single datatype is not, in MPICH.
        if any(base is not bases[0] for base in bases):
            found = found.aligned()
        return wrap(cls, _noted(Definition(found, "STRUCT", {"blocklengths": lengths, "displacements": at}, bases)))

    def Create_subarray(
        self, sizes: Sequence[int], subsizes: Sequence[int], starts: Sequence[int], order: int = ORDER_C
    ) -> Self:
        """A part of an array.

        :raises MPIError: the part is not within the array.
        """
        sizes, order = _integers(sizes), integer(order, "order")
        subsizes, starts = (_integers(each, len(sizes)) for each in (subsizes, starts))
        for size, subsize, start in zip(sizes, subsizes, starts, strict=True):
            if subsize < 0 or start < 0 or start + subsize > size:
                raise MPIError(
                    f"a subarray of {subsize} from {start} on is not within a dimension of {size}", "ERR_ARG"
                )
        turn = _turn(order)
        return self._made(
            subarray(self._defined().map, *(each[::turn] for each in (sizes, subsizes, starts))), "SUBARRAY",
            sizes=sizes, subsizes=subsizes, starts=starts, order=order,
        )  # fmt: skip

    def Create_darray(
        self, size: int, rank: int, gsizes: Sequence[int], distribs: Sequence[int], dargs: Sequence[int],
        psizes: Sequence[int], order: int = ORDER_C,
    ) -> Self:  # fmt: skip
        """What one rank has of an array that is distributed over a grid of ranks.

        :raises MPIError: the grid has not `size` ranks, or the blocks don't cover the array.
        """
        size, rank, order = integer(size, "size"), integer(rank, "rank"), integer(order, "order")
        gsizes = _integers(gsizes)
        distribs, dargs, psizes = (_integers(each, len(gsizes)) for each in (distribs, dargs, psizes))
        runs = grid_runs(size, rank, gsizes, distribs, dargs, psizes)
        turn = _turn(order)
        return self._made(
            distributed(self._defined().map, gsizes[::turn], runs[::turn]), "DARRAY", size=size, rank=rank,
            gsizes=gsizes, distribs=distribs, dargs=dargs, psizes=psizes, order=order,
        )  # fmt: skip

    def Create_resized(self, lb: int, extent: int) -> Self:
        """The same data, with another lower bound and extent."""
        lb, extent = integer(lb, "lb", bits=LONG), integer(extent, "extent", bits=LONG)
        return self._made(self._defined().map.resized(lb, extent), "RESIZED", lb=lb, extent=extent)

    Resized = Create_resized

    @classmethod
    def Get_value_index(cls, value: TypeHandle, index: TypeHandle) -> Self:
        """The predefined datatype of a pair; DATATYPE_NULL if there is none."""
        of, letters = value._defined(), f"{value._defined().letter}{index._defined().letter}"
        for row in predefined.PREDEFINED:
            if index._state is DEFINITIONS["INT"] and row.letters == letters and row.holds == predefined.PAIR:
                name = row.name.removesuffix("_INT")
                return _of(cls, row.name if of is DEFINITIONS[name] else None)
        return _of(cls, None)

    @classmethod
    def Create_f90_integer(cls, r: int) -> Self:
        """Fortran's integer of `r` digits.

        :raises MPIError: there is none.
        """
        r = integer(r, "r")
        return cls._of_fortran("F90_INTEGER", {"r": r}, [("b", r <= 2), ("h", r <= 4), ("i", r <= 9), ("l", r <= 18)])

    @classmethod
    def Create_f90_real(cls, p: int, r: int) -> Self:
        """Fortran's floating-point number of `p` digits and a decimal exponent up to `r`.

        :raises MPIError: there is none.
        """
        p, r = integer(p, "p"), integer(r, "r")
        return cls._of_fortran("F90_REAL", {"p": p, "r": r}, _precisions(p, r, "fdg"))

    @classmethod
    def Create_f90_complex(cls, p: int, r: int) -> Self:
        """Fortran's complex number of `p` digits and a decimal exponent up to `r`.

        :raises MPIError: there is none.
        """
        p, r = integer(p, "p"), integer(r, "r")
        return cls._of_fortran("F90_COMPLEX", {"p": p, "r": r}, _precisions(p, r, "FDG"))

    @classmethod
    def _of_fortran(cls, combiner: str, params: dict[str, int], choices: list[tuple[str, bool]]) -> Self:
        letter = next((letter for letter, fits in choices if fits), None)
        if letter is None:
            raise MPIError(f"there is no datatype {combiner} of {params}", "ERR_OTHER")
        # The same arguments give the same datatype.
        made: dict[Any, Definition] = of_rank("f90 datatypes", dict)
        key = (combiner, *params.values())
        if key not in made:
            made[key] = Definition(
                TypeMap.of_primitive(CODES[letter], *LETTERS[letter][:2]), combiner, params, (), letter
            )
        return wrap(cls, made[key])

    @classmethod
    def Match_size(cls, typeclass: int, size: int) -> Self:
        """Fortran's datatype of a class and a size in bytes.

        :raises MPIError: there is none.
        """
        typeclass, size = integer(typeclass, "typeclass"), integer(size, "size")
        classes = {1: "REAL", 2: "INTEGER", 3: "COMPLEX", 4: "LOGICAL"}
        name = classes.get(typeclass, "") + str(size)
        name = "LOGICAL" if name == "LOGICAL4" else name
        if typeclass not in classes or name not in DEFINITIONS:
            raise MPIError(
                f"there is no datatype of the class {classes.get(typeclass, typeclass)} of {size} bytes", "ERR_ARG"
            )
        return _of(cls, name)


def _noted(definition: Definition) -> Definition:
    """A program made it, which has to free it."""
    note_made(definition, "datatype")
    return definition


def _of(cls: type[AnyHandle], name: str | None) -> AnyHandle:
    return wrap(cls, None if name is None else DEFINITIONS[name])


# -- arguments -------------------------------------------------------------------------------------------


def _counts(**values: Any) -> list[int]:
    found = [integer(value, name, bits=LONG) for name, value in values.items()]
    for name, value in zip(values, found, strict=True):
        if value < 0:
            raise MPIError(f"{name}={value} is negative", "ERR_COUNT")
    return found


def _integers(values: Sequence[int], size: int | None = None) -> list[int]:
    found = items(values, "an item", LONG)
    if size is not None and len(found) != size:
        raise ValueError(f"expecting {size} items, got {len(found)}")
    return found


def _lists(blocklengths: Sequence[int], displacements: Sequence[int]) -> tuple[list[int], list[int]]:
    lengths = _integers(blocklengths)
    if any(n < 0 for n in lengths):
        raise MPIError(f"blocklengths={lengths}: a block has no negative length", "ERR_COUNT")
    return lengths, _integers(displacements, len(lengths))


def _turn(order: int) -> int:
    """The step through dimensions that has the contiguous one last."""
    if order not in (ORDER_C, ORDER_FORTRAN):
        raise MPIError(f"order={order!r} must be ORDER_C or ORDER_FORTRAN", "ERR_ARG")
    return 1 if order == ORDER_C else -1


def _precisions(p: int, r: int, letters: str) -> list[tuple[str, bool]]:
    limits = ((6, 37), (15, 307), (33, 4931))
    return [
        (letter, (p <= digits or p == UNDEFINED) and (r <= exponent or r == UNDEFINED))
        for letter, (digits, exponent) in zip(letters, limits, strict=True)
    ]


def grid_runs(
    size: int, rank: int, gsizes: Sequence[int], distribs: Sequence[int], dargs: Sequence[int], psizes: Sequence[int]
) -> list[list[tuple[int, int]]]:
    """The runs of indices of each dimension that a rank has of a distributed array: the first, and how many."""
    grid = 1
    for p in psizes:
        grid *= p
    if grid != size or not 0 <= rank < size:
        raise MPIError(f"rank {rank} of {size} is not in a grid of {' x '.join(map(str, psizes))}", "ERR_ARG")
    coordinates, left = [], rank
    for p in reversed(psizes):
        left, coordinate = divmod(left, p)
        coordinates.append(coordinate)
    return [_runs(*each) for each in zip(gsizes, distribs, dargs, psizes, reversed(coordinates), strict=True)]


def _runs(size: int, distrib: int, darg: int, ranks: int, coordinate: int) -> list[tuple[int, int]]:
    default = darg == DISTRIBUTE_DFLT_DARG
    if not default and darg <= 0:
        raise MPIError(f"darg={darg} must be positive, or DISTRIBUTE_DFLT_DARG", "ERR_ARG")
    if distrib == DISTRIBUTE_NONE:
        if ranks != 1:
            raise MPIError(f"a dimension that is not distributed has one rank, not {ranks}", "ERR_ARG")
        return [(0, size)]
    if distrib == DISTRIBUTE_BLOCK:
        block = -(-size // ranks) if default else darg
        if block * ranks < size:
            raise MPIError(f"{ranks} blocks of {block} don't cover a dimension of {size}", "ERR_ARG")
        return [(coordinate * block, max(0, min(block, size - coordinate * block)))]
    if distrib == DISTRIBUTE_CYCLIC:
        block = 1 if default else darg
        return [(first, min(block, size - first)) for first in range(coordinate * block, size, block * ranks)]
    raise MPIError(f"distribution {distrib!r} is none of MPI's", "ERR_ARG")
