"""Tests with `comm` on simulated ranks: how they run, what is reported of them, and what is refused."""

import subprocess
import sys
from importlib.machinery import SourceFileLoader

import pytest
from launching import WITHOUT, unmeasured
from tests_of_both_worlds import ENVIRONMENT, FIXTURES, LOGGING, REQUEST, SELF, SETTINGS, UNLIKE

import bsbpool_sim.simulation  # before pytester looks: it forgets whatever is imported later

pytest_plugins = ["pytester"]


@pytest.fixture
def run(pytester, monkeypatch):
    """Runs a test file, and gives pytest's result."""
    # These are about plain pytest, and the tests of this project may be started by anything.
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr("bsbpool.worlds.launcher.LAUNCHERS", {})

    def run(source, *arguments, ini=""):
        pytester.makeini(f"[pytest]\n{ini}")
        pytester.makepyfile(f"import pytest\n{source}")
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-ra", *WITHOUT, *arguments)

    return run


def text(result):
    return result.stdout.str()


def test_a_test_runs_once_for_each_number_of_ranks(run):
    result = run(
        """
@pytest.mark.ranks(1, 2, 8)
def test_sum(comm):
    assert comm.allreduce(1) == comm.size
""",
        "-v",
    )
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*[[]1-rank] PASSED*", "*[[]2-ranks] PASSED*", "*[[]8-ranks] PASSED*"])


def test_without_a_mark_there_are_two_ranks(run):
    result = run("def test_size(comm):\n    assert comm.size == 2 and 'simulated' in repr(comm)")
    result.assert_outcomes(passed=1)


def test_classes_modules_other_parameters_and_fixtures_go_together_with_ranks(run):
    result = run(
        """
seen = []

@pytest.fixture
def folder(tmp_path):
    seen.append(tmp_path)
    yield tmp_path
    seen.clear()

@pytest.mark.ranks(3)
class TestRing:
    @pytest.mark.parametrize("step", [1, 2])
    def test_pass_on(self, comm, step, folder):
        assert comm.sendrecv(comm.rank, (comm.rank + step) % 3, source=(comm.rank - step) % 3) == (comm.rank - step) % 3
        assert set(comm.allgather(folder)) == set(seen) and len(seen) == 1
"""
    )
    result.assert_outcomes(passed=2)


def test_each_failing_rank_is_reported_under_its_number_with_its_own_lines_and_output(run):
    result = run(
        """
import sys

def check(number):
    assert number == 0, "no zero"

@pytest.mark.ranks(3)
def test_zero(comm):
    print("hello from", comm.rank)
    print("careful", file=sys.stderr)
    check(comm.rank)
"""
    )
    result.assert_outcomes(failed=1)
    said = text(result)
    for rank in (1, 2):
        result.stdout.fnmatch_lines([f"*- rank {rank} of 3 -*", "*check(comm.rank)*", f"E*assert {rank} == 0"])
        assert f"Captured stdout call, rank {rank}" in said and said.count(f"hello from {rank}") == 1
        assert f"Captured stderr call, rank {rank}" in said
    assert "rank 0 of 3" not in said and "hello from 0" not in said
    assert "simulation.py" not in said and "kernel.py" not in said and "ranks.py" not in said
    result.stdout.fnmatch_lines(["FAILED *test_zero* - rank 1 (and 1 more): AssertionError: no zero"])


def test_output_that_no_rank_wrote_stays_in_the_report(run):
    result = run(
        """
import os

@pytest.mark.ranks(2)
def test_c_code(comm):
    os.write(1, b"from C code")
    assert comm.rank
"""
    )
    assert "from C code" in text(result)


def test_output_goes_through_to_capsys_and_to_the_terminal(run):
    source = """
def test_print(comm, capsys):
    print("one line", flush=True)
    comm.barrier()
    assert capsys.readouterr().out == "one line\\n"

def test_shown(comm):
    import sys
    print("to see", sys.stdout.encoding and "")
"""
    result = run(source, "-s")
    result.assert_outcomes(passed=2)
    assert text(result).count("to see") == 2


def test_capsys_reads_what_its_rank_has_written(run):
    result = run(
        """
import sys

@pytest.fixture
def before(capsys):
    print("set up")

@pytest.mark.ranks(3)
def test_read(comm, before, capsys):
    print("hello from", comm.rank)
    print("careful", file=sys.stderr)
    comm.barrier()
    out, err = capsys.readouterr()
    assert (out, err) == (f"set up\\nhello from {comm.rank}\\n", "careful\\n")
    print("again")
    comm.barrier()
    assert capsys.readouterr().out == "again\\n"
    comm.barrier()
    assert capsys.readouterr() == ("", "")
    print("apart")
    with capsys.disabled():
        print("let through by", comm.rank)
    assert capsys.readouterr().out == "apart\\n"
    print("left")
""",
        "-rP",
    )
    result.assert_outcomes(passed=1)
    assert text(result).count("let through by") == 3
    # What was read is not shown as left over at the end of the test.
    assert text(result).partition("Captured stdout teardown")[2].count("hello") == 0


