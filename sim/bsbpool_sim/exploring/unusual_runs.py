"""Strategies of single runs in which MPI does what it may do, and hardly ever does. What exploring finds in them, and
in which programs they are worth a run, belongs to `exploration`.
"""

from __future__ import annotations

from ..cluster import Cluster
from ..default_strategies import InOrder


class LateReceives(InOrder):
    """Receives begin only when nothing else can go on."""

    def install(self, cluster: Cluster) -> None:
        """The schedule begins on this cluster."""
        cluster.late_receives = True


class OtherNumbers(InOrder):
    """Grids and graphs have their ranks in another order, where the program allows that."""

    def install(self, cluster: Cluster) -> None:
        """The schedule begins on this cluster."""
        cluster.reverses_ranks = True
