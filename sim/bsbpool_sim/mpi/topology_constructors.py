"""Constructors of communicators with a virtual topology. Their queries are in `topologies`."""

from __future__ import annotations

from typing import Any

from ..errors import MPIError
from .collective_call import see_alike
from .collective_forms import Forms
from .constants import UNDEFINED, Constant, means
from .contexts import Context
from .endpoint import CLASSES, new_comm
from .info import INFO_NULL, hints_of
from .members import CommMember
from .topology_arithmetic import Grid, Neighbours, RankGraph, graph, grid, integers, one_sided

UNWEIGHTED = Constant(10, "UNWEIGHTED")
WEIGHTS_EMPTY = Constant(11, "WEIGHTS_EMPTY")


def _weights(given: Any, count: int, what: str) -> tuple[int, ...] | None:
    if given is None or (isinstance(given, int) and means(given, UNWEIGHTED)):
        return None
    if isinstance(given, int) and means(given, WEIGHTS_EMPTY):
        if count:
            raise ValueError(f"{what} is WEIGHTS_EMPTY, and there are {count} edges")
        return ()
    weights = integers(given, what)
    if len(weights) != count:
        raise ValueError(f"{len(weights)} {what} for {count} edges: give one for each")
    if any(weight < 0 for weight in weights):
        raise MPIError(f"{what}={[*weights]}: a weight is 0 or more", "ERR_ARG")
    return weights


