"""The order in which reductions combine the data of ranks: as in MPICH and mpi4py, so that floats are rounded in the
same way.

The data, and how it is combined, belong to the callers: `object_collectives`, `reduction_parts` and `reductions`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

#: Puts the values of all ranks together, two by two.
ReductionOrder = Callable[[Callable[[Any, Any], Any], Sequence[Any]], Any]


def binomial(pair: Callable[[Any, Any], Any], values: Sequence[Any]) -> Any:
    """Combine along a binomial tree, as mpi4py's reductions of objects do, and MPICH's `Reduce` of little data."""
    left, step = [*values], 1
    while step < len(left):
        for i in range(0, len(left) - step, 2 * step):
            left[i] = pair(left[i], left[i + step])
        step *= 2
    return left[0]


def _power_of_two(pair: Callable[[Any, Any], Any], values: Sequence[Any]) -> list[Any]:
    """As many values as a power of two: of the first ones, each with its neighbour is one."""
    beyond = len(values) - (1 << (len(values).bit_length() - 1))
    return [pair(values[2 * i], values[2 * i + 1]) for i in range(beyond)] + [*values[2 * beyond :]]


def by_neighbours(pair: Callable[[Any, Any], Any], values: Sequence[Any]) -> Any:
    """Combine each with its neighbour, then the results in the same way, as MPICH's `Allreduce` does."""
    left = _power_of_two(pair, values)
    while len(left) > 1:
        left = [pair(left[i], left[i + 1]) for i in range(0, len(left), 2)]
    return left[0]


def by_halves(pair: Callable[[Any, Any], Any], values: Sequence[Any]) -> Any:
    """Combine each of the first half with one of the second, and so on, as MPICH's `Reduce_scatter` does for operations
    that commute.
    """
    left = _power_of_two(pair, values)
    while len(left) > 1:
        half = len(left) // 2
        left = [pair(left[i], left[i + half]) for i in range(half)]
    return left[0]


#: Puts together what two runs of ranks brought.
PairOperation = Callable[[bytes, bytes], bytes]


def prefix(
    rank: int, itself: bool, brought: Callable[[int], bytes], pair: PairOperation, known: dict[tuple[int, int], bytes]
) -> bytes | None:
    """Combine what the ranks below one brought.

    They are taken in blocks of 1, 2, 4, … ranks from `rank` downwards, each of which is reduced by halves.

    :param itself: whether the rank itself counts, too.
    :param brought: what a rank brought.
    :param known: results of blocks, which are computed once for all ranks.
    :returns: None if there is nothing.
    """
    result = brought(rank) if itself else None
    start, size = rank, 1
    while start:
        if start & size:
            start -= size
            before = _block(start, size, brought, pair, known)
            result = before if result is None else pair(before, result)
        size *= 2
    return result


def _block(
    start: int, size: int, brought: Callable[[int], bytes], pair: PairOperation, known: dict[tuple[int, int], bytes]
) -> bytes:
    if size == 1:
        return brought(start)
    found = known.get((start, size))
    if found is None:
        half = size // 2
        found = known[start, size] = pair(
            _block(start, half, brought, pair, known), _block(start + half, half, brought, pair, known)
        )
    return found
