"""Retries: a job that was lost with its rank runs again, elsewhere. On simulated ranks, that scripts kill."""

import time

import pytest
from helpers import Ear, double, executed, fail, nap

import bsbpool
from bsbpool.engine.status import JobStatus
from bsbpool.exceptions import JobPoolError
from bsbpool.facts import Overdue
from bsbpool_sim import Script, simulate


def run(ranks, script, fill, **options):
    """What came of it on main, the simulation, and what was heard there."""
    ear = Ear()

    def program(comm):
        return executed(comm, fill, listeners=[ear] if comm.rank == 0 else [], **options)

    simulation = simulate(program, ranks, script=script)
    return simulation.results[0], simulation, ear


def naps(*seconds):
    return lambda pool: [pool.queue(nap, (s, i), submitter=f"nap {i}") for i, s in enumerate(seconds)] and None


def test_a_job_that_was_lost_runs_again_elsewhere_and_all_hear_of_it():
    main, simulation, ear = run(3, Script().rank(2, dies=0.5), naps(1, 1, 1), retries=1)
    assert main["error"] is None
    assert main["returned"] == {0: 0, 1: 1, 2: 2}
    assert ear.of(1) == ["queued", "running", "queued", "running", "success"]
    told = [(e["t"], e["status"], e["rank"]) for e in simulation.trace.of("status") if e["job"] == 1]
    assert told[1:4] == [(0, "running", 2), (500_000_000, "queued", None), (1_000_000_000, "running", 1)]
    assert [e["times"] for e in simulation.trace.of("retries")] == [1]


def test_it_runs_before_all_that_wait():
    main, simulation, _ = run(3, Script().rank(2, dies=0.5), naps(1, 1, 1, 1), retries=1)
    assert main["error"] is None
    ends = [e["job"] for e in simulation.trace.of("status") if e["status"] == "success"]
    assert ends == [0, 1, 2, 3]


@pytest.mark.parametrize(("retries", "lost"), [(0, ""), (1, "second"), (2, "third"), (3, "4th")])
def test_a_job_that_was_lost_too_often_is_aborted(retries, lost):
    def fill(pool):
        deadly = pool.queue(double, (1,), submitter="deadly")
        pool.queue(double, (2,), deps=[deadly], submitter="child")
        pool.queue(double, (3,), submitter="other")

    script = Script().job("deadly", kills=True, takes=1)
    main, simulation, _ = run(6, script, fill, retries=retries)
    assert main["statuses"] == ["aborted", "cancelled", "success"]
    assert len(simulation.died) == retries + 1
    again = f", and with it this job for the {lost} time" if lost else ""
    rank = list(simulation.died)[-1]
    at = f"{retries + 1} s"
    assert main["job errors"][0] == f"RankLostError: Rank {rank} on a simulated host died at {at}{again}"
    assert len(main["error"]) == 1


def test_a_job_that_raises_or_is_late_is_not_run_again():
    def fill(pool):
        pool.queue(fail)
        pool.queue(nap, (10,), timeout=1)

    main, simulation, ear = run(3, None, fill, retries=5)
    assert main["statuses"] == ["failed", "aborted"]
    assert ear.of(0) == ["queued", "running", "failed"]
    assert ear.of(1) == ["queued", "running", "aborted"]
    assert simulation.elapsed == 1


class Corrupt(Exception):
    """It can't be made of a message alone."""

    def __init__(self, what, place):
        super().__init__(what, place)


def test_a_job_that_raises_after_it_was_lost_twice_has_the_error_that_it_raised():
    def corrupt(owner):
        time.sleep(1)
        raise Corrupt("morphology", 3) from KeyError("golgi")

    jobs = []
    script = Script().rank(1, dies=0.5).rank(2, dies=1.0)
    main, _, _ = run(4, script, lambda pool: jobs.append(pool.queue(corrupt)), retries=3)
    assert main["statuses"] == ["failed"]
    error = jobs[0].error
    assert type(error) is Corrupt and error.args == ("morphology", 3)
    assert "KeyError: 'golgi'" in "".join(error.__notes__)


