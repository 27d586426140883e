"""Primes are gathered. Faulty: who has none does not take part."""
# 4 ranks; MPICH hangs

from mpi4py import MPI


def primes(low, high):
    return [n for n in range(max(low, 2), high) if all(n % d for d in range(2, int(n**0.5) + 1))]


def report(comm, found):
    if not found:  # - deadlock
        return None  # - deadlock
    parts = comm.gather(found, root=0)  # = deadlock
    if comm.rank == 0:
        return [n for part in parts for n in part]


def main():
    comm = MPI.COMM_WORLD
    low = comm.rank * 8
    found = primes(low, low + 8) if comm.rank != 3 else []
    result = report(comm, found)
    if result:
        print(result)


main()
