"""A team of two ranks. Faulty: its communicator stays."""
# 4 ranks; MPICH says nothing

from mpi4py import MPI


class Team:
    def __init__(self, world, ranks):
        everybody = world.Get_group()
        self.group = everybody.Incl(ranks)
        everybody.Free()
        self.comm = world.Create_group(self.group) if world.rank in ranks else MPI.COMM_NULL  # = leaked-handle

    def total(self, value):
        return self.comm.allreduce(value) if self.comm else None

    def close(self):
        if self.comm:  # +
            self.comm.Free()  # +
        self.group.Free()


team = Team(MPI.COMM_WORLD, [0, 3])
print(team.total(1))
team.close()
