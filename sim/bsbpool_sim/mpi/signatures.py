"""Type signatures: whether data that is sent as items of one datatype may be received as items of another.

The layout of data in memory makes no difference to this; it belongs in `typemaps`.
"""

from __future__ import annotations

from collections.abc import Iterator

from .definitions import DEFINITIONS, Definition
from .typemaps import TypeMap

#: What values are, by their formats: signed and unsigned ones of one size are taken for each other.
_KINDS = {**dict.fromkeys("bBhHiIlLqQpc", "integers"), **dict.fromkeys("efdg", "floating-point numbers")}

#: Datatypes of which anything may be sent and received.
_RAW = ("BYTE", "PACKED")

#: Runs of equal primitives that are compared.
_MOST = 10_000


def _what(name: str) -> tuple[str, int]:
    definition = DEFINITIONS[name]
    letter = definition.letter or name
    return "" if name in _RAW else _KINDS.get(letter, letter), definition.map.size


#: What primitives are, by their names: what their values are, and how large.
_WHAT = {name: _what(name) for name in DEFINITIONS}


def matches(sent: Definition, wanted: Definition, size: int) -> bool:
    """Return whether data that was sent as items of one datatype may be received as items of another.

    :param size: bytes of data; what is behind the first some thousand runs of items is not looked at.
    """
    if sent is wanted or not size:
        return True
    ours, theirs = _forever(sent.map), _forever(wanted.map)
    ours_left = theirs_left = 0
    our_kind = their_kind = ("", 0)
    for _ in range(_MOST):
        if not ours_left:
            our_kind, ours_left = next(ours)
        if not theirs_left:
            their_kind, theirs_left = next(theirs)
        if not our_kind[0] or not their_kind[0]:
            return True
        if our_kind != their_kind:
            return False
        both = min(ours_left, theirs_left)
        ours_left, theirs_left, size = ours_left - both, theirs_left - both, size - both
        if size <= 0:
            return True
    return True


def difference(sent: Definition | None, wanted: Definition | None, size: int) -> tuple[str, str] | None:
    """Return what data is received as and what it was sent as, in words, if these differ; None if they agree.

    :param sent: None: it was sent as an object. `wanted`: None: it is received as one.
    """
    if sent is None or wanted is None:
        items = sent or wanted
        same = items is None or all(name in _RAW for name, _ in items.map.signature())
    else:
        same = matches(sent, wanted, size)
    return None if same else (text(wanted), text(sent))


def text(definition: Definition | None) -> str:
    """Return what data is, in words."""
    if definition is None:
        return "an object"
    if definition.row is not None:
        return f"items of MPI.{definition.row.name}"
    return f"items of a datatype of {', '.join(dict.fromkeys('MPI.' + name for name, _ in definition.map.signature()))}"


def _forever(map: TypeMap) -> Iterator[tuple[tuple[str, int], int]]:
    """What the primitives of items are, one item after the other, and how many bytes of each follow each other."""
    runs = [(_WHAT[name], count * _WHAT[name][1]) for name, count in map.signature()] if map.size else []
    if len(runs) == 1:
        yield runs[0][0], 1 << 62
    while runs:
        yield from runs
    while True:
        yield ("", 0), 1 << 62