def test_a_deadlock_says_what_each_rank_waits_for(run):
    result = run("def test_wait(comm):\n    print('before')\n    comm.recv(source=1 - comm.rank, tag=5)")
    result.assert_outcomes(failed=1)
    for rank in (0, 1):
        result.stdout.fnmatch_lines([f"*rank {rank} waits for a message from rank {1 - rank} with tag 5*test_wait"])
    assert "kernel.py" not in text(result)
    result.stdout.fnmatch_lines(["*Captured stdout call, rank 1*"])


def test_ranks_that_wait_for_one_that_raised_are_named_with_it(run):
    result = run("def test_wait(comm):\n    if comm.rank:\n        raise ValueError('mine')\n    comm.barrier()")
    result.stdout.fnmatch_lines(["*rank 1 of 2*", "*ValueError: mine*", "*rank 0 waits for rank 1 to call barrier()*"])


def test_pytest_fail_and_sys_exit_on_one_rank_fail_the_test_there(run):
    result = run(
        """
import sys

def test_fail(comm):
    if comm.rank:
        pytest.fail("as I say")

def test_exit(comm):
    if comm.rank:
        sys.exit("no way")
"""
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*rank 1 of 2*", "*as I say*", "*rank 1 of 2*", "*no way*"])


def test_skips_and_expected_failures_are_those_of_all_ranks(run):
    result = run(
        """
def test_all_skip(comm):
    pytest.skip("not here")

def test_one_skips(comm):
    if comm.rank:
        pytest.skip("not here")

def test_one_expects(comm):
    if comm.rank:
        pytest.xfail("not yet")

@pytest.mark.xfail(raises=ZeroDivisionError)
def test_expected(comm):
    1 / comm.rank

@pytest.mark.xfail(raises=KeyError)
def test_another_than_expected(comm):
    1 / comm.rank

@pytest.mark.xfail(strict=True)
def test_passes_all_the_same(comm):
    pass
"""
    )
    result.assert_outcomes(skipped=1, failed=3, xfailed=2)
    result.stdout.fnmatch_lines(["*skipped on rank 1 of 2 only: skip a test on all of its ranks, or on none"])


def test_pytest_exit_ends_the_run(run):
    result = run("def test_exit(comm):\n    pytest.exit('enough')\n\ndef test_after():\n    pass")
    assert "enough" in text(result) and "passed" not in text(result)


def test_what_a_rank_sets_in_python_is_its_own(run):
    run(SETTINGS, "-W", "default").assert_outcomes(passed=7)
    run(LOGGING).assert_outcomes(passed=8)
    run(ENVIRONMENT).assert_outcomes(passed=5)


def test_logging_works_without_what_pytest_captures_of_it(run):
    source = LOGGING.replace("caplog.set_level(logging.INFO)", "logging.getLogger()")
    result = run(source, "-p", "no:logging", "-k", "as_before")
    result.assert_outcomes(passed=1, deselected=7)


def test_fixtures_of_every_scope_run_on_each_rank_and_live_as_long_as_they_say(run):
    run(FIXTURES).assert_outcomes(passed=11)


def test_request_of_a_test_is_that_of_its_rank(run):
    run(FIXTURES + REQUEST).assert_outcomes(passed=14)


def test_ranks_do_not_hide_what_others_have_raised_or_why_they_skip(run):
    result = run(UNLIKE, "-rfs")
    result.assert_outcomes(failed=3, skipped=1, xfailed=1)
    said = result.stdout.str()
    assert "rank 1: TypeError: of one" in said and "KeyError" not in said.partition("short test summary")[2]
    assert said.count("exit status 0") >= 2 and "rank 0: says 0; rank 1: says 1" in said


def test_a_fixture_that_is_asked_for_on_a_rank_and_runs_on_ranks_is_refused(run):
    result = run(
        """
@pytest.fixture
def late(comm):
    return comm.rank

@pytest.mark.ranks(2)
def test_late(comm, request):
    request.getfixturevalue("late")
"""
    )
    result.assert_outcomes(failed=1)
    assert result.stdout.str().count("the fixture 'late' runs on each rank, and was asked for on a rank") == 2 + 1


def test_violations_and_failures_of_a_test_that_asks_for_request_are_its_own(run):
    result = run(
        """
@pytest.mark.ranks(2)
def test_sends(comm, request):
    if comm.rank:
        comm.send(1, dest=0)

@pytest.mark.ranks(2)
def test_ends_badly(comm, request):
    request.addfinalizer(lambda: comm.barrier() or 1 / (1 - comm.rank))
"""
    )
    result.assert_outcomes(failed=1, passed=1, errors=1)
    said = result.stdout.str()
    assert "unreceived-message: rank 1 sends" in said and "rank 1: ZeroDivisionError" in said


def test_a_fixture_that_fails_on_one_rank_is_reported_with_the_rank(run):
    result = run(
        """
@pytest.fixture
def bad(comm):
    yield
    comm.barrier()
    print("torn by", comm.rank)
    assert comm.rank != 1, "torn down badly"

@pytest.fixture
def broken(comm):
    assert comm.rank != 1, "set up badly"
    comm.barrier()

@pytest.fixture
def skipping(comm):
    pytest.skip("not here")

def test_setup(comm, broken):
    pass

def test_teardown(comm, bad):
    pass

def test_skipped(comm, skipping):
    pass

def test_asks_too_late(comm, request):
    pass

@pytest.fixture
def late(request):
    return request.getfixturevalue("comm").rank

def test_late(comm, late):
    pass
"""
    )
    result.assert_outcomes(errors=3, passed=2, skipped=1)
    result.stdout.fnmatch_lines(
        ["*ERROR at setup of test_setup*", "*- rank 1 of 2 -*", "*set up badly*", "*rank 0 waits*"]
    )
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_teardown*", "*- rank 1 of 2 -*", "*torn down badly*"])
    result.stdout.fnmatch_lines(["*comm.rank was used outside of the simulated ranks*"])
    assert "Captured stdout teardown, rank 1" in text(result) and "torn by 0" not in text(result)


def test_fixtures_are_set_up_anew_after_a_test_in_which_ranks_got_stuck(run):
    result = run(
        """
made = []

@pytest.fixture(scope="module")
def mesh(comm):
    made.append(comm.rank)
    mine = comm.Dup()
    yield mine
    mine.Free()

def test_stuck(comm, mesh):
    mesh.recv()

def test_after(comm, mesh):
    assert mesh.allreduce(1) == 2 and made == [comm.rank]
"""
    )
    result.assert_outcomes(failed=1, passed=1)


def test_a_teardown_that_fails_is_an_error_of_the_last_test_with_its_number_of_ranks(run):
    result = run(
        """
@pytest.fixture(scope="module")
def mesh(comm):
    yield comm.size
    assert comm.rank != 1 or comm.size != 2, "torn down badly"

@pytest.mark.ranks(2)
def test_two(comm, mesh):
    assert mesh == 2

def test_here():
    pass

@pytest.mark.ranks(3)
def test_three(comm, mesh):
    assert mesh == 3
"""
    )
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_two[[]2-ranks]*", "*- rank 1 of 2 -*"])


def test_each_rank_has_its_own_instance_of_a_class(run):
    run(SELF).assert_outcomes(passed=2)


MARKED = (
    """
import unittest

@pytest.mark.ranks(2)
def test_it():
    pass
""",
    """
pytestmark = pytest.mark.ranks(2)

class TestAll:
    def test_it(self, tmp_path):
        pass
""",
    """
from unittest import TestCase

class Old(TestCase):
    @pytest.mark.ranks(2)
    def test_it(self):
        pass

class New(TestCase):
    def test_without(self):
        pass
""",
)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (MARKED[0], ":5: test_it has the mark ranks and does not ask for `comm`"),
        (MARKED[1], ":6: TestAll.test_it has the mark ranks and does not ask for `comm`"),
        (MARKED[2], ":6: Old.test_it has the mark ranks, and methods of unittest.TestCase can't have `comm`"),
    ],
)
def test_the_mark_without_comm_is_an_error_of_collecting(run, source, said):
    result = run(source)
    result.assert_outcomes(errors=1)
    assert said in text(result) and "Traceback" not in text(result)


