"""Collective calls in all forms, between two groups and among neighbours, on simulated ranks and on real ones.

As `test_same_as_mpi`, which has the plain ones.
"""

import pytest
from both_worlds import compare_orders, compare_with_real_ranks, mpi

np = pytest.importorskip("numpy")


def numbers(comm, count, dtype="i4"):
    """So many numbers of this rank's."""
    return np.arange(count, dtype=dtype) + 100 * comm.rank


def empty(count, dtype="i4"):
    return np.full(count, -1, dtype)


def calls(comm):
    """Each collective call of buffers: its name, its arguments, and the buffer in which the result is."""
    MPI, rank, size = mpi(), comm.rank, comm.size
    counts = [r % 3 for r in range(size)]
    offsets = [3 * r for r in range(size)]
    last = size - 1

    def into(buffer, *before, **after):
        return [*before, buffer], after, buffer

    got = empty(3 * size)
    yield "Scatterv", *into(empty(counts[rank]), [numbers(comm, 3 * size), counts, offsets, MPI.INT], root=last)
    yield "Gatherv", [numbers(comm, counts[rank]), [got, counts, offsets, MPI.INT]], {"root": last}, got
    got = empty(3 * size)
    yield "Allgatherv", [numbers(comm, counts[rank]), [got, counts, offsets, MPI.INT]], {}, got
    got = empty(3 * size)
    both = [numbers(comm, 3 * size), [1] * size, 3, MPI.INT], [got, [1] * size, offsets[::-1], MPI.INT]
    yield "Alltoallv", [*both], {}, got
    got = empty(3 * size)
    types = [MPI.INT] * size
    both = [numbers(comm, size), [1] * size, [4 * r for r in range(size)], types], [got, counts, offsets, types]
    if size == 1:
        yield "Alltoallw", [both[0], [got, [1], [8], types]], {}, got
    yield "Bcast", [got := numbers(comm, 3)], {"root": last}, got
    yield "Reduce", *into(empty(2), numbers(comm, 2), op=MPI.MAX, root=last)
    yield "Allreduce", *into(empty(2), numbers(comm, 2), op=MPI.SUM)
    yield "Reduce_scatter_block", *into(empty(2), numbers(comm, 2 * size), op=MPI.SUM)
    got = empty(counts[rank])
    yield "Reduce_scatter", [numbers(comm, sum(counts)), got, counts], {"op": MPI.MIN}, got
    got = empty(counts[rank])
    yield "Reduce_scatter", [numbers(comm, sum(counts)), got], {}, got
    yield "Scan", *into(empty(2), numbers(comm, 2))
    yield "Exscan", *into(np.zeros(2, "i4") if rank == 0 else empty(2), numbers(comm, 2))


def blocking(comm):
    found = []
    for name, arguments, options, got in calls(comm):
        getattr(comm, name)(*arguments, **options)
        found.append((name, got.tolist()))
    return found


def begun(comm):
    found = []
    for name, arguments, options, got in calls(comm):
        getattr(comm, f"I{name.lower()}")(*arguments, **options).Wait()
        found.append((name, got.tolist()))
    return found


def persistent(comm):
    found = []
    for name, arguments, options, got in calls(comm):
        request = getattr(comm, f"{name}_init")(*arguments, **options)
        for _ in range(2):
            request.Start()
            request.Wait()
            found.append((name, got.tolist()))
        request.Free()
    return found


def many_at_once(comm):
    MPI = mpi()
    made = [(getattr(comm, f"I{name.lower()}")(*a, **o), got) for name, a, o, got in calls(comm)]
    requests = [request for request, _ in made]
    seen = {MPI.Request.Waitany(requests)}
    MPI.Request.Waitall(requests)
    return len(seen), [got.tolist() for _, got in made], all(not request for request in requests)


def started_in_another_order(comm):
    MPI = mpi()
    one, two = numbers(comm, 1), numbers(comm, 1)
    requests = [comm.Bcast_init(one, 0), comm.Bcast_init(two, comm.size - 1), comm.Barrier_init()]
    MPI.Prequest.Startall(requests if comm.rank % 2 else requests[::-1])
    MPI.Request.Waitall(requests)
    for request in requests:
        request.Free()
    return one.tolist(), two.tolist()


