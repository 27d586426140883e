"""Communicators with a virtual topology.

The arithmetic is in `topology_arithmetic`; calls among neighbours are in `neighbours`.
"""

from __future__ import annotations

from typing import Any

from ..errors import MPIError
from .communicators import Intracomm
from .endpoint import CLASSES, new_comm
from .integer_arguments import integer
from .members import CommMember
from .neighbours import NeighbourCollectives
from .topology_arithmetic import Grid, Neighbours, RankGraph, integers


class Topocomm(Intracomm, NeighbourCollectives):
    """A communicator with a topology."""

    @classmethod
    def _check(cls, state: CommMember) -> None:
        super()._check(state)
        if state.topology is None:
            raise TypeError(f"MPI.{cls.__name__} takes a communicator with a topology")

    @property
    def degrees(self) -> tuple[int, int]:
        """How many neighbours this rank gets from, and gives to."""
        sources, destinations = self.inoutedges
        return len(sources), len(destinations)

    @property
    def indegree(self) -> int:
        """How many neighbours this rank gets from."""
        return self.degrees[0]

    @property
    def outdegree(self) -> int:
        """How many neighbours this rank gives to."""
        return self.degrees[1]

    @property
    def inoutedges(self) -> tuple[list[int], list[int]]:
        """The neighbours that this rank gets from, and those that it gives to."""
        topology = self.member.topology
        if isinstance(topology, Grid):
            around = [topology.shifted(self.rank, i, by) for i in range(len(topology.dims)) for by in (-1, 1)]
            return around, around
        if isinstance(topology, RankGraph):
            near = topology.neighbors(self.rank)
            return near, near
        return [*topology.sources], [*topology.destinations]

    @property
    def inedges(self) -> list[int]:
        """The neighbours that this rank gets from."""
        return self.inoutedges[0]

    @property
    def outedges(self) -> list[int]:
        """The neighbours that this rank gives to."""
        return self.inoutedges[1]


class Cartcomm(Topocomm):
    """A communicator whose ranks are on a grid."""

    _paired = True

    @classmethod
    def _check(cls, state: CommMember) -> None:
        if not isinstance(state.topology, Grid):
            raise TypeError("MPI.Cartcomm takes a Cartesian communicator")

    @property
    def _grid(self) -> Grid:
        topology: Grid = self.member.topology
        return topology

    def Get_dim(self) -> int:
        """Return the number of dimensions."""
        return len(self._grid.dims)

    dim = ndim = property(Get_dim, doc="Number of dimensions.")

    def Get_topo(self) -> tuple[list[int], list[int], list[int]]:
        """Return the lengths, which of them are periodic, and this rank's coordinates."""
        grid = self._grid
        return [*grid.dims], [int(each) for each in grid.periods], grid.coords(self.rank)

    topo = property(Get_topo, doc="The lengths, which of them are periodic, and this rank's coordinates.")

    @property
    def dims(self) -> list[int]:
        """The lengths."""
        return self.Get_topo()[0]

    @property
    def periods(self) -> list[int]:
        """Which lengths are periodic."""
        return self.Get_topo()[1]

    @property
    def coords(self) -> list[int]:
        """This rank's coordinates."""
        return self.Get_topo()[2]

    def Get_cart_rank(self, coords: Any) -> int:
        """Return the rank at some coordinates.

        :raises ValueError: there is not one for each dimension.
        :raises MPIError: they are outside, in a dimension that is not periodic.
        """
        grid, place = self._grid, integers(coords, "coords")
        if len(place) != len(grid.dims):
            raise ValueError(f"{len(place)} coords in {len(grid.dims)} dimensions: give one for each")
        rank = grid.rank(place)
        if rank is None:
            raise MPIError(f"Get_cart_rank({[*place]}): this is outside of a grid of {[*grid.dims]}", "ERR_ARG")
        return rank

    def Get_coords(self, rank: int) -> list[int]:
        """Return the coordinates of a rank.

        :raises MPIError: it is none.
        """
        grid, number = self._grid, integer(rank, "rank")
        if not 0 <= number < self.size:
            raise MPIError(f"Get_coords({rank}): there are the ranks 0 to {self.size - 1}", "ERR_RANK")
        return grid.coords(number)

    def Shift(self, direction: int, disp: int) -> tuple[int, int]:
        """Return whom this rank gets from and gives to, if all shift along a dimension; PROC_NULL at an end.

        :param direction: the dimension, from 0 on.
        :param disp: by how many steps.
        """
        grid, direction, by = self._grid, integer(direction, "direction"), integer(disp, "disp")
        if not 0 <= direction < len(grid.dims):
            raise MPIError(f"Shift({direction}): there are {len(grid.dims)} dimensions, numbered from 0 on", "ERR_ARG")
        return grid.shifted(self.rank, direction, -by), grid.shifted(self.rank, direction, by)

    def Sub(self, remain_dims: Any) -> Any:
        """Return a communicator of the part of the grid in which this rank is. All ranks call it.

        :param remain_dims: for each dimension whether the part extends along it.
        """
        grid = self._grid
        if isinstance(remain_dims, bool):
            remain_dims = [remain_dims] * len(grid.dims)
        keep = [bool(each) for each in integers(remain_dims, "remain_dims")]
        if len(keep) != len(grid.dims):
            raise ValueError(f"{len(keep)} remain_dims for {len(grid.dims)} dimensions: give one for each")
        coords = grid.coords(self.rank)
        left = [each for each, kept in zip(zip(*grid, strict=True), keep, strict=True) if kept]
        rest = Grid(tuple(length for length, _ in left), tuple(period for _, period in left))
        color, key = 0, 0
        for place, length, kept in zip(coords, grid.dims, keep, strict=True):
            color, key = (color, key * length + place) if kept else (color * length + place, key)
        found = self._divided("Sub", (color, key))
        assert found is not None  # every rank of a grid has a part
        member = CommMember(*found, kind="Cartcomm")
        member.topology = rest
        return new_comm(member, self.member)


