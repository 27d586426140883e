"""The errors for those who ask for a result that a job does not have, on this rank or at all.

Where results are kept belongs in `results`.
"""

from __future__ import annotations

from typing import Any

from ..engine.state import JobState
from ..engine.status import JobStatus
from ..errors_and_facts import describe_error
from ..exceptions import JobPoolError
from ..values import text_of


def result_is_elsewhere(job: JobState, rank: int) -> JobPoolError:
    """Why another rank than main has no result of a job.

    :param rank: that rank.
    """
    return JobPoolError(f"Result of {job} is not available. Here is rank {rank}; main (rank 0) has it.")


def no_result(job: JobState, pool: Any, is_open: bool) -> JobPoolError:
    """Why a job has no result on main, or none any more.

    :param pool: the pool's id.
    :param is_open: whether the pool is open.
    """
    status, error, text = job._status, job._error, ""
    if status is JobStatus.SUCCESS:
        text = f"It succeeded, but pool {text_of(pool)} is closed: read results inside of its `with` block."
    elif status is JobStatus.PENDING:
        left = job._open_dependencies
        waits = f"it waits for {left} other job{'s' * (left > 1)}" if left else "the pool has not begun to execute"
        text = f"It is pending: {waits}."
    elif status is JobStatus.QUEUED:
        text = "It is queued: it is ready to run, and has not begun."
    elif status is JobStatus.RUNNING:
        text = f"It is still running{'' if job._rank is None else f' on rank {job._rank}'}."
    else:
        why = describe_error(error) or "its status was set by hand"
        text = f"It {'was ' * (status is not JobStatus.FAILED)}{status.value}: {why}"
        if status is JobStatus.CANCELLED and error is not None and error.__cause__ is not None:
            text += f" (a job that it depends on: {describe_error(error.__cause__)})"
        text += "" if text.endswith((".", "!", "?")) else "."
    problem = JobPoolError(f"Result of {job} is not available. {text}")
    problem.__cause__ = error
    return problem
