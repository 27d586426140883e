"""Runs a script, and then prints the variables of it that are plain data: `variables.py SCRIPT [ARGUMENT…]`.

So two runs can be compared of a program that prints nothing.
"""

from __future__ import annotations

import runpy
import sys

_PLAIN = (int, float, complex, str, bytes, bytearray, type(None))
_CONTAINERS = (list, tuple, set, frozenset)
#: Characters of a value that are shown.
_MOST = 2000


def shown(value: object) -> str | None:
    """A value in one line; None if it is no plain data."""
    kind = type(value)
    if (kind.__module__, kind.__name__) == ("numpy", "ndarray"):
        return f"{value.dtype} {value.shape} {value.tolist()}"[:_MOST]  # type: ignore[attr-defined]
    return repr(value)[:_MOST] if _is_plain(value) else None


def _is_plain(value: object) -> bool:
    """Whether a value is data, all through: handles of MPI are shown otherwise in each world."""
    if isinstance(value, dict):
        return _is_plain([*value, *value.values()])
    if isinstance(value, _CONTAINERS):
        return all(map(_is_plain, value))
    # Numbers that MPI has a name for are of a class of their own on simulated ranks.
    if isinstance(value, int):
        return True
    return type(value) in _PLAIN or (type(value).__module__, type(value).__name__) == ("array", "array")


def main() -> None:
    sys.argv.pop(0)
    found = runpy.run_path(sys.argv[0], run_name="__main__")
    for name in sorted(found):
        if not name.startswith("_") and (text := shown(found[name])) is not None:
            print(f"{name} = {text}")


if __name__ == "__main__":
    main()
