"""Tests with `comm` that pass on simulated and on real ranks, as sources: `pytest` is imported."""

FIXTURES = """
log = []

@pytest.fixture
def grid(comm):
    assert comm.size == comm.Get_size() == 2
    mine = comm.Split(0)
    yield mine
    mine.Free()
    log.append(("grid", comm.rank, comm.allreduce(1)))

@pytest.fixture(scope="class")
def mesh(comm):
    cells = []
    yield cells if comm.bcast(comm.rank) == 0 else None
    log.append(("mesh", comm.rank, comm.allreduce(len(cells))))

@pytest.fixture(scope="module")
def shared(comm):
    return comm.allgather(comm.rank)

@pytest.fixture(scope="session")
def everywhere(comm, shared_folder):
    yield comm.bcast(str(shared_folder) if comm.rank == 0 else None)
    comm.barrier()

@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    return tmp_path_factory.getbasetemp()

@pytest.mark.ranks(2)
def test_grid(comm, grid, tmp_path, monkeypatch):
    assert grid.allgather(grid.rank) == [0, 1] and grid is not comm
    assert len(set(comm.allgather(tmp_path))) == 1

@pytest.mark.ranks(2)
def test_it_was_torn_down_on_each_rank(comm):
    assert sum(comm.allgather(("grid", comm.rank, 2) in log)) == 2
    log.clear()
    comm.barrier()

@pytest.mark.usefixtures("mesh")
class TestMesh:
    @pytest.mark.ranks(2)
    def test_first(self, comm, mesh):
        mesh.append(comm.rank)

    @pytest.mark.ranks(2)
    @pytest.mark.parametrize("n", [1, 2])
    def test_then(self, comm, mesh, n):
        mesh.append(n)
        assert mesh[0] == comm.rank and mesh[1] == 1 and len(mesh) == 1 + n

@pytest.mark.ranks(2)
def test_that_was_torn_down_with_its_class(comm):
    assert ("mesh", comm.rank, 6) in log

@pytest.mark.ranks(2, 1)
def test_of_a_module(comm, shared):
    shared.append(comm.rank)
    assert shared == [*range(comm.size), comm.rank]

@pytest.mark.ranks(2)
def test_of_the_session(comm, everywhere, shared_folder):
    assert comm.allgather(everywhere) == 2 * [everywhere]

@pytest.mark.ranks(2)
@pytest.mark.usefixtures("comm")
def test_that_uses_the_world():
    from mpi4py import MPI

    assert MPI.COMM_WORLD.size in (2, 3)  # under mpirun it is that of all ranks there are

def test_without_ranks_after_them():
    pass
"""

SELF = """
class TestOwn:
    def setup_method(self, method):
        self.mine = []
        self.bound = method.__self__ is self

    def teardown_method(self):
        assert self.mine == [self.rank] and self.bound

    @pytest.fixture(autouse=True)
    def _named(self, request):
        self.name = request.node.name
        request.instance.also = [self.name]
        request.addfinalizer(lambda: self.also.append(self.mine[0]))
        yield
        assert self.also == [self.name]

    @pytest.fixture
    def thing(self, comm):
        self.things = [comm.rank]
        return self.things

    @pytest.mark.ranks(1, 3)
    def test_own(self, comm, thing):
        self.mine.append(comm.rank)
        self.rank = comm.rank
        comm.barrier()
        assert self.mine == [comm.rank] == thing and thing is self.things and self.rank == comm.rank
"""

#: What ranks ask `request` for in tests.
REQUEST = """
import sys

ended = []

@pytest.mark.ranks(2)
def test_that_ends_on_its_ranks(comm, request, grid):
    mine = comm.Dup()
    request.addfinalizer(mine.Free)
    request.addfinalizer(lambda: ended.append(mine.allreduce(comm.rank + grid.size)))
    assert request.module is sys.modules[__name__] and request.function is test_that_ends_on_its_ranks
    assert request.cls is None and request.getfixturevalue("grid") is grid

@pytest.mark.ranks(2)
def test_it_has_ended_on_its_ranks(comm):
    assert comm.allgather(ended) == [[5], [5]]
    ended.clear()

class TestRequest:
    @pytest.mark.ranks(2)
    def test_that_asks(self, comm, request):
        assert request.instance is self and request.cls is TestRequest and comm.bcast(request.node.name)
"""

