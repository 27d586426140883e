"""BSB's own Scaffold is an owner as it is. Runs in an environment of its own, with BSB in it (see `tests/run.py`)."""

import pytest
from bsb import Configuration, Scaffold, config
from bsb.services import MPI
from bsb.services import pool_cache as bsb_pool_cache

from bsbpool.pool import JobPool, PlacementJob, get_node_cache_items


def network(folder):
    """A real network: one cell type in one layer, in four chunks."""
    configuration = Configuration(
        {
            "name": "test",
            "storage": {"engine": "hdf5", "root": str(folder)},
            "network": {"x": 100, "y": 100, "z": 100, "chunk_size": [50, 50, 100]},
            "partitions": {"layer": {"type": "layer", "thickness": 100}},
            "cell_types": {"granule": {"spatial": {"radius": 2, "density": 1e-4}}},
            "placement": {
                "granules": {
                    "strategy": "bsb.placement.RandomPlacement",
                    "cell_types": ["granule"],
                    "partitions": ["layer"],
                }
            },
            "connectivity": {},
        }
    )
    return Scaffold(configuration, clear=True)


def test_bsb_places_a_network_with_this_pool(tmp_path):
    scaffold = network(MPI.bcast(tmp_path / "network.hdf5"))
    strategies = list(scaffold.placement.values())
    with JobPool(1, scaffold, fail_fast=True) as pool:
        if pool.is_main():
            pool.schedule(strategies, lambda strategy: strategy.queue(pool, scaffold.network.chunk_size))
        pool.execute()
        jobs = pool.jobs
    if MPI.get_rank() == 0:
        assert [job.status.value for job in jobs] == ["success"] * 4
        assert {type(job) for job in jobs} == {PlacementJob}
        assert {job.name for job in jobs} == {"{root}.placement.granules"}
    # The density of the configuration, times the volume.
    assert len(scaffold.get_placement_set("granule")) == pytest.approx(100, abs=4)


def is_a_scaffold(owner, x):
    return isinstance(owner, Scaffold), x


def test_a_scaffold_is_an_owner():
    scaffold = Scaffold()
    with JobPool(1, scaffold) as pool:
        job = pool.queue(is_a_scaffold, (3,)) if pool.is_main() else None
        pool.execute()
        assert JobPool.get_owner(1) is scaffold
        assert job is None or job.result == (True, 3)


@config.node
class Node:
    """A node of BSB's, whose method BSB's own decorator caches."""

    name = config.attr(type=str)

    @bsb_pool_cache
    def heavy(self):
        return 1


def use(owner):
    return owner.node.heavy(), len(owner._pool_cache)


def look(owner):
    return len(owner._pool_cache)


def test_what_bsb_caches_is_listed_and_freed():
    scaffold = Scaffold()
    scaffold.node = Node(name="x")  # type: ignore[call-arg]
    scaffold.node.scaffold = scaffold
    with JobPool(1, scaffold) as pool:
        jobs = []
        if pool.is_main():
            items = get_node_cache_items(scaffold.node)
            jobs = [pool.queue(use, cache_items=items) for _ in range(4)]
            jobs += [pool.queue(look, deps=jobs) for _ in range(4)]
        pool.execute()
        assert [job.result for job in jobs] == ([(1, 1)] * 4 + [0] * 4 if jobs else [])
    assert scaffold._pool_cache == {}
