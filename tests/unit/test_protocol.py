"""What goes over the wire, and what happens to what can't."""

import functools
import operator
import os
import pickle
import subprocess
import sys

import pytest

from bsbpool import job_pool
from bsbpool.exceptions import JobPoolError, RemoteError, WorkflowError
from bsbpool.pool.protocol import ByReference, Codec, dumps, loads, pack_error, unpack_error
from bsbpool_sim import RankErrors, simulate


class TwoArguments(Exception):
    """Pickles, but can't be made again from its args."""

    def __init__(self, code, why):
        super().__init__(f"code {code}: {why}")


class Wordless(Exception):
    def __str__(self):
        raise ValueError("no words")


class Unpicklable:
    def __reduce__(self):
        raise TypeError("I stay here")


class Untouchable:
    """Pickles, but does not unpickle."""

    def __reduce__(self):
        return operator.truediv, (1, 0)


def add(owner, *numbers, more=0):
    return sum(numbers) + more


def local():
    class Local:
        value = 42

    class LocalError(Exception):
        pass

    return Local, LocalError


def raised(error):
    try:
        raise error
    except type(error) as caught:
        return caught


# -- packing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [lambda: 42, functools.partial(lambda x: x, 42), lambda y=42: (lambda: y)()])
def test_a_function_that_pickle_can_not_take_travels_all_the_same(function):
    with pytest.raises(Exception):  # noqa: B017  (which one depends on the Python)
        pickle.dumps(function)
    assert loads(dumps(function))() == 42


def test_an_object_of_a_local_class_travels():
    kind, _ = local()
    assert loads(dumps(kind())).value == 42


def test_what_pickle_can_take_is_left_to_it():
    assert dumps(add) == pickle.dumps(add, 5)


def python(code):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=env, timeout=300).stdout


PACKED = "from bsbpool.pool.protocol import Codec\ndef f(): return 42\n"
UNPACK = "from bsbpool.pool.protocol import Codec\nunpack = lambda packed: Codec().unpack_call(eval(packed))[0]()\n"


@pytest.mark.parametrize("function", ["f", "lambda: f()"])
def test_a_function_of_main_runs_where_main_is_the_same_program(function):
    packed = python(f"{PACKED}print(Codec().pack_call(({function}, (), {{}})))").strip()
    assert python(f"{UNPACK}def f(): return 42\nprint(unpack({packed!r}))") == "42\n"


def test_a_function_of_main_that_the_worker_has_not_is_named():
    packed = python(f"{PACKED}print(Codec().pack_call((f, (), {{}})))").strip()
    said = python(f"{UNPACK}try: unpack({packed!r})\nexcept Exception as error: print(error)")
    assert "can't be unpickled on the worker (AttributeError: " in said
    assert "'f'" in said


@pytest.mark.parametrize("codec", [Codec(), ByReference()])
def test_what_is_packed_arrives(codec):
    message = ("run", [(1, b"call")], [7])
    assert codec.decode(codec.encode(message)) == message
    assert codec.unpack_call(codec.pack_call((add, (1,), {"more": 2}))) == (add, (1,), {"more": 2})
    assert codec.unpack_result(codec.pack_result([1, {"a": 2}])[0]) == [1, {"a": 2}]


def test_a_function_that_has_a_name_is_packed_once_and_its_arguments_each_time():
    main, worker = Codec(), Codec()
    shared = [1]
    packed = [main.pack_call((add, (shared,), {})) for _ in range(2)]
    assert packed[0][0] is packed[1][0]
    one, other = (worker.unpack_call(call)[1][0] for call in packed)
    assert one == other == shared
    assert one is not other  # one job may change what it was given; the other must not see that
    assert worker.unpack_call(main.pack_call((add, (), {}))) == (add, (), {})


def test_a_function_that_has_no_name_is_packed_with_each_of_its_calls():
    main, worker = Codec(), Codec()
    memory = []

    def remember(x):
        memory.append(x)
        return memory

    first = worker.unpack_call(main.pack_call((remember, (), {})))[0]
    memory.append("more")
    second = worker.unpack_call(main.pack_call((remember, (), {})))[0]
    assert first(1) == [1]
    assert second(2) == ["more", 2]


