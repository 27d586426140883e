"""Patterns of texts, as scenarios write them: ``*`` is any text, ``?`` any character."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

__all__ = ["matcher"]


def matcher(pattern: str) -> Callable[[str], Any]:
    """Return what tells whether a text matches a pattern."""
    if "*" not in pattern and "?" not in pattern:
        return pattern.__eq__
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL).fullmatch
