"""Tests with `comm` on simulated ranks, each of which has the test's module, and the program's, for itself."""

import numpy  # noqa: F401  # before pytester looks: it forgets whatever is imported later
import pytest
from launching import WITHOUT
from tests_of_both_worlds import PROGRAM, WORLD

import bsbpool_sim.pytest_plugin.simulated  # noqa: F401

pytest_plugins = ["pytester"]


@pytest.fixture
def run(pytester, monkeypatch):
    """Runs a test file beside others, and gives pytest's result."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr("bsbpool.worlds.launcher.LAUNCHERS", {})

    def run(source, *arguments, ini="", **files):
        pytester.makeini(f"[pytest]\n{ini}")
        pytester.makepyfile(**files, test_it=f"import pytest\n{source}")
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-ra", *WITHOUT, *arguments)

    return run


def text(result):
    return result.stdout.str()


def test_a_test_and_a_program_use_the_world_and_keep_state_on_each_rank(run):
    run(WORLD, program=PROGRAM).assert_outcomes(passed=8)


def test_modules_live_on_from_test_to_test_for_each_number_of_ranks(run):
    result = run(
        """
import program

@pytest.mark.ranks(2, 3)
@pytest.mark.parametrize("turn", [1, 2, 3])
def test_count(comm, turn):
    program.total(comm.rank)
    assert program.Counter.count == turn and program.seen == turn * [comm.rank]
    assert program.comm is comm and program.comm.size == comm.size
""",
        program=PROGRAM,
    )
    result.assert_outcomes(passed=6)


@pytest.mark.parametrize(
    "kept", ["comm.Dup()", "[comm.Split(0)]", "Keeper(comm.Dup())", "MPI.Win.Allocate(8, comm=comm)"]
)
def test_modules_that_hold_something_of_the_last_test_are_loaded_anew(run, kept):
    source = f"""
from mpi4py import MPI
import program

class Keeper:
    def __init__(self, thing):
        self.thing = thing

kept = None

@pytest.mark.ranks(2)
@pytest.mark.parametrize("turn", [1, 2])
def test_kept(comm, turn):
    global kept
    assert kept is None and program.seen == []
    program.seen.append(comm.rank)
    kept = {kept}
    comm.barrier()
"""
    result = run(source, "-W", "default", program=PROGRAM)
    result.assert_outcomes(passed=2, warnings=2)
    assert "LeakedHandleWarning: leaked-handle: rank 0 makes a" in text(result)


def test_what_a_test_frees_leaves_modules_as_they_are(run):
    result = run(
        """
seen = []

@pytest.mark.ranks(2)
@pytest.mark.parametrize("turn", [1, 2])
def test_freed(comm, turn):
    seen.append(comm.Dup())
    seen[-1].Free()
    assert len(seen) == turn
"""
    )
    result.assert_outcomes(passed=2)


def test_what_comes_from_outside_is_of_the_ranks_own_classes(run):
    result = run(
        """
import functools
import program
from program import Odd, Point

def double(x):
    return 2 * x, Point

@pytest.fixture
def point():
    return Point(3)

@pytest.fixture
def points(point):
    return {"all": [point, (Point, Odd)], "none": []}

@pytest.fixture
def caller():
    kind = Point
    return lambda x: (kind(x), program.seen)

@pytest.mark.parametrize("error", [Odd, ValueError])
@pytest.mark.parametrize("make", [double, functools.partial(double), lambda x: (2 * x, Point)])
@pytest.mark.ranks(2)
def test_outside(comm, point, points, caller, error, make, tmp_path, monkeypatch, capsys):
    assert isinstance(point, Point) and point == Point(3) and type(point) is program.Point
    assert points == {"all": [Point(3), (Point, Odd)], "none": []}
    assert caller(1)[0] == Point(1) and caller(1)[1] is program.seen
    assert make(1) == (2, program.Point)
    with pytest.raises(error):
        program.check(3)
    assert comm.bcast(Point(5)) == Point(5)
    assert len(set(comm.allgather(str(tmp_path)))) == 1

@pytest.mark.xfail(raises=Odd, strict=True)
@pytest.mark.ranks(2)
def test_expected(comm):
    program.check(3)
""",
        program=PROGRAM,
    )
    result.assert_outcomes(passed=6, xfailed=1)


def test_what_fixtures_change_in_modules_and_classes_is_changed_on_each_rank_as_long_as_they_say(run):
    result = run(
        """
import program

@pytest.fixture
def changed(monkeypatch):
    monkeypatch.setattr(program, "LIMIT", 1)
    monkeypatch.setattr("program.check", lambda value: program.Point(-value))
    monkeypatch.setattr(program.Counter, "count", 7)
    program.seen.append("outside")
    yield
    program.seen.clear()

