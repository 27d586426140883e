"""Two communicators, one call on each. Faulty: one rank makes them the other way."""
# 2 ranks; MPICH hangs

from mpi4py import MPI


def main():
    world = MPI.COMM_WORLD
    control = world.Dup()
    data = world.Dup()
    me = world.Get_rank()
    if me == 0:
        value = control.allreduce(1)  # = deadlock, collective-mismatch
        peak = data.allreduce(me, op=MPI.MAX)  # = deadlock, collective-mismatch
    else:
        value = control.allreduce(1)  # +
        peak = data.allreduce(me, op=MPI.MAX)  # = deadlock, collective-mismatch
        value = control.allreduce(1)  # - deadlock, collective-mismatch
    print(value, peak)
    data.Free()
    control.Free()


if __name__ == "__main__":
    main()
