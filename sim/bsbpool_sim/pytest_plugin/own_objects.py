"""The functions, classes and objects of modules that a simulated rank has in place of those from outside.

Parameters of tests, and values of fixtures without `comm`, refer to the modules that pytest has imported; a rank has
copies of these modules. A function or class of such a module is replaced by the rank's one of that name. An object of
such a class is copied, with the rank's class. If fixtures and tests outside have changed variables of modules and
classes since pytest imported them, these are changed on each rank as well.
"""

from __future__ import annotations

import functools
import importlib
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

from ..program.package import MODULE

#: What needs no counterpart, whatever module it comes from.
_PLAIN = (type(None), bool, int, float, complex, str, bytes, types.ModuleType, types.CodeType)
_CONTAINERS = (list, dict, set)

#: Within one walk through a value, by the id of what was met: that, and what the rank has in its place.
_Done = dict[int, tuple[Any, Any]]


class CounterpartError(Exception):
    """Something from outside has no counterpart on simulated ranks: says what, and what would be right."""


class Outside:
    """The user's modules as pytest has imported them, and what they were like then.

    :param owns: whether ranks have modules of their own in place of a module.
    :ivar noted: by the name of a module: the module, and its variables and those of its classes.
    """

    def __init__(self, owns: Callable[[types.ModuleType], bool]):
        self.owns = owns
        self.noted: dict[str, tuple[types.ModuleType, list[_Space]]] = {}
        #: what the real MPI has, by name; None: it was not imported.
        self.mpi: dict[str, Any] | None = None
        self._seen: dict[str, types.ModuleType] = {}

    def note(self, modules: Iterable[types.ModuleType]) -> None:
        """Keep in mind what modules are like that were not there before."""
        for module in modules:
            name = getattr(module, "__name__", None)
            if not isinstance(name, str) or self._seen.get(name) is module or sys.modules.get(name) is not module:
                continue
            self._seen[name] = module
            if self.owns(module):
                classes = [c for c in vars(module).values() if isinstance(c, type) and c.__module__ == name]
                self.noted[name] = (module, [_Space(each) for each in (module, *classes)])


class _Space:
    """The variables of a module or class, and what was in those that are lists, dictionaries or sets."""

    def __init__(self, of: Any):
        self.of = of
        self.values = {name: value for name, value in vars(of).items() if not _is_hidden(name)}
        self.contents = {n: type(v)(v) for n, v in self.values.items() if type(v) in _CONTAINERS}

    def changes(self, now: _Space) -> Iterable[str]:
        """The names of what is not as it was."""
        for name in self.values.keys() | now.values.keys():
            before, after = self.values.get(name, _MISSING), now.values.get(name, _MISSING)
            if before is not after or not _same(self.contents.get(name), now.contents.get(name)):
                yield name


_MISSING: Any = object()


def _is_hidden(name: str) -> bool:
    return name.startswith(("@", "__"))


def _same(one: Any, other: Any) -> bool:
    """Whether containers have the very same things in them."""
    if one is None or other is None or len(one) != len(other):
        return one is other
    if isinstance(one, dict):
        return all(map(_is, one.values(), other.values())) and [*one] == [*other]
    return {*map(id, one)} == {*map(id, other)} if isinstance(one, set) else all(map(_is, one, other))


def _is(one: Any, other: Any) -> bool:
    return one is other


