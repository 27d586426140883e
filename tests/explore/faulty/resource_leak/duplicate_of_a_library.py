"""A library works on a duplicate of the communicator. Faulty: its last step forgets to free it."""
# 2 ranks; MPICH says nothing

from mpi4py import MPI


class Solver:
    def __init__(self, comm):
        self.comm = comm.Dup()  # = leaked-handle

    def solve(self, value):
        return self.comm.allreduce(value, op=MPI.SUM)

    def close(self):
        self.comm.Free()


solver = Solver(MPI.COMM_WORLD)
print(solver.solve(MPI.COMM_WORLD.Get_rank() + 1))
solver.close()  # +