def test_a_job_that_is_late_after_it_was_lost_twice_says_where_it_was():
    script = Script().rank(1, dies=0.5).rank(2, dies=1.0)
    main, simulation, _ = run(4, script, lambda pool: pool.queue(nap, (2, 0), timeout=1) and None, retries=3)
    assert main["statuses"] == ["aborted"]
    ended = [event for event in simulation.trace.events if event.e == "status" and event.status == "aborted"]
    assert [type(event.error) for event in ended] == [Overdue]


def test_the_limit_of_a_job_counts_anew():
    def fill(pool):
        pool.queue(nap, (1.0, "x"), timeout=1.5)

    main, simulation, _ = run(3, Script().rank(1, dies=0.9), fill, retries=1)
    assert main["returned"] == {0: "x"}
    assert simulation.elapsed == 1.9


def test_with_no_rank_left_to_try_again_on_the_pool_stops():
    main, _, _ = run(2, Script().rank(1, dies=0.5), naps(1, 1), retries=9)
    assert main["statuses"] == ["cancelled", "cancelled"]
    assert main["error"] == ["JobPoolError: No rank is left to run jobs, and 2 jobs have not run: rank 1 is gone."]


def test_a_job_that_waits_to_be_tried_again_can_be_cancelled():
    cancelled = []

    def listen(progress, word):
        if word == "1 queued" and progress.old_status is JobStatus.RUNNING:
            cancelled.append(progress.job)
            progress.job.cancel("enough")

    def program(comm):
        return executed(comm, naps(1, 1, 1), listeners=[Ear(listen)] if comm.rank == 0 else [], retries=3)

    main = simulate(program, 3, script=Script().rank(2, dies=0.5)).results[0]
    assert main["statuses"] == ["success", "cancelled", "success"]
    assert main["job errors"][1] == "JobCancelledError: enough"
    assert main["error"] is None


def test_a_worker_that_leaves_is_an_error_though_its_job_runs_again():
    LEAVING[:] = ["Ctrl-C"]

    def program(comm):
        try:
            return executed(comm, lambda pool: pool.queue(leave, submitter="leave") and None, retries=1)
        except BaseException as error:
            return repr(error)

    main = simulate(program, 3).results[0]
    assert main["statuses"] == ["success"]
    assert main["error"] == ["RankLostError: Rank 1 left the pool: KeyboardInterrupt: Ctrl-C"]


def test_nobody_sets_a_running_job_back_by_hand(worlds):
    def program(comm):
        said = []

        def listen(progress, word):
            if word == "0 running" and progress.job.status is JobStatus.RUNNING:
                with pytest.raises(JobPoolError, match="can't be queued again by hand"):
                    progress.job.change_status(JobStatus.QUEUED)
                said.append(True)

        outcome = executed(comm, naps(0.2), listeners=[Ear(listen)] if comm is None or comm.rank == 0 else [])
        return outcome["error"], said

    assert worlds(program)[0] == (None, [True])


@pytest.mark.parametrize("wrong", [-1, 1.5, "2", True, None])
def test_retries_are_a_number(wrong):
    with pytest.raises(ValueError, match=r"retries is how many times a lost job runs again, 0 or more, not "):
        bsbpool.Owner().create_job_pool(quiet=True, retries=wrong)


def test_jobs_that_were_sent_ahead_are_none_the_worse():
    def fill(pool):
        for i in range(600):
            pool.queue(tiny, (i,))

    main, simulation, _ = run(4, Script().rank(1, dies=0.0100505).rank(2, dies=0.0200505), fill, retries=1)
    assert main["error"] is None
    assert main["returned"] == {i: i for i in range(600)}
    assert len(simulation.died) == 2


LEAVING = []


def leave(owner):
    if LEAVING:
        raise KeyboardInterrupt(LEAVING.pop())


def tiny(owner, i):
    nap(owner, 0.0001)
    return i
