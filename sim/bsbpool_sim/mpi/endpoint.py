"""One rank's end of a communicator: who it is there, and what point-to-point and collective calls both use.

What programs call belongs to the chapters.
"""

from __future__ import annotations

from typing import Any

from bsbpool.values import text_of

from ..cluster import Cluster
from ..errors import MPIError
from ..mailbox import Mailbox
from .constants import PROC_NULL, means
from .contexts import Context
from .pickling import dumps


class Endpoint:
    """A communicator, as one simulated rank has it.

    :ivar context: what its ranks share.
    :ivar cluster: the simulated ranks, their kernel, network and recorder.
    :ivar rank: this rank's number here; `world_rank`: its number in the simulation.
    :ivar rank_in_context: its number among those who share the context; it is `rank`, but for two groups.
    :ivar size: number of ranks.
    :ivar mailbox: where messages to this rank arrive.
    """

    def __init__(self, context: Context, rank: int):
        self.context = context
        self.cluster: Cluster = context.cluster
        self.rank = self.rank_in_context = rank
        self.size = len(context.members)
        self.world_rank = context.members[rank]
        self.mailbox: Mailbox = context.boxes[rank]

    def _dumps(self, obj: Any) -> bytes:
        try:
            return dumps(obj)
        except Exception as error:
            raise TypeError(f"rank {self.rank} can't send this {type(obj).__name__}: {text_of(error)}") from error

    def _peer(self, rank: Any, what: str) -> int | None:
        """A rank as an index; None for PROC_NULL."""
        if not isinstance(rank, int) and not hasattr(rank, "__index__"):
            raise TypeError(f"{what} must be a rank, an integer, not {rank!r}")
        if 0 <= rank < self.size:
            return int(rank)
        if rank < 0 and means(rank, PROC_NULL):
            return None
        raise MPIError(f"{what}={rank!r} is no rank: this communicator has the ranks 0 to {self.size - 1}")
