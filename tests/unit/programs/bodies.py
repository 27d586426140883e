"""Bodies that attract each other: positions go round a ring of ranks, energies are summed up."""

import argparse
import dataclasses
import random

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()


@dataclasses.dataclass
class Body:
    mass: float
    place: tuple
    speed: tuple = (0.0, 0.0)

    def moved(self, force, dt):
        speed = tuple(v + f * dt / self.mass for v, f in zip(self.speed, force, strict=True))
        return Body(self.mass, tuple(x + v * dt for x, v in zip(self.place, speed, strict=True)), speed)


def forces(mine, theirs):
    for body in mine:
        fx = fy = 0.0
        for other in theirs:
            dx, dy = other.place[0] - body.place[0], other.place[1] - body.place[1]
            square = dx * dx + dy * dy
            if square:
                f = body.mass * other.mass / (square + 0.1) ** 1.5
                fx, fy = fx + f * dx, fy + f * dy
        yield fx, fy


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bodies", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()
    random.seed(1000 + rank)
    mine = [Body(random.uniform(1, 2), (random.random(), random.random())) for _ in range(options.bodies)]
    for _ in range(options.steps):
        total, visiting = [(0.0, 0.0)] * len(mine), mine
        for _ in range(size):
            total = [(a + c, b + d) for (a, b), (c, d) in zip(total, forces(mine, visiting), strict=True)]
            request = comm.isend(visiting, dest=(rank + 1) % size, tag=7)
            visiting = comm.recv(source=(rank - 1) % size, tag=7)
            request.wait()
        mine = [body.moved(force, 0.01) for body, force in zip(mine, total, strict=True)]
    energy = comm.reduce(sum(b.mass * (b.speed[0] ** 2 + b.speed[1] ** 2) / 2 for b in mine), op=MPI.SUM, root=0)
    everybody = comm.gather(mine)
    if rank == 0:
        print(f"kinetic energy {energy:.9f}")
        for body in (body for bodies in everybody for body in bodies):
            print(type(body) is Body, "{:.6f} {:.6f}".format(*body.place))


main()
