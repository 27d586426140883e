"""The statuses of jobs and pools, and the allowed changes, as data.

What makes a job change its status belongs in the engine.
"""

from __future__ import annotations

from enum import Enum


class JobStatus(Enum):
    """The status of a job.

    :ivar successors: the statuses that may follow this one.
    :ivar ended: whether no status may follow.
    """

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABORTED = "aborted"

    successors: tuple[JobStatus, ...]
    ended: bool


class PoolStatus(Enum):
    """What a pool is doing: gathering jobs, running them, or finished."""

    SCHEDULING = "scheduling"
    EXECUTING = "executing"
    CLOSING = "closing"


#: pending: waits for dependencies, or for execute(). queued: ready to run. running: on a rank. From running back to
#: queued goes only a job that was lost with its rank and is to be tried again (``JobPool(retries=…)``).
TRANSITIONS: dict[JobStatus, tuple[JobStatus, ...]] = {
    JobStatus.PENDING: (JobStatus.QUEUED, JobStatus.CANCELLED),
    JobStatus.QUEUED: (JobStatus.RUNNING, JobStatus.CANCELLED),
    JobStatus.RUNNING: (JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.ABORTED, JobStatus.QUEUED),
    JobStatus.SUCCESS: (),
    JobStatus.FAILED: (),
    JobStatus.CANCELLED: (),
    JobStatus.ABORTED: (),
}

for _status, _successors in TRANSITIONS.items():
    _status.successors = _successors
    _status.ended = not _successors
