"""Tests with `comm` under mpirun: one report, one outcome, one end, whatever the ranks do.

Those that have `python` run with MPICH and with Open MPI, whose `mpirun` and ends differ; the others with MPICH.
"""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from launching import OPENMPI, WITHOUT, needs_openmpi, of_ranks
from tests_of_both_worlds import ENVIRONMENT, FIXTURES, LOGGING, PROGRAM, REQUEST, SELF, SETTINGS, UNLIKE, WORLD
from unused_plugins import WITHOUT_OPTIONS

from bsbpool.worlds.launcher import launcher
from bsbpool_sim.pytest_plugin import watchdog

ROOT = Path(__file__).parents[2]
MPIRUN = shutil.which("mpirun", path=str(Path(sys.executable).parent)) or shutil.which("mpirun")

pytestmark = [
    pytest.mark.skipif(launcher() is not None, reason="this run is under an MPI launcher itself"),
    pytest.mark.skipif(MPIRUN is None or importlib.util.find_spec("mpi4py") is None, reason="needs mpi4py and mpirun"),
]


@pytest.fixture(
    scope="module",
    params=[pytest.param(sys.executable, id="MPICH"), pytest.param(OPENMPI, id="Open MPI", marks=needs_openmpi)],
)
def python(request):
    """A Python with an MPI."""
    return request.param


#: Plugins that pytest finds here, which each rank would load; those of a test that has none of their options.
OTHERS = [f"-pno:{name}" for name in WITHOUT_OPTIONS]