def test_large_memory_is_referred_to_and_small_memory_packed():
    codec = Codec()
    small, large = bytearray(1000), bytearray(1_000_000)
    buffers = [pickle.PickleBuffer(small), pickle.PickleBuffer(large), local()[0]]  # the class is cloudpickle's to pack
    nothing, parts = codec.pack_result(buffers)
    assert nothing is None
    packed, memory = parts
    assert len(packed) < 10_000
    assert memory.obj is large
    arrived = codec.unpack_result([packed, bytearray(memory)])
    assert [bytes(each) for each in arrived[:2]] == [bytes(small), bytes(large)]
    assert codec.pack_result(None) == (pickle.dumps(None, 5), ())


def test_by_reference_everything_is_the_same_object():
    things = [object() for _ in range(4)]
    codec = ByReference()
    assert codec.decode(codec.encode((things[0],)))[0] is things[0]
    assert codec.unpack_call(codec.pack_call((add, things, {"x": things[1]})))[1] is things
    assert codec.unpack_result(codec.pack_result(things[2])[0]) is things[2]
    error = ValueError()
    assert codec.unpack_error(codec.pack_error(error, "rank 0")) is error
    assert not hasattr(error, "__notes__")


@pytest.mark.parametrize(
    ("pack", "thing", "message"),
    [
        (Codec().pack_call, (add, (Unpicklable(),), {}), r"its arguments can't be pickled \(TypeError: I stay here\)"),
        (Codec().pack_result, Unpicklable(), "its result of type Unpicklable can't be pickled .TypeError: I stay here"),
        (Codec().pack_result, [Unpicklable()], "its result of type list can't be pickled"),
        (Codec().pack_result, (i for i in ()), "its result of type generator can't be pickled"),
        (Codec().unpack_call, dumps(Untouchable()), "its call can't be unpickled on the worker .ZeroDivisionError"),
        (Codec().unpack_call, b"nonsense", "its call can't be unpickled on the worker"),
        (Codec().unpack_call, b"cno_such_module\nf\n.", "No module named 'no_such_module'.: .* importable there"),
    ],
)
def test_what_can_not_travel_is_named(pack, thing, message):
    with pytest.raises(JobPoolError, match=message):
        pack(thing)


# -- exceptions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [ValueError("bad", 3), KeyError("k"), OSError(2, "gone", "f"), SystemExit(3), ExceptionGroup("g", [KeyError(1)])],
)
def test_an_exception_arrives_as_what_it_is(error):
    arrived = unpack_error(pack_error(raised(error), "rank 1 on host"))
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)


def test_an_exception_of_a_local_class_arrives():
    _, kind = local()
    arrived = unpack_error(pack_error(raised(kind("bad")), "rank 1"))
    assert (type(arrived).__name__, str(arrived)) == ("LocalError", "bad")


def test_an_exception_keeps_its_attributes():
    error = ValueError("bad")
    error.where = "here"  # type: ignore[attr-defined]
    assert unpack_error(pack_error(error, "rank 1")).where == "here"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "part", ["On rank 1 on host:", "Traceback (most recent call last)", "in raised", "ValueError: bad"]
)
def test_the_traceback_travels_as_a_note(part):
    arrived = unpack_error(pack_error(raised(ValueError("bad")), "rank 1 on host"))
    assert part in arrived.__notes__[-1]


def test_the_cause_can_be_read_from_the_note():
    try:
        try:
            raise KeyError("first")
        except KeyError as cause:
            raise ValueError("second") from cause
    except ValueError as caught:
        arrived = unpack_error(pack_error(caught, "rank 1"))
    assert "KeyError: 'first'" in arrived.__notes__[-1]


def test_notes_travel():
    error = ValueError("bad")
    error.add_note("of the fifth cell")
    assert unpack_error(pack_error(error, "rank 1")).__notes__[0] == "of the fifth cell"


def test_a_deep_traceback_is_cut():
    def deep(n):
        return deep(n - 1) if n else 1 / 0

    with pytest.raises(ZeroDivisionError) as caught:
        deep(500)
    assert len(unpack_error(pack_error(caught.value, "rank 1")).__notes__[-1]) < 5000


