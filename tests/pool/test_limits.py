"""Time limits: a job that runs for longer is interrupted, aborted, and says where it was; its rank goes on."""

import contextlib
import operator
import os
import sys
import threading
import time

import pytest
from helpers import Ear, double, executed, held, nap, nothing, release

import bsbpool
from bsbpool.exceptions import JobInterrupted, JobPoolError
from bsbpool.pool import JobStatus
from bsbpool_sim import Script, simulate


def busy(owner, seconds=30.0):
    """Runs Python code for so long, which can be interrupted."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.002)
    return "ended"


def tidy(owner, path):
    """Cleans up, when it is interrupted."""
    try:
        busy(owner)
    finally:
        path.write_text("tidied")


def deaf(owner, seconds):
    """Swallows all that is raised in it, for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(BaseException):
            busy(owner, end - time.monotonic())
    return "ended"


def swallow(owner):
    """Swallows the interruption, and returns at once."""
    try:
        busy(owner)
    except BaseException:
        return "ended all the same"


LIMITED = "JobTimeoutError: It ran for longer than its limit of 0.2 s on rank "


@pytest.mark.parametrize("given", ["timeout", "job.timeout", "job_timeout"])
def test_a_job_past_its_limit_is_aborted_and_its_rank_goes_on(worlds, given):
    def fill(pool):
        late = pool.queue(busy, timeout=0.2) if given == "timeout" else pool.queue(busy)
        if given == "job.timeout":
            late.timeout = 0.2
        pool.queue(nothing, deps=[late], submitter="child")
        for i in range(5):
            pool.queue(double, (i,))
        return lambda: (late.timeout, late.context, late.error.__notes__)

    options = {"job_timeout": 0.2} if given == "job_timeout" else {}
    main, *others = worlds(lambda comm: executed(comm, fill, **options))
    assert main["statuses"] == ["aborted", "cancelled", *["success"] * 5]
    assert main["returned"] is None
    assert main["job errors"][0].startswith(LIMITED)
    assert ", and was interrupted in " in main["job errors"][0]
    assert main["job errors"][1] == "JobCancelledError: Job killed for dependency failure"
    assert main["error"] == ["JobErroredError: <FunctionJob 0 " + main["error"][0].split("<FunctionJob 0 ")[1]]
    assert " was aborted: It ran for longer" in main["error"][0]
    timeout, context, notes = main["seen"]
    assert (timeout, context) == (0.2, {})
    assert "in busy\n" in notes[0]
    assert all(other["error"] == ["JobPoolError: See main node logs for details."] for other in others)


def test_a_listener_may_handle_it(worlds):
    def program(comm):
        ear = Ear(lambda progress, word: word == "0 aborted")
        outcome = executed(comm, lambda pool: pool.queue(busy, timeout=0.05) and None, listeners=[ear])
        return outcome, ear.of(0)

    (main, heard), *_ = worlds(program)
    assert main["error"] is None
    assert heard == ["queued", "running", "aborted"]


@pytest.mark.ranks(1, 2)
def test_jobs_within_their_limits_do_not_notice_them(worlds):
    def fill(pool):
        for i in range(300):
            pool.queue(double, (i,))
        pool.queue(busy, (0.3,))

    main, *_ = worlds(lambda comm: executed(comm, fill, job_timeout=20))
    assert main["error"] is None
    assert main["returned"] == {**{i: 2 * i for i in range(300)}, 300: "ended"}


@pytest.mark.ranks(1, 2)
def test_a_job_may_have_another_limit_than_its_pool_or_none(worlds):
    def fill(pool):
        first = pool.queue(busy, (0.2,), timeout=None)
        second = pool.queue(busy, (0.2,), timeout=20)
        third = pool.queue(busy, (0.2,))
        third.timeout = None
        fourth = pool.queue(busy, timeout=0.1)
        return lambda: [job.timeout for job in (first, second, third, fourth)]

    main, *_ = worlds(lambda comm: executed(comm, fill, job_timeout=0.05))
    assert main["statuses"] == ["success", "success", "success", "aborted"]
    assert main["seen"] == [None, 20, None, 0.1]


