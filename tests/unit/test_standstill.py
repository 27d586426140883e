"""What counts as the same state of a program that looks again: no change is missed, wherever a program keeps it."""

import array
import collections
import dataclasses
import datetime
import enum
import functools
import io
import itertools
import logging
import random
import re
import sys
import types
import weakref
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bsbpool_sim import explore
from bsbpool_sim.standstill import MOST_DEPTH, MOST_OBJECTS, standstill

ATTEMPTS = 0


def attempt():
    global ATTEMPTS
    ATTEMPTS += 1
    return ATTEMPTS


def helper():
    return attempt()


class Box:
    """Keeps a value where the tests want it."""

    kept = 0

    def __init__(self, value=0):
        self.value = value


class Heir(Box):
    pass


class Slots:
    __slots__ = ("value",)

    def __init__(self):
        self.value = 0


class Derived(Slots):
    pass


class Pickled(Box):
    """What pickle would take of it is always the same."""

    def __reduce__(self):
        return Pickled, ()


class Kept(list):
    pass


class Attempts(enum.Enum):
    FIRST, SECOND = 1, 2


@dataclasses.dataclass
class Progress:
    done: int = 0


class Failure(Exception):
    pass


def closure():
    count = 0

    def look():
        nonlocal count
        count += 1

    return look


def counting():
    number = 0
    while True:
        number += 1
        yield


def default(seen=[]):  # noqa: B006 - its state is in the default
    seen.append(1)


def nested(depth):
    inner = most = []
    for _ in range(depth):
        inner.append([])
        inner = inner[0]
    return most, inner


def change_slot(state):
    state.value += 1


def change_class(state):
    type(state).kept += 1


def change_key(state):
    state["number"] += 1


def set_of(values):
    return {("done", value) for value in values}


class Adder:
    def __init__(self, number):
        self.number = number

    def add(self):
        self.number += 1


BEHIND = {"number": 0}
NUMBERS: list = []
KEPT = [Adder(0), Adder(100)]

