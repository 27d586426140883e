"""Decides whether a program that looks again is in the same state: the place of a task in its code, and its variables.

A program that looks in a loop, finds nothing, and has the same state afterwards, waits. The state is the lines of the
program that are being executed, and all that their variables lead to: numbers, texts, containers, arrays, attributes of
objects and classes, variables of functions and generators, and when a clock was read last. What can't be read equals
nothing, so that a program that goes on is not taken for one that waits. Of modules of libraries only data is read that
the program names, and of files only where they are read. `looks` and `thread_turns` use this.
"""

from __future__ import annotations

import contextvars
import copyreg
import functools
import gc
import io
import itertools
import sys
import types
import weakref
from _queue import SimpleQueue
from _thread import LockType
from array import array
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple

from bsbpool.frames import OWN_PACKAGES, TOOLS, Whose, library, outward, whose, whose_code

from .loops import Hidden, hidden
from .python.thread_locals import Local
from .tasks import Rank

#: Objects that are read of one task, how deep, and bytes of an array. More of them count as something new.
MOST_OBJECTS, MOST_DEPTH, MOST_BYTES = 5000, 40, 65_536

_VALUES = (int, float, complex, str, bytes, bool, type(None), type(...), type(NotImplemented), CodeType)
#: How the items of containers are read, whatever a subclass makes of their methods.
_CONTAINERS: dict[type, Callable[[Any], Iterable[Any]]] = {
    list: list.__iter__,
    tuple: tuple.__iter__,
    OrderedDict: lambda value: itertools.chain.from_iterable(OrderedDict.items(value)),
    dict: lambda value: itertools.chain.from_iterable(dict.items(value)),
    deque: deque.__iter__,
    set: set.__iter__,
    frozenset: frozenset.__iter__,
}
#: By type: the attributes that are its whole state.
_PARTS: dict[type, list[str]] = {
    types.MethodType: ["__self__", "__func__"],
    types.BuiltinFunctionType: ["__self__", "__name__"],
    types.MethodWrapperType: ["__self__", "__name__"],
    functools.partial: ["func", "args", "keywords", "__dict__"],
    types.CellType: ["cell_contents"],
    property: ["fget", "fset", "fdel"],
    classmethod: ["__func__"],
    staticmethod: ["__func__"],
    slice: ["start", "stop", "step"],
    range: ["start", "stop", "step"],
}
#: By type: the attribute that is its frame.
_FRAMES: dict[type, str] = {
    types.GeneratorType: "gi_frame",
    types.CoroutineType: "cr_frame",
    types.AsyncGeneratorType: "ag_frame",
}
#: What is read of a module of a library, such as the generator behind `random.random`, and `os.environ`.
_OF_LIBRARIES = (types.MethodType, types.BuiltinFunctionType, ModuleType, *_VALUES, *_CONTAINERS, Mapping)
#: What has no state.
_CONSTANT = (
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.TracebackType,
)
#: Packages whose objects tell nothing by themselves: a program that asks them is at a place of its own, or nobody asks.
_SILENT = (*OWN_PACKAGES, "_thread", "_queue", "_abc", "logging")
#: Packages whose classes are not the program's.
_NOT_ITS = (*_SILENT, *TOOLS)
#: Names in a class or a module that are Python's own.
_PYTHONS = {"__annotations__", "__builtins__", "__cached__", "__doc__", "__loader__", "__slotnames__", "__spec__"}
#: The methods by which a class says what its objects are made of.
_PICKLING = ("__reduce_ex__", "__reduce__", "__getstate__", "__getnewargs_ex__", "__getnewargs__")
#: The flag of a type whose attributes can be changed.
_HEAP_TYPE = 1 << 9


#: The type of what `functools.lru_cache` makes, and that of its entries.
_CACHED, _ENTRY = type(functools.lru_cache(len)), "_lru_list_elem"
#: While simulations run, another one stands in its place.
_locked = LockType.locked


class _UnreadableError(Exception):
    """The state of an object can't be read."""


class Standstill(NamedTuple):
    """Where a task is.

    :ivar what: what it looks at, or asks for.
    :ivar lines: the places in the program's code that are being run, the innermost first.
    :ivar known: their variables.
    :ivar hidden: whether something else may have moved on whenever the task is there again.
    """

    what: Hashable
    lines: Hashable
    known: Hashable
    hidden: Hidden

    def first_time(self, before: Sequence[Standstill]) -> int | None:
        """Return which place is the first of several that are this one; None: none is.

        :param before: where the task was, in order.
        """
        for number, each in enumerate(before):
            if each == self and (not self.hidden or self._went_round(before[number + 1 :])):
                return number
        return None

    def _went_round(self, between: Sequence[Standstill]) -> bool:
        """Whether the same lines were run with other variables: then a loop was begun anew that is where it was."""
        return any(each.lines == self.lines and each != self for each in between)


