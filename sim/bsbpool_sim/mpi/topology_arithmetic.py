"""Virtual topologies as data and arithmetic: grids, graphs, and graphs of which each rank knows its part.

Communicators with a topology are in `topologies`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ..errors import MPIError
from .constants import PROC_NULL
from .integer_arguments import integer, items


class Grid(NamedTuple):
    """A Cartesian topology: rank 0 is at the origin, and the last coordinate changes first."""

    dims: tuple[int, ...]
    periods: tuple[bool, ...]

    def __str__(self) -> str:
        return f"dims={[*self.dims]}, periods={[*self.periods]}"

    @property
    def size(self) -> int:
        """Number of its points."""
        return math.prod(self.dims)

    def coords(self, rank: int) -> list[int]:
        """The coordinates of a rank."""
        result = []
        for dim in reversed(self.dims):
            rank, place = divmod(rank, dim)
            result.append(place)
        return result[::-1]

    def rank(self, coords: Iterable[int]) -> int | None:
        """The rank at some coordinates; None: they are outside, and the grid has an end there."""
        rank = 0
        for place, dim, period in zip(coords, self.dims, self.periods, strict=True):
            if not 0 <= place < dim and not period:
                return None
            rank = rank * dim + place % dim
        return rank

    def shifted(self, rank: int, direction: int, by: int) -> int:
        """The rank that is `by` steps further; PROC_NULL beyond the end."""
        coords = self.coords(rank)
        coords[direction] += by
        found = self.rank(coords)
        return PROC_NULL if found is None else found


class RankGraph(NamedTuple):
    """A graph: `edges` has the neighbours of all ranks one after another, and `ends` where those of each end."""

    ends: tuple[int, ...]
    edges: tuple[int, ...]

    def __str__(self) -> str:
        return f"index={[*self.ends]}, edges={[*self.edges]}"

    def neighbors(self, rank: int) -> list[int]:
        """The neighbours of a rank."""
        return [*self.edges[self.ends[rank - 1] if rank else 0 : self.ends[rank]]]

    @property
    def one_sided(self) -> str:
        """The first edge that only one of its ends names, in words; "" if there is none."""
        near = [self.neighbors(rank) for rank in range(len(self.ends))]
        return one_sided(near, near)


class Neighbours(NamedTuple):
    """What one rank knows of a distributed graph; weights are None if the graph has none.

    :ivar one_sided: the first edge of the graph that only one of its ends names, in words; "" if there is none.
    """

    sources: tuple[int, ...]
    destinations: tuple[int, ...]
    source_weights: tuple[int, ...] | None
    dest_weights: tuple[int, ...] | None
    one_sided: str = ""


def one_sided(sources: Sequence[Sequence[int]], destinations: Sequence[Sequence[int]]) -> str:
    """Return the first edge that only one of its ends names, in words; "" if there is none.

    :param sources: of each rank, where the edges begin that lead to it, as it says; `destinations`: where those end
        that begin at it, as it says.
    """
    to, out = [Counter(each) for each in sources], [Counter(each) for each in destinations]
    for rank in range(len(to)):
        for source, count in to[rank].items():
            if out[source][rank] < count:
                return f"rank {rank} names an edge from rank {source} that rank {source} does not name"
        for destination, count in out[rank].items():
            if to[destination][rank] < count:
                return f"rank {rank} names an edge to rank {destination} that rank {destination} does not name"
    return ""


def integers(values: Any, what: str) -> tuple[int, ...]:
    """Return a sequence of integers that a program gave.

    :raises TypeError: it is none.
    """
    try:
        return tuple(items(values, what))
    except TypeError:
        raise TypeError(f"{what} must be a sequence of integers, not {values!r}")


def grid(dims: Any, periods: Any, ranks: int) -> Grid:
    """Return the grid that a program asked for.

    :raises ValueError: there is not one period for each dimension.
    :raises MPIError: a dimension is no length, or there are fewer ranks than points.
    """
    lengths = integers(dims, "dims")
    if periods is None or isinstance(periods, bool):
        periods = [bool(periods)] * len(lengths)
    wraps = integers(periods, "periods")
    if len(wraps) != len(lengths):
        raise ValueError(f"{len(wraps)} periods for {len(lengths)} dims: give one for each, or one for all")
    if any(length < 1 for length in lengths):
        raise MPIError(f"dims={[*lengths]}: a length is 1 or more", "ERR_ARG")
    if math.prod(lengths) > ranks:
        raise MPIError(f"dims={[*lengths]} is a grid of {math.prod(lengths)} points for {ranks} ranks", "ERR_ARG")
    return Grid(lengths, tuple(bool(each) for each in wraps))


def graph(index: Any, edges: Any, ranks: int) -> RankGraph:
    """Return the graph that a program asked for; `index` may begin with 0, as in adjacency arrays.

    :raises MPIError: it is none, or has more nodes than there are ranks.
    """
    ends, neighbours = integers(index, "index"), integers(edges, "edges")
    if ends and ends[0] == 0 and ends[-1] == len(neighbours):
        ends = ends[1:]
    if len(ends) > ranks:
        raise MPIError(f"a graph of {len(ends)} nodes for {ranks} ranks", "ERR_ARG")
    if [*ends] != sorted(ends) or (ends and (ends[0] < 0 or ends[-1] > len(neighbours))):
        raise MPIError(f"index={[*ends]} does not say where the neighbours of each node end", "ERR_ARG")
    for each in neighbours:
        if not 0 <= each < len(ends):
            raise MPIError(f"the edge to {each} leads out of a graph of {len(ends)} nodes", "ERR_ARG")
    return RankGraph(ends, neighbours)


def Compute_dims(nnodes: int, dims: int | Sequence[int]) -> list[int]:
    """Divide nodes among the dimensions of a grid, as evenly as possible.

    :param nnodes: how many.
    :param dims: number of dimensions; or a length for each, with 0 for those that are to be found.
    :raises MPIError: the lengths that are given don't divide the number of nodes.
    """
    nnodes = integer(nnodes, "nnodes")
    lengths = [0] * dims if isinstance(dims, int) else [*integers(dims, "dims")]
    if nnodes < 1:
        raise MPIError(f"Compute_dims({nnodes}): there is at least one node", "ERR_DIMS")
    if any(length < 0 for length in lengths):
        raise MPIError(f"Compute_dims: {lengths} has a negative length", "ERR_DIMS")
    free = [i for i, length in enumerate(lengths) if length == 0]
    left, rest = divmod(nnodes, math.prod(length for length in lengths if length))
    if rest or (not free and left != 1):
        raise MPIError(f"Compute_dims: {nnodes} nodes can't be divided among dims of {lengths}", "ERR_DIMS")
    for i, length in zip(free, _evenly(left, len(free)), strict=True):
        lengths[i] = length
    return lengths


def _evenly(number: int, parts: int) -> list[int]:
    """Factors whose product is `number`, the largest first, with the largest as small as possible."""
    if parts == 0:
        return []
    found = _factors(number, parts, number)
    assert found is not None
    return found


def _factors(number: int, parts: int, most: int) -> list[int] | None:
    """The first such factors in lexical order, none of which is larger than `most`."""
    if parts == 1:
        return [number] if number <= most else None
    for factor in _divisors(number):
        # What is left must fit into as many factors, none of which is larger.
        if factor <= most and factor**parts >= number:
            rest = _factors(number // factor, parts - 1, factor)
            if rest is not None:
                return [factor, *rest]
    return None


def _divisors(number: int) -> list[int]:
    low = [n for n in range(1, math.isqrt(number) + 1) if number % n == 0]
    return low + [number // n for n in reversed(low) if n * n != number]
