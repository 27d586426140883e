"""The commands of the engine, which main executes in their order."""

from __future__ import annotations

from typing import NamedTuple

from .state import JobState
from .status import JobStatus


class Added(NamedTuple):
    """Tell listeners that a job was added."""

    job: JobState


class Announce(NamedTuple):
    """Tell listeners, and callbacks of the job, that its status changed."""

    job: JobState
    old: JobStatus
    status: JobStatus


class Assign(NamedTuple):
    """Send jobs to a rank, which frees these cached items first."""

    jobs: list[JobState]
    rank: int
    free: list[int]


Command = Added | Announce | Assign
