"""A program that asks MPI which ranks share a host, and shares memory with them: each rank prints what it was told.

`test_same_hosts.py` runs it on simulated ranks and on real ones. What each MPI says in words of its own is left out.
"""

import json
from typing import Any

import numpy as np
from mpi4py import MPI

comm: Any = MPI.COMM_WORLD


def numbers(memory: Any):
    """Memory as numbers of 8 bytes."""
    return np.frombuffer(memory, "i8")


def members(made):
    """The ranks of the world that are in a communicator, in its order; None of a null one."""
    return None if made == MPI.COMM_NULL else MPI.Group.Translate_ranks(made.group, [*range(made.size)], comm.group)


def part(kind, of=comm, key=0, **hints):
    """What Split_type gives, and whether it says which resource that is."""
    info = MPI.Info.Create(hints)
    made = of.Split_type(getattr(MPI, f"COMM_TYPE_{kind}"), key, info)
    found = members(made), info.Get_nkeys()
    if made != MPI.COMM_NULL:
        made.Free()
    info.Free()
    return found


def reached(window):
    """Of each rank, and of PROC_NULL: how many bytes of its memory can be reached, and in which units."""
    found = [window.Shared_query(rank) for rank in (MPI.PROC_NULL, *range(window.group_size))]
    told = [(len(memory), unit) for memory, unit in found]
    window.Free()
    return told


def shared_memory(on):
    """The numbers that the ranks of a host have written into memory that they share."""
    window = MPI.Win.Allocate_shared(8 * (on.rank + 1), 8, comm=on)
    numbers(window.tomemory())[:] = comm.rank
    window.Fence()
    seen = [numbers(window.Shared_query(rank)[0]).tolist() for rank in range(on.size)]
    window.Fence()
    return seen, reached(window)


def stored_by_a_neighbour():
    """What the rank before this one, if it is on this host, has stored into memory that Allocate has made."""
    window = MPI.Win.Allocate(8, comm=comm)
    mine = numbers(window.tomemory())
    mine[:] = 0
    window.Fence()
    next_one = window.Shared_query((comm.rank + 1) % comm.size)[0]
    if len(next_one):
        numbers(next_one)[:] = 100 + comm.rank
    window.Fence()
    found = int(mine[0])
    window.Free()
    return found


def between_two_groups():
    """The parts of an inter-communicator: those of one host, of both groups."""
    half = comm.Split(comm.rank % 2)
    inter = half.Create_intercomm(0, comm, 1 - comm.rank % 2)
    made = inter.Split_type(MPI.COMM_TYPE_SHARED)
    if made == MPI.COMM_NULL:
        return None
    groups = made.Get_group(), made.Get_remote_group()
    return [MPI.Group.Translate_ranks(group, [*range(group.size)], comm.group) for group in groups]


def refused_across_hosts():
    """Whether memory can't be shared by all ranks."""
    try:
        MPI.Win.Allocate_shared(8, comm=comm).Free()
    except MPI.Exception:
        return True
    return False


host: Any = comm.Split_type(MPI.COMM_TYPE_SHARED)
told = {
    "shared": part("SHARED"),
    "ordered by key": part("SHARED", key=-comm.rank),
    "without rank 0": members(comm.Split_type(MPI.COMM_TYPE_SHARED if comm.rank else MPI.UNDEFINED)),
    "guided": part("HW_GUIDED", mpi_hw_resource_type="mpi_shared_memory"),
    "guided by resource": part("RESOURCE_GUIDED", mpi_hw_resource_type="mpi_shared_memory"),
    "guided by nothing": part("HW_GUIDED"),
    "guided by nonsense": part("HW_GUIDED", mpi_hw_resource_type="nonsense"),
    "next smaller": part("HW_UNGUIDED"),
    "smaller than a host": part("HW_UNGUIDED", host),
    "memory": shared_memory(host),
    "allocated": reached(MPI.Win.Allocate(8 * (comm.rank + 1), 2, comm=comm)),
    "allocated on a host": reached(MPI.Win.Allocate(8 * (comm.rank + 1), 2, comm=host)),
    "created": reached(MPI.Win.Create(bytearray(8), 2, comm=comm)),
    "stored": stored_by_a_neighbour(),
    "two groups": between_two_groups() if comm.size > 1 else None,
    "all share": not refused_across_hosts(),
}
for rank in range(comm.size):
    if rank == comm.rank:
        print(json.dumps([rank, told]), flush=True)
    comm.barrier()