class Graphcomm(Topocomm):
    """A communicator whose ranks are the nodes of a graph that all of them know."""

    @classmethod
    def _check(cls, state: CommMember) -> None:
        if not isinstance(state.topology, RankGraph):
            raise TypeError("MPI.Graphcomm takes a communicator with a graph")

    @property
    def _graph(self) -> RankGraph:
        topology: RankGraph = self.member.topology
        return topology

    def Get_dims(self) -> tuple[int, int]:
        """Return the numbers of nodes and of edges."""
        return len(self._graph.ends), len(self._graph.edges)

    dims = property(Get_dims, doc="The numbers of nodes and of edges.")

    @property
    def nnodes(self) -> int:
        """Number of nodes."""
        return self.Get_dims()[0]

    @property
    def nedges(self) -> int:
        """Number of edges."""
        return self.Get_dims()[1]

    def Get_topo(self) -> tuple[list[int], list[int]]:
        """Return where the neighbours of each node end among the edges, and the edges."""
        return [*self._graph.ends], [*self._graph.edges]

    topo = property(Get_topo, doc="Where the neighbours of each node end among the edges, and the edges.")

    @property
    def index(self) -> list[int]:
        """Where the neighbours of each node end among the edges."""
        return self.Get_topo()[0]

    @property
    def edges(self) -> list[int]:
        """The neighbours of all nodes, one after another."""
        return self.Get_topo()[1]

    def Get_neighbors_count(self, rank: int) -> int:
        """Return the number of neighbours of a rank."""
        return len(self.Get_neighbors(rank))

    @property
    def nneighbors(self) -> int:
        """Number of this rank's neighbours."""
        return self.Get_neighbors_count(self.rank)

    def Get_neighbors(self, rank: int) -> list[int]:
        """Return the neighbours of a rank.

        :raises MPIError: it is none.
        """
        rank = integer(rank, "rank")
        if not 0 <= rank < self.size:
            raise MPIError(f"Get_neighbors({rank}): there are the ranks 0 to {self.size - 1}", "ERR_RANK")
        return self._graph.neighbors(rank)

    @property
    def neighbors(self) -> list[int]:
        """This rank's neighbours."""
        return self.Get_neighbors(self.rank)


class Distgraphcomm(Topocomm):
    """A communicator whose ranks are the nodes of a graph of which each knows its neighbours."""

    @classmethod
    def _check(cls, state: CommMember) -> None:
        if not isinstance(state.topology, Neighbours):
            raise TypeError("MPI.Distgraphcomm takes a communicator with a distributed graph")

    def Get_dist_neighbors_count(self) -> tuple[int, int, bool]:
        """Return how many neighbours this rank gets from, and gives to, and whether edges have weights."""
        known: Neighbours = self.member.topology
        return len(known.sources), len(known.destinations), known.source_weights is not None

    def Get_dist_neighbors(self) -> tuple[list[int], list[int], tuple[list[int], list[int]] | None]:
        """Return the neighbours that this rank gets from, those that it gives to, and the weights of both, or None."""
        known: Neighbours = self.member.topology
        if known.source_weights is None or known.dest_weights is None:
            return [*known.sources], [*known.destinations], None
        return [*known.sources], [*known.destinations], ([*known.source_weights], [*known.dest_weights])


CLASSES.update({each.__name__: each for each in (Cartcomm, Graphcomm, Distgraphcomm)})