def standstill(frame: FrameType | None, what: Hashable, rank: Rank | None = None) -> Standstill:
    """Return where a task is in its program.

    :param frame: its innermost frame.
    :param what: what it looks at, or asks for.
    :param rank: the rank: who has looked at a clock since, or has drawn a random number, is not where it was.
    """
    frames = [(each, of) for each in outward(frame) if (of := whose(each)) is not Whose.OWN]
    stack = [(each, of) for each, of in frames if of is not Whose.TOOL]
    libraries = {library(each.f_code.co_filename) for each, of in stack if of is Whose.USER}
    reading = _Reading(libraries, rank is not None and rank.threaded)
    lines = tuple([(each.f_code, _position(each.f_code, each.f_lasti)) for each, _ in stack])
    known = tuple([reading.of_frame(each, of is Whose.USER) for each, of in stack])
    moves = hidden([each for each, _ in frames])
    more = object() if moves is Hidden.SURELY else (*rank.read_at.items(), rank.draws) if rank else ()
    return Standstill(what, lines, (*known, more), moves)


@functools.lru_cache(maxsize=4096)
def _position(code: CodeType, instruction: int) -> Hashable:
    """Where in the text an instruction is: of the condition of a loop, Python makes two copies."""
    position = next(itertools.islice(code.co_positions(), instruction // 2, None), None)
    return instruction if position is None or None in position else position


@functools.lru_cache(maxsize=4096)
def _names(code: CodeType) -> frozenset[str]:
    """The names of globals and of attributes that a function uses, also as texts, and the functions in it."""
    inner = [_names(each) for each in code.co_consts if isinstance(each, CodeType)]
    texts = [each for each in code.co_consts if isinstance(each, str) and each.isidentifier()]
    return frozenset(code.co_names).union(texts, *inner)


class _Reading:
    """Reads the variables of the frames of a task, so that equal values, and references to equal objects, are the same.

    :param libraries: the libraries that belong to the program; None is what is in no library.
    :param threaded: whether its rank has threads: then each look at a lock is at a place of its own.
    """

    def __init__(self, libraries: set[str | None], threaded: bool) -> None:
        self._threaded = threaded
        self._libraries = {None, *libraries}
        #: by the code of a function, and its module: whether it belongs to the program.
        self._its: dict[tuple[str, Any], bool] = {}
        self._left, self._depth = MOST_OBJECTS, 0
        #: by the identity of an object its number; and itself, so that no other one gets its identity.
        self._seen: dict[int, tuple[int, Any]] = {}
        self._modules: set[tuple[int, frozenset[str]]] = set()
        #: the names that are used by the function which is being read.
        self._names: frozenset[str] = frozenset()

    def of_frame(self, frame: FrameType, with_globals: bool) -> Hashable:
        """What the variables of a frame are."""
        self._names = _names(frame.f_code)
        # A variable that has no value yet is as good as one that is None.
        variables = [(name, value) for name, value in frame.f_locals.items() if value is not None]
        known = tuple([(name, self.of(value)) for name, value in variables if name not in _PYTHONS])
        return known, self._used(frame.f_globals) if with_globals else None

    def of(self, value: Any) -> Hashable:
        """What a value is."""
        kind = type(value)
        if kind in _VALUES:
            return kind, value if value == value else "nan"
        if issubclass(kind, ModuleType):
            return self._of_module(value)
        if id(value) in self._seen:
            return "seen", self._seen[id(value)][0]
        self._seen[id(value)] = len(self._seen), value
        self._left -= 1
        if self._left < 0 or self._depth > MOST_DEPTH:
            return object()  # equal to nothing: it is too much to be compared
        self._depth += 1
        try:
            return self._of_new(kind, value)
        except Exception:  # an error of the program's own code, or of something that has no state to be read
            return object()
        finally:
            self._depth -= 1

    def _of_new(self, kind: type, value: Any) -> Hashable:
        """What an object is that was not read before. Its address says nothing: that is another one in each run."""
        if kind in _PARTS:
            return (kind, *[self.of(getattr(value, part, None)) for part in _PARTS[kind]])
        if kind is FunctionType:
            return self._of_function(value)
        if issubclass(kind, type):
            return self._of_class(value)
        if kind in _FRAMES:
            return self._of_generator(kind, value)
        if kind is LockType:
            return kind, None if self._threaded else _locked(value)
        if kind is SimpleQueue:
            return kind, value.qsize()
        if issubclass(kind, Local):
            return self.of(kind), self.of(value.__dict__)
        if kind is _CACHED:
            has = [each for each in gc.get_referents(value) if not isinstance(each, type)]
            return kind, tuple([self.of(each) for each in has if not _is_of_entries(each)])
        if kind is weakref.ref:
            return kind, self.of(value())
        if kind is types.MappingProxyType:
            return kind, self.of(dict(value))
        if kind is contextvars.ContextVar:
            return kind, self.of(value.get(None))
        if kind in _CONSTANT or _package(kind.__module__) in _SILENT:
            return (kind,)
        if issubclass(kind, io.IOBase) and not issubclass(kind, (io.StringIO, io.BytesIO)):
            only_written = value in (sys.stdout, sys.stderr) or not value.readable()
            return kind if only_written else (kind, value.tell())
        content = self._content(kind, value)
        if kind in _CONTAINERS:
            return kind, content
        more = self._pickled(kind, value) if content is None else object.__getstate__(value)
        return self.of(kind), content, self.of(more)

    def _content(self, kind: type, value: Any) -> Hashable:
        """What a container or an array holds; None: it is neither."""
        for container, items in _CONTAINERS.items():
            if issubclass(kind, container):
                return (frozenset if container in (set, frozenset) else tuple)(map(self.of, items(value)))
        if hasattr(kind, "dtype") and hasattr(kind, "tobytes"):  # NumPy's
            if value.dtype.hasobject:
                return value.shape, tuple(map(self.of, value.ravel().tolist()))
            return str(value.dtype), value.shape, value.tobytes() if value.nbytes <= MOST_BYTES else object()
        if issubclass(kind, (bytearray, memoryview, array)):
            view = memoryview(value)
            return view.format, view.shape, view.tobytes() if view.nbytes <= MOST_BYTES else object()
        return None

    def _pickled(self, kind: type, value: Any) -> Any:
        """What pickle would take of an object, unless it would run the program's code for that."""
        reduce = copyreg.dispatch_table.get(kind)
        methods = [getattr(kind, name, None) for name in _PICKLING]
        own = any(isinstance(method, FunctionType) and self._is_programs(method) for method in methods)
        if reduce is None and (own or kind.__module__ == "itertools"):  # of those it is deprecated
            raise _UnreadableError
        reduced = reduce(value) if reduce else value.__reduce_ex__(2)
        return (
            reduced
            if isinstance(reduced, str)
            else [list(each) if isinstance(each, Iterator) else each for each in reduced]
        )

    def _of_generator(self, kind: type, value: Any) -> Hashable:
        """What a generator is: where it is, its variables, what it waits for, and the function that it runs."""
        frame = getattr(value, _FRAMES[kind])
        if frame is None:
            return (kind,)
        has = [each for each in gc.get_referents(value) if not isinstance(each, FrameType)]
        return kind, frame.f_code, frame.f_lasti, tuple(map(self.of, has))

    def _of_function(self, function: FunctionType) -> Hashable:
        """What a function is: its code, and all that it refers to."""
        if not self._is_programs(function):
            ours = whose_code(function.__code__, function.__globals__) is Whose.OWN
            wraps = None if ours else (self.of(function.__closure__), self.of(function.__dict__))
            return FunctionType, function.__module__, function.__qualname__, wraps
        own = (function.__defaults__, function.__kwdefaults__, function.__closure__, function.__dict__)
        before, self._names = self._names, _names(function.__code__)
        try:
            return function.__code__, tuple(map(self.of, own)), self._used(function.__globals__)
        finally:
            self._names = before

    def _of_class(self, kind: type) -> Hashable:
        """What a class is: its attributes, and those of what it is derived from."""
        module = sys.modules.get(kind.__module__)
        file = getattr(module, "__file__", None) or ""
        if not kind.__flags__ & _HEAP_TYPE or _package(kind.__module__) in _NOT_ITS or not self._uses(file):
            return type, kind.__module__, kind.__qualname__
        attributes = [(name, self.of(value)) for name, value in list(vars(kind).items()) if name not in _PYTHONS]
        return tuple(attributes), tuple(map(self.of, (*kind.__bases__, type(kind))))

    def _of_module(self, module: ModuleType) -> Hashable:
        """What a module is: those of its variables whose names the function uses."""
        used = (id(module), self._names)
        if used in self._modules or _package(module.__name__) in _NOT_ITS:
            return ModuleType, module.__name__
        self._modules.add(used)
        its = module.__name__ not in sys.builtin_module_names and self._uses(getattr(module, "__file__", None) or "")
        return self._used(vars(module), object if its else _OF_LIBRARIES)

    def _used(self, variables: dict[str, Any], kinds: type | tuple[type, ...] = object) -> Hashable:
        """The variables of a module whose names the function uses."""
        used = [(name, variables[name]) for name in sorted(self._names.intersection(variables) - _PYTHONS)]
        return tuple([(name, self.of(value)) for name, value in used if isinstance(value, kinds)])

    def _is_programs(self, function: FunctionType) -> bool:
        """Whether a function belongs to the program."""
        code, variables = function.__code__, function.__globals__
        files = (code.co_filename, variables.get("__file__"))
        if files not in self._its:
            self._its[files] = self._uses(files[0]) and whose_code(code, variables) is Whose.USER
        return self._its[files]

    def _uses(self, file: str) -> bool:
        """Whether a file is in no library, or in one of the program's."""
        return library(file) in self._libraries


def _is_of_entries(cached: Any) -> bool:
    """Whether it is how a limited cache finds its entries."""
    return isinstance(cached, dict) and any(type(each).__name__ == _ENTRY for each in cached.values())


def _package(module: str | None) -> str:
    return module.partition(".")[0] if isinstance(module, str) else ""