#: Outcomes that ranks do not share: 3 tests fail, 1 is skipped, 1 is xfailed.
UNLIKE = """
import sys

class Odd(ValueError):
    pass

@pytest.mark.ranks(2)
@pytest.mark.xfail(raises=(KeyError, Odd))
@pytest.mark.parametrize("other", [TypeError, Odd])
def test_that_expects(comm, other):
    raise other("of one") if comm.rank else KeyError("of zero")

@pytest.mark.ranks(2)
@pytest.mark.parametrize("status", [None, 0])
def test_that_ends_itself(comm, status):
    sys.exit(status)

@pytest.mark.ranks(2)
def test_that_is_skipped(comm):
    pytest.skip(f"says {comm.rank}")
"""

#: What a rank sets in Python, other ranks do not find set, though they communicate meanwhile.
SETTINGS = """
import contextlib, io, logging, random, sys, warnings

@pytest.mark.ranks(2)
def test_warnings_that_a_rank_expects(comm):
    with pytest.warns(UserWarning, match=f"of rank {comm.rank}") as caught:
        comm.barrier()
        warnings.warn(f"of rank {comm.rank}")
        comm.barrier()
    assert [str(each.message) for each in caught] == [f"of rank {comm.rank}"]

@pytest.mark.ranks(2)
def test_warnings_that_ranks_turn_into_errors_in_turn(comm):
    for turn in range(2):
        comm.barrier()
        with warnings.catch_warnings():
            warnings.simplefilter("error" if turn == comm.rank else "ignore")
            comm.barrier()
            if turn == comm.rank:
                with pytest.raises(UserWarning):
                    warnings.warn("strict")
            else:
                warnings.warn("easy")
            comm.barrier()

@pytest.mark.ranks(2)
def test_warnings_that_are_recorded(comm, recwarn):
    comm.barrier()
    for _ in range(1 + comm.rank):
        warnings.warn(f"of rank {comm.rank}", RuntimeWarning, stacklevel=2 + _)
    comm.barrier()
    assert len(recwarn) == len(recwarn.list) == len([*recwarn]) == 1 + comm.rank
    assert str(recwarn.pop(RuntimeWarning).message) == str(recwarn[-1].message if comm.rank else f"of rank 0")
    comm.barrier()
    assert len(recwarn) == comm.rank
    recwarn.clear()
    assert not recwarn.list
    warnings.warn("later")
    assert str(recwarn.pop().message) == "later"

@pytest.mark.ranks(2)
def test_output_that_ranks_redirect(comm, capsys):
    first, second = io.StringIO(), io.StringIO()
    print("before")
    with contextlib.redirect_stdout(first):
        comm.barrier()
        print("first of", comm.rank)
        with contextlib.redirect_stdout(second):
            comm.barrier()
            print("second of", comm.rank, file=sys.stdout)
        if comm.rank:
            comm.barrier()
        print("first of", comm.rank)
    if not comm.rank:
        comm.barrier()
    print("after")
    assert first.getvalue() == 2 * f"first of {comm.rank}\\n"
    assert second.getvalue() == f"second of {comm.rank}\\n"
    assert capsys.readouterr().out == "before\\nafter\\n"

class Tee(io.TextIOBase):
    def __init__(self, stream):
        self.stream, self.got = stream, []

    def write(self, text):
        self.got.append(text)
        return self.stream.write(text)

@pytest.mark.ranks(2)
def test_output_that_ranks_copy(comm, capsys):
    tee = Tee(sys.stdout)
    with contextlib.redirect_stdout(tee):
        comm.barrier()
        print("of", comm.rank)
    assert "".join(tee.got) == capsys.readouterr().out == f"of {comm.rank}\\n"

@pytest.fixture
def logged_before(caplog):
    logging.getLogger("before").warning("before")

@pytest.mark.ranks(2)
def test_records_that_ranks_log(comm, logged_before, caplog):
    log = logging.getLogger("its")
    assert caplog.get_records("setup")[0].message == "before" and not caplog.records
    comm.barrier()
    log.warning("of rank %d", comm.rank)
    comm.barrier()
    assert caplog.messages == [f"of rank {comm.rank}"] and len(caplog.records) == 1
    assert caplog.record_tuples == [("its", logging.WARNING, f"of rank {comm.rank}")]
    assert f"of rank {comm.rank}" in caplog.text and f"of rank {1 - comm.rank}" not in caplog.text
    comm.barrier()
    if comm.rank:
        caplog.clear()
    comm.barrier()
    assert len(caplog.records) == 1 - comm.rank

@pytest.mark.ranks(2)
def test_numbers_that_ranks_draw(comm):
    random.seed(7)
    drawn = []
    for _ in range(3):
        drawn.append(random.random())
        comm.barrier()
    assert comm.allgather(drawn) == [drawn, drawn]
"""

