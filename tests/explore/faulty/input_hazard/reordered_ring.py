"""Parts of a ring pass a token. Faulty: MPI may give the nodes of the graph to other ranks, and the first part has it."""
# 4 ranks; MPICH says nothing

from mpi4py import MPI

world = MPI.COMM_WORLD
before, behind = (world.rank - 1) % world.size, (world.rank + 1) % world.size
ring = world.Create_dist_graph_adjacent([before], [behind], reorder=True)
first = world.rank == 0  # -
first = ring.rank == 0  # +
(source,), (target,), _ = ring.Get_dist_neighbors()

for _ in range(2):
    if first:
        ring.send("token", target)
    token = ring.recv(source=source)  # = deadlock
    if ring.rank > 0:
        ring.send(token, target)
    else:
        assert token == "token"
ring.Free()
