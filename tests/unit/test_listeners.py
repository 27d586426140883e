"""What shows progress: a bounded number of lines in a log, a live view in a terminal, or nothing."""

import contextlib
import io
import logging
import os
import subprocess
import sys
import time

import pytest
from rich.console import Console
from rich.control import Control

from bsbpool import job_pool
from bsbpool.durations import rough_duration
from bsbpool.exceptions import WorkflowError
from bsbpool.listeners import LogProgress, TerminalProgress, progress_listener
from bsbpool.listeners.tally import MOST_FAILURES, StrategyTally, Tally
from bsbpool.listeners.terminal import Terminal
from bsbpool.pool.progress import PoolProgressReason, Workflow
from bsbpool.worlds import current_world
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


@pytest.mark.unmeasured
@pytest.mark.parametrize("late", [False, True])
def test_a_large_pool_logs_a_dozen_lines(lines, late):
    run(LogProgress(), lambda pool: [pool.queue(fine) for _ in range(10_000)], late=late)
    said = lines()
    assert said[0] == "Begins on 2 ranks: 10,000 jobs" or late
    assert [line.split(" jobs")[0] for line in said if " of " in line] == [f"{n},000 of 10,000" for n in range(1, 10)]
    assert said[-1].startswith("Done in ") and said[-1].endswith(": 10,000 succeeded")
    assert len(said) == 11 - late


def test_jobs_that_come_one_by_one_make_few_lines_too(lines):
    def chain(pool, left):
        pool.queue(fine).on_completion(lambda job: chain(pool, left - 1) if left else None)

    run(LogProgress(), lambda pool: chain(pool, 999))
    counts = [int(line.split(" of ")[0]) for line in lines() if " of " in line]
    assert counts == sorted(set(counts)) and counts[-1] > 900
    assert len(counts) < 70


def test_an_empty_pool_logs_nothing(lines):
    run(LogProgress(), lambda pool: None)
    assert lines() == []


def test_a_line_says_how_long_it_took_and_how_long_it_may_still_take(lines):
    run(LogProgress(), lambda pool: [pool.queue(lambda _: time.sleep(2)) for _ in range(100)], ranks=5)
    assert lines()[1] == "10 of 100 jobs ended, 6.0 s; about 44 s left"
    assert lines()[-1] == "Done in 50 s: 100 succeeded"


def test_a_failure_is_logged_with_its_job_its_rank_and_its_error(lines):
    run(LogProgress(), lambda pool: pool.queue(bad, submitter="step"))
    assert lines(logging.ERROR) == ["<FunctionJob 0 step> failed on rank 1: ValueError: corrupt"]
    assert lines()[-1].endswith(": 1 failed")


def test_of_many_failures_the_first_are_logged_and_all_counted(lines):
    run(LogProgress(), lambda pool: [pool.queue(bad) for _ in range(500)])
    assert len(lines(logging.ERROR)) == MOST_FAILURES + 1
    assert lines(logging.ERROR)[-1] == "Further failures are only counted."
    assert lines()[-1].endswith(": 500 failed")


def test_cancelled_jobs_ended_and_did_not_fail(lines):
    run(LogProgress(), lambda pool: [job.cancel() for job in [pool.queue(fine) for _ in range(4)]])
    assert lines()[-1].endswith(": 4 cancelled")


def test_a_quiet_pool_says_what_runs_at_intervals_that_double(lines):
    run(LogProgress(), lambda pool: pool.queue(lambda _: time.sleep(3600), submitter="mesh", chunk=3))
    quiet = [line for line in lines() if line.startswith("Nothing new")]
    assert quiet[0] == "Nothing new for 1 min 00 s: mesh (chunk=3) on rank 1 has been running for 1 min 00 s"
    assert [line.split(": ")[0].removeprefix("Nothing new for ") for line in quiet] == [
        f"{n} min 00 s" for n in (1, 2, 4, 8, 16, 32)
    ]


def test_the_phase_is_named_where_there_are_several(lines):
    def program(comm):
        with job_pool(comm, quiet=True, workflow=Workflow(["placement", "connectivity"])) as pool:
            if pool.is_main():
                pool.add_listener(LogProgress())
                pool.queue(fine)
            pool.execute()

    simulate(program, 2)
    assert lines()[0] == "Begins on 2 ranks: phase placement, 1 job"


