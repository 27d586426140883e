"""Exploring in several processes, and from night to night: the same is found, and what was covered is not run again."""

import contextlib
import functools
import json
import operator
import os
import signal
import subprocess
import sys

import pytest
from launching import run

from bsbpool_sim import ExplorationError, explore
from bsbpool_sim.exploring.covered import Covered, identity
from bsbpool_sim.exploring.processes import ProcessError, can_fork, in_processes

RACE = """\
from mpi4py import MPI
comm = MPI.COMM_WORLD
if comm.rank:
    comm.send(comm.rank, 0)
    comm.send(comm.rank, 0)
else:
    got = [comm.recv() for _ in range(2 * (comm.size - 1))]
    assert got[:3] != [3, 3, 2]
"""

#: Behind that: a file that grows with each run.
NOTED = """
    import builtins
    with builtins.open("runs", "ab", buffering=0) as runs:
        runs.write(b".")
"""

forks = pytest.mark.skipif(not can_fork(), reason="this system has no copies of a process")


def race(comm):
    if comm.rank:
        return comm.send(comm.rank, 0), comm.send(comm.rank, 0)
    got = [comm.recv() for _ in range(2 * (comm.size - 1))]
    assert got[:2] != [3, 3], "early"
    assert got[-1] != 1, "late"
    return got


@pytest.fixture
def command(tmp_path):
    """Runs `bsbpool explore` in a folder with the race, and a scenario. Returns exit status, and what was printed."""
    (tmp_path / "race.py").write_text(RACE, encoding="utf-8")
    (tmp_path / "it.yaml").write_text(
        "scenario: It ends\nranks: 2\njobs: [{name: a, takes: 1s}]\nexpect: {elapsed: 1s}\n", encoding="utf-8"
    )

    def call(*arguments):
        return run(program=["-m", "bsbpool", "explore", *arguments], cwd=tmp_path)

    return call


@forks
def test_calls_are_made_in_processes_and_answered_in_their_order():
    calls = [functools.partial(operator.mul, [n], n) for n in range(7)]
    assert [*in_processes(calls, 3)] == [[n] * n for n in range(7)]
    assert [*in_processes([], 3)] == []


@forks
def test_what_a_process_raises_is_said():
    with pytest.raises(ProcessError, match=r"ZeroDivisionError: .*by zero"):
        list(in_processes([lambda: 1, lambda: 1 // 0], 2))


@forks
@pytest.mark.parametrize("jobs", [2, 3])
def test_the_same_is_found_in_any_number_of_processes(jobs):
    def found(jobs):
        exploration = explore(race, 4, strategy="portfolio", schedules=120, seconds=None, jobs=jobs)
        assert exploration.schedules == 120
        findings = [(each.message, each.tape, each.schedule, each.choices) for each in exploration.findings]
        return exploration.distinct, findings

    one = found(1)
    assert found(jobs) == one
    assert len(one[1]) == 2


def test_a_number_of_processes_is_one_or_more():
    with pytest.raises(ValueError, match="jobs=0"):
        explore(race, 2, jobs=0)


def test_what_was_covered_is_not_run_again(command, tmp_path):
    def covered():
        return json.loads((tmp_path / "kept/covered.json").read_text())["explored"]["race.py"]

    status, out, _ = command("-n", "4", "--strategy", "walk", "--schedules", "30", "--keep", "kept", "race.py")
    assert (status, covered()["drawn"]) == (1, 30)
    assert "covered so far: 30 schedules in " in out
    (finding,) = (tmp_path / "kept").glob("failure-*.json")
    assert json.loads(finding.read_text())["again"].startswith("bsbpool simulate --late-matching --tape v1:")
    command("-n", "4", "--strategy", "walk", "--schedules", "20", "--keep", "kept", "race.py")
    assert covered()["drawn"] == 50
    (tmp_path / "race.py").write_text(RACE + "\n", encoding="utf-8")
    command("-n", "4", "--strategy", "walk", "--schedules", "10", "--keep", "kept", "race.py")
    assert covered()["drawn"] == 10


def test_a_program_that_is_complete_has_no_more_schedules_the_next_time(command):
    for _ in range(2):
        _, out, _ = command("-n", "3", "--keep", "kept", "race.py")
        assert "covered so far: 6 schedules in " in out


@pytest.mark.measured
@forks
@pytest.mark.parametrize(("jobs", "number"), [("1", signal.SIGTERM), ("2", signal.SIGTERM), ("2", signal.SIGINT)])
def test_whatever_interrupts_it_what_was_found_is_kept(tmp_path, jobs, number):
    """One run in some hundreds fails; by the time that this test reads of one, others were drawn too."""
    (tmp_path / "race.py").write_text(RACE + NOTED, encoding="utf-8")
    options = ["-n", "4", "--for", "10min", "--strategy", "walk", "--keep", "kept", "--jobs", jobs]
    process = subprocess.Popen(
        [sys.executable, "-m", "bsbpool", "explore", *options, "race.py"],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        with open(tmp_path / "runs", "a+b") as runs:
            while runs.seek(0, os.SEEK_END) < 80:
                os.sched_yield()
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does: all of its processes get it
        else:
            process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    covered = json.loads((tmp_path / "kept/covered.json").read_text())["explored"]["race.py"]
    assert covered["drawn"] > 30 and covered["drawn"] == covered["schedules"]
    assert f"{covered['drawn']} schedules" in out and "(interrupted)" in out
    assert process.returncode == (1 if covered["findings"] else 0)


@pytest.mark.measured
def test_a_scenario_that_is_complete_is_left_out(command):
    assert command("--keep", "kept", "it.yaml")[0] == 0
    status, out, _ = command("--keep", "kept", "it.yaml")
    assert status == 0
    assert "✓ It ends  it.yaml: complete before: " in out


@pytest.mark.measured
@forks
def test_scenarios_are_explored_in_processes_and_told_in_order(command, tmp_path):
    (tmp_path / "bad.yaml").write_text("scenario: It is bad\n", encoding="utf-8")
    one = command("bad.yaml", "it.yaml", "it.yaml")
    assert one == command("--jobs", "2", "bad.yaml", "it.yaml", "it.yaml")
    assert one[0] == 2
    assert "2 of 3 scenarios explored, 2 of them completely" in one[1]


def test_a_folder_with_something_else_of_that_name_is_refused(tmp_path):
    (tmp_path / "covered.json").write_text("{}")
    with pytest.raises(ExplorationError, match="does not say what was covered"):
        Covered(str(tmp_path))


def test_what_is_explored_in_another_way_is_something_else(tmp_path):
    file = tmp_path / "it.yaml"
    file.write_text("a")
    first = identity("1", files=(str(file),))
    assert identity("2", files=(str(file),)) != first
    file.write_text("b")
    assert identity("1", files=(str(file),)) != first


def test_all_schedules_run_without_buffers_if_asked():
    runs = []

    def program(comm):
        if comm.rank == 0:
            runs.append(1)
            return [comm.recv() for _ in range(comm.size - 1)]
        comm.send(comm.rank, 0)

    counts = []
    for buffering in (False, True):
        runs.clear()
        assert explore(program, 5, buffering=buffering).schedules == 24
        counts.append(len(runs))
    assert counts[1] - counts[0] == 14