class Counterparts:
    """What one rank has in place of things from outside. Its methods are called on that rank.

    :param outside: the modules outside.
    :param load: lets the rank that runs have a module.
    """

    def __init__(self, outside: Outside, load: Callable[[str], None]):
        self._outside = outside
        self._load = load
        #: by the id of what is outside, which is kept with it.
        self._of: dict[int, tuple[Any, Any]] = {}
        self._before: dict[str, list[_Space]] = {}
        self._paired: dict[str, types.ModuleType] = {}
        self._has_mpi = False

    def follow(self) -> None:
        """See which modules the rank has, and change in them what was changed outside."""
        noted = self._outside.noted
        for name, (outer, spaces) in noted.items():
            mine = sys.modules.get(name)
            if mine is None or mine is outer:
                continue
            if self._paired.get(name) is not mine:
                self._paired[name] = mine
                self._before[name] = spaces
                self._pair(spaces, mine)
        for name, before in self._before.items():
            outer = noted[name][0]
            now = [_Space(each.of) for each in before]
            for was, is_now in zip(before, now, strict=True):
                target = self._paired[name] if was.of is outer else self._of.get(id(was.of), (None, None))[1]
                if target is not None:
                    for changed in was.changes(is_now):
                        self._change(target, changed, is_now)
            self._before[name] = now

    def _pair(self, spaces: list[_Space], mine: types.ModuleType) -> None:
        for space in spaces:
            target = mine if isinstance(space.of, types.ModuleType) else getattr(mine, space.of.__name__, None)
            for name, value in space.values.items():
                its = vars(target).get(name) if target is not None else None
                if its is not value and not isinstance(value, _PLAIN) and type(its).__name__ == type(value).__name__:
                    self._of.setdefault(id(value), (value, its))

    def _change(self, target: Any, name: str, now: _Space) -> None:
        if name not in now.values:
            if name in vars(target):
                delattr(target, name)
            return
        value, contents = now.values[name], now.contents.get(name)
        mine = vars(target).get(name)
        known = self._of.get(id(value))
        if contents is not None and known is not None and known[1] is mine and type(mine) is type(value):
            mine.clear()
            if isinstance(mine, list):
                mine.extend(map(self.of, contents))
            else:
                mine.update(self.of(contents))
        elif not _is_of_mpi(value) or self.of(value) is not value:
            setattr(target, name, self.of(value))

    # -- values ------------------------------------------------------------------------------------

    def of(self, value: Any) -> Any:
        """What the rank has in place of a value.

        :raises CounterpartError: it is an object of a class that each rank has for itself, and can't be copied.
        """
        return self._value(value, {})

    def _value(self, value: Any, done: _Done) -> Any:
        if isinstance(value, _PLAIN) or value is Ellipsis:
            return value
        known = self._of.get(id(value))
        if known is not None:
            return known[1]
        if id(value) in done:
            return done[id(value)][1]
        if _is_of_mpi(value):
            return self._of_mpi(value)
        kind = type(value)
        make = _MAKERS.get(kind)
        if make is None and isinstance(value, tuple) and hasattr(value, "_fields") and not self._is_own(kind):
            make = _named_tuple
        if make is not None:
            done[id(value)] = value, value  # what refers to itself stays itself
            made = make(self, value, done)
        elif isinstance(value, type):
            made = self._named(value)
        else:
            made = self._copied(value, done) if self._is_own(kind) else value
        done[id(value)] = value, made
        return made

    def _has(self, module: Any) -> bool:
        """Whether the rank has a module of its own of this name; it loads it if it can have one."""
        if module in self._paired:
            return True
        if module not in self._outside.noted:
            return False
        self._load(module)
        self.follow()
        return module in self._paired

    def _is_own(self, kind: Any) -> bool:
        return self._has(getattr(kind, "__module__", None))

    def named(self, module: str, path: str) -> Any:
        """What the rank's module of this name has there, None if it has nothing."""
        found: Any = sys.modules.get(module) if self._has(module) else None
        for name in path.split("."):
            found = getattr(found, name, None)
        return found

    def _named(self, value: Any) -> Any:
        """A function or class, by its name."""
        module: Any = getattr(value, "__module__", None)
        path = getattr(value, "__qualname__", "<")
        if not self._has(module) or "<" in path:
            return None if isinstance(value, types.FunctionType) else value
        found: Any = self._outside.noted[module][0]
        for name in path.split("."):
            found = getattr(found, name, None)
        return self.named(module, path) if found is value else None if isinstance(value, types.FunctionType) else value

    def function(self, value: types.FunctionType, done: _Done) -> Any:
        """A function, by its name; one that has none, such as a lambda, with the rank's variables."""
        found = self._named(value)
        if found is not None:
            return found
        space = value.__globals__
        module: Any = space.get("__name__")
        if not self._has(module) or vars(self._outside.noted[module][0]) is not space:
            return value
        cells = value.__closure__
        made = types.FunctionType(
            value.__code__, vars(self._paired[module]), value.__name__, self._value(value.__defaults__, done),
            None if cells is None else tuple(self._cell(cell, done) for cell in cells),
        )  # fmt: skip
        made.__kwdefaults__ = self._value(value.__kwdefaults__, done)
        made.__qualname__, made.__doc__, made.__module__ = value.__qualname__, value.__doc__, value.__module__
        made.__dict__.update(value.__dict__)
        return made

    def _cell(self, cell: types.CellType, done: _Done) -> types.CellType:
        try:
            value = cell.cell_contents
        except ValueError:  # it is empty
            return cell
        mine = self._value(value, done)
        return cell if mine is value else types.CellType(mine)

    def _copied(self, value: Any, done: _Done) -> Any:
        kind = self._named(type(value))
        if kind is type(value):
            return value  # a class that is made in a function is all ranks'
        try:
            parts = value.__reduce_ex__(4)
            if isinstance(parts, str):
                return self.named(type(value).__module__, parts)
            function, arguments, state, items, pairs = (*parts, None, None, None, None)[:5]
            made = self._value(function, done)(*(self._value(each, done) for each in arguments))
            done[id(value)] = value, made
            self._fill(made, self._value(state, done), items, pairs, done)
        except CounterpartError:
            raise
        except Exception as error:
            raise CounterpartError(
                f"this {type(value).__qualname__} was made outside of the simulated ranks, of which each has a class "
                f"{type(value).__module__}.{type(value).__qualname__} of its own, and it can't be copied for them "
                f"({type(error).__name__}: {error}): let the fixture that makes it name `comm` among its arguments, "
                "so that it runs on each rank, or let all ranks share the module, with `ranks_share` in the ini file"
            ) from error
        return made

    def _fill(self, made: Any, state: Any, items: Any, pairs: Any, done: _Done) -> None:
        if state is not None and hasattr(made, "__setstate__"):
            made.__setstate__(state)
        elif state is not None:
            first, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
            made.__dict__.update(first or {})
            for name, each in (slots or {}).items():
                setattr(made, name, each)
        for each in items or ():
            made.append(self._value(each, done))
        for key, each in pairs or ():
            made[self._value(key, done)] = self._value(each, done)

    # -- MPI ---------------------------------------------------------------------------------------

    def _of_mpi(self, value: Any) -> Any:
        """What MPI has under the same name on the rank."""
        if self._outside.mpi is not None and not self._has_mpi:
            self._has_mpi = True
            mine = importlib.import_module(MODULE)
            for name, its in self._outside.mpi.items():
                if not isinstance(its, _PLAIN) and not name.startswith("__"):
                    self._of.setdefault(id(its), (its, getattr(mine, name, its)))
        known = self._of.get(id(value))
        return value if known is None else known[1]

    def of_outside(self, mine: type) -> type | None:
        """The class outside in whose place the rank has one; None if there is none."""
        if mine.__module__ not in self._paired or "<" in mine.__qualname__:
            return None
        found: Any = self._outside.noted[mine.__module__][0]
        for name in mine.__qualname__.split("."):
            found = getattr(found, name, None)
        return found if isinstance(found, type) else None


