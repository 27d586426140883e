"""The job pool: the names that users import. Each is loaded from its file on first use.

`job_pool` has the public class of a pool, `coordinator` the work of main, and `worker_rank` that of the other ranks;
the other files are their parts. Decisions about jobs belong in `bsbpool.engine`, clocks and threads in
`bsbpool.worlds`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..engine.status import JobStatus, PoolStatus
    from ..exceptions import (
        JobAbortedError,
        JobCancelledError,
        JobErroredError,
        JobPoolContextError,
        JobPoolError,
        JobSchedulingError,
        JobTimeoutError,
        RankLostError,
        WorkflowError,
    )
    from .caching import free_stale_pool_cache, get_node_cache_items, pool_cache
    from .calls import dispatcher
    from .job_pool import JobPool
    from .jobs import ConnectivityJob, FunctionJob, Job, PlacementJob
    from .progress import (
        PoolJobAddedProgress,
        PoolJobUpdateProgress,
        PoolProgress,
        PoolProgressReason,
        PoolStatusProgress,
        Workflow,
    )
    from .submission import SubmissionContext

__all__ = [
    "ConnectivityJob",
    "FunctionJob",
    "Job",
    "JobAbortedError",
    "JobCancelledError",
    "JobErroredError",
    "JobPool",
    "JobPoolContextError",
    "JobPoolError",
    "JobSchedulingError",
    "JobStatus",
    "JobTimeoutError",
    "PlacementJob",
    "PoolJobAddedProgress",
    "PoolJobUpdateProgress",
    "PoolProgress",
    "PoolProgressReason",
    "PoolStatus",
    "PoolStatusProgress",
    "RankLostError",
    "SubmissionContext",
    "Workflow",
    "WorkflowError",
    "dispatcher",
    "free_stale_pool_cache",
    "get_node_cache_items",
    "pool_cache",
]

#: Where each name comes from. They are imported when they are asked for: other packages need single files of this one.
_PLACES = {
    "ConnectivityJob": ".jobs",
    "FunctionJob": ".jobs",
    "Job": ".jobs",
    "PlacementJob": ".jobs",
    "SubmissionContext": ".submission",
    "JobAbortedError": "..exceptions",
    "JobCancelledError": "..exceptions",
    "JobErroredError": "..exceptions",
    "JobPoolContextError": "..exceptions",
    "JobPoolError": "..exceptions",
    "JobSchedulingError": "..exceptions",
    "JobTimeoutError": "..exceptions",
    "RankLostError": "..exceptions",
    "WorkflowError": "..exceptions",
    "JobPool": ".job_pool",
    "dispatcher": ".calls",
    "JobStatus": "..engine.status",
    "PoolStatus": "..engine.status",
    "PoolJobAddedProgress": ".progress",
    "PoolJobUpdateProgress": ".progress",
    "PoolProgress": ".progress",
    "PoolProgressReason": ".progress",
    "PoolStatusProgress": ".progress",
    "Workflow": ".progress",
    "free_stale_pool_cache": ".caching",
    "get_node_cache_items": ".caching",
    "pool_cache": ".caching",
}


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(place, __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
