"""Converts the dependencies that the user gives to a list of jobs.

The consequences of a job's end for its dependents belong in `bsbpool.engine`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from ..engine.state import JobState
from ..exceptions import JobPoolError
from ..values import listed, shown
from .jobs import Job


def check_dependencies(job: Job, deps: Iterable[Job]) -> list[Job]:
    """The jobs that a new job depends on.

    :raises TypeError: they are no list.
    :raises JobPoolError: one of them is no job of the same pool.
    """
    if isinstance(deps, Mapping):  # `dict.fromkeys(jobs)` is a set that keeps its order
        deps = [*deps]
    dependencies: list[Job] | None = None if isinstance(deps, Job) else listed(deps)
    if dependencies is None:
        raise TypeError(
            f"deps lists the jobs that {job.description} depends on, such as [job]; it is not {shown(deps)}"
        )
    if isinstance(deps, Set):
        # BSB hands over sets, whose order is another one in each process. What is no job is refused below.
        dependencies.sort(key=lambda each: each._id if isinstance(each, JobState) else -1)
    for dependency in dependencies:
        # An `JobState`, since to ask whether it is a `Job`, which is an abstract class, takes much longer.
        if isinstance(dependency, JobState) and dependency._pool_ref is job._pool_ref:
            continue
        if not isinstance(dependency, Job):
            raise JobPoolError(
                f"A dependency of {job.description} is no job but {shown(dependency)}: deps lists jobs that this pool "
                "queued."
            )
        raise JobPoolError(
            f"{job.description} can't depend on {dependency}, a job of pool {dependency.pool_id}: dependencies "
            f"are jobs of the same pool, here {job.pool_id}."
        )
    return dependencies