def _is_of_mpi(value: Any) -> bool:
    kind = value if isinstance(value, type) else type(value)
    return kind.__module__ == MODULE


# -- what is made of several things ----------------------------------------------------------------------


def _are_plain(values: Iterable[Any]) -> bool:
    return {*map(type, values)} <= _PLAIN_TYPES


_PLAIN_TYPES = {*_PLAIN}


def _of_many(of_rank: Counterparts, value: Any, done: _Done) -> Any:
    if _are_plain(value):
        return value
    mine = [of_rank._value(each, done) for each in value]
    return value if all(map(_is, value, mine)) else type(value)(mine)


def _named_tuple(of_rank: Counterparts, value: Any, done: _Done) -> Any:
    mine = [of_rank._value(each, done) for each in value]
    return value if all(map(_is, value, mine)) else type(value)(*mine)


def _of_pairs(of_rank: Counterparts, value: dict[Any, Any], done: _Done) -> Any:
    if _are_plain(value) and _are_plain(value.values()):
        return value
    mine = {of_rank._value(key, done): of_rank._value(each, done) for key, each in value.items()}
    same = all(map(_is, value, mine)) and all(map(_is, value.values(), mine.values()))
    return value if same else mine


def _of_method(of_rank: Counterparts, value: types.MethodType, done: _Done) -> Any:
    function, instance = of_rank._value(value.__func__, done), of_rank._value(value.__self__, done)
    return value if function is value.__func__ and instance is value.__self__ else types.MethodType(function, instance)


def _of_partial(of_rank: Counterparts, value: Any, done: _Done) -> Any:
    parts = (value.func, value.args, value.keywords)
    function, arguments, keywords = (of_rank._value(each, done) for each in parts)
    same = all(map(_is, parts, (function, arguments, keywords)))
    return value if same else functools.partial(function, *arguments, **keywords)


_MAKERS: dict[type, Callable[[Counterparts, Any, _Done], Any]] = {
    list: _of_many, tuple: _of_many, set: _of_many, frozenset: _of_many, dict: _of_pairs,
    types.FunctionType: Counterparts.function, types.MethodType: _of_method, functools.partial: _of_partial,
}  # fmt: skip