def run(folder, source, *arguments, ranks=2, limit=300, python=sys.executable, launch=(), without=(*WITHOUT, *OTHERS)):
    """Run pytest on a test file under mpirun, which has these further options; whatever is started is ended."""
    folder.mkdir(exist_ok=True)
    (folder / "test_it.py").write_text(f"import os, sys, time\nimport pytest\n{source}")
    (folder / "pytest.ini").write_text("[pytest]\n")
    # What the plugin does under mpirun runs nowhere else; with Open MPI it runs the same lines again.
    environment = of_ranks(measured=python == sys.executable) | {"COLUMNS": "100", "NO_COLOR": "1"}
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
        environment.pop(name, None)
    mpirun = MPIRUN if python == sys.executable else Path(python).with_name("mpirun")
    command = [mpirun, *launch, "-n", str(ranks), python, "-m", "pytest", "-ra", "-p", "no:cacheprovider", *without]
    process = subprocess.Popen(
        [*command, f"--basetemp={folder / 'base'}", *arguments, "test_it.py"],
        cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = process.communicate(timeout=limit)
    finally:
        if process.poll() is None:
            process.terminate()  # mpirun ends its ranks
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return SimpleNamespace(said=said, status=process.returncode)


OUTCOMES = """
@pytest.fixture
def bad(comm):
    yield
    assert comm.rank != 1, "torn down badly"

@pytest.fixture
def broken(comm):
    assert comm.rank != 1, "set up badly"

@pytest.fixture(scope="module")
def shared(request):
    yield os.getpid()

class Odd(Exception):
    def __str__(self):
        return "odd"

@pytest.mark.ranks(1, 2, 3, 8)
def test_sizes(comm, shared):
    assert comm.allreduce(1) == comm.size and comm.Get_name()

def test_all(comm, shared):
    assert comm.size == 3
    comm.Free()

@pytest.mark.ranks(3)
def test_fails(comm):
    print("hello from", comm.rank)
    assert comm.rank == 0

def test_here_only(tmp_path):
    assert not list(tmp_path.parent.glob("once"))
    (tmp_path.parent / "once").touch()

def test_here_only_and_fails(shared):
    assert 0, "here only"

@pytest.mark.ranks(2)
def test_folder(comm, tmp_path, tmp_path_factory):
    assert len(set(comm.allgather(tmp_path))) == 1
    assert len(set(comm.allgather(tmp_path_factory.mktemp("own")))) == 2

def test_setup(comm, broken):
    comm.barrier()

def test_teardown(comm, bad):
    comm.barrier()

def test_all_skip(comm):
    pytest.skip("not here")

def test_one_skips(comm):
    if comm.rank == 2:
        pytest.skip("not there")

def test_one_expects(comm):
    if comm.rank:
        pytest.xfail("not yet")

@pytest.mark.xfail(strict=True)
def test_one_fails_as_expected(comm):
    assert comm.rank

@pytest.mark.xfail(strict=True)
def test_none_fails_as_expected(comm):
    pass

@pytest.mark.xfail
def test_none_fails_though_it_might(comm):
    pass
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory, python):
    folder = tmp_path_factory.mktemp("outcomes")
    return run(folder, OUTCOMES, "--junitxml=report.xml", "-v", ranks=3, python=python)


def verdicts(said):
    """What each test came to, by the last line that names it with an outcome."""
    return dict(re.findall(r"^test_it\.py::(\S+) (PASSED|FAILED|SKIPPED|XFAIL|XPASS|ERROR)\b", said, re.MULTILINE))


@pytest.mark.measured
def test_there_is_one_report(outcomes):
    assert outcomes.said.count("test session starts") == 1
    assert outcomes.status != 0
    assert "4 failed, 7 passed, 2 skipped, 2 xfailed, 1 xpassed, 2 errors" in outcomes.said


def test_every_test_has_the_outcome_of_all_its_ranks(outcomes):
    assert verdicts(outcomes.said) == {
        "test_sizes[1-rank]": "PASSED", "test_sizes[2-ranks]": "PASSED", "test_sizes[3-ranks]": "PASSED",
        "test_sizes[8-ranks]": "SKIPPED", "test_all[all-ranks]": "PASSED", "test_fails[3-ranks]": "FAILED",
        "test_here_only": "PASSED", "test_here_only_and_fails": "FAILED", "test_folder[2-ranks]": "PASSED",
        "test_setup[all-ranks]": "ERROR", "test_teardown[all-ranks]": "ERROR", "test_all_skip[all-ranks]": "SKIPPED",
        "test_one_skips[all-ranks]": "FAILED", "test_one_expects[all-ranks]": "XFAIL",
        "test_one_fails_as_expected[all-ranks]": "XFAIL", "test_none_fails_as_expected[all-ranks]": "FAILED",
        "test_none_fails_though_it_might[all-ranks]": "XPASS",
    }  # fmt: skip


def section(said, title):
    """What the report says of one test."""
    return re.search(rf"^_+ {re.escape(title)} _+$\n(.*?)^(?:_{{3,}} |={{3,}})", said, re.MULTILINE | re.DOTALL)[1]


def test_each_failing_rank_is_under_its_number_with_its_output(outcomes):
    said = section(outcomes.said, "test_fails[3-ranks]")
    assert re.findall(r"- rank (\d) of 3 -", said) == ["1", "2"]
    assert "E       assert 1 == 0" in said and "E       assert 2 == 0" in said
    assert re.findall(r"Captured stdout call, rank (\d) -*\nhello from (\d)", said) == [("1", "1"), ("2", "2")]
    assert "hello from 0" not in said


def test_a_fixture_that_fails_on_one_rank_is_an_error_on_all(outcomes):
    for title, text in (
        ("ERROR at setup of test_setup", "set up badly"),
        ("ERROR at teardown of test_teardown", "torn"),
    ):
        said = section(outcomes.said, f"{title}[all-ranks]")
        assert re.findall(r"- rank (\d) of 3 -", said) == ["1"] and text in said


def test_sizes_that_do_not_fit_are_skipped_with_the_reason(outcomes):
    assert "needs 8 ranks, and there are 3" in outcomes.said
    assert "skipped on rank 2 of 3 only: skip a test on all of its ranks, or on none" in outcomes.said


REPORTED = """
import logging, warnings
import branches

class Own(UserWarning):
    pass

@pytest.mark.ranks(2)
def test_passes(comm, record_property):
    branches.of(comm.rank)
    record_property("size", 2)
    record_property("rank", comm.rank)
    print("printed by", comm.rank)
    print("complained by", comm.rank, file=sys.stderr)
    logging.getLogger().warning("logged by %d", comm.rank)
    if comm.rank == 1:
        warnings.warn("conversion overflowed", Own)
        time.sleep(0.5)
    warnings.warn("everywhere")

tries = []

@pytest.mark.flaky(reruns=2, only_rerun="AssertionError")
@pytest.mark.ranks(2)
def test_that_one_rank_fails_at_first(comm):
    tries.append(None)
    if comm.rank == 0:
        comm.send(len(tries), 1)  # nobody receives it in the first attempt
    else:
        assert len(tries) > 1, "at first"
        assert comm.recv() == len(tries)

@pytest.mark.flaky(reruns=2, only_rerun="AssertionError")
@pytest.mark.ranks(2)
def test_that_is_not_to_run_again(comm):
    assert comm.rank, "here it might"
    if comm.rank:
        raise KeyError("here it must not")

@pytest.mark.ranks(2)
def test_parts(comm, subtests):
    for part in range(1 + comm.rank):
        with subtests.test("part", part=part):
            assert comm.rank * part == 0, "a rank and a part"

@pytest.mark.ranks(2)
def test_skips(comm):
    pytest.skip(f"since it is {comm.rank}")

def test_here_only():
    warnings.warn("alone")
"""


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reported")
    (folder / "branches.py").write_text("def of(rank):\n    if rank == 0:\n        return 0\n    return 1\n")
    options = ["--cov=branches", "--cov-report=term-missing", "--junitxml=it.xml", "--durations=1", "-rA"]
    result = run(folder, REPORTED, *options, "-o", "junit_family=xunit1", "-W", "default", without=WITHOUT)
    result.xml = (folder / "it.xml").read_text()
    return result


def test_warnings_are_those_of_all_ranks_with_their_ranks(reported):
    said = reported.said
    assert re.search(
        r"^test_it.py::test_passes\[2-ranks\] \(rank 1\)\n.*Own: conversion overflowed", said, re.MULTILINE
    )
    one = r"test_it.py::test_passes\[2-ranks\] \(rank {}\)\n"
    assert re.search(one.format(0) + one.format(1) + ".*UserWarning: everywhere", said)
    assert re.search(r"test_it.py::test_here_only\n.*UserWarning: alone", said)
    assert "4 warnings" in said


def test_what_ranks_print_and_record_and_how_long_they_take_is_reported_of_tests_that_pass_too(reported):
    for rank in (0, 1):
        for what, stream in (("printed", "stdout"), ("complained", "stderr")):
            assert re.search(f"Captured {stream} call, rank {rank} -+\n{what} by {rank}\n", reported.said)
        assert re.search(rf"Captured log call, rank {rank} -+\n.*logged by {rank}\n", reported.said)
        assert f'<property name="rank, rank {rank}" value="{rank}"' in reported.xml
    assert reported.xml.count('<property name="size" value="2"') == 1
    assert re.search(r"0\.[5-9].s call +test_it.py::test_passes|[1-9].*s call +test_it.py::test_passes", reported.said)
    assert "rank 0: since it is 0; rank 1: since it is 1" in reported.said


def test_a_plugin_that_runs_tests_again_does_so_on_all_ranks(reported):
    assert "1 rerun" in reported.said and "PASSED test_it.py::test_that_one_rank_fails_at_first" in reported.said
    said = section(reported.said, "test_that_is_not_to_run_again[2-ranks]")
    assert re.findall(r"- rank (\d) of 2 -", said) == ["0", "1"] and "here it must not" in said


def test_subtests_of_all_ranks_are_reported_with_their_ranks(reported):
    line = r"^SUBFAILED\[part\] \(part='1', rank='1'\) test_it.py::test_parts\[2-ranks\] - Asse"
    assert re.search(line, reported.said, re.MULTILINE)
    assert "E               AssertionError: a rank and a part" in reported.said
    assert "FAILED test_it.py::test_parts[2-ranks] - contains 1 failed subtest" in reported.said


def test_coverage_is_that_of_all_ranks(reported):
    assert re.search(r"^branches.py +4 +0 +100% *$", reported.said, re.MULTILINE)


WAITS = """
def test_fails_before(comm):
    assert comm.rank == 0

@pytest.mark.ranks(2, timeout=3)
def test_waits(comm):
    if comm.rank == 1:
        raise ValueError("only here")
    comm.barrier()

def test_comes_too_late():
    pass
"""


def test_a_rank_that_waits_for_one_that_raised_ends_the_run(tmp_path, python):
    result = run(tmp_path / "it", WAITS.replace("test_fails_before", "fails_before"), ranks=3, python=python)
    assert result.status != 0
    assert "[rank 0 of 3] test_it.py::test_waits[2-ranks] took longer than its limit of 3 s" in result.said
    assert re.search(r"^\[rank 0 of 3\]   File .*test_it.py\", line 11, in test_waits$", result.said, re.MULTILINE)
    assert "[rank 1 of 3] it has ended the test's call (failed), and waits for the other ranks" in result.said
    assert re.search(r"^\[rank 1 of 3\] E +ValueError: only here$", result.said, re.MULTILINE)
    assert "COMM_WORLD" not in result.said


@pytest.mark.measured
@pytest.mark.parametrize("call", ["world.allreduce(1)", "Model().total()", "MPI.COMM_WORLD.barrier()"])
def test_a_test_on_some_ranks_that_waits_for_all_ranks_of_the_world_is_told_so(tmp_path, call):
    source = f"""
from mpi4py import MPI

world = MPI.COMM_WORLD

class Model:
    def __init__(self):
        self.comm = MPI.COMM_WORLD

    def total(self):
        return self.comm.allreduce(1)

@pytest.mark.ranks(1)
def test_total(comm):
    {call}
"""
    result = run(tmp_path / "it", source, "--mpi-timeout=2")
    said = "it is in code that uses MPI.COMM_WORLD, whose collective calls wait for all 2 ranks, and the test runs on 1"
    assert f"[rank 0 of 2] {said} rank: start" in result.said
    assert f"rank 0: {said}" in section(result.said, "test_total[1-rank]")


@pytest.mark.unmeasured
@pytest.mark.parametrize("call", ["comm.allreduce(1)", "lasting.scan(1)", "MPI.COMM_WORLD.reduce(1)"])
def test_a_rank_that_waits_in_its_first_reduction_of_objects_reports_too(tmp_path, call):
    """mpi4py duplicates a communicator for these, and does not release Python's lock."""
    source = f"""
from mpi4py import MPI

@pytest.fixture(scope="module")
def lasting(comm):
    return comm

def test_waits(comm, lasting):
    if comm.rank == 1:
        raise ValueError("only here")
    {call}
"""
    result = run(tmp_path / "it", source, "--junitxml=report.xml", "--mpi-timeout=2")
    assert result.status != 0 and "1 failed in" in result.said
    assert re.search(r"^\[rank 0 of 2\]   File .*test_it.py\", line 13, in test_waits$", result.said, re.MULTILINE)
    assert re.search(r"^\[rank 1 of 2\] E +ValueError: only here$", result.said, re.MULTILINE)
    report = ElementTree.parse(tmp_path / "it/report.xml").getroot().find("testsuite")
    assert (report.get("tests"), report.get("failures")) == ("1", "1")


@pytest.mark.measured
def test_the_report_of_a_run_that_ends_early_is_whole_however_long_it_takes(tmp_path, python):
    source = """
import signal, threading

def test_with_much_to_report(comm):
    if comm.rank == 0:
        print("a line\\n" * 100_000)
        assert 0, "the one before"

@pytest.mark.ranks(2, timeout=2)
def test_of_a_rank_that_the_machine_has_no_time_for(comm):
    pid = comm.bcast(os.getpid())
    if comm.rank:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(4)
        os.kill(pid, signal.SIGCONT)
        threading.Event().wait()  # never comes: what ends it is that it is late
"""
    folder = tmp_path / "it"
    folder.mkdir()
    # Longer than any rank has ever waited for rank 0, with nothing that needs the processor.
    (folder / "conftest.py").write_text("import time\n\ndef pytest_sessionfinish():\n    time.sleep(15)")
    result = run(folder, source, python=python)
    assert result.status != 0 and result.said.count("a line\n") == 100_000
    assert "the one before" in section(result.said, "test_with_much_to_report[all-ranks]")
    assert "FAILED test_it.py::test_of_a_rank_that_the_machine_has_no_time_for[2-ranks] - took longer" in result.said
    assert "2 failed in" in result.said


@pytest.mark.measured
def test_a_run_that_ends_early_still_reports_what_came_of_its_tests_once(tmp_path):
    result = run(tmp_path / "it", WAITS, "--junitxml=report.xml", ranks=3)
    assert result.status != 0
    assert re.findall(r"- rank (\d) of 3 -", section(result.said, "test_fails_before[all-ranks]")) == ["1", "2"]
    assert "took longer than its limit of 3 s: this ended the run" in section(result.said, "test_waits[2-ranks]")
    assert "2 failed in" in result.said and result.said.count("short test summary info") == 1
    report = ElementTree.parse(tmp_path / "it/report.xml").getroot().find("testsuite")
    assert (report.get("tests"), report.get("failures")) == ("2", "2")


@pytest.mark.unmeasured
@pytest.mark.parametrize("ends", ["os._exit(3)", "ctypes.PyDLL(None).sleep(50)"], ids=["by itself", "stuck"])
def test_ranks_end_though_the_launcher_does_not_notice_that_rank_0_has(tmp_path, ends):
    """MPICH's launcher did not notice it in one of fifty runs on a busy machine, and never with this option."""
    source = f"""
import ctypes, threading

@pytest.mark.ranks(2)
def test_ends(comm):
    if comm.rank == 0:
        {ends}
    threading.Event().wait()  # never comes
"""
    (tmp_path / "it").mkdir()
    (tmp_path / "it/conftest.py").write_text("from bsbpool_sim.pytest_plugin import watchdog\n\nwatchdog.STUCK = 4.0")
    result = run(tmp_path / "it", source, "--mpi-timeout=3", launch=["-disable-auto-cleanup"], limit=60)
    assert result.status != 0
    if "exit" in ends:  # else its limit comes first
        assert "[rank 1 of 2] rank 0 has ended, and the launcher has not noticed it: this ends this rank" in result.said


@pytest.mark.unmeasured
@pytest.mark.parametrize("stuck", ["comm.rank == 0", "comm.rank == 1", "True", "once_it_is_late(request)"])
def test_ranks_in_c_code_that_holds_the_lock_of_python_show_their_stacks_too(tmp_path, stuck):
    source = f"""
import ctypes, threading

def once_it_is_late(request):
    watchdog = request.config.pluginmanager.get_plugin("bsbpool_real_ranks")._watchdog
    spoken, write = threading.Event(), watchdog.write
    watchdog.write = lambda lines: write(lines) or spoken.set()
    return spoken.wait()

@pytest.mark.ranks(2)
def test_stuck(comm, request):
    if {stuck}:
        ctypes.PyDLL(None).sleep(50)
    threading.Event().wait()  # never comes; `recv` would take a processor meanwhile
"""
    (tmp_path / "it").mkdir()
    (tmp_path / "it/conftest.py").write_text("from bsbpool_sim.pytest_plugin import watchdog\n\nwatchdog.STUCK = 4.0")
    result = run(tmp_path / "it", source, "--mpi-timeout=3")
    assert result.status != 0
    for rank in (0, 1):
        assert re.search(rf"^\[rank {rank} of 2\]   File .* in test_stuck$", result.said, re.MULTILINE) or re.search(
            rf"line \d+ in test_stuck\n(  File .*\n)*?.* in rank {rank} of 2: test_it.py::test_stuck", result.said
        )


def test_a_rank_that_ends_all_waits_until_its_launcher_has_read_what_it_said(monkeypatch, tmp_path):
    reader, writer = os.pipe()
    file = os.open(tmp_path / "file", os.O_CREAT | os.O_WRONLY)
    read = []
    monkeypatch.setattr(watchdog, "sleep", lambda seconds: read.append(os.read(reader, 4)))
    os.write(file, b"not read by anybody")
    os.write(writer, b"read by four")
    watchdog.wait_for_reader([file, writer])
    assert read == [b"read", b" by ", b"four"]
    os.write(writer, b"never read")
    os.close(reader)
    watchdog.wait_for_reader([writer])  # nobody is there to wait for
    for each in (writer, file):
        os.close(each)


def test_maxfail_stops_all_ranks(tmp_path):
    source = (
        "def test_a(comm):\n    assert comm.rank == 0\n\ndef test_b(comm):\n    pass\n\ntest_c, test_d = test_a, test_b"
    )
    result = run(tmp_path / "it", source, "--maxfail=2")
    assert result.status == 1 and "stopping after 2 failures" in result.said and "2 failed, 1 passed in" in result.said


def test_an_interrupted_rank_ends_all(tmp_path, python):
    source = "def test_a(comm):\n    if comm.rank:\n        raise KeyboardInterrupt\n    comm.barrier()"
    result = run(tmp_path / "it", source, python=python)
    assert result.status != 0
    assert "[rank 1 of 2] KeyboardInterrupt, in test_it.py::test_a[all-ranks]: this ends all ranks" in result.said
    assert "FAILED test_it.py::test_a[all-ranks] - KeyboardInterrupt: this ended the run" in result.said
    assert "1 failed in" in result.said


def test_an_interrupt_leaves_the_report_of_the_tests_before(tmp_path):
    source = """
def test_a(comm):
    assert comm.rank == 0, "not here"

def test_b(comm):
    if comm.rank == 0:
        raise KeyboardInterrupt
    comm.barrier()
"""
    result = run(tmp_path / "it", source)
    assert result.status != 0
    assert "AssertionError: not here" in section(result.said, "test_a[all-ranks]")
    assert "KeyboardInterrupt: this ended the run" in section(result.said, "test_b[all-ranks]")


@pytest.mark.measured
def test_what_goes_wrong_while_ranks_follow_ends_all(tmp_path):
    (tmp_path / "it").mkdir()
    (tmp_path / "it/conftest.py").write_text(
        "from mpi4py import MPI\n\n"
        "def pytest_runtest_logfinish(nodeid):\n    assert MPI.COMM_WORLD.rank == 0, 'a plugin of its own'"
    )
    result = run(tmp_path / "it", "def test_a(comm):\n    pass")
    assert result.status != 0
    assert "[rank 1 of 2] AssertionError: a plugin of its own" in result.said and "this ends all ranks" in result.said


@pytest.mark.measured
def test_fixtures_instances_and_settings_are_those_of_each_rank_as_on_simulated_ranks(tmp_path, python):
    result = run(
        tmp_path / "it",
        FIXTURES + SELF + SETTINGS + ENVIRONMENT + LOGGING + REQUEST + "\ndef test_at_the_end():\n    pass",
        "--mpi-timeout=20",
        ranks=3,
        python=python,
    )
    assert result.status == 0 and "37 passed" in result.said


def test_outcomes_of_ranks_are_those_on_simulated_ranks(tmp_path, python):
    result = run(tmp_path / "it", UNLIKE, "-rs", "--mpi-timeout=20", python=python)
    assert "3 failed, 1 skipped, 1 xfailed" in result.said and "rank 0: says 0; rank 1: says 1" in result.said


def test_the_world_and_the_state_of_modules_are_those_of_each_rank_as_on_simulated_ranks(tmp_path, python):
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "program.py").write_text(PROGRAM)
    result = run(tmp_path / "it", WORLD, "--mpi-timeout=20", python=python)
    assert result.status == 0 and "8 passed" in result.said