@pytest.mark.ranks(2)
def test_before(comm):
    assert (program.LIMIT, program.Counter.count, program.seen) == (10, 0, [])

@pytest.mark.ranks(2)
def test_changed(comm, changed, monkeypatch):
    assert (program.LIMIT, program.Counter.count, program.seen) == (1, 7, ["outside"])
    assert program.check(2) == program.Point(-2)
    assert program.total(5) == 2
    monkeypatch.setattr(program, "LIMIT", 2)
    assert program.total(5) == 4

@pytest.mark.ranks(2)
def test_after(comm):
    assert (program.LIMIT, program.Counter.count, program.seen) == (10, 0, [])
    assert program.check(2) == program.Point(2)
""",
        program=PROGRAM,
    )
    result.assert_outcomes(passed=3)


def test_assertions_in_a_ranks_module_say_as_much_as_elsewhere(run):
    result = run("@pytest.mark.ranks(2)\ndef test_it(comm):\n    own = [comm.rank]\n    assert own == [5]\n")
    result.stdout.fnmatch_lines(["*assert [[]0[]] == [[]5[]]*", "*At index 0 diff: 0 != 5*"])


def test_an_object_that_can_not_be_copied_for_the_ranks_is_refused_by_its_class(run):
    result = run(
        """
import io

class Log(io.TextIOWrapper):
    pass

@pytest.fixture
def log():
    return Log(io.BytesIO())

@pytest.mark.ranks(2)
def test_it(comm, log):
    pass
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*CounterpartError: this Log was made outside of the simulated ranks*name `comm` among its arguments*"]
    )


@pytest.mark.parametrize("ini", ["ranks_share = program", ""])
def test_modules_can_be_shared(run, ini):
    shared = bool(ini)
    result = run(
        f"""
import program

@pytest.mark.ranks(2)
def test_it(comm):
    program.seen.append(comm.rank)
    comm.barrier()
    assert program.seen == ([0, 1] if {shared} else [comm.rank])
""",
        ini=ini,
        program="seen = []",
    )
    result.assert_outcomes(passed=1)


def test_a_package_that_is_not_the_users_can_be_each_ranks_own(run):
    source = """
import colorsys

@pytest.mark.ranks(2)
def test_it(comm):
    import pluggy
    pluggy.mine = [*getattr(pluggy, "mine", []), comm.rank]
    comm.barrier()
    assert pluggy.mine == [comm.rank]
    del pluggy.mine
"""
    run(source, ini="ranks_own = pluggy").assert_outcomes(passed=1)


PACKAGE = {
    "helping.py": "seen = []",
    "conftest.py": """
import pytest

kept = []

@pytest.fixture
def two(comm):
    kept.append(comm.rank)
    return kept
""",
    "test_deep.py": """
import pytest
from . import helping
from .helping import seen

@pytest.mark.ranks(2)
def test_it(comm, two):
    seen.append(comm.rank)
    assert helping.seen == two == [comm.rank]
""",
}


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_packages_of_tests_are_each_ranks_own_however_pytest_imports_them(pytester, monkeypatch, mode):
    monkeypatch.setattr("bsbpool.worlds.launcher.LAUNCHERS", {})
    folder = pytester.mkpydir("checks")
    for name, source in PACKAGE.items():
        (folder / name).write_text(source)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", f"--import-mode={mode}", *WITHOUT)
    result.assert_outcomes(passed=1)


CHECKED = {
    "unreceived-message": "comm.isend(1, 1 - comm.rank).wait()",
    "unfinished-request": "comm.isend(1, 1 - comm.rank); comm.recv()",
    "type-mismatch": "comm.Send(np.zeros(1), 1 - comm.rank); comm.Recv(np.zeros(1, int), 1 - comm.rank)",
}


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(("kind", "line"), CHECKED.items())
def test_rules_of_mpi_that_no_call_holds_fail_the_test(run, kind, line, kept):
    source = f"""
import numpy as np

@pytest.fixture
def mesh(comm):
    yield

@pytest.mark.ranks(2)
def test_it(comm{", mesh" * kept}):
    {line}

@pytest.mark.ranks(2, checks=False)
def test_unchecked(comm{", mesh" * kept}):
    {line}
"""
    result = run(source)
    result.assert_outcomes(passed=1 + kept, failed=not kept, errors=kept)
    result.stdout.fnmatch_lines([f"*test_it.py:11: {kind}: rank 0 *"])


def test_a_leak_is_a_warning_which_a_filter_makes_a_failure(run):
    source = "@pytest.mark.ranks(2)\ndef test_it(comm):\n    comm.Dup()\n"
    result = run(source, "-W", "default")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*test_it.py:4: LeakedHandleWarning: leaked-handle: rank 0 makes a communi*"])
    run(source, "-W", "error").assert_outcomes(failed=1)