def in_place(comm):
    MPI, rank, size = mpi(), comm.rank, comm.size
    found = []

    def call(method, buffer, *more, first=MPI.IN_PLACE):
        method(first, buffer, *more)
        found.append(buffer.tolist())

    call(comm.Alltoall, numbers(comm, 2 * size))
    call(comm.Allgather, numbers(comm, 2 * size))
    call(comm.Scan, numbers(comm, 2))
    call(comm.Exscan, numbers(comm, 2))
    call(comm.Allreduce, numbers(comm, 2), first=None)
    buffer = numbers(comm, 2 * size)
    comm.Reduce_scatter_block(MPI.IN_PLACE, buffer)
    found.append(buffer[:2].tolist())
    buffer = numbers(comm, size)
    comm.Reduce_scatter(MPI.IN_PLACE, buffer, [1] * size)
    found.append(buffer[:1].tolist())
    buffer = numbers(comm, 3 * size)
    comm.Alltoallv(MPI.IN_PLACE, [buffer, [2] * size, [3 * r for r in range(size)], MPI.INT])
    found.append(buffer.tolist())
    buffer = numbers(comm, 2)
    comm.Scatter(numbers(comm, 2 * size) if rank == 0 else None, MPI.IN_PLACE if rank == 0 else buffer)
    found.append(buffer.tolist())
    return found


def derived_datatypes(comm):
    MPI, size = mpi(), comm.size
    column = MPI.INT.Create_vector(2, 1, 3).Create_resized(0, 4).Commit()
    matrix, got = numbers(comm, 6), empty(2 * size)
    comm.Allgather([matrix, 1, column], got)
    spread = empty(6)
    comm.Bcast([matrix if comm.rank == 0 else spread, 2, column])
    column.Free()
    return got.tolist(), spread.tolist()


def order_of_ranks(comm):
    """Products of matrices are associative, and depend on the order."""
    MPI = mpi()

    def product(a, b, datatype):
        x, y = (np.frombuffer(each, "i8").reshape(2, 2) for each in (a, b))
        y[:] = x @ y

    op, found = MPI.Op.Create(product, commute=False), []
    mine = np.array([1, comm.rank + 1, comm.rank % 3, 1], "i8")
    for call in (comm.Allreduce, comm.Scan):
        got = empty(4, "i8")
        call(mine, got, op)
        found.append(got.tolist())
    got = empty(4, "i8")
    comm.Reduce(mine, got, op, comm.size - 1)
    op.Free()
    return [*found, got.tolist()]


def rounding_of_objects(comm):
    """Floats don't add up to the same in any order: lists tell in which order they were put together."""
    values = [1e16, 1.0, -1e16, 1.0, 3.0, 0.1, 0.2]
    mine = values[comm.rank % len(values)]

    def joined(a, b):
        return f"({a}{b})"

    return comm.allreduce(mine), comm.scan(str(comm.rank), joined), comm.exscan(str(comm.rank), joined)


def rounding_of_arrays(comm):
    """The last bits of sums of floats of very different sizes."""
    found = []
    for count in (1, 7, 300, 3000):
        chance = np.random.default_rng(comm.rank)
        mine = chance.normal(size=count) * 10.0 ** chance.integers(-8, 8, size=count)
        for root in range(comm.size):
            total = np.zeros(count)
            comm.Reduce(mine, total, root=root)
            found.append(total.tobytes().hex())
        for call in (comm.Allreduce, comm.Scan, comm.Exscan):
            total = np.zeros(count)
            call(mine, total)
            found.append(total.tobytes().hex())
        total = np.zeros(count)
        comm.Reduce_scatter_block(np.concatenate([mine] * comm.size), total)
        found.append(total.tobytes().hex())
    return found


def copies(comm):
    given = [comm.rank]
    got = comm.bcast(given)
    return got, got is given