#: How a rank configures logging, others do not find it configured, and neither do tests after it.
LOGGING = """
import io, logging

its = logging.getLogger("its")

@pytest.mark.ranks(2)
def test_a_configuration_that_takes_all_handlers_away(comm):
    logging.basicConfig(force=True)

@pytest.mark.ranks(2)
def test_the_next_test_has_its_log_all_the_same(comm, caplog):
    its.warning("here")
    assert caplog.messages == ["here"]

@pytest.mark.ranks(2)
def test_levels_within_which_ranks_communicate(comm, caplog):
    with caplog.at_level(logging.DEBUG, logger="its"):
        comm.barrier()
        if comm.rank:
            comm.barrier()
        its.debug("of rank %d", comm.rank)
    if not comm.rank:
        comm.barrier()
    its.debug("not this")
    assert caplog.messages == [f"of rank {comm.rank}"] and its.level == logging.NOTSET

@pytest.fixture
def quiet(comm, caplog):
    caplog.set_level(logging.ERROR + comm.rank)
    comm.barrier()

@pytest.mark.ranks(2)
def test_levels_that_ranks_set(comm, quiet, caplog):
    assert logging.getLogger().level == logging.ERROR + comm.rank
    caplog.set_level(logging.DEBUG if comm.rank else logging.ERROR, logger="its")
    comm.barrier()
    its.info("of rank %d", comm.rank)
    its.error("of rank %d", comm.rank)
    assert len(caplog.records) == 1 + comm.rank and its.isEnabledFor(logging.INFO) == bool(comm.rank)

@pytest.mark.ranks(2)
def test_levels_are_back(comm, caplog):
    assert its.level == logging.NOTSET and logging.getLogger().level == logging.WARNING
    its.warning("this")
    assert caplog.messages == ["this"]

@pytest.fixture
def own_log(comm):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    its.addHandler(handler)
    yield stream
    its.removeHandler(handler)

@pytest.mark.ranks(2)
def test_handlers_that_ranks_add(comm, own_log, caplog):
    comm.barrier()
    its.warning("of rank %d", comm.rank)
    comm.barrier()
    assert own_log.getvalue() == f"of rank {comm.rank}\\n"
    keep = logging.Filter("its.part")
    with caplog.filtering(keep):
        comm.barrier()
        its.warning("not this")
        comm.barrier()
    logging.disable(logging.CRITICAL if comm.rank else logging.NOTSET)
    comm.barrier()
    its.error("once more")
    comm.barrier()
    logging.disable(logging.NOTSET)
    assert caplog.messages == [f"of rank {comm.rank}"] + ["once more"] * (1 - comm.rank)

@pytest.fixture
def for_all(caplog):
    caplog.set_level(logging.INFO)
    handler = logging.StreamHandler(io.StringIO())
    its.addHandler(handler)
    yield handler
    its.removeHandler(handler)

@pytest.mark.ranks(2)
def test_what_is_set_outside_of_ranks_is_set_on_each(comm, for_all, caplog):
    its.info("of rank %d", comm.rank)
    assert caplog.messages == [f"of rank {comm.rank}"] and its.handlers == [for_all]

@pytest.mark.ranks(2)
def test_all_is_as_before(comm):
    assert its.handlers == [] and logging.getLogger().level == logging.WARNING
"""

