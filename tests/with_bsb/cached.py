"""Is a cached item freed before the next job? In BSB's own pool that is a race between main and its worker."""

from bsb import MPI, Configuration, PlacementStrategy, Scaffold, Storage, config
from bsb.services import pool_cache


@config.node
class Fills(PlacementStrategy):
    @pool_cache
    def table(self):
        return [1, 2, 3]

    def place(self, chunk, indicators):
        self.table()


@config.node
class Looks(PlacementStrategy):
    def place(self, chunk, indicators):
        return self.scaffold.placement.fills.table.cache_info().currsize


nodes = {kind.__name__.lower(): kind(strategy=kind, cell_types=[], partitions=[]) for kind in (Fills, Looks)}
scaffold = Scaffold(Configuration.default(placement=nodes), Storage("hdf5", "network.hdf5"), clear=True)
with scaffold.create_job_pool(quiet=True) as pool:
    if pool.is_main():
        pool.queue_placement(nodes["fills"], [0, 0, 0])
        looks = [pool.queue_placement(nodes["looks"], [place, 0, 0]) for place in range(4)]
    results = pool.execute(return_results=True)
if MPI.get_rank() == 0:
    print("tables that no job needs:", *(results[job] for job in looks))