def test_tests_of_hypothesis_are_refused_with_what_to_write(run):
    pytest.importorskip("hypothesis")
    result = run(
        """
from hypothesis import given, strategies

@given(strategies.integers())
def test_draws(comm, n):
    pass
"""
    )
    result.assert_outcomes(errors=1)
    assert "test_draws is a test of Hypothesis, which would draw other examples on each rank" in text(result)
    assert '@pytest.mark.parametrize("seed", range(20))' in text(result)


def test_warnings_logs_and_subtests_are_told_apart_by_rank(run):
    result = run(
        """
import logging, warnings

def test_told(comm, subtests):
    print("printed by", comm.rank)
    logging.getLogger().warning("logged by %d", comm.rank)
    if comm.rank == 1:
        warnings.warn("conversion overflowed")
    for part in range(2):
        with subtests.test("part", part=part):
            comm.barrier()
            assert comm.rank * part == 0
""",
        "-rA",
        "-W",
        "always",
    )
    said = text(result)
    assert "test_told[all-ranks] (rank 1)\n" in said and "UserWarning: conversion overflowed" in said
    assert "SUBFAILED[part] (part=1, rank=1)" in said and "- assert (1 * 1) == 0" in said
    for rank in (0, 1):
        assert f"Captured log call, rank {rank}" in said and said.count(f"logged by {rank}") == 1
        assert f"Captured stdout call, rank {rank}" in said and said.count(f"printed by {rank}") == 1


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("ranks()", "has ranks(): it takes numbers of ranks, 1 or more"),
        ("ranks(0)", "has ranks(0): it takes numbers of ranks"),
        ("ranks(1, 10_001)", "has ranks(1, 10001): it takes numbers of ranks, 1 or more, up to 10,000, as in"),
        ("ranks(True)", "has ranks(True): it takes numbers"),
        ("ranks([1, 2])", "has ranks([1, 2]): it takes numbers"),
        ("ranks('4')", "has ranks('4'): it takes numbers"),
        ("ranks(2, 2)", "has ranks(2, 2): give each number of ranks once"),
        ("ranks(2, timeot=3)", "knows timeout=…, not timeot=…"),
        ("ranks(2, timeout=0)", "timeout is seconds, a number more than 0"),
        ("ranks(2, timeout='3')", "timeout is seconds, a number more than 0"),
    ],
)
def test_a_wrong_mark_is_one_clear_error_where_it_stands(run, mark, said):
    result = run(f"@pytest.mark.{mark}\ndef test_it(comm):\n    pass")
    result.assert_outcomes(errors=1)
    assert f".py:2: test_it {said.partition('…')[0]}" in text(result) or said in text(result)
    assert "Traceback" not in text(result)


