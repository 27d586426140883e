"""Positions and masses go to a neighbour. Faulty: they are received with each other's tag, by synchronous sends."""
# 2 ranks; MPICH hangs

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
POSITIONS, MASSES = 1, 2

if rank == 0:
    comm.ssend([0.1, 0.2, 0.3], dest=1, tag=POSITIONS)  # = deadlock
    comm.ssend([1.0, 2.0, 1.5], dest=1, tag=MASSES)
else:
    masses = comm.recv(source=0, tag=MASSES)  # - deadlock
    positions = comm.recv(source=0, tag=POSITIONS)
    masses = comm.recv(source=0, tag=MASSES)  # +
    centre = sum(x * m for x, m in zip(positions, masses, strict=True)) / sum(masses)
    print(f"centre of mass: {centre:.3f}")
