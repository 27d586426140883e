"""Schedules that do not end: exploring ends with its budget all the same, and says where ranks were."""

import contextlib
import time

import pytest
from launching import run

from bsbpool_sim import ExplorationError, explore
from bsbpool_sim.exploring import overtime
from bsbpool_sim.exploring.processes import can_fork


@pytest.mark.parametrize(
    "loop", ["while True:\n    pass", "while True:\n    print('a line')"], ids=["computes", "prints"]
)
def test_a_program_that_never_ends_is_told_with_its_line(tmp_path, loop):
    (tmp_path / "loops.py").write_text(loop, encoding="utf-8")
    status, out, err = run(
        program=["-m", "bsbpool", "explore", "-n", "2", "--for", "100ms", "loops.py"], cwd=tmp_path, limit=60
    )
    assert (status, out) == (2, "")
    why = "a schedule was not over when the budget of 0.1 s was"
    assert err.startswith(f"bsbpool: loops.py can't be explored: {why}:\n  rank 0 runs at 0 s, at {tmp_path}/loops.py:")
    assert err.endswith("bsbpool: Let the program end, or give exploring more time\n")


@pytest.fixture
def soon(monkeypatch):
    """Schedules are given up soon after the budget."""
    monkeypatch.setattr(overtime, "LEAST", 0.2)


def catches_all(comm):
    while True:
        with contextlib.suppress(BaseException):
            sum(range(10))


def sleeps(comm):
    """In virtual time."""
    while True:
        time.sleep(1)


@pytest.mark.parametrize("program", [catches_all, sleeps])
def test_whatever_it_does_meanwhile(soon, program):
    with pytest.raises(
        ExplorationError, match=rf"(?s)budget of 0\.1 s was:\n  rank 0 .* at {__file__}:\d+ in {program.__name__}"
    ):
        explore(program, 1, seconds=0.1, max_events=10**9)


def race(comm):
    if comm.rank:
        return comm.send(comm.rank, 0)
    if [comm.recv(), comm.recv()] == [2, 1]:
        catches_all(comm)


@pytest.mark.parametrize(
    "jobs",
    [1, pytest.param(2, marks=pytest.mark.skipif(not can_fork(), reason="this system has no copies of a process"))],
)
def test_what_came_before_is_kept(soon, jobs):
    strategy = "exhaustive" if jobs == 1 else "walk"
    exploration = explore(race, 3, seconds=0.3, strategy=strategy, jobs=jobs, seed=4)
    assert (exploration.schedules > 0, exploration.complete, exploration.findings) == (True, False, [])
    (rest,) = exploration.limits
    assert rest.startswith(
        "the rest, since a schedule was not over when the budget of 0.3 s was:\n  rank 0 runs at 0 s"
    )
    assert f"{__file__}:" in rest


def test_without_a_budget_a_schedule_may_take_any_time(soon):
    assert explore(lambda comm: sum(range(30_000_000)), 1, seconds=None).complete


def test_time_that_is_up_between_two_schedules_stops_none(soon):
    def program(comm):
        assert comm.rank == 0

    def progress(so_far):
        sum(range(60_000_000))

    exploration = explore(program, 2, seconds=0.1, progress=progress)
    assert len(exploration.findings) == 1
    assert not any("was not over" in each for each in exploration.limits)