class Holds(Exception):
    def __init__(self, thing):
        super().__init__("holds something")
        self.thing = thing


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TwoArguments(3, "bad"), "test_protocol.TwoArguments: code 3: bad"),
        (Holds(Unpicklable()), "test_protocol.Holds: holds something"),
        (Holds(Untouchable()), "test_protocol.Holds: holds something"),
        (ValueError(Unpicklable), None),
    ],
    ids=["arguments", "does not pickle", "does not unpickle", "fine"],
)
def test_an_exception_that_would_not_arrive_is_stood_in_for(error, text):
    arrived = unpack_error(pack_error(raised(error), "rank 1"))
    assert isinstance(arrived, RemoteError) == (text is not None)
    assert str(arrived) == (text or str(error))
    assert "On rank 1:" in arrived.__notes__[-1]


def test_an_exception_without_words_is_stood_in_for_too():
    error = raised(Wordless())
    error.thing = Unpicklable()
    assert str(unpack_error(pack_error(error, "rank 1"))) == (
        "test_protocol.Wordless: <Wordless whose text raises ValueError>"
    )


def test_an_exception_that_main_can_not_unpack_is_said_to_be_one():
    arrived = unpack_error(pickle.dumps((b"cno_such_module\nBad\n.", [])))
    assert isinstance(arrived, RemoteError)
    assert "can't be unpacked on main: ModuleNotFoundError" in str(arrived)


# -- in a pool ---------------------------------------------------------------------------------------


def outcomes(fill, ranks=2):
    """What became of the jobs of a pool on simulated ranks: a result or an error each."""
    found = []

    def program(comm):
        with job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                fill(pool)
            try:
                pool.execute()
            finally:
                if pool.is_main():
                    found.extend(job.error or job.result for job in pool.jobs)

    try:
        simulate(program, ranks)
    except RankErrors as errors:
        if not isinstance(errors.by_rank[0], WorkflowError):
            raise
    return found


def returns_unpicklable(owner):
    return Unpicklable()


def raises_wordless(owner):
    raise Wordless


def raises_two_arguments(owner):
    raise TwoArguments(3, "bad")


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        ((add, (Unpicklable(),)), JobPoolError, "its arguments can't be pickled (TypeError: I stay here)"),
        ((add, (), {"more": Unpicklable()}), JobPoolError, "its arguments can't be pickled"),
        ((add, (Untouchable(),)), JobPoolError, "its call can't be unpickled on the worker (ZeroDivisionError"),
        ((returns_unpicklable,), JobPoolError, "its result of type Unpicklable can't be pickled"),
        ((raises_two_arguments,), RemoteError, "test_protocol.TwoArguments: code 3: bad"),
        ((raises_wordless,), Wordless, None),
    ],
    ids=["argument", "keyword", "unpickling", "result", "exception", "wordless"],
)
def test_what_can_not_travel_fails_its_job_and_no_other(call, kind, text):
    first, bad, last = outcomes(lambda pool: [pool.queue(add, (1,)), pool.queue(*call), pool.queue(add, (2,))])
    assert (first, last) == (1, 2)
    assert isinstance(bad, kind)
    assert text is None or str(bad).startswith(text)


def test_lambdas_and_closures_run_on_workers():
    factor = 3
    assert outcomes(lambda pool: pool.queue(lambda owner, x: factor * x, (14,))) == [42]


def test_an_interrupt_in_a_job_on_one_rank_ends_the_pool():
    code = (
        "import sys; sys.modules['mpi4py'] = None\n"
        "from bsbpool import job_pool\n"
        "def interrupted(owner): raise KeyboardInterrupt\n"
        "with job_pool(quiet=True) as pool:\n"
        "    job = pool.queue(interrupted)\n"
        "    try: pool.execute()\n"
        "    except KeyboardInterrupt: print(job.status.value)"
    )
    assert python(code) == "aborted\n"


def test_on_one_rank_nothing_is_copied():
    thing = Unpicklable()
    assert outcomes(lambda pool: pool.queue(lambda owner, x: x, (thing,)), ranks=1) == [thing]
