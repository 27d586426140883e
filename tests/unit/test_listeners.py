"""What shows progress: a bounded number of lines in a log, a bar in a terminal, or nothing."""

import contextlib
import io
import logging
import sys

import pytest
from rich.console import Console

from bsbpool import job_pool
from bsbpool.exceptions import WorkflowError
from bsbpool.listeners import LogProgress, TerminalProgress, progress_listener
from bsbpool.worlds.launcher import LAUNCHERS
from bsbpool_sim import simulate


def fine(owner):
    pass


def bad(owner):
    raise ValueError("corrupt")


def run(listener, fill, ranks=2, late=False):
    """Run a pool on simulated ranks, with a listener that comes before or after the jobs."""

    def program(comm):
        with job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                steps = [lambda: pool.add_listener(listener), lambda: fill(pool)]
                for step in reversed(steps) if late else steps:
                    step()
            with contextlib.suppress(WorkflowError):
                pool.execute()

    simulate(program, ranks)


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "bsbpool")
    return lambda level=logging.INFO: [r.getMessage() for r in caplog.records if r.levelno == level]


@pytest.fixture
def here(monkeypatch):
    """This process without MPI, and without anything that tells rich of a terminal."""
    for variable in (*LAUNCHERS, "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "NO_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    return monkeypatch


# -- in a log ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [False, True])
def test_a_large_pool_logs_ten_lines(lines, late):
    run(LogProgress(), lambda pool: [pool.queue(fine) for _ in range(10_000)], late=late)
    assert len(lines()) <= 10
    assert late or lines() == [f"{n} of 10000 jobs ended, 0 failed" for n in range(1000, 11_000, 1000)]


def test_a_small_pool_logs_no_more_lines_than_jobs(lines):
    run(LogProgress(), lambda pool: [pool.queue(fine) for _ in range(3)])
    assert lines() == [f"{n} of 3 jobs ended, 0 failed" for n in (1, 2, 3)]


def test_an_empty_pool_logs_nothing(lines):
    run(LogProgress(), lambda pool: None)
    assert lines() == []


def test_a_failure_is_logged_with_its_job_and_its_error(lines):
    run(LogProgress(), lambda pool: pool.queue(bad, submitter="step"))
    assert lines(logging.ERROR) == ["<FunctionJob 0 step> failed: corrupt"]
    assert lines() == ["1 of 1 jobs ended, 1 failed"]


def test_of_many_failures_the_first_are_logged_and_all_counted(lines):
    run(LogProgress(), lambda pool: [pool.queue(bad) for _ in range(500)])
    assert len(lines(logging.ERROR)) == LogProgress.MOST_FAILURES
    assert lines()[-1] == "500 of 500 jobs ended, 500 failed"


def test_cancelled_jobs_ended_and_did_not_fail(lines):
    run(LogProgress(), lambda pool: [job.cancel() for job in [pool.queue(fine) for _ in range(4)]])
    assert lines()[-1] == "4 of 4 jobs ended, 0 failed"


# -- in a terminal -----------------------------------------------------------------------------------


def terminal():
    return Console(file=io.StringIO(), force_terminal=True, width=100, legacy_windows=False, _environ={})


@pytest.mark.parametrize(
    ("fill", "parts"),
    [
        (lambda pool: [pool.queue(fine) for _ in range(30)], ["jobs", "30/30", "0 running"]),
        (lambda pool: [pool.queue(f) for f in (fine, bad, fine)], ["3/3", "1 failed"]),
    ],
)
def test_the_bar_shows_how_many_jobs_ended_and_failed(fill, parts):
    console = terminal()
    bar = TerminalProgress(console)
    with bar:
        run(bar, fill)
    text = Console(file=io.StringIO(), width=100).render_str(console.file.getvalue()).plain
    assert [part for part in parts if part not in text] == []


def test_the_bar_is_there_while_the_pool_is_open(here):
    console = terminal()
    bar = TerminalProgress(console)
    with job_pool(quiet=True) as pool:
        pool.add_listener(bar)
        assert bar._bar.live.is_started
        pool.execute()
    assert not bar._bar.live.is_started


# -- which, and whether ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "kind", "wait"), [("TTY_COMPATIBLE", TerminalProgress, 1.0), (None, LogProgress, None)]
)
def test_progress_is_shown_by_a_bar_in_a_terminal_and_else_in_a_log(here, variable, kind, wait):
    if variable:
        here.setenv(variable, "1")
    listener, max_wait = progress_listener()
    assert (type(listener), max_wait) == (kind, wait)


@pytest.mark.parametrize("quiet", [True, False])
def test_a_quiet_pool_shows_nothing(here, capfd, lines, quiet):
    with job_pool(quiet=quiet) as pool:
        pool.queue(fine)
        pool.execute()
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert lines() == ([] if quiet else ["1 of 1 jobs ended, 0 failed"])


def test_simulated_ranks_show_nothing(lines):
    def program(comm):
        with job_pool(comm) as pool:
            if pool.is_main():
                pool.queue(fine)
            pool.execute()

    simulate(program, 2)
    assert lines() == []
