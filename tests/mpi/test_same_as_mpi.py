"""Programs for mpi4py do on simulated ranks what they do on real ones.

Under plain pytest each program runs on simulated ranks, in its size range. Under ``mpirun -n 4 pytest`` it
also runs on the real COMM_WORLD, and every rank compares what it got with what its simulated twin got.
"""

import pytest
from both_worlds import compare_orders, compare_with_real_ranks, mpi

from bsbpool_sim import simulate

np = pytest.importorskip("numpy")


def ring(comm):
    right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    return comm.sendrecv({"from": comm.rank}, right, sendtag=3, source=left, recvtag=3)


def tags_select_messages(comm):
    if comm.rank == 0:
        for dest in range(1, comm.size):
            for tag in (1, 2, 3):
                comm.send(f"{tag} for {dest}", dest, tag=tag)
        return None
    return [comm.recv(source=0, tag=tag) for tag in (3, 1, 2)]


def messages_never_overtake(comm):
    if comm.rank:
        for i in range(20):
            comm.send((comm.rank, i), 0, tag=i % 2)
        return None
    seen = [[] for _ in range(comm.size)]
    for _ in range(20 * (comm.size - 1)):
        rank, i = comm.recv()
        seen[rank].append(i)
    return seen


def any_source_tells_who_sent(comm):
    status = mpi().Status()
    if comm.rank:
        comm.send(comm.rank * 10, 0, tag=comm.rank)
        return None
    got = []
    for _ in range(comm.size - 1):
        value = comm.recv(source=mpi().ANY_SOURCE, tag=mpi().ANY_TAG, status=status)
        got.append((value, status.Get_source(), status.source, status.Get_tag(), status.tag))
    return sorted(got)


def requests(comm):
    MPI = mpi()
    receives = [comm.irecv(source=r, tag=4) for r in range(comm.size)]
    sends = [comm.isend(comm.rank + r, r, tag=4) for r in range(comm.size)]
    got = MPI.Request.waitall(receives)
    MPI.Request.waitall(sends)
    again = MPI.Request.waitany(receives)
    return got, again == (MPI.UNDEFINED, None), MPI.Request.testall(receives)[0]


def requests_polled(comm):
    right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    request = comm.irecv(source=left)
    comm.barrier()
    send = comm.issend([comm.rank], right)
    while True:
        done, value = request.test()
        if done:
            break
    send.wait()
    return value


def probes(comm):
    status = mpi().Status()
    if comm.rank == 0:
        comm.Send(np.arange(5, dtype="i4"), comm.size - 1, tag=9)
    if comm.rank == comm.size - 1:
        comm.Probe(0, 9, status)
        counts = status.Get_count(mpi().INT), status.Get_count(mpi().BYTE), status.Get_count(mpi().DOUBLE)
        while not comm.Iprobe(0, 9):
            pass
        buffer = np.zeros(8, "i4")
        comm.Recv(buffer, 0, 9, status)
        return (
            [int(c) for c in counts[:2]],
            counts[2] == mpi().UNDEFINED,
            buffer.tolist(),
            status.Get_elements(mpi().INT),
        )
    return None


def matched_probes(comm):
    if comm.rank == 0:
        comm.send("first", comm.size - 1)
        comm.send("second", comm.size - 1)
    if comm.rank == comm.size - 1:
        message = comm.mprobe(source=0)
        return comm.recv(source=0), message.recv()
    return None


def nobody(comm):
    MPI = mpi()
    comm.send(1, MPI.PROC_NULL)
    status = MPI.Status()
    got = comm.recv(source=MPI.PROC_NULL, status=status)
    return (
        got,
        status.source == MPI.PROC_NULL,
        status.tag == MPI.ANY_TAG,
        comm.sendrecv(1, MPI.PROC_NULL, source=MPI.PROC_NULL),
    )


def objects(comm):
    rank, size = comm.rank, comm.size
    return (
        comm.bcast({"a": [1, 2]} if rank == 1 else None, root=1),
        comm.scatter([i * i for i in range(size)] if rank == 0 else None),
        comm.gather((rank, "x"), root=size - 1),
        comm.allgather(rank + 0.5),
        comm.alltoall([f"{rank}->{r}" for r in range(size)]),
        (comm.scatter(None), comm.alltoall(None)),
    )


