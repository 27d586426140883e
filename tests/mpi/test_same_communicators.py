"""Groups, communicators, topologies and attributes are on simulated ranks what they are on real ones.

As in `test_same_as_mpi`: under ``mpirun -n 4 pytest`` each program also runs on the real COMM_WORLD.
"""

import pytest
from both_worlds import compare_orders, compare_with_real_ranks, mpi

from bsbpool_sim import simulate


def error_class(call):
    """The name of the class of the error that a call raises, as far as the tests are about it."""
    MPI = mpi()
    try:
        call()
    except MPI.Exception as error:
        names = "RANK", "ROOT", "TAG", "COMM", "GROUP", "KEYVAL", "ARG", "INFO_NOKEY", "TOPOLOGY", "DIMS"
        return [name for name in names if getattr(MPI, f"ERR_{name}") == error.Get_error_class()]
    return None


def groups(comm):
    MPI = mpi()
    everybody = comm.Get_group()
    turned = everybody.Incl([*range(comm.size)][::-1])
    odd = everybody.Range_incl([(1, comm.size - 1, 2)])
    rest = MPI.Group.Difference(everybody, odd)
    union = MPI.Group.Union(odd, rest)
    return (
        turned.rank,
        odd.size,
        odd.rank == MPI.UNDEFINED,
        rest.Translate_ranks([0], everybody),
        [rank == MPI.UNDEFINED for rank in everybody.Translate_ranks(None, odd)],
        everybody.Translate_ranks([MPI.PROC_NULL], odd) == [MPI.PROC_NULL],
        MPI.Group.Intersection(odd, rest) == MPI.GROUP_EMPTY,
        [MPI.Group.Compare(everybody, other) for other in (everybody, turned, odd)],
        MPI.Group.Compare(union, everybody) == (MPI.IDENT if comm.size == 1 else MPI.SIMILAR),
        error_class(lambda: everybody.Incl([comm.size])),
    )


def communicators_of_groups(comm):
    MPI = mpi()
    group = comm.Get_group()
    evens, odds = group.Range_incl([(0, comm.size - 1, 2)]), group.Range_incl([(1, comm.size - 1, 2)])
    mine = odds if comm.rank % 2 else evens
    made = comm.Create(mine)
    few = comm.Create(evens)
    result = [made.allgather(comm.rank), few == MPI.COMM_NULL]
    if comm.rank % 2 == 0:
        ones = comm.Create_group(evens, 7)
        result += [ones.allreduce(1), MPI.Comm.Compare(ones, few)]
        ones.Free()
        few.Free()
    made.Free()
    whole = MPI.Intracomm.Create_from_group(group)
    result += [whole.size, whole.rank, MPI.Comm.Compare(whole, comm)]
    whole.Free()
    return result


def between(comm):
    """An inter-communicator of the lower and the upper half, and this rank's half."""
    middle = comm.size // 2
    half = comm.Split(comm.rank >= middle)
    return half, half.Create_intercomm(0, comm, 0 if comm.rank >= middle else middle, 3)


