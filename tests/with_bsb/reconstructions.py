"""Networks that the tests with BSB build, and what is in them afterwards. Each rank that calls these builds the same.

Strategies and hooks are classes of this module, so that a network which was stored can be loaded again.
"""

from __future__ import annotations

from pathlib import Path

import bsb
import h5py
import numpy as np
from bsb import Configuration, ConnectionStrategy, PlacementStrategy, Scaffold, Storage, config
from bsb.postprocessing import AfterConnectivityHook, AfterPlacementHook
from bsb.services import pool_cache


@config.node
class Grid(PlacementStrategy):
    """Places the same eight cells in each chunk, from coordinates that it keeps until the last job that needs them."""

    @pool_cache
    def corners(self):
        return np.stack(np.meshgrid([0.25, 0.75], [0.25, 0.75], [0.25, 0.75]), axis=-1).reshape(-1, 3)

    def place(self, chunk, indicators):
        for indicator in indicators.values():
            self.place_cells(indicator, (self.corners() + chunk) * chunk.dimensions, chunk)


@config.node
class Failing(ConnectionStrategy):
    """Connects nothing: it fails in each chunk whose first coordinate is `fails_at`."""

    fails_at = config.attr(type=int, default=0)

    def connect(self, pre, post):
        if any(chunk[0] == self.fails_at for chunk in pre.roi):
            raise ValueError(f"corrupt chunk {self.fails_at}")


@config.node
class LabelCells(AfterPlacementHook):
    """Labels the first cells of a type, and fails if there are none."""

    cell_type = config.attr(type=str, required=True)

    def postprocess(self):
        cells = self.scaffold.get_placement_set(self.cell_type)
        if not len(cells):
            raise LookupError(f"no cells of {self.cell_type}")
        cells.label(["first"], np.arange(5))


@config.node
class CountConnections(AfterConnectivityHook):
    """Its job's result is how many connections there are."""

    fails = config.attr(type=bool, default=False)

    def postprocess(self):
        if self.fails:
            raise ValueError("the hook failed")
        return {each.tag: len(each) for each in self.scaffold.get_connectivity_sets()}


def network(path: str | Path, comm=None, seed: int = 42, fails: str | None = None) -> Scaffold:
    """A network of three cell types in 4 chunks, with what a pool has to do with.

    Two placement strategies after a third, a connection strategy after another, cached methods, hooks after both:
    4 + 4 + 4 jobs of placement, 4 + 4 of connectivity, and 2 hooks.

    :param path: where it is stored.
    :param comm: the communicator whose ranks build it; by default the one of all ranks.
    :param seed: the seed of all that BSB draws.
    :param fails: "strategy", "hook" or "placement hook": that one fails.
    """
    cells = {name: {"spatial": {"radius": 2, "density": 2e-5}} for name in ("grid", "left", "right")}
    place = {"partitions": ["layer"]}
    random = place | {"strategy": "bsb.placement.RandomPlacement", "depends_on": ["grid"]}
    degree = {"strategy": "bsb.connectivity.FixedIndegree", "indegree": 3}
    connectivity = {
        "left_right": degree | {"presynaptic": {"cell_types": ["left"]}, "postsynaptic": {"cell_types": ["right"]}},
        "grid_left": {
            "strategy": "bsb.connectivity.AllToAll",
            "affinity": 0.2,
            "presynaptic": {"cell_types": ["grid"]},
            "postsynaptic": {"cell_types": ["left"]},
            "depends_on": ["left_right"],
        },
    }
    if fails == "strategy":
        failing = {"strategy": "reconstructions.Failing", "depends_on": [], "fails_at": 1}
        connectivity["left_right"] = connectivity["grid_left"] | failing
        del connectivity["left_right"]["affinity"]
    configuration = Configuration.default(
        network={"x": 100, "y": 100, "z": 100, "chunk_size": [50, 50, 100]},
        partitions={"layer": {"type": "layer", "thickness": 100}},
        cell_types=cells | ({"empty": {"spatial": {"radius": 2, "count": 1}}} if fails == "placement hook" else {}),
        placement={
            "grid": place | {"strategy": "reconstructions.Grid", "cell_types": ["grid"]},
            "left": random | {"cell_types": ["left"]},
            "right": random | {"cell_types": ["right"]},
        },
        after_placement={
            "label": {
                "strategy": "reconstructions.LabelCells",
                "cell_type": "empty" if fails == "placement hook" else "left",
            }
        },
        connectivity=connectivity,
        after_connectivity={"count": {"strategy": "reconstructions.CountConnections", "fails": fails == "hook"}},
        rng={"seed": seed},
    )
    return Scaffold(configuration, Storage("hdf5", str(path), *([] if comm is None else [comm])), clear=True, comm=comm)


def contents(path: str | Path) -> dict[str, object]:
    """All that jobs have stored, by data set; independent of the order in which they stored it.

    Of cells: positions and so on as they are, chunk by chunk. Of connections: for each pair of chunks the rows, sorted,
    since the jobs that wrote them may have ended in any order.
    """
    found: dict[str, object] = {}
    with h5py.File(path) as file:

        def placement(name: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                found[f"placement/{name}"] = item[()].tolist()

        file["placement"].visititems(placement)
        for tag, both in file["connectivity"].items():
            for direction, chunks in both.items():
                for chunk, group in chunks.items():
                    found.update(_pairs(f"connectivity/{tag}/{direction}/{chunk}", group))
    return found


def _pairs(name: str, group: h5py.Group) -> dict[str, object]:
    """The rows of a chunk's connections, by the other chunk: BSB keeps where each other chunk's rows begin."""
    rows = np.hstack([group["local_locs"][()], group["global_locs"][()]])
    others = [str(bsb.Chunk(each, None).id) for each in group.attrs["chunk_list"]]
    starts = [int(group.attrs[other]) for other in others]
    return {
        f"{name}/{other}": sorted(rows[start:end].tolist())
        for other, start, end in zip(others, starts, [*starts[1:], len(rows)], strict=True)
    }