@pytest.mark.measured
def test_the_mark_without_comm_is_an_error_of_collecting(tmp_path):
    result = run(tmp_path / "it", "@pytest.mark.ranks(2)\ndef test_it():\n    pass\n\ndef test_with(comm):\n    pass")
    assert result.status == 2 and result.said.count("test_it has the mark ranks and does not ask for `comm`") >= 1
    assert result.said.count("test session starts") == 1


CLASS = """
up = []

@pytest.fixture(scope="class")
def thing(request):
    up.append(request.cls.__name__)
    yield up
    up.append("down")

@pytest.mark.ranks(1, 2, 3)
@pytest.mark.parametrize("factor", [1, 2])
class TestThing:
    @pytest.fixture(autouse=True)
    def ranks_meet_after_each(self, comm):
        yield
        comm.barrier()

    def test_sum(self, comm, thing, factor):
        assert comm.allreduce(factor) == factor * comm.size

    def test_state(self, comm, thing, factor):
        assert set(map(tuple, comm.allgather(thing))) == {("TestThing",)}

def test_each_rank_has_torn_down_what_it_set_up(comm):
    assert comm.allgather(up) == comm.size * [["TestThing", "down"]]

def test_apart(comm):
    assert 0
"""


def test_classes_their_fixtures_and_other_parameters_go_together_with_ranks(tmp_path):
    result = run(tmp_path / "it", CLASS, "-k", "Thing or torn", ranks=3)
    assert result.status == 0 and "13 passed, 1 deselected" in result.said


