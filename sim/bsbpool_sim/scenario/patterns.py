"""Patterns of texts, as scenarios write them: ``*`` is any text, ``?`` any character."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

__all__ = ["matcher"]


@lru_cache(1000)
def matcher(pattern: str) -> Callable[[str], Any]:
    """Return a function that tells whether a text matches a pattern."""
    if "*" not in pattern and "?" not in pattern:
        return pattern.__eq__
    first, *others = (re.escape(part).replace(r"\?", ".") for part in re.split(r"\*+", pattern))
    # What stands between two * is taken where it comes first, and nowhere else: no text takes more steps than its
    # length times that of the pattern.
    between = "".join(f"(?>.*?{part})" for part in others[:-1])
    return re.compile(first + between + "".join(f".*{last}" for last in others[-1:]), re.DOTALL).fullmatch
