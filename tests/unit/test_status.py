"""The table of states is that of the reference."""

import itertools

import pytest
from engine_jobs import EngineJob

from bsbpool.engine.engine import Engine
from bsbpool.engine.status import TRANSITIONS, JobStatus
from bsbpool.exceptions import JobPoolError

#: pending → queued → running → success or failed. pending or queued → cancelled. running → aborted. And one more than
#: the reference has: running → queued, for a job that was lost with its rank and is tried again.
ALLOWED = {
    ("pending", "queued"),
    ("queued", "running"),
    ("running", "success"),
    ("running", "failed"),
    ("pending", "cancelled"),
    ("queued", "cancelled"),
    ("running", "aborted"),
    ("running", "queued"),
}


def test_the_table_has_exactly_the_changes_of_the_reference_and_that_of_retries():
    table = {(old.value, new.value) for old, successors in TRANSITIONS.items() for new in successors}
    assert table == ALLOWED


def test_every_state_is_in_the_table():
    assert set(TRANSITIONS) == set(JobStatus)


@pytest.mark.parametrize("status", JobStatus)
def test_a_state_knows_its_line_of_the_table(status):
    assert status.successors == TRANSITIONS[status]
    assert status.ended == (status.value in ("success", "failed", "cancelled", "aborted"))


@pytest.mark.parametrize(("old", "new"), [*itertools.product(JobStatus, JobStatus)])
def test_the_engine_holds_to_the_table(old, new):
    engine, job = Engine(), EngineJob(status=old)
    if (old.value, new.value) in ALLOWED:
        engine.graph.change(job, new)
        assert job.status is new
    else:
        what = "never changes again" if old.ended else f"from {old.value} a job becomes"
        with pytest.raises(JobPoolError, match=f"is {old.value}, it can't become {new.value}: .*{what}"):
            engine.graph.change(job, new)
        assert job.status is old
        assert not engine.commands