PROGRAM = """
import bsbpool
with bsbpool.job_pool() as pool:
    pool.queue(lambda owner: None)
    pool.execute()
"""


@pytest.mark.parametrize("setup", ["", "import logging; logging.basicConfig(level='WARNING')\n"])
def test_lines_go_to_standard_error_unless_the_program_has_set_up_logging(here, setup):
    env = {k: v for k, v in os.environ.items() if k not in LAUNCHERS}
    done = subprocess.run([sys.executable, "-c", setup + PROGRAM], capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0 and done.stdout == ""
    said = [line.split(" bsbpool: ")[1] for line in done.stderr.splitlines()]
    assert [line.split(" in ")[0] for line in said] == ([] if setup else ["Begins on one rank: 1 job", "Done"])


# -- in a terminal -----------------------------------------------------------------------------------


HIDE_CURSOR, SHOW_CURSOR = (str(Control.show_cursor(shown)) for shown in (False, True))


def terminal(height=24):
    return Console(
        file=io.StringIO(), force_terminal=True, width=100, height=height, legacy_windows=False, _environ={},
        color_system=None,
    )  # fmt: skip


def drawn(view, height):
    """What the view looks like now; on a console of its own, since it is live on another one."""
    console = terminal(height)
    console.print(view)
    return console.file.getvalue()


def view_of(fill, ranks=4, at=None, height=24):
    """What stands in the terminal at a virtual time, or in the end."""
    view = TerminalProgress(terminal(height))
    seen = []

    def look(progress):
        if at is not None and not seen and current_world().now() >= at * 1e9:
            seen.append(drawn(view, height))

    def program(comm):
        with job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                pool.add_listener(view, 1.0)
                pool.add_listener(look)
                fill(pool)
            with contextlib.suppress(WorkflowError):
                pool.execute()

    simulate(program, ranks)
    if at is None:
        seen.append(drawn(view, height))
    return [line.rstrip() for line in seen[0].splitlines()]


def steps(pool):
    for chunk in range(30):
        pool.queue(lambda _: time.sleep(2), submitter="placement.golgi", chunk=chunk)
    pool.queue(bad, submitter="placement.bad", chunk=7)
    pool.queue(lambda _: time.sleep(60), submitter="connectivity.slow", pre="golgi")


def test_the_view_shows_each_strategy_each_rank_and_what_is_left():
    said = view_of(steps, at=7)
    assert [line.replace("━", "").replace("╺", "").replace("╸", "").split() for line in said[:3]] == [
        ["placement.golgi", "9/30", "3", "running"], ["placement.bad", "0/1"], ["connectivity.slow", "0/1"],
    ]  # fmt: skip
    assert said[4:7] == [f"rank {n}     placement.golgi (chunk={8 + n})  1.0 s" for n in (1, 2, 3)]
    assert said[7] == "9 of 32 jobs · 7.0 s · about 15 s left"


def test_the_view_tells_of_failures_and_of_silence():
    said = view_of(steps, at=40)
    assert "rank 3     connectivity.slow (pre=golgi)  18 s" in said or any("connectivity.slow (pre" in s for s in said)
    assert any(line.startswith("✗ placement.bad (chunk=7) on rank ") and "ValueError: corrupt" in line for line in said)
    assert "nothing new for" in said[-1] and "pings)" in said[-1]


def test_names_that_look_like_markup_are_shown_as_they_are():
    def fill(pool):
        for name in ("place[granule]", "connect[/bold]", ":smile:"):
            pool.queue(bad, submitter=name, chunk=7)

    said = view_of(fill)
    assert [line.split()[0] for line in said[:3]] == ["place[granule]", "connect[/bold]", ":smile:"]
    assert sum(line.startswith(("✗ place[granule] (", "✗ connect[/bold] (", "✗ :smile: (")) for line in said) == 3


def test_what_is_left_in_the_end_is_a_summary():
    said = view_of(steps)
    assert said[-1].startswith("done in 1 min 2") and said[-1].endswith(": 31 succeeded, 1 failed")
    assert not any(line.startswith("rank ") for line in said)


def test_a_small_terminal_is_enough_for_many_strategies_and_ranks():
    def fill(pool):
        for n in range(300):
            pool.queue(lambda _: time.sleep(5), submitter=f"strategy.{n}")

    said = view_of(fill, ranks=101, at=2, height=20)
    assert len(said) <= 20
    assert any("more run" in line for line in said) and any(line.startswith("and ") and "more" in line for line in said)
    assert said[-1].startswith("0 of 300 jobs")


def test_a_view_that_cannot_be_drawn_stops_no_run(here):
    class Broken(io.StringIO):
        def write(self, text):
            raise BrokenPipeError("the terminal is gone")

    view = TerminalProgress(Terminal(file=Broken(), force_terminal=True, width=80, legacy_windows=False, _environ={}))
    with job_pool(quiet=True) as pool:
        pool.add_listener(view, 1.0)
        job = pool.queue(fine)
        pool.execute()
    assert job.status.value == "success"


def test_the_view_is_there_while_the_pool_is_open(here):
    console = terminal()
    with job_pool(quiet=True) as pool:
        pool.add_listener(TerminalProgress(console))
        shown = console.file.getvalue()
        assert HIDE_CURSOR in shown and SHOW_CURSOR not in shown
        pool.execute()
    assert console.file.getvalue().rindex(SHOW_CURSOR) > console.file.getvalue().rindex(HIDE_CURSOR)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0412, "41 ms"), (0.4, "0.4 s"), (12.3, "12 s"), (185, "3 min 05 s"), (7650, "2 h 07 min")],
)
def test_a_time_span_is_as_exact_as_somebody_who_waits_needs_it(seconds, text):
    assert rough_duration(seconds) == text