#: What a rank sets in its environment, and where it works, is its own, and over when the test says so.
ENVIRONMENT = """
import contextlib, os
from unittest import mock

def place():
    return os.environ.get("PLACE"), os.path.basename(os.getcwd())

@pytest.mark.ranks(2)
def test_places_of_ranks(comm, tmp_path, monkeypatch):
    before, mine = place(), f"of_{comm.rank}"
    (tmp_path / mine).mkdir()
    with mock.patch.dict(os.environ, PLACE="same"), contextlib.chdir(tmp_path):
        comm.barrier()
        if comm.rank:
            comm.barrier()
        assert place() == ("same", tmp_path.name)
    assert place() == before
    monkeypatch.setenv("PLACE", mine)
    monkeypatch.chdir(tmp_path / mine)
    if not comm.rank:
        comm.barrier()
    assert place() == (mine, mine) and comm.allgather(place()[0]) == ["of_0", "of_1"]
    if comm.rank:
        monkeypatch.undo()
        assert place() == before
    comm.barrier()
    assert comm.rank or place() == (mine, mine)

@pytest.fixture
def in_place(comm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "PLACE", f"set_{comm.rank}")
    yield comm.bcast(tmp_path.name)
    assert place() == (f"set_{comm.rank}", tmp_path.name)

@pytest.mark.ranks(2)
def test_places_of_a_fixture_on_ranks(comm, in_place, monkeypatch):
    assert place() == (f"set_{comm.rank}", in_place)
    if comm.rank:
        monkeypatch.delenv("PLACE")
    comm.barrier()
    assert (place()[0] is None) == bool(comm.rank)
    monkeypatch.delitem(os.environ, "PLACE", raising=False)
    monkeypatch.setenv("PLACE", f"set_{comm.rank}")

@pytest.fixture
def for_all_ranks(monkeypatch, tmp_path):
    assert place()[0] is None
    monkeypatch.setenv("PLACE", "all")
    monkeypatch.chdir(tmp_path)

@pytest.mark.ranks(2)
def test_places_that_are_set_outside_of_ranks(comm, for_all_ranks, tmp_path):
    comm.barrier()
    assert place() == ("all", tmp_path.name)

@pytest.mark.ranks(2)
def test_places_are_as_before(comm, tmp_path):
    assert place()[0] is None and place()[1] != tmp_path.name
    os.environ["PLACE"] = str(comm.rank)

@pytest.mark.ranks(2)
def test_places_that_a_test_leaves(comm):
    assert place()[0] == str(comm.rank)
    del os.environ["PLACE"]
"""

#: A program that takes its communicator when it is imported, and keeps state.
PROGRAM = """
from dataclasses import dataclass
from mpi4py import MPI

comm = MPI.COMM_WORLD
LIMIT = 10
seen = []

class Counter:
    count = 0

class Odd(ValueError):
    pass

@dataclass
class Point:
    x: int

def total(value, comm=MPI.COMM_WORLD):
    Counter.count += 1
    seen.append(value)
    return comm.allreduce(min(value, LIMIT))

def check(value):
    if value % 2:
        raise Odd(value)
    return Point(value)
"""

#: Beside a file `program.py`, on exactly 2 ranks.
WORLD = """
from mpi4py import MPI
import program
from program import Point, total

comm_of_all = MPI.COMM_WORLD
me = comm_of_all.rank
calls = []

@pytest.fixture
def start():
    return Point(4)

@pytest.mark.ranks(2)
@pytest.mark.parametrize("turn", range(1, 4))
def test_world(comm, turn):
    assert comm_of_all.size == comm.size == 2 and me == comm_of_all.rank == comm.rank
    assert comm_of_all == MPI.COMM_WORLD == program.comm
    calls.append(me)
    assert total(me + 1) == 3 and calls == turn * [me] and program.Counter.count == turn
    assert comm_of_all.allgather(program.seen) == [turn * [1], turn * [2]]

@pytest.mark.ranks(2)
@pytest.mark.parametrize("op, result", [(MPI.SUM, 3), (MPI.MAX, 2)])
def test_operations(comm, op, result):
    assert MPI.COMM_WORLD.allreduce(comm.rank + 1, op) == result

@pytest.mark.ranks(2)
@pytest.mark.parametrize("kind", [Point, program.Point])
def test_classes(comm, kind, start):
    assert comm.bcast(kind(comm.rank)) == Point(0) and start == Point(4) and kind is Point

@pytest.mark.ranks(2)
class TestState:
    kept = []

    def test_of_a_class(self, comm):
        self.kept.append(comm.rank)
        comm.barrier()
        assert TestState.kept == [comm.rank]
"""
