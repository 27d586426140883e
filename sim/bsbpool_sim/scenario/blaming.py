"""Says whose errors are: of which job, which scheduler, or of the pool."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bsbpool.errors_and_facts import facts_of
from bsbpool.facts import Error, NotScheduled, SchedulerFailed
from bsbpool.text import scrub


def owners_of_errors(
    errors: Sequence[BaseException], jobs: dict[str, Any], schedulers: Iterable[str]
) -> list[tuple[str, Error]]:
    """Return whose each error of a WorkflowError is, and what it says.

    :param jobs: by their names.
    :param schedulers: the names of those that there are.
    """
    # By identity: nobody asks whether exceptions are equal, and none of them goes away meanwhile.
    owners = {id(job.error): name for name, job in reversed(jobs.items()) if job.error is not None}
    named = {scrub(name): name for name in reversed([*schedulers])}
    blamed = []
    for error in errors:
        cause = getattr(error, "error", None)
        facts = facts_of(error if cause is None else cause)
        assert facts is not None
        whose = None if cause is None else owners.get(id(cause))
        if isinstance(facts, NotScheduled | SchedulerFailed) and cause is None:
            whose = named.get(facts.node)
        blamed.append((whose or "pool", facts))
    return blamed