def reductions(comm):
    MPI, rank = mpi(), comm.rank
    ops = [MPI.SUM, MPI.PROD, MPI.MAX, MPI.MIN, MPI.LAND, MPI.LOR, MPI.LXOR, MPI.BAND, MPI.BOR, MPI.BXOR]
    return (
        [comm.allreduce(rank + 1, op=op) for op in ops],
        comm.allreduce((rank % 2, rank), op=MPI.MAXLOC),
        comm.allreduce((rank % 2, rank), op=MPI.MINLOC),
        comm.reduce([rank], root=1),
        comm.reduce(f"{rank},", op=lambda a, b: a + b),
        comm.allreduce(0.1 * (rank + 1)),
        comm.scan(rank + 1),
        comm.exscan(rank + 1),
        comm.scan([rank], op=lambda a, b: a + b),
    )


def users_operation(comm):
    MPI = mpi()

    def added(a, b, datatype):
        if datatype is None:
            return a + b
        x, y = np.frombuffer(a, "f8"), np.frombuffer(b, "f8")
        y += x
        return None

    op = MPI.Op.Create(added, commute=True)
    result = np.zeros(2)
    comm.Allreduce(np.array([comm.rank, 1.0]), result, op=op)
    both = comm.allreduce((comm.rank,), op=op), result.tolist()
    op.Free()
    return both


def arrays(comm):
    MPI, rank, size = mpi(), comm.rank, comm.size
    mine = np.arange(3, dtype="f8") + rank
    out = []

    buffer = mine.copy()
    comm.Bcast(buffer, root=1)
    out.append(buffer.tolist())

    every = np.zeros((size, 3))
    comm.Gather(mine, every if rank == 0 else None, root=0)
    out.append(every.tolist())
    comm.Allgather([mine, 3, MPI.DOUBLE], [every, 3, MPI.DOUBLE])
    out.append(every.tolist())
    part = np.zeros(3)
    comm.Scatter([every * 2, MPI.DOUBLE] if rank == 0 else None, part)
    out.append(part.tolist())

    swapped = np.zeros(size, "i8")
    comm.Alltoall(np.arange(size) + 10 * rank, swapped)
    out.append(swapped.tolist())

    for op in (MPI.SUM, MPI.PROD, MPI.MAX, MPI.MIN):
        total = np.zeros(3)
        comm.Reduce(mine, total, op=op, root=size - 1)
        out.append(total.tolist())
        comm.Allreduce([mine, MPI.DOUBLE], [total, MPI.DOUBLE], op=op)
        out.append(total.tolist())
    for op in (MPI.BAND, MPI.BOR, MPI.BXOR, MPI.LAND):
        bits = np.zeros(2, "i4")
        comm.Allreduce(np.array([rank, 6], "i4"), bits, op=op)
        out.append(bits.tolist())

    prefix = np.zeros(3)
    comm.Scan(mine, prefix)
    out.append(prefix.tolist())
    before = np.full(3, -1.0)
    comm.Exscan(mine, before)
    out.append(before.tolist() if rank else None)
    return out


def in_place(comm):
    MPI, rank, size = mpi(), comm.rank, comm.size
    total = np.full(2, rank + 1.0)
    comm.Allreduce(MPI.IN_PLACE, total)
    at_root = np.full(2, rank + 1.0)
    if rank == 0:
        comm.Reduce(MPI.IN_PLACE, at_root, root=0)
    else:
        comm.Reduce(at_root, None, root=0)
    every = np.zeros(size, "i8")
    every[rank] = rank * rank
    comm.Allgather(MPI.IN_PLACE, every)
    gathered = np.zeros(size, "i8")
    gathered[0] = 7
    if rank == 0:
        comm.Gather(MPI.IN_PLACE, gathered, root=0)
    else:
        comm.Gather(np.array([rank], "i8"), None, root=0)
    return total.tolist(), at_root.tolist(), every.tolist(), gathered.tolist()


def blocks_of_different_sizes(comm):
    MPI, rank, size = mpi(), comm.rank, comm.size
    counts = [r + 1 for r in range(size)]
    offsets = [sum(counts[:r]) for r in range(size)]
    every = np.zeros(sum(counts), "i4")
    comm.Gatherv(np.full(rank + 1, rank, "i4"), [every, counts, offsets, MPI.INT] if rank == 0 else None)
    part = np.zeros(rank + 1, "i4")
    comm.Scatterv([every, (counts, offsets), MPI.INT] if rank == 0 else None, part)
    together = np.zeros(sum(counts), "i4")
    comm.Allgatherv(part, [together, counts])
    return every.tolist(), part.tolist(), together.tolist()