def two_groups(comm):
    MPI = mpi()
    half, inter = between(comm)
    peer = inter.rank % inter.remote_size
    inter.send(("from", comm.rank), peer, tag=1)
    mine = [source for source in range(inter.remote_size) if source % inter.size == inter.rank]
    got = [inter.recv(source=source, tag=1) for source in mine]
    status = MPI.Status()
    if inter.rank == 0:
        inter.send(b"any", 0, tag=2)
        got.append((inter.recv(source=MPI.ANY_SOURCE, tag=2, status=status), status.source))
    merged, flipped = inter.Merge(comm.rank >= comm.size // 2), inter.Merge(comm.rank < comm.size // 2)
    copy = inter.Dup()
    parts = inter.Split(0, -inter.rank)
    result = (
        (inter.Is_inter(), inter.rank, inter.size, inter.remote_size, inter.Get_remote_group().size),
        got,
        (merged.rank, flipped.rank),
        MPI.Comm.Compare(copy, inter),
        (parts.rank, parts.remote_size),
        error_class(lambda: inter.send(0, inter.remote_size)),
    )
    for each in (merged, flipped, copy, parts, inter, half):
        each.Free()
    return result


def grids(comm):
    MPI = mpi()
    dims = MPI.Compute_dims(comm.size, 2)
    cart = comm.Create_cart(dims, [True, False])
    rows = cart.Sub([False, True])
    line = comm.Create_cart([comm.size])
    result = (
        dims,
        cart.coords,
        cart.topo[:2],
        cart.Shift(0, 1),
        [rank == MPI.PROC_NULL or rank for rank in line.Shift(0, 1)],
        (rows.rank, rows.dims, rows.periods),
        line.Get_cart_rank([comm.size - 1]),
        error_class(lambda: line.Get_cart_rank([comm.size])),
        error_class(lambda: line.Shift(4, 1)),
        error_class(lambda: comm.Create_cart([comm.size + 1])),
        cart.Get_topology() == MPI.CART,
        comm.Get_topology() == MPI.UNDEFINED,
    )
    for each in (rows, line, cart):
        each.Free()
    return result


def dimensions(comm):
    MPI = mpi()
    even = [MPI.Compute_dims(nodes, count) for nodes in (1, 6, 12, 16, 24, 36, 60, 97, 128, 210) for count in (1, 2, 3)]
    return even, MPI.Compute_dims(24, [0, 3, 0]), error_class(lambda: MPI.Compute_dims(7, [2, 0]))


def graphs(comm):
    MPI = mpi()
    right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    ring = comm.Create_dist_graph_adjacent([left], [right], [5], [6])
    spread = comm.Create_dist_graph([comm.rank], [1], [right])
    index = [2 * (rank + 1) for rank in range(comm.size)]
    edges = [rank for at in range(comm.size) for rank in ((at - 1) % comm.size, (at + 1) % comm.size)]
    known = comm.Create_graph(index, edges)
    result = (
        ring.Get_dist_neighbors_count(),
        ring.Get_dist_neighbors(),
        spread.Get_dist_neighbors()[:2],
        known.neighbors,
        known.Get_neighbors(0),
        [each.Get_topology() == kind for each, kind in ((ring, MPI.DIST_GRAPH), (known, MPI.GRAPH))],
    )
    for each in (ring, spread, known):
        each.Free()
    return result


def attributes(comm):
    MPI = mpi()
    told = []

    def copy(_, key, value):
        told.append("copied")
        return NotImplemented if value == "stays" else value + "'"

    def delete(_, key, value):
        told.append(f"deleted {value}")

    first, second = MPI.Comm.Create_keyval(copy, delete), MPI.Comm.Create_keyval(True)
    own = comm.Dup()
    own.Set_attr(first, "a")
    own.Set_attr(second, "same")
    own.Set_attr(first, "b")
    other = own.Dup()
    own.Set_attr(first, "stays")
    third = own.Dup()
    result = [other.Get_attr(first), other.Get_attr(second), third.Get_attr(first), comm.Get_attr(first)]
    other.Free()
    third.Free()
    own.Delete_attr(first)
    own.Free()
    result.append(error_class(lambda: comm.Get_attr(MPI.KEYVAL_INVALID)))
    return result, told


def handlers(comm):
    MPI = mpi()
    told = []
    own = comm.Dup()
    handler = MPI.Comm.Create_errhandler(lambda which, code: told.append((which == own, MPI.Get_error_class(code))))
    own.Set_errhandler(handler)
    failed = error_class(lambda: own.send(1, own.size))
    handler.Free()
    own.Set_errhandler(MPI.ERRORS_RETURN)
    again = error_class(lambda: own.send(1, own.size))
    own.Free()
    return told == [(True, MPI.ERR_RANK)], failed, again, handler == MPI.ERRHANDLER_NULL


def error_classes(comm):
    MPI = mpi()
    copy = comm.Dup()
    copy.Free()
    return [
        error_class(call)
        for call in (
            lambda: comm.send(1, comm.size),
            lambda: comm.send(1, 0, tag=-5),
            lambda: comm.bcast(1, root=comm.size),
            lambda: MPI.COMM_NULL.Get_rank(),
            lambda: copy.Get_size(),
            lambda: MPI.GROUP_NULL.Get_size(),
            lambda: MPI.Info.Create().Delete("no"),
            lambda: comm.Free() if comm == MPI.COMM_WORLD else MPI.COMM_WORLD.Free(),
        )
    ]


def hints(comm):
    MPI = mpi()
    info = MPI.Info.Create({"a": "1"})
    info["b"] = "2"
    copy = info.Dup()
    del info["a"]
    result = info.items(), copy.keys(), info.Get("a"), "b" in info, copy.pop("a"), MPI.INFO_NULL.items()
    info.Free()
    return result, info == MPI.INFO_NULL


def duplicates_begun(comm):
    copy, request = comm.Idup()
    request.Wait()
    return copy.allreduce(1), mpi().Comm.Compare(copy, comm)


def freed_before_others(comm):
    """Who frees does not wait: the others free only when they are told."""
    copy = comm.Dup()
    if comm.rank == 0:
        copy.Free()
        for rank in range(1, comm.size):
            comm.send("free", rank)
    else:
        comm.recv(source=0)
        copy.Free()
    return copy == mpi().COMM_NULL


def sessions(comm):
    MPI = mpi()
    session = MPI.Session.Init()
    group = session.Create_group("mpi://WORLD")
    own = MPI.Group.Create_from_session_pset(session, "mpi://SELF")
    made = MPI.Intracomm.Create_from_group(group)
    result = made.size, made.rank, own.size, error_class(lambda: session.Create_group("nobody"))
    made.Free()
    session.Finalize()
    return result, bool(session)


PROGRAMS = [
    groups, communicators_of_groups, two_groups, grids, dimensions, graphs, attributes, handlers, error_classes, hints,
    duplicates_begun, freed_before_others, sessions,
]  # fmt: skip

#: What Open MPI has otherwise.
AS_MPICH_HAS_IT = {grids, handlers}


@pytest.mark.mpi
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_simulated_ranks_get_what_real_ranks_get(program):
    compare_with_real_ranks(program, AS_MPICH_HAS_IT)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_neither_latency_nor_order_changes_what_ranks_get(program):
    compare_orders(program, 5, "shuffled")


EXPECTED = {
    communicators_of_groups: [[1, 3], True, 4, 1, 1],
    two_groups: ((True, 1, 2, 2, 2), [("from", 3)], (1, 3), 1, (0, 2), ["RANK"]),
    grids: (
        [2, 2], [0, 1], ([2, 2], [1, 0]), (3, 3), [0, 2], (1, [2], [0]), 3, ["ARG"], ["ARG"], ["ARG"], True, True,
    ),
    graphs: ((1, 1, True), ([0], [2], ([5], [6])), ([0], [2]), [0, 2], [3, 1], [True, True]),
    attributes: (
        ["b'", "same", None, None, ["KEYVAL"]],
        ["deleted a", "copied", "deleted b", "copied", "deleted b'", "deleted stays"],
    ),
    handlers: (True, None, ["RANK"], True),
    error_classes: [["RANK"], ["TAG"], ["ROOT"], ["COMM"], ["COMM"], ["GROUP"], ["INFO_NOKEY"], ["COMM"]],
    sessions: ((4, 1, 1, ["ARG"]), False),
}  # fmt: skip


@pytest.mark.parametrize("program", EXPECTED, ids=lambda p: p.__name__)
def test_simulated_ranks_get_what_real_ranks_got(program):
    assert simulate(program, 4).results[1] == EXPECTED[program]