@pytest.mark.ranks(1, 2)
def test_an_interrupted_job_can_clean_up(worlds, tmp_path):
    main, *_ = worlds(
        lambda comm: executed(comm, lambda pool: pool.queue(tidy, (tmp_path / "file",), timeout=0.1) and None)
    )
    assert main["statuses"] == ["aborted"]
    assert not worlds.simulated or (tmp_path / "file").read_text() == "tidied"


@pytest.mark.ranks(1, 2)
def test_a_job_that_swallows_the_interruption_and_returns_is_aborted_too(worlds):
    def fill(pool):
        pool.queue(swallow, timeout=0.1)
        pool.queue(double, (1,))

    main, *_ = worlds(lambda comm: executed(comm, fill))
    assert main["statuses"] == ["aborted", "success"]


def test_a_job_that_cannot_be_interrupted_costs_its_rank_and_nothing_else(worlds, tmp_path):
    """On real ranks it ends when the pool has: if main waited for that, this would not end."""
    fifo = str(tmp_path / "stuck")

    def fill(pool):
        if worlds.simulated:
            pool.queue(deaf, (5.0,), submitter="stuck", timeout=0.2)
        else:
            os.mkfifo(fifo)
            pool.queue(held, (fifo,), submitter="stuck", timeout=0.2)
        for i in range(20):
            pool.queue(nap, (0.01, i))
        started = time.monotonic()
        return lambda: time.monotonic() - started

    def program(comm):
        outcome = executed(comm, fill)
        if "statuses" in outcome and not worlds.simulated:
            release(fifo)
        return outcome

    main, *_ = worlds(program)
    assert main["statuses"][0] == "aborted"
    assert main["job errors"][0].startswith(LIMITED)
    assert ", can't be interrupted" in main["job errors"][0] or "and can't be interrupted" in main["job errors"][0]
    if worlds.ranks > 2:
        assert main["statuses"][1:] == ["success"] * 20
    else:
        assert main["statuses"][1:] == ["cancelled"] * 20
        rank = worlds.ranks - 1
        assert main["error"][1] == (
            f"JobPoolError: No rank is left to run jobs, and 20 jobs have not run: rank {rank} is stuck in jobs that "
            "can't be interrupted."
        )
    if worlds.simulated:
        assert main["seen"] == pytest.approx(1.2)


@pytest.mark.ranks(4)
def test_a_rank_that_was_stuck_gets_jobs_again_when_its_job_has_ended(worlds):
    def fill(pool):
        pool.queue(deaf, (1.5,), timeout=0.1)
        for _ in range(9):
            pool.queue(nap, (0.5,))
        # Two ranks take these in two seconds; with the third, that is back after 1.5 s, they take less.

    main, *_ = worlds(lambda comm: executed(comm, fill))
    assert main["statuses"] == ["aborted", *["success"] * 9]
    if worlds.simulated:
        ranks = [e["rank"] for e in worlds.world.last.trace.of("status") if e["status"] == "success"]
        assert {1, 2, 3} == set(ranks)
        assert [(e["t"], e["rank"], e["job"]) for e in worlds.world.last.trace.of("stuck")] == [(1_100_000_000, 1, 0)]


@pytest.mark.ranks(2, 4)
def test_a_pool_that_fails_fast_stops_at_a_time_limit(worlds):
    def fill(pool):
        pool.queue(busy, timeout=0.1)
        for _ in range(20):
            pool.queue(nap, (0.1,))

    main, *_ = worlds(lambda comm: executed(comm, fill, fail_fast=True))
    assert main["statuses"][0] == "aborted"
    assert main["statuses"].count("cancelled") > 10
    assert len(main["error"]) == 1


@pytest.mark.parametrize("seconds", [float("inf"), sys.maxsize, 10**400, 1e10])
def test_a_limit_of_more_than_a_hundred_years_is_none(seconds):
    with bsbpool.job_pool(quiet=True) as pool:
        job = pool.queue(double, (1,), timeout=seconds)
        pool.queue(double, (2,), timeout=100)
        assert job.timeout is None
        assert [*pool.execute(return_results=True).values()] == [2, 4]