def test_a_fixture_of_a_session_that_fails_on_one_rank_fails_the_tests_that_use_it_there(tmp_path):
    source = """
from mpi4py import MPI

@pytest.fixture(scope="session")
def data():
    assert MPI.COMM_WORLD.rank != 1, "no data here"

def test_a(comm, data):
    comm.barrier()

@pytest.mark.ranks(1)
def test_b(comm, data):
    pass
"""
    result = run(tmp_path / "it", source)
    assert "1 passed, 1 error" in result.said
    assert re.findall(r"- rank (\d) of 2 -", section(result.said, "ERROR at setup of test_a[all-ranks]")) == ["1"]


def test_a_module_that_one_rank_skips_is_an_error(tmp_path):
    source = """
from mpi4py import MPI
if MPI.COMM_WORLD.rank == 1:
    pytest.skip("not on this rank", allow_module_level=True)

def test_a(comm):
    comm.barrier()
"""
    result = run(tmp_path / "it", source)
    assert result.status == 2
    assert "The ranks collected different tests" in result.said


@pytest.mark.measured
def test_a_rank_that_does_not_come_after_collecting_ends_the_run(tmp_path):
    (tmp_path / "it").mkdir()
    (tmp_path / "it/conftest.py").write_text("from bsbpool_sim.pytest_plugin import real\n\nreal.COLLECTING = 2.0")
    source = """
from mpi4py import MPI
if MPI.COMM_WORLD.rank == 1:
    MPI.COMM_SELF.recv()  # for ever

def test_a(comm):
    pass
"""
    result = run(tmp_path / "it", source, "--mpi-timeout=1")
    assert result.status != 0
    assert "[rank 0 of 2] waiting for all ranks after collecting tests took longer than its limit of 2 s" in result.said
    assert "[rank 0 of 2] it waits for ranks that have left pytest, or still collect tests" in result.said