#: By what holds the state: how it is made, and how it changes.
STATES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "a number in a list": (lambda: [0], lambda state: state.__setitem__(0, 1)),
    "a list": (list, lambda state: state.append(0)),
    "a subclass of list": (Kept, lambda state: state.append(0)),
    "an attribute of a list": (Kept, lambda state: setattr(state, "more", 1)),
    "a Counter": (collections.Counter, lambda state: state.update("a")),
    "a defaultdict": (lambda: collections.defaultdict(int, number=0), change_key),
    "an OrderedDict": (lambda: collections.OrderedDict(a=1, b=2), lambda state: state.move_to_end("a")),
    "a ChainMap": (lambda: collections.ChainMap({"number": 0}), change_key),
    "a deque": (lambda: collections.deque([1, 2]), lambda state: state.rotate()),
    "a set": (set, lambda state: state.add(1)),
    "a set of tuples": (lambda: set_of([1]), lambda state: state.update(set_of([2]))),
    "a set of tuples of one size": (lambda: set_of([1]), lambda state: (state.clear(), state.update(set_of([2])))),
    "a bytearray": (lambda: bytearray(3), lambda state: state.__setitem__(0, 1)),
    "an array": (lambda: array.array("i", [0, 0]), lambda state: state.__setitem__(1, 1)),
    "a memoryview": (lambda: memoryview(bytearray(3)), lambda state: state.__setitem__(0, 1)),
    "a NumPy array": (lambda: np.zeros(3), lambda state: state.__setitem__(0, 1)),
    "a NumPy array of no dimension": (lambda: np.zeros(()), lambda state: state.__setitem__((), 1)),
    "a NumPy array of objects": (lambda: np.array([[0], None], dtype=object), lambda state: state[0].append(1)),
    "a masked NumPy array": (lambda: np.ma.masked_array([1], [False]), lambda state: state.mask.__setitem__(0, True)),
    "a NumPy generator": (lambda: np.random.default_rng(0), lambda state: state.random()),
    "an attribute": (Box, change_slot),
    "an attribute of an attribute": (lambda: Box(Box()), lambda state: change_slot(state.value)),
    "a slot": (Slots, change_slot),
    "an inherited slot": (Derived, change_slot),
    "an attribute of a class": (Box, change_class),
    "an attribute of a class that is derived from": (Heir, lambda state: change_class(Box())),
    "a class": (lambda: Box, lambda state: setattr(state, "kept", state.kept + 1)),
    "an object that pickles itself": (Pickled, change_slot),
    "a dataclass": (Progress, lambda state: setattr(state, "done", 1)),
    "an exception": (lambda: Failure(1), lambda state: setattr(state, "args", (2,))),
    "an attribute of an exception": (lambda: Failure(1), lambda state: setattr(state, "attempts", 2)),
    "a closure": (closure, lambda state: state()),
    "a default": (lambda: default, lambda state: state()),
    "an attribute of a function": (lambda: helper, lambda state: setattr(state, "seen", getattr(state, "seen", 0) + 1)),
    "a global of a function": (lambda: helper, lambda state: state()),
    "a method": (lambda: Adder(0).add, lambda state: state()),
    "a method of a list": (lambda: NUMBERS.append, lambda state: state(1)),
    "a partial function": (lambda: functools.partial(NUMBERS.append, 1), lambda state: state()),
    "a generator": (counting, next),
    "a random generator": (lambda: random.Random(1), lambda state: state.random()),
    "a method of a random generator": (lambda: random.Random(1).random, lambda state: state()),
    "an iterator of a list": (lambda: iter([1, 2]), next),
    "an iterator of a range": (lambda: iter(range(9)), next),
    "an enumeration": (lambda: enumerate("abc"), next),
    "a zip": (lambda: zip("abc", "abc", strict=True), next),
    "itertools.count": (itertools.count, next),
    "itertools.cycle": (lambda: itertools.cycle("ab"), next),
    "a cell": (lambda: types.CellType(0), lambda state: setattr(state, "cell_contents", 1)),
    "a mapping that can't be written to": (
        lambda: types.MappingProxyType(BEHIND),
        lambda state: BEHIND.update(number=1),
    ),
    "a namespace": (lambda: types.SimpleNamespace(number=0), lambda state: setattr(state, "number", 1)),
    "a text in memory": (lambda: io.StringIO("text"), lambda state: state.read(1)),
    "an object behind a weak reference": (lambda: weakref.ref(KEPT[0]), lambda state: state().add()),
    "what is deep": (lambda: nested(2 * MOST_DEPTH), lambda state: state[1].append(1)),
    "what is long": (lambda: [[] for _ in range(2 * MOST_OBJECTS)], lambda state: state[-1].append(1)),
    "a large array": (lambda: np.zeros(100_000), lambda state: state.__setitem__(-1, 1)),
}
#: Values that can't change, and others of their kind.
OTHERS = [
    (range(1), range(2)),
    (slice(1), slice(2)),
    (Decimal(1), Decimal(2)),
    (Path("x"), Path("y")),
    (Attempts.FIRST, Attempts.SECOND),
    (frozenset(), frozenset([1])),
    (frozenset([(1,)]), frozenset([(2,)])),
    ((1, 2), (1, 3)),
    (int, str),
    (Box, Slots),
    (1, True),
    (0.5, 0.25),
    (np.int32(1), np.int32(2)),
    (np.int32(1), np.int64(1)),
    (re.compile("a"), re.compile("b")),
    (datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)),
    (weakref.ref(KEPT[0]), weakref.ref(KEPT[1])),
    (KEPT[0].add, KEPT[1].add),
    (len, max),
    (helper, attempt),
]

#: Of these the state can't be read, or not whole: they are never the same.
UNREADABLE = {
    "an object that pickles itself", "itertools.count", "itertools.cycle", "what is deep", "what is long",
    "a large array",
}  # fmt: skip