def two_groups(comm):
    MPI, size = mpi(), comm.size
    if size < 2:
        return None
    low = comm.rank < size // 2
    group = comm.Split(0 if low else 1)
    between = group.Create_intercomm(0, comm, size // 2 if low else 0)
    others, found = between.Get_remote_size(), []
    mine = numbers(comm, 2)
    for root_is_low in (True, False):
        root = (MPI.ROOT if between.rank == 0 else MPI.PROC_NULL) if low == root_is_low else 0
        buffer, every, part, total = mine.copy(), empty(2 * others), empty(2), empty(2)
        between.Bcast(buffer, root)
        between.Gather(mine, every, root)
        between.Scatter(numbers(comm, 2 * others), part, root)
        between.Reduce(mine, total, root=root)
        found += [each.tolist() for each in (buffer, every, part, total)]
        found += [between.bcast(comm.rank, root), between.gather(comm.rank, root), between.reduce(comm.rank, root=root)]
        found.append(between.scatter([str(i) for i in range(others)], root))
    every, total, exchanged = empty(2 * others), empty(2), empty(others)
    between.Iallgather(mine, every).Wait()
    between.Allreduce(mine, total)
    between.Alltoall(numbers(comm, others), exchanged)
    found += [each.tolist() for each in (every, total, exchanged)]
    found += [between.allgather(comm.rank), between.allreduce(comm.rank), between.alltoall(["x"] * others)]
    between.barrier()
    between.Free()
    group.Free()
    return found


def neighbours(comm):
    size, rank, found = comm.size, comm.rank, []
    left, right = (rank - 1) % size, (rank + 1) % size
    made = [
        comm.Create_cart([size], [True]),
        comm.Create_cart([size], [False]),
        comm.Create_cart([1, size], [True, False]),
        comm.Create_dist_graph_adjacent([left, rank, left], [right, right, rank]),
        comm.Create_graph([2 * r + 2 for r in range(size)], [n for r in range(size) for n in ((r - 1) % size, r)])
        if size == 1
        else comm.Create_cart([size], [True]),
    ]
    for each in made:
        gets, gives = len(each.inedges), len(each.outedges)
        for form in ("now", "begun", "persistent"):
            given, got, every = numbers(comm, 2 * gives), empty(2 * gets), empty(gets)
            for name, arguments in (
                ("alltoall", (given, got)), ("allgather", (numbers(comm, 1), every)), ("alltoallv", (given, got)),
            ):  # fmt: skip
                if form == "now":
                    getattr(each, f"Neighbor_{name}")(*arguments)
                elif form == "begun":
                    getattr(each, f"Ineighbor_{name}")(*arguments).Wait()
                else:
                    request = getattr(each, f"Neighbor_{name}_init")(*arguments)
                    request.Start()
                    request.Wait()
                    request.Free()
                found.append((name, arguments[1].tolist()))
        found.append(each.neighbor_alltoall([f"{rank}.{i}" for i in range(gives)]))
        found.append(each.neighbor_allgather(rank))
        each.Free()
    return found


def mistakes(comm):
    """How what is wrong is refused where it is made: by the class of its error."""
    MPI, size = mpi(), comm.size

    def kind(call):
        try:
            call()
        except MPI.Exception as error:
            kinds = ("ERR_ROOT", "ERR_BUFFER", "ERR_COUNT", "ERR_TYPE", "ERR_OP", "ERR_ARG")
            return [kind for kind in kinds if error.Get_error_class() == getattr(MPI, kind)]
        except Exception as error:
            return type(error).__name__
        return None

    one = numbers(comm, 2)
    return [
        kind(lambda: comm.Bcast(one, root=size)),
        kind(lambda: comm.bcast(1, root=-7)),
        kind(lambda: comm.Ireduce(one, empty(2), root=size)),
        kind(lambda: comm.Allreduce(one, one)),
        kind(lambda: comm.Allreduce(one, empty(3))),
        kind(lambda: comm.Allreduce(one, empty(2, "f4"))),
        kind(lambda: comm.Allreduce(np.zeros(1, "f4"), np.zeros(1, "f4"), MPI.BAND)),
        kind(lambda: comm.Reduce_scatter(numbers(comm, size), empty(2), [1] * size)),
        kind(lambda: comm.Reduce_scatter(numbers(comm, size + 1), empty(1), [1] * size)),
        kind(lambda: comm.alltoall([1] * (size + 1))),
        kind(lambda: comm.Bcast(None)),
        kind(lambda: MPI.SUM.Reduce_local(one, empty(3))),
        kind(lambda: MPI.SUM.Free()),
    ]


PROGRAMS = [
    blocking, begun, persistent, many_at_once, started_in_another_order, in_place, derived_datatypes, order_of_ranks,
    rounding_of_objects, rounding_of_arrays, copies, two_groups, neighbours, mistakes,
]  # fmt: skip

#: What Open MPI has otherwise.
AS_MPICH_HAS_IT = {many_at_once, rounding_of_arrays, neighbours}


@pytest.mark.mpi
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_simulated_ranks_get_what_real_ranks_get(program):
    compare_with_real_ranks(program, AS_MPICH_HAS_IT)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_neither_latency_nor_order_changes_what_ranks_get(program):
    compare_orders(program, 4, "shuffled")