def test_async_tests_are_refused(run):
    result = run("async def test_it(comm):\n    pass")
    result.assert_outcomes(errors=1)
    assert "test_it is async" in text(result)


@pytest.mark.parametrize("ini", ["soon", "0", "inf"])
def test_a_wrong_time_limit_is_an_error(pytester, ini):
    from bsbpool_sim.pytest_plugin.marks import limit

    with pytest.raises(pytest.UsageError, match="it must be seconds"):
        limit(pytester.parseconfig("-o", f"mpi_timeout={ini}"))
    assert limit(pytester.parseconfig("--mpi-timeout", "2.5")) == 2.5
    assert limit(pytester.parseconfig()) == 60


def test_a_comm_of_somebody_else_is_left_alone(run):
    result = run(
        """
@pytest.fixture
def comm():
    return "theirs"

@pytest.mark.ranks("whatever")
def test_it(comm):
    assert comm == "theirs"

@pytest.mark.ranks("for something else")
def test_without():
    pass
"""
    )
    result.assert_outcomes(passed=2)


@pytest.mark.unmeasured
def test_xdist_shares_out_tests_on_simulated_ranks(pytester, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    pytest.importorskip("xdist")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.ranks(1, 2, 3)
        def test_size(comm):
            assert comm.size < 3 or comm.rank != 1
        """
    )
    result = pytester.runpytest_subprocess("-n2", "-ra", *WITHOUT)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*rank 1 of 3*", "FAILED *test_size* - rank 1: assert *"])


def test_the_plugin_loads_nothing_that_is_heavy():
    heavy = "{'greenlet', 'numpy', 'mpi4py', 'rich', 'cloudpickle', 'bsbpool_sim.simulation', 'bsbpool_sim.mpi'}"
    code = f"import sys, bsbpool_sim.pytest_plugin.ranks; print({heavy} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=unmeasured()) == "set()\n"


def test_the_front_door_has_what_it_says():
    assert set(bsbpool_sim.__all__) <= set(dir(bsbpool_sim))
    assert all(getattr(bsbpool_sim, name).__name__ == name for name in bsbpool_sim.__all__)
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        bsbpool_sim.simulat  # noqa: B018


def test_python_loads_the_modules_of_this_project_in_a_run_of_pytest():
    from bsbpool import durations
    from bsbpool_sim.mpi import requests

    for module in (durations, requests):
        assert type(module.__spec__.loader) is SourceFileLoader, module
    assert type(sys.modules[__name__].__spec__.loader) is not SourceFileLoader  # pytest explains the asserts of tests