class MakingTopologies(Forms):
    """How a communicator of one group gets a topology. Ranks are not reordered, as under MPICH, unless exploring asks
    for that.
    """

    def Create_cart(self, dims: Any, periods: Any = None, reorder: bool = False) -> Any:
        """Return a communicator whose ranks are on a grid. All ranks call it.

        :param dims: a length for each dimension.
        :param periods: for each, or for all, whether its ends meet; by default they don't.
        :returns: COMM_NULL on the ranks for which the grid has no point.
        :raises MPIError: the grid has more points than there are ranks.
        """
        shape = grid(dims, periods, self.size)
        return self._on_first_ranks("Create_cart", shape.size, shape, "Cartcomm", reorder)

    def Create_graph(self, index: Any, edges: Any, reorder: bool = False) -> Any:
        """Return a communicator whose ranks are the nodes of a graph. All ranks call it, with the same graph.

        :param index: where the neighbours of each node end in `edges`; a 0 may come first.
        :param edges: the neighbours of all nodes, one after another.
        :returns: COMM_NULL on the ranks for which the graph has no node.
        """
        shape = graph(index, edges, self.size)
        return self._on_first_ranks("Create_graph", len(shape.ends), shape, "Graphcomm", reorder)

    def _on_first_ranks(self, call_name: str, count: int, shape: Grid | RankGraph, kind: str, reorder: bool) -> Any:
        """A communicator of the first `count` ranks."""
        step = self._step(reorder)
        call = self._together(call_name, shape)
        see_alike(call_name, call.payloads, "ERR_TOPOLOGY")
        if call.result is None:
            call.result = Context(self.cluster, self.context.own[:count][::step])
        if self.rank >= count:
            return CLASSES[kind]()
        member = CommMember(call.result, self.rank if step > 0 else count - 1 - self.rank, kind)
        member.topology = shape
        return new_comm(member, self.member)

    def _step(self, reorder: bool) -> int:
        """In which direction the ranks of this communicator get numbers: -1 if exploring asks for other ones."""
        cluster = self.cluster
        cluster.has_reordered_ranks = cluster.has_reordered_ranks or bool(reorder)
        return -1 if reorder and cluster.reverses_ranks else 1

    def Create_dist_graph_adjacent(
        self,
        sources: Any,
        destinations: Any,
        sourceweights: Any = None,
        destweights: Any = None,
        info: Any = INFO_NULL,
        reorder: bool = False,
    ) -> Any:
        """Return a communicator whose ranks are the nodes of a graph. All ranks call it, each with its own neighbours.

        :param sources: the ranks that this one gets from; `destinations`: those that it gives to. None: no ranks.
        :param sourceweights: a weight for each; `destweights` too.
        """
        into, out = self._ranks(sources, "sources"), self._ranks(destinations, "destinations")
        heavy, light = (
            _weights(sourceweights, len(into), "sourceweights"),
            _weights(destweights, len(out), "destweights"),
        )
        # As MPICH: the part that has no edges may leave its weights out.
        heavy = () if heavy is None and light is not None and not into else heavy
        light = () if light is None and heavy is not None and not out else light
        if (heavy is None) != (light is None):
            raise MPIError(
                "Create_dist_graph_adjacent: sourceweights and destweights are both given, or neither", "ERR_TOPOLOGY"
            )
        return self._spread("Create_dist_graph_adjacent", Neighbours(into, out, heavy, light), info, reorder)

    def Create_dist_graph(
        self,
        sources: Any,
        degrees: Any,
        destinations: Any,
        weights: Any = None,
        info: Any = INFO_NULL,
        reorder: bool = False,
    ) -> Any:
        """Return a communicator whose ranks are the nodes of a graph. All ranks call it, each with some of its edges.

        :param sources: where edges begin; `degrees`: how many begin at each of these; `destinations`: where they end,
            one after another.
        :param weights: a weight for each edge.
        """
        begins, counts = self._ranks(sources, "sources"), integers(degrees, "degrees")
        if len(counts) != len(begins):
            raise ValueError(f"{len(counts)} degrees for {len(begins)} sources: give one for each")
        if any(count < 0 for count in counts):
            raise MPIError(f"degrees={[*counts]}: a degree is 0 or more", "ERR_ARG")
        ends = self._ranks(destinations, "destinations")
        if len(ends) != sum(counts):
            raise ValueError(f"{len(ends)} destinations for {sum(counts)} edges: give one for each")
        given = _weights(weights, len(ends), "weights")
        starts = [begin for begin, count in zip(begins, counts, strict=True) for _ in range(count)]
        call = self._together("Create_dist_graph", (starts, ends, given))
        into: list[tuple[int, int]] = []
        out: list[tuple[int, int]] = []
        for theirs in self._in_order(call):
            heavy = theirs[2] if theirs[2] is not None else [1] * len(theirs[1])
            for start, end, weight in zip(theirs[0], theirs[1], heavy, strict=True):
                if end == self.rank:
                    into.append((start, weight))
                if start == self.rank:
                    out.append((end, weight))
        known = Neighbours(tuple(n for n, _ in into), tuple(n for n, _ in out), None, None)
        if all(theirs[2] is not None for theirs in self._in_order(call)):
            known = known._replace(source_weights=tuple(w for _, w in into), dest_weights=tuple(w for _, w in out))
        return self._spread("Create_dist_graph", known, info, reorder)

    def _ranks(self, given: Any, what: str) -> tuple[int, ...]:
        ranks = () if given is None else integers(given, what)
        for rank in ranks:
            if not 0 <= rank < self.size:
                raise MPIError(f"{what}: {rank} is no rank: there are 0 to {self.size - 1}", "ERR_RANK")
        return ranks

    def _spread(self, name: str, known: Neighbours, info: Any, reorder: bool) -> Any:
        """A communicator of all ranks: the neighbours that a rank gives are those of who gets its number."""
        hints, step = hints_of(info, name), self._step(reorder)
        call = self._together(name, known)
        if call.result is None:
            of_all = self._in_order(call)
            text = one_sided([each.sources for each in of_all], [each.destinations for each in of_all])
            call.result = Context(self.cluster, self.context.own[::step]), text
        context, text = call.result
        rank = self.rank if step > 0 else self.size - 1 - self.rank
        member = CommMember(context, rank, "Distgraphcomm")
        member.topology, member.hints = call.payloads[rank]._replace(one_sided=text), hints
        return new_comm(member, self.member)

    def Cart_map(self, dims: Any, periods: Any = None) -> int:
        """Return the rank that this one gets by `Create_cart` with `reorder`: the same; UNDEFINED if it gets none."""
        shape = grid(dims, periods, self.size)
        return self.rank if self.rank < shape.size else UNDEFINED

    def Graph_map(self, index: Any, edges: Any) -> int:
        """Return the rank that this one gets by `Create_graph` with `reorder`: the same; UNDEFINED if it gets none."""
        shape = graph(index, edges, self.size)
        return self.rank if self.rank < len(shape.ends) else UNDEFINED
