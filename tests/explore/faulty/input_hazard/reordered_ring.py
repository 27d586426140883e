"""Parts of a ring pass a token. Faulty: MPI may give the parts to other ranks, and rank 0 of the world begins."""
# 4 ranks; MPICH says nothing

from mpi4py import MPI

world = MPI.COMM_WORLD
before, behind = (world.rank - 1) % world.size, (world.rank + 1) % world.size
ring = world.Create_dist_graph_adjacent([before], [behind], reorder=True)
first = world.rank == 0  # -
first = ring.rank == 0  # +
sources, targets, weights = ring.Get_dist_neighbors()

for _ in range(2):
    if first:
        ring.send("token", targets[0])
    token = ring.recv(source=sources[0])  # = deadlock
    if ring.rank > 0:
        ring.send(token, targets[0])
    else:
        assert token == "token"
ring.Free()