def buffers_of_all_sorts(comm):
    MPI = mpi()
    right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    got = bytearray(4)
    comm.Sendrecv(b"abcd", right, recvbuf=got, source=left)
    fortran = np.zeros((2, 3), order="F")
    comm.Sendrecv(np.asfortranarray(np.arange(6.0).reshape(2, 3) + comm.rank), right, recvbuf=fortran, source=left)
    some = np.zeros(4, "i4")
    request = comm.Irecv([some, (2, 1), MPI.INT], source=left)
    comm.Isend([np.arange(4, dtype="i4"), 2, MPI.INT], right).Wait()
    request.Wait()
    return bytes(got), fortran.tolist(), some.tolist()


def communicators(comm):
    MPI, rank, size = mpi(), comm.rank, comm.size
    copy = comm.Dup()
    halves = comm.Split(rank % 2, key=-rank)
    few = comm.Split(0 if rank == 0 else MPI.UNDEFINED)
    other = (rank + 1) % size
    comm.isend("world", other)
    copy.isend("copy", other)
    got = copy.recv(), comm.recv()
    result = (
        got,
        (halves.rank, halves.size, halves.allgather(rank)),
        few == MPI.COMM_NULL,
        bool(few),
        MPI.Comm.Compare(comm, copy) == MPI.CONGRUENT,
        MPI.Comm.Compare(comm, comm) == MPI.IDENT,
    )
    copy.Free()
    return (*result, copy == MPI.COMM_NULL)


def counter_in_a_window(comm):
    MPI = mpi()
    memory = np.zeros(2, "i8")
    window = MPI.Win.Create(memory if comm.rank == 0 else None, 8, comm=comm)
    mine = np.zeros(1, "i8")
    for _ in range(5):
        window.Lock(0, MPI.LOCK_EXCLUSIVE)
        window.Get(mine, 0, 1)
        window.Flush(0)
        window.Put(mine + 1, 0, 1)
        window.Unlock(0)
    comm.Barrier()
    window.Lock(0, MPI.LOCK_SHARED)
    window.Get(mine, 0, (1, 1, MPI.INT64_T))
    window.Unlock(0)
    comm.Barrier()
    window.Free()
    return mine.tolist()


def sums_in_a_window(comm):
    MPI = mpi()
    window = MPI.Win.Allocate(32, 8, comm=comm)
    memory = np.frombuffer(window.tomemory(), "i8")
    memory[:] = 0
    window.Fence()
    for r in range(comm.size):
        window.Accumulate(np.array([comm.rank + 1], "i8"), r, 2, op=MPI.SUM)
    window.Fence()
    result = memory.tolist()
    comm.Barrier()
    old = np.zeros(1, "i8")
    window.Lock_all()
    window.Fetch_and_op(np.array([1], "i8"), old, 0, 3, MPI.SUM)
    window.Unlock_all()
    olds = sorted(comm.allgather(int(old[0])))
    window.Free()
    return result, olds


def non_blocking_barrier(comm):
    request = comm.Ibarrier()
    request.Wait()
    return request.Test()


def numbers_of_all_sorts(comm):
    MPI, results = mpi(), []
    for kind in ("i1", "u2", "q", "f4", np.longdouble, "c16", np.clongdouble):
        result = np.zeros(2, kind)
        comm.Allreduce(np.array([1, 100], kind), result)
        results.append(str(result.tolist()))
    truth, bits, chars = np.zeros(2, "?"), bytearray(2), bytearray(1)
    comm.Allreduce(np.array([True, comm.rank == 0]), truth, op=MPI.LAND)
    comm.Allreduce([bytes([comm.rank, 4]), MPI.BYTE], [bits, MPI.BYTE], op=MPI.BOR)
    comm.Allreduce([bytes([1]), MPI.CHAR], [chars, MPI.CHAR])
    return results, truth.tolist(), list(bits), list(chars)


def strides(comm):
    MPI, rank, size = mpi(), comm.rank, comm.size
    every_third, mine = np.zeros(3 * size, "i4"), np.zeros(2, "i4")
    comm.Allgatherv(np.array([rank, 10 * rank], "i4"), [every_third, 2, 3, MPI.INT])
    comm.Scatterv([np.arange(3 * size, dtype="i4"), 2, 3, MPI.INT] if rank == 0 else None, mine)
    pair = np.zeros(2, "i4")
    comm.Scatterv([np.arange(3 * size, dtype="i4"), (2, 3), MPI.INT] if rank == 0 else None, pair)
    uneven = np.zeros(2 if rank == 0 else 1, "i4")
    comm.Scatterv(np.arange(size + 1, dtype="i4") if rank == 0 else None, uneven)
    return every_third.tolist(), mine.tolist(), pair.tolist(), uneven.tolist()


