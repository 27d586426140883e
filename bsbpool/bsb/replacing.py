"""Replaces objects by others wherever they are referred to: modules, classes, collections, default arguments, closures.

`counterparts` defines which objects are replaced, and by which.
"""

from __future__ import annotations

import functools
import gc
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

from .counterparts import Pairs


def replace(pairs: Pairs, undo: list[Callable[[], Any]]) -> None:
    """Replace the first of each pair by the second wherever it is held: modules, classes, collections, defaults,
    closures.

    It is not replaced in local variables of running functions, nor in BSB's pool itself, which must work again later.
    """
    own = _parts_of([old for old, _ in pairs])
    while pairs:
        new_of = {id(old): new for old, new in pairs}
        held = tuple(old for old, _ in pairs)
        changed: Pairs = []
        # From Python 3.13 on, the tuple of arguments is among the referrers: it would be replaced for ever.
        holders = gc.get_referrers(*held)
        seen = {id(each) for each in (held, pairs, changed, new_of, *pairs)} | own
        # Modules are searched again: objects that were frozen (`gc.freeze`) are not found.
        for holder in [*holders, *(vars(module) for module in list(sys.modules.values()))]:
            if id(holder) in seen or isinstance(holder, types.FrameType):
                continue
            seen.add(id(holder))
            _replace_in(holder, new_of, changed, undo)
        # A tuple can't be changed: it is replaced by another one, wherever it is held.
        pairs = changed


def _parts_of(objects: Sequence[Any]) -> set[int]:
    """Return the ids of the dictionaries and closures of BSB's own classes and functions."""
    parts: set[int] = set()
    for each in objects:
        if isinstance(each, type):
            parts.update(id(part) for part in gc.get_referents(each))
            for value in vars(each).values():
                parts.add(id(value))
                function = getattr(value, "__func__", getattr(value, "fget", value))
                parts.update(id(cell) for cell in getattr(function, "__closure__", None) or ())
    return parts


def _replace_in(holder: Any, new_of: dict[int, Any], changed: Pairs, undo: list[Callable[[], Any]]) -> None:
    if isinstance(holder, dict):
        _replace_in_dict(holder, new_of, undo)
    elif isinstance(holder, list):
        for place, value in enumerate(holder):
            if id(value) in new_of:
                holder[place] = new_of[id(value)]
                undo.append(functools.partial(_set_item, holder, place, new_of[id(value)], value))
    elif isinstance(holder, set):
        for value in [each for each in holder if id(each) in new_of]:
            new = new_of[id(value)]
            _exchange(holder, value, new)
            undo.append(functools.partial(_exchange, holder, new, value))
    elif type(holder) in (tuple, frozenset):
        if any(id(value) in new_of for value in holder):
            changed.append((holder, type(holder)(new_of.get(id(value), value) for value in holder)))
    elif isinstance(holder, types.CellType):
        old = holder.cell_contents
        if id(old) in new_of:
            holder.cell_contents = new_of[id(old)]
            undo.append(lambda: setattr(holder, "cell_contents", old))
    elif isinstance(holder, types.FunctionType):
        defaults = holder.__defaults__
        if id(defaults) in new_of:
            holder.__defaults__ = new_of[id(defaults)]
            undo.append(lambda: setattr(holder, "__defaults__", defaults))
    elif not isinstance(holder, type | types.ModuleType):
        attributes = getattr(holder, "__dict__", None)  # Python keeps those of some instances without a dictionary
        if isinstance(attributes, dict):
            _replace_in_dict(attributes, new_of, undo)


def _replace_in_dict(holder: dict[Any, Any], new_of: dict[int, Any], undo: list[Callable[[], Any]]) -> None:
    cls = _class_of(holder)
    for key, value in list(holder.items()):
        if id(value) not in new_of:
            continue
        new = new_of[id(value)]
        if cls is None:
            holder[key] = new
            undo.append(functools.partial(_set_item, holder, key, new, value))
        else:  # this also clears Python's cache of methods
            type.__setattr__(cls, key, new)
            undo.append(functools.partial(type.__setattr__, cls, key, value))
    if any(id(key) in new_of for key in holder):
        kept = dict(holder)
        _fill(holder, {new_of.get(id(key), key): value for key, value in kept.items()})
        undo.append(lambda: _fill(holder, kept))


def _class_of(attributes: dict[Any, Any]) -> type | None:
    """Return the class that has this dictionary, if there is one."""
    if "__module__" not in attributes or "__doc__" not in attributes:
        return None
    for each in gc.get_referrers(attributes):
        if isinstance(each, type) and any(part is attributes for part in gc.get_referents(each)):
            return each
    return None


def _set_item(holder: Any, key: Any, present: Any, value: Any) -> None:
    """Set an item, if it has not been changed since."""
    try:
        if holder[key] is present:
            holder[key] = value
    except LookupError:
        pass


def _exchange(holder: set[Any], old: Any, new: Any) -> None:
    if old in holder:
        holder.discard(old)
        holder.add(new)


def _fill(holder: dict[Any, Any], items: dict[Any, Any]) -> None:
    holder.clear()
    holder.update(items)


def put_above(new: type, old: type, undo: list[Callable[[], Any]]) -> None:
    """Make our error derive from BSB's."""
    bases = new.__bases__
    kept = tuple(base for base in bases if not issubclass(old, base))
    new.__bases__ = (*kept, old)
    undo.append(lambda: setattr(new, "__bases__", bases))