@pytest.mark.ranks(1, 2)
@pytest.mark.parametrize("wrong", [0, -1, "2", True, float("nan")])
def test_a_limit_that_is_none_is_refused(worlds, wrong):
    def program(comm):
        with pytest.raises(ValueError, match=r"job_timeout is a number of seconds above 0, or None for no limit, not "):
            bsbpool.Owner(comm).create_job_pool(quiet=True, job_timeout=wrong)

        def fill(pool):
            with pytest.raises(ValueError, match=r"^timeout is a number of seconds above 0"):
                pool.queue(double, (1,), timeout=wrong)
            job = pool.queue(double, (1,))
            with pytest.raises(ValueError, match=r"^timeout is a number of seconds above 0"):
                job.timeout = wrong

        return executed(comm, fill)["error"]

    assert not any(worlds(program))


@pytest.mark.ranks(1, 2)
def test_a_limit_can_be_set_until_the_job_starts(worlds):
    def program(comm):
        said = []

        def listen(progress, word):
            if word in ("0 running", "0 success"):
                try:
                    progress.job.timeout = 10
                except JobPoolError as error:
                    said.append(str(error))

        outcome = executed(comm, lambda pool: pool.queue(nap, (0.05,)) and None, listeners=[Ear(listen)])
        return outcome["error"], said

    (error, said), *_ = worlds(program)
    assert error is None
    assert len(said) == 2
    assert "can't change any more, it is running: set it before the job starts" in said[0]
    assert "can't change any more, it is success" in said[1]