def known_of(state):
    """What is known of the state in this function."""
    known: Any = standstill(sys._getframe(), "here").known
    return known[0]


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_has_changed_is_another_one(name):
    make, change = STATES[name]
    state = make()
    before = known_of(state)
    change(state)
    assert known_of(state) != before


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_has_not_changed_is_the_same(name):
    state = STATES[name][0]()
    before = known_of(state)
    assert (known_of(state) == before) is (name not in UNREADABLE)


@pytest.mark.parametrize(("one", "other"), OTHERS, ids=lambda value: type(value).__name__)
def test_another_value_is_another_state(one, other):
    assert known_of(one) == known_of(one)
    assert known_of(other) != known_of(one)


def test_references_to_one_object_are_another_state_than_references_to_equal_ones():
    one = [0]
    assert known_of([one, one]) != known_of([one, [0]])


def test_what_is_in_a_circle_is_read():
    state: list = []
    state.append(state)
    assert known_of(state) == known_of(state)


class Ours:
    """Has methods of its own for all that reading could call."""

    called: list = []

    def __init__(self):
        self.number = 0

    def __getattribute__(self, name):
        Ours.called.append(name)
        return super().__getattribute__(name)

    def __eq__(self, other):
        Ours.called.append("__eq__")
        return True

    def __hash__(self):
        Ours.called.append("__hash__")
        return 0

    def __iter__(self):
        Ours.called.append("__iter__")
        return iter(())

    def __reduce__(self):
        Ours.called.append("__reduce__")
        return Ours, ()


def test_reading_runs_nothing_of_the_program():
    known_of(Ours())
    assert Ours.called == []


def test_what_is_only_written_to_tells_nothing(tmp_path):
    with (tmp_path / "log").open("w") as file:
        state = [sys.stdout, file, logging.getLogger("of this test")]
        before = known_of(state)
        file.write("looked again")
        file.flush()
        assert known_of(state) == before


def test_where_a_file_is_read_is_part_of_the_state(tmp_path):
    (tmp_path / "input").write_text("some text")
    with (tmp_path / "input").open() as file:
        before = known_of(file)
        assert known_of(file) == before
        file.read(1)
        assert known_of(file) != before


# -- exploring ---------------------------------------------------------------------------------------------


def in_a_counter():
    counts = collections.Counter()

    def count():
        counts["looks"] += 1
        return counts["looks"]

    return count


def in_a_class():
    class Counter:
        looks = 0

        def __call__(self):
            Counter.looks += 1
            return Counter.looks

    return Counter()


def in_a_slot():
    counter = Slots()

    def count():
        counter.value += 1
        return counter.value

    return count


def in_a_set():
    looks = set()

    def count():
        looks.add((len(looks), "look"))
        return len(looks)

    return count


def in_a_generator():
    return functools.partial(next, (number for number in range(1, 1000)))


def in_an_iterator():
    return itertools.count(1).__next__


@pytest.mark.parametrize("counter", [in_a_counter, in_a_class, in_a_slot, in_a_set, in_a_generator, in_an_iterator])
def test_a_program_that_gives_up_after_some_looks_is_never_called_complete_and_right(counter):
    def program(comm):
        if comm.rank == 1:
            comm.send("work", 0)
            return
        count = counter()
        while not comm.iprobe(source=1):
            assert count() < 6, "no work after six looks"
        comm.recv(source=1)

    exploration = explore(program, 2)
    assert exploration.findings or not exploration.complete


def test_a_program_that_only_looks_is_complete():
    def program(comm):
        if comm.rank == 1:
            comm.send("work", 0)
            return
        box, counts = Box(), collections.Counter(looks=0)
        while not comm.iprobe(source=1):
            box.value = counts["looks"]
        comm.recv(source=1)

    exploration = explore(program, 2)
    assert (exploration.findings, exploration.complete) == ([], True)
