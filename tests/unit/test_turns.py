"""Whose turn it is on one rank, as the engine decides it."""

import pytest
from engine_jobs import EngineJob

from bsbpool.engine.status import JobStatus
from bsbpool.engine.turns import Turn, Turns


def job(status=JobStatus.RUNNING):
    return EngineJob(status=status)


@pytest.fixture
def turns():
    return Turns()


def test_where_nothing_is_to_run_nobody_begins(turns):
    assert turns.begin(schedulers=0, scheduler_runs=False) == (Turn.NOBODY, None)


def test_nothing_begins_beside_a_scheduler_or_a_job(turns):
    first, second = job(), job()
    turns.add(first)
    turns.add(second)
    assert turns.begin(schedulers=1, scheduler_runs=True) == (Turn.NOBODY, None)
    assert turns.begin(schedulers=0, scheduler_runs=False) == (Turn.JOB, first)
    assert turns.begin(schedulers=0, scheduler_runs=False) == (Turn.NOBODY, None)
    first.status = JobStatus.SUCCESS
    assert turns.begin(schedulers=0, scheduler_runs=False) == (Turn.JOB, second)


def test_a_scheduler_comes_after_the_job_that_was_given_out_already_and_before_any_other(turns):
    first = job()
    turns.add(first)
    assert not turns.gives_out(schedulers=1)
    assert turns.begin(schedulers=1, scheduler_runs=False) == (Turn.JOB, first)
    first.status = JobStatus.SUCCESS
    assert turns.begin(schedulers=1, scheduler_runs=False) == (Turn.SCHEDULER, None)
    assert turns.gives_out(schedulers=0)


def test_a_job_that_was_given_up_on_does_not_keep_others_from_their_turn(turns):
    stuck = job()
    turns.add(stuck)
    turns.begin(schedulers=0, scheduler_runs=False)
    assert turns.taken(scheduler_runs=False)
    stuck.status = JobStatus.ABORTED
    assert not turns.taken(scheduler_runs=False)
    assert turns.begin(schedulers=1, scheduler_runs=False) == (Turn.SCHEDULER, None)


def test_a_job_that_somebody_ended_before_its_turn_does_not_run(turns):
    ended = job(JobStatus.CANCELLED)
    turns.add(ended)
    assert turns.begin(schedulers=0, scheduler_runs=False) == (Turn.ENDED, ended)
    assert not turns.taken(scheduler_runs=False)
