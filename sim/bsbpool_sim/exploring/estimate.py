"""How many schedules are left, by estimate: as a number, and in words.

What share of all schedules was tried, the search knows: `exhaustive`.
"""

from __future__ import annotations


def schedules_left(count: int, share: float) -> float | None:
    """Return how many schedules are left, after Knuth (Mathematics of Computation 29, 1975).

    :param count: how many were tried.
    :param share: which share of all these are, each branch of a choice being as large as the others.
    :returns: None: none was tried.
    """
    return count / share - count if share else None


def two_digits(number: float) -> str:
    """Return an estimate as people read it: two digits of it count."""
    return f"{max(1.0, float(f'{number:.2g}')):,.0f}" if number < 1e9 else f"{number:.0e}"