def statuses_of_several(comm):
    MPI, left, got = mpi(), (comm.rank - 1) % comm.size, []
    for ends, given in (("waitall", 0), ("waitall", 1), ("waitall", 3), ("testall", 0), ("waitsome", 0)):
        requests = [comm.irecv(source=left, tag=tag) for tag in (1, 2)]
        for tag in (1, 2):
            comm.send("x" * tag, (comm.rank + 1) % comm.size, tag=tag)
        comm.barrier()
        statuses, places = [MPI.Status() for _ in range(given)], []
        if ends == "waitsome":
            while True:
                some = []
                indices, _ = MPI.Request.waitsome(requests, some)
                if indices is None:
                    break
                places += zip(indices, [status.tag for status in some], strict=True)
        else:
            while not getattr(MPI.Request, ends)(requests, statuses)[0]:
                pass
        got.append((ends, [(status.source, status.tag) for status in statuses[:2]], len(statuses), sorted(places)))
    return got


def polled_status(comm):
    request = comm.irecv(source=(comm.rank - 1) % comm.size)
    comm.send(comm.rank, (comm.rank + 1) % comm.size)
    while not request.Get_status():
        pass
    return request.wait()


def targets_in_a_window(comm):
    MPI, right = mpi(), (comm.rank + 1) % comm.size
    memory, got = np.arange(8, dtype="i4"), np.full(4, -1, "i4")
    window = MPI.Win.Create(memory, 4, comm=comm)
    window.Fence()
    window.Get(got, right, [2, 2, MPI.INT])
    window.Fence()
    window.Put(np.array([7, 8], "i4"), right, (1, 2))
    window.Put(np.array([9, 9], "i4"), right, [4, 1, MPI.DOUBLE])
    window.Fence()
    window.Accumulate(np.ones(1, "i4"), right, [0, 1, MPI.INT])
    window.Fence()
    window.Free()
    return got.tolist(), memory.tolist()


def buffered_sends(comm):
    MPI, left, right = mpi(), (comm.rank - 1) % comm.size, (comm.rank + 1) % comm.size
    buffer, got = bytearray(MPI.BSEND_OVERHEAD + 1000), bytearray(3)
    MPI.Attach_buffer(buffer)
    comm.Bsend(b"abc", right)
    comm.Recv(got, left)
    comm.bsend(comm.rank, right)
    object = comm.recv(source=left)
    MPI.Detach_buffer()
    return bytes(got), object


def the_largest_tag(comm):
    tag = comm.Get_attr(mpi().TAG_UB)
    comm.send(comm.rank, (comm.rank + 1) % comm.size, tag=tag)
    return tag >= 32767, comm.recv(source=(comm.rank - 1) % comm.size, tag=tag)


def no_communicator_of_a_type(comm):
    return comm.Split_type(mpi().UNDEFINED) == mpi().COMM_NULL


def room_for_objects(comm):
    MPI, left, right = mpi(), (comm.rank - 1) % comm.size, (comm.rank + 1) % comm.size
    got: list[int | str] = []
    for size, buf in ((32_000, None), (40_000, None), (40_000, 1 << 16), (40_000, bytearray(50_000)), (40_000, 100)):
        sent, request = comm.isend(b"x" * size, right), comm.irecv(buf, source=left)
        try:
            got.append(len(request.wait()))
        except MPI.Exception:
            got.append("truncated")
        sent.wait()
        comm.barrier()
    return got


def names(comm):
    comm = comm.Dup()
    comm.Set_name(f"of {comm.rank}")
    comm.barrier()
    copy = comm.Dup()
    named = comm.Get_name(), comm.name, copy.Get_name()
    copy.Free()
    comm.Free()
    return named