def spin(owner, seconds):
    """Runs Python code, and nothing else, so that an interruption may come at any point of it, or right after it."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    return "ended"


def test_an_interruption_that_comes_as_the_job_ends_hits_nothing_else():
    """Limits about as long as the jobs, in real time: whoever comes first, the worker goes on, and each job ends as one
    of two."""

    def fill(pool):
        for i in range(400):
            pool.queue(spin, (0.001,), timeout=0.0009 + (i % 20) * 0.00002)

    outcome = executed(None, fill)
    assert set(outcome["statuses"]) <= {"success", "aborted"}
    aborted = outcome["statuses"].count("aborted")
    assert len(outcome["error"] or ()) == aborted
    assert all("JobTimeoutError" in text for text in outcome["job errors"] if text)


# -- in virtual time -------------------------------------------------------------------------------


def virtual(fill, ranks=2, script=None, **options):
    simulation = simulate(lambda comm: executed(comm, fill), ranks, script=script, **options)
    return simulation.results[0], simulation


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_a_scripted_hang_is_aborted_at_exactly_its_limit(ranks):
    script = Script().job("double", hangs=True)
    main, simulation = virtual(lambda pool: pool.queue(double, (1,), timeout=2.5) and None, ranks, script)
    assert main["statuses"] == ["aborted"]
    assert simulation.elapsed == 2.5
    rank = max(0, min(1, ranks - 1))
    assert main["job errors"] == [
        f"JobTimeoutError: It ran for longer than its limit of 2.5 s on rank {rank} on a simulated host, and was "
        "interrupted"
    ]


def test_a_job_that_ends_at_its_very_limit_is_in_time():
    main, simulation = virtual(lambda pool: pool.queue(nap, (2.0, "x"), timeout=2.0) and None)
    assert main["returned"] == {0: "x"}
    assert simulation.elapsed == 2.0


def test_limits_hold_whatever_came_before_on_the_rank():
    def fill(pool):
        for seconds, timeout in [(0.5, 1), (0.9, 1), (3, 2), (0.1, 5), (7, 6), (0.2, 0.1), (1, 3), (9, None)]:
            pool.queue(nap, (seconds,), timeout=timeout)

    main, simulation = virtual(fill)
    ends = ["success", "success", "aborted", "success", "aborted", "aborted", "success", "success"]
    assert main["statuses"] == ends
    assert simulation.elapsed == pytest.approx(0.5 + 0.9 + 2 + 0.1 + 6 + 0.1 + 1 + 9)


def test_the_error_says_where_the_job_was():
    main, _ = virtual(lambda pool: pool.queue(tidy_nothing, timeout=1) and (lambda: pool.jobs[0].error))
    line = tidy_nothing.__code__.co_firstlineno + 1
    assert f"was interrupted in tidy_nothing, line {line} of test_limits.py" in main["job errors"][0]
    note = "".join(main["seen"].__notes__)
    assert note.startswith("\nAt its limit, on rank 1 on a simulated host:\n\n")
    assert "time.sleep(10)" in note
    assert "bsbpool_sim" not in note


def tidy_nothing(owner):
    time.sleep(10)


@pytest.mark.unmeasured
def test_a_job_in_c_that_cannot_be_interrupted_was_in_no_python_code():
    """Its rank answers, and has no stack to show."""
    lock = threading.Lock()
    lock.acquire()
    owner = bsbpool.Owner()
    owner.take = lock.acquire  # type: ignore[attr-defined]

    def let_go(progress):
        if getattr(progress, "status", None) is JobStatus.ABORTED:
            lock.release()

    with owner.create_job_pool(quiet=True) as pool:
        pool.add_listener(let_go)
        job = pool.queue(operator.methodcaller("take"), submitter="c", timeout=0.05)
        with pytest.raises(bsbpool.WorkflowError):
            pool.execute()
    assert "and was in no Python code of its own, and can't be interrupted: rank 0 gets no more" in str(job.error)


def test_main_gives_up_on_a_rank_that_does_not_answer():
    """A paused rank stands for one whose job keeps the interpreter to itself, in C."""

    def fill(pool):
        pool.queue(nap, (1.0,), timeout=2)
        for i in range(3):
            pool.queue(nap, (1.0, i))

    script = Script().rank(1, pauses=[(0.5, 60.0)])
    main, simulation = virtual(fill, 3, script)
    assert main["statuses"] == ["aborted", "success", "success", "success"]
    assert main["job errors"][0] == (
        "JobTimeoutError: It ran for longer than its limit of 2 s on rank 1 on a simulated host, and its rank does not "
        "answer, and can't be interrupted: rank 1 gets no more jobs until it has ended"
    )
    assert [e["t"] for e in simulation.trace.of("stuck")] == [6_000_000_000]
    assert [e["t"] for e in simulation.trace.of("end")] == [6_000_000_000]


def test_a_rank_that_is_lost_while_stuck_is_lost_once():
    def fill(pool):
        pool.queue(deaf, (50.0,), timeout=1)
        pool.queue(nap, (10.0,))

    main, _ = virtual(fill, 3, Script().rank(1, dies=5.0))
    assert main["statuses"] == ["aborted", "success"]
    assert len(main["error"]) == 1


def test_nothing_is_sent_ahead_of_or_behind_a_job_with_a_limit():
    def fill(pool):
        for i in range(200):
            pool.queue(double, (i,), timeout=1 if i % 20 == 10 else None)

    main, _ = virtual(fill, 2)
    assert main["error"] is None
    assert len(main["returned"]) == 200


def test_an_interruption_is_no_exception_that_jobs_catch_by_habit():
    assert not issubclass(JobInterrupted, Exception)


def test_the_trace_tells_the_limits():
    def fill(pool):
        pool.queue(nap, (1,), timeout=2).timeout = 3
        pool.queue(nap, (1,), timeout=2).timeout = None

    _, simulation = virtual(fill)
    limits = [(e["job"], e["ns"]) for e in simulation.trace.of("limit")]
    assert limits == [(0, 2_000_000_000), (0, 3_000_000_000), (1, 2_000_000_000), (1, None)]


@pytest.mark.ranks(2)
def test_no_rank_is_given_up_since_main_had_no_time_to_send_a_large_call(worlds, monkeypatch):
    monkeypatch.setattr("bsbpool.engine.limits.MAIN_GRACE", 500_000_000)
    monkeypatch.setattr("bsbpool.engine.limits.AWAY", 100_000_000)

    def slow(progress, word):
        if word == "0 running":
            time.sleep(1.2)

    def program(comm):
        def fill(pool):
            pool.queue(lambda owner, data: len(data), (bytes(100_000),), timeout=0.3)

        return executed(comm, fill, listeners=[Ear(slow)])

    outcome = worlds(program)[0]
    assert (outcome["error"], outcome["returned"]) == (None, {0: 100_000})
