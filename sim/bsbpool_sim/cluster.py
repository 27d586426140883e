"""What the simulated ranks of one simulation share. Running programs on them belongs to `simulation`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bsbpool.trace import Recorder

from .comm import Comm
from .group import Group
from .kernel import SECOND, InOrder, Kernel, Policy
from .network import Network

if TYPE_CHECKING:
    from .script import Acting
    from .world import PoolLines, SimWorld

#: Thirty days: longer than any cluster lets a job run, so what gets there goes on for ever.
HORIZON = 30 * 24 * 3600 * SECOND
MAX_EVENTS = 50_000_000


class Cluster:
    """The simulated ranks with their kernel, network and recorder.

    :param ranks: how many.
    :param seed: for all chance in this simulation.
    :param network: latency and bandwidth; by default messages take no time.
    :param policy: which of the events of one instant comes first; by default that scheduled first.
    :param horizon: virtual nanoseconds after which the simulation is given up.
    :param max_events: events after which it is given up.
    """

    def __init__(
        self,
        ranks: int,
        *,
        seed: int = 0,
        network: Network | None = None,
        policy: Policy | None = None,
        horizon: int = HORIZON,
        max_events: int = MAX_EVENTS,
    ):
        self.seed = seed
        self.kernel = Kernel(ranks, policy or InOrder(), horizon=horizon, max_events=max_events)
        self.kernel.cluster = self
        self.network = network or Network()
        # Nothing of this machine or Python: a trace of simulated ranks is the same everywhere.
        header = {"ranks": ranks, "hosts": ["simulated"], "simulated": True, "seed": seed}
        self.recorder = Recorder(header, lambda: self.kernel.now)
        #: what scripts say of jobs, ranks and links, once `Script.install` was called.
        self.script: Acting | None = None
        #: the class of the worlds in which pools live, if it is not `SimWorld`.
        self.world_class: type[SimWorld] | None = None
        #: what each rank's code keeps per process, by rank.
        self.states: dict[int, dict[str, Any]] = {}
        #: the channels of pools, by communicator and number.
        self.pools: dict[tuple[int, int], PoolLines] = {}
        self._contexts = 0
        self.world = Group(self, range(ranks), "MPI_COMM_WORLD")
        #: the world's communicator as each rank has it.
        self.comms = [Comm(self.world, rank) for rank in range(ranks)]
        self._selves: dict[int, Comm] = {}

    def new_context(self) -> int:
        """A number for a new communicator; the world has 0."""
        self._contexts += 1
        return self._contexts - 1

    def comm_self(self, rank: int) -> Comm:
        """MPI.COMM_SELF of a rank."""
        if rank not in self._selves:
            self._selves[rank] = Comm(Group(self, [rank], "MPI_COMM_SELF"), 0)
        return self._selves[rank]