def mistakes(comm):
    """Which kind of error each of these raises; each is found before anybody waits."""
    MPI, right, raised = mpi(), (comm.rank + 1) % comm.size, []
    window = MPI.Win.Create(np.zeros(8, "i4"), 4, comm=comm)
    window.Fence()
    comm.send("x", comm.rank, tag=5)
    message = comm.mprobe(source=comm.rank, tag=5)
    message.recv()
    ints, floats, two = np.zeros(3, "i4"), np.zeros(3, "f4"), np.zeros(2, "i4")
    largest = comm.Get_attr(MPI.TAG_UB)
    for wrong in (
        lambda: comm.Allreduce(ints, floats),
        lambda: comm.Allreduce(ints, np.zeros(5, "i4")),
        lambda: comm.Scan(ints, two),
        lambda: comm.Allreduce(ints.astype(">i4"), ints.astype(">i4")),
        lambda: comm.Allreduce(np.zeros(2, "i4,f8"), np.zeros(2, "i4,f8")),
        lambda: comm.Send(np.array(["ab"]), right),
        lambda: comm.Allreduce([bytes(3), MPI.BYTE], [bytearray(3), MPI.BYTE]),
        lambda: comm.Allreduce(floats, floats.copy(), op=MPI.BAND),
        lambda: comm.Allreduce(np.zeros(2, "?"), np.zeros(2, "?")),
        lambda: comm.Allreduce(floats, floats.copy(), op=MPI.REPLACE),
        lambda: window.Accumulate(two, right, [1, 2, MPI.FLOAT]),
        lambda: window.Put(two, right, -1),
        message.recv,
        lambda: comm.bsend("x", right),
        lambda: comm.Bsend(b"abc", right),
        lambda: comm.send("x", right, tag=largest + 1),
        lambda: comm.irecv(source=right, tag=largest + 1),
        lambda: comm.send("x", right, tag=2**40),
        lambda: comm.iprobe(tag=2**40),
        lambda: comm.Split_type(12345),
        MPI.Detach_buffer,
    ):
        try:
            wrong()
            raised.append(None)
        except MPI.Exception:
            raised.append("MPI")
        except Exception as error:
            # One that can't be simulated is refused where MPI raises an error of its own.
            raised.append({"CannotSimulateError": "MPI"}.get(type(error).__name__, type(error).__name__))
    return raised


PROGRAMS = [
    numbers_of_all_sorts, strides, statuses_of_several, polled_status, targets_in_a_window, buffered_sends,
    the_largest_tag, no_communicator_of_a_type, room_for_objects, names, mistakes,
    ring, tags_select_messages, messages_never_overtake, any_source_tells_who_sent, requests,
    requests_polled, probes, matched_probes, nobody, objects, reductions, users_operation, arrays,
    in_place, blocks_of_different_sizes, buffers_of_all_sorts, communicators, counter_in_a_window,
    sums_in_a_window, non_blocking_barrier,
]  # fmt: skip

#: What MPI calls erroneous, and leaves open: MPICH tells of it, Open MPI ends the process or goes on with other values.
AS_MPICH_HAS_IT = {targets_in_a_window, room_for_objects, mistakes}

#: What rank 1 of 2 gets, where that can be read at a glance.
EXPECTED = {
    strides: ([0, 0, 0, 1, 10, 0], [3, 4], [3, 4], [2]),
    polled_status: 0,
    room_for_objects: [32_000, "truncated", 40_000, 40_000, "truncated"],
    names: ("of 1", "of 1", ""),
    targets_in_a_window: ([2, 3, -1, -1], [1, 7, 8, 3, 9, 9, 6, 7]),
    buffered_sends: (b"abc", 0),
    mistakes: [
        "ValueError",
        "ValueError",
        "ValueError",
        "BufferError",
        "KeyError",
        "KeyError",
        *["MPI"] * 11,
        "OverflowError",
        "OverflowError",
        "MPI",
        None,
    ],
    ring: {"from": 0},
    tags_select_messages: ["3 for 1", "1 for 1", "2 for 1"],
    requests: ([1, 2], True, True),
    requests_polled: [0],
    probes: ([5, 20], True, [0, 1, 2, 3, 4, 0, 0, 0], 5),
    matched_probes: ("second", "first"),
    nobody: (None, True, True, None),
    objects: ({"a": [1, 2]}, 1, [(0, "x"), (1, "x")], [0.5, 1.5], ["0->1", "1->1"], (None, [None, None])),
    users_operation: ((0, 1), [1.0, 2.0]),
    in_place: ([3.0, 3.0], [2.0, 2.0], [0, 1], [7, 0]),
    blocks_of_different_sizes: ([0, 0, 0], [1, 1], [0, 1, 1]),
    communicators: (("copy", "world"), (0, 1, [1]), True, False, True, True, True),
    counter_in_a_window: [10],
    sums_in_a_window: ([0, 0, 3, 0], [0, 1]),
    non_blocking_barrier: True,
}


@pytest.mark.mpi
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_simulated_ranks_get_what_real_ranks_get(program):
    compare_with_real_ranks(program, AS_MPICH_HAS_IT)


@pytest.mark.parametrize("program", EXPECTED, ids=lambda p: p.__name__)
def test_simulated_ranks_get_what_real_ranks_got(program):
    assert simulate(program, 2).results[1] == EXPECTED[program]


@pytest.mark.parametrize("policy", [None, "shuffled"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_neither_latency_nor_order_changes_what_ranks_get(program, policy):
    compare_orders(program, 5, policy)