# -- which, and whether ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "kind", "wait"), [("TTY_COMPATIBLE", TerminalProgress, 1.0), (None, LogProgress, None)]
)
def test_progress_is_shown_live_in_a_terminal_and_else_in_a_log(here, variable, kind, wait):
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
    assert [line.split(" in ")[0] for line in lines()] == ([] if quiet else ["Begins on one rank: 1 job", "Done"])


def test_simulated_ranks_show_nothing(lines):
    def program(comm):
        with job_pool(comm) as pool:
            if pool.is_main():
                pool.queue(fine)
            pool.execute()

    simulate(program, 2)
    assert lines() == []


@pytest.mark.parametrize("ranks", [1, 2, 4, 8])
@pytest.mark.parametrize("jobs", [1, 3, 4, 7, 20, 100])
def test_what_is_left_of_equal_jobs_is_told_exactly(ranks, jobs):
    estimates = []

    class Estimates:
        def __init__(self):
            self.tally = Tally()

        def __call__(self, progress):
            self.tally.count(progress)
            now = current_world().now()
            if progress.reason is PoolProgressReason.MAX_TIMEOUT_PING and self.tally.total.ended:
                estimates.append((now, self.tally.left(now)))

    def program(comm):
        with job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                pool.add_listener(Estimates(), max_wait=0.25)
                for _ in range(jobs):
                    pool.queue(lambda owner: time.sleep(1.0), submitter="equal")
            pool.execute()

    end = simulate(program, ranks).elapsed
    assert jobs <= max(1, ranks - 1) or estimates
    for now, left in estimates:
        assert left == pytest.approx(end - now / 1e9, abs=0.05)


def test_an_estimate_takes_no_longer_with_many_jobs():
    tally = Tally()
    tally.workers = 100
    tally.total.ran, tally.total.took = 1, 10**9
    strategy = tally.strategies["a"] = StrategyTally("a")
    strategy.jobs, strategy.ended, strategy.ran, strategy.took = 10**9 + 1, 1, 1, 10**9
    assert tally.left(0) == pytest.approx(10**7)


@pytest.mark.parametrize(("forced", "kind"), [("1", "TerminalProgress"), (None, "LogProgress")])
def test_a_launcher_s_pipe_shows_the_live_view_if_it_is_asked_for(forced, kind):
    environment = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "TTY_COMPATIBLE")}
    came = subprocess.run(
        [
            sys.executable, "-c",
            "from bsbpool.listeners import progress_listener; print(type(progress_listener()[0]).__name__)",
        ],
        env=environment | ({"FORCE_COLOR": forced} if forced else {}), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert came.stdout.strip() == kind