@pytest.mark.measured
def test_tests_that_differ_between_ranks_are_an_error(tmp_path, python):
    source = "@pytest.mark.parametrize('pid', [os.getpid()])\ndef test_a(comm, pid):\n    pass"
    result = run(tmp_path / "it", source, python=python)
    assert result.status == 2
    assert "The ranks collected different tests" in result.said and result.said.count("test_it.py::test_a[") == 2
    assert result.said.count("test session starts") == 1


def test_another_order_on_some_ranks_is_put_right(tmp_path):
    (tmp_path / "it").mkdir()
    (tmp_path / "it/conftest.py").write_text(
        "from mpi4py import MPI\n\n"
        "def pytest_collection_modifyitems(items):\n    if MPI.COMM_WORLD.rank == 1:\n        items.reverse()"
    )
    source = "@pytest.mark.parametrize('n', [1, 2])\ndef test_a(comm, n):\n    assert set(comm.allgather(n)) == {n}"
    assert "2 passed" in run(tmp_path / "it", source).said


@pytest.mark.measured
def test_a_file_that_one_rank_cannot_import_is_an_error_of_all(tmp_path):
    source = """
from mpi4py import MPI
assert MPI.COMM_WORLD.rank == 0, "not on this rank"

def test_a(comm):
    pass
"""
    result = run(tmp_path / "it", source)
    assert result.status == 2
    assert "rank 1 of 2" in result.said and "not on this rank" in result.said


@pytest.mark.measured
def test_xdist_is_refused(tmp_path):
    pytest.importorskip("xdist")
    result = run(tmp_path / "it", "def test_a():\n    pass", "-n2", without=WITHOUT)
    assert result.status == 4
    assert result.said.count("ERROR: pytest-xdist can't share out tests under an MPI launcher") == 1


@pytest.mark.measured
def test_who_does_not_use_comm_gets_what_they_got_before(tmp_path):
    source = """
def test_on_every_rank():
    assert "mpi4py" not in sys.modules
"""
    result = run(tmp_path / "it", source)
    assert result.status == 0
    assert result.said.count("test session starts") == result.said.count("1 passed") == 2
