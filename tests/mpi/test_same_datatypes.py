"""Datatypes, packing, requests and matched messages are on simulated ranks what they are on real ones.

As in `test_same_as_mpi`: under ``mpirun -n 4 pytest`` each program also runs on the real COMM_WORLD.
"""

import pickle

import pytest
from both_worlds import compare_orders, compare_with_real_ranks, mpi

np = pytest.importorskip("numpy")


def error_of(call):
    """The class of MPI's error that a call raises, or Python's class."""
    MPI = mpi()
    try:
        call()
    except MPI.Exception as error:
        return error.Get_error_class()
    except Exception as error:
        return type(error).__name__
    return None


def layouts(comm):
    MPI = mpi()
    made = [
        MPI.INT.Create_vector(3, 2, -4),
        MPI.DOUBLE.Create_hindexed([1, 0, 2], [24, 90, -8]),
        MPI.SHORT.Create_indexed_block(2, [5, 0, 3]).Create_resized(-2, 40),
        MPI.Datatype.Create_struct([1, 2, 1], [0, 8, 40], [MPI.CHAR, MPI.C_DOUBLE_COMPLEX, MPI.FLOAT]),
        MPI.INT.Create_subarray([4, 5, 3], [2, 3, 1], [1, 1, 2], MPI.ORDER_F),
        MPI.INT.Create_darray(6, comm.rank, [7, 9], [121, 122], [MPI.DISTRIBUTE_DFLT_DARG, 2], [2, 3]),
    ]
    made += [made[0].Create_contiguous(2), made[3].Dup().Create_hvector(2, 1, 100)]
    found = []
    for each in made:
        each.Commit()
        _, combiner, _ = each.decode()
        found.append((each.size, each.Get_extent(), each.Get_true_extent(), each.envelope, each.contents[:3], combiner))
    return found


def parts_of_an_array(comm):
    MPI, right, left = mpi(), (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    array = np.arange(20, dtype="i").reshape(4, 5) + 100 * comm.rank
    block = MPI.INT.Create_subarray([4, 5], [2, 3], [1, 2]).Commit()
    row, status = np.full(8, -1, "i"), MPI.Status()
    comm.Sendrecv([array, 1, block], right, recvbuf=row, source=left, status=status)
    column = MPI.INT.Create_vector(4, 1, 5).Create_resized(0, 4).Commit()
    turned = np.zeros((5, 4), "i")
    comm.Sendrecv([array, 5, column], right, recvbuf=turned, source=left)
    return row.tolist(), status.Get_count(MPI.INT), status.Get_elements(block), turned.tolist()


def structures(comm):
    MPI, right, left = mpi(), (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    kind = np.dtype([("id", "i4"), ("mass", "f8"), ("kept", "f8")], align=True)
    particle = MPI.Datatype.Create_struct([1, 1], [0, kind.fields["mass"][1]], [MPI.INT, MPI.DOUBLE])
    particle = particle.Create_resized(0, kind.itemsize).Commit()
    mine, got = np.zeros(3, kind), np.zeros(3, kind)
    mine["id"], mine["mass"], mine["kept"], got["kept"] = np.arange(3) + comm.rank, 0.5, 1, 7
    comm.Sendrecv([mine, 3, particle], right, recvbuf=[got, 3, particle], source=left)
    return got["id"].tolist(), got["mass"].tolist(), got["kept"].tolist()


def packed(comm):
    MPI, right, left = mpi(), (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    out, into = bytearray(40), bytearray(40)
    at = MPI.INT.Pack(np.array([comm.rank, 5], "i"), out, 0, comm)
    at = MPI.DOUBLE.Pack(np.array([0.25]), out, at, comm)
    comm.Sendrecv([out, at, MPI.PACKED], right, recvbuf=[into, MPI.PACKED], source=left)
    numbers, real = np.zeros(2, "i"), np.zeros(1)
    back = MPI.INT.Unpack(into, 0, numbers, comm)
    back = MPI.DOUBLE.Unpack(into, back, real, comm)
    canonical = bytearray(24)
    end = MPI.LONG.Pack_external("external32", np.array([-3]), canonical, 0)
    end = MPI.DOUBLE.Pack_external("external32", real, canonical, end)
    return at, numbers.tolist(), real.tolist(), back, end, bytes(canonical)


def pairs(comm):
    MPI = mpi()
    found = []
    for name, kind in (("DOUBLE_INT", "f8"), ("SHORT_INT", "i2"), ("FLOAT_INT", "f4"), ("LONG_INT", "i8")):
        mine = np.zeros(2, np.dtype([("value", kind), ("index", "i4")], align=True))
        mine["value"], mine["index"] = [comm.rank % 2, 3], comm.rank
        for op in (MPI.MAXLOC, MPI.MINLOC):
            result = np.zeros_like(mine)
            comm.Allreduce([mine, getattr(MPI, name)], [result, getattr(MPI, name)], op)
            found.append((result["value"].tolist(), result["index"].tolist()))
    return found


def operations_by_type(comm):
    MPI = mpi()
    names = "INT LONG UNSIGNED_CHAR INTEGER DOUBLE LONG_DOUBLE C_DOUBLE_COMPLEX C_BOOL LOGICAL BYTE CHAR WCHAR AINT"
    allowed = []
    for name in [*names.split(), "INT_INT"]:
        for op in ["MAX", "SUM", "LAND", "BXOR", "MAXLOC", "REPLACE"]:
            buffers = [[bytearray(16), 1, getattr(MPI, name)] for _ in range(2)]
            allowed.append(error_of(lambda op=op, b=buffers: getattr(MPI, op).Reduce_local(*b)))
    return allowed


def mistakes(comm):
    MPI = mpi()
    me, pair = comm.rank, MPI.INT.Create_contiguous(2)
    return [
        error_of(call)
        for call in (
            lambda: comm.Send([bytearray(8), 1, pair], me),
            lambda: comm.Send([bytearray(8), 1, MPI.DATATYPE_NULL], me),
            lambda: comm.Send([bytearray(6), MPI.INT], me),
            lambda: comm.Send([bytearray(8), -1, MPI.INT], me),
            lambda: comm.Send([bytearray(8), (1, 3), MPI.INT], me),
            lambda: comm.Send([None, 1, MPI.INT], me),
            lambda: comm.Send([bytearray(8), "?!"], me),
            lambda: comm.Send(np.zeros(2, ">i4"), me),
            lambda: comm.Send(3, me),
            lambda: comm.Recv(bytes(2), me),
            lambda: MPI.INT.Free(),
            lambda: MPI.INT.Create_contiguous(-1),
            lambda: MPI.INT.Create_indexed([1], [1, 2]),
            lambda: MPI.Datatype.Match_size(MPI.TYPECLASS_REAL, 5),
            lambda: MPI.REQUEST_NULL.Free(),
            lambda: MPI.REQUEST_NULL.Cancel(),
            lambda: MPI.MESSAGE_NULL.recv(),
            lambda: MPI.Prequest().Start(),
            lambda: pickle.dumps(comm.Irecv(bytearray(1), MPI.PROC_NULL)),
            lambda: comm.bsend(1, me),
            lambda: MPI.Attach_buffer(bytearray(10)),
        )
    ]


def persistent(comm):
    MPI, right, left = mpi(), (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    out, into, got = np.zeros(2), np.zeros(2), []
    both = [comm.Recv_init(into, left, 2), comm.Send_init(out, right, 2)]
    for i in range(3):
        out[:] = comm.rank, i
        MPI.Prequest.Startall(both)
        MPI.Request.Waitall(both)
        got.append(into.tolist())
    alive = [bool(each) for each in both], MPI.Request.Testany(both)[1], MPI.Request.Waitsome(both)
    for each in both:
        each.Free()
    return got, alive, [each == MPI.REQUEST_NULL for each in both]


def partitioned(comm):
    right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    out, into, got = np.arange(6, dtype="i") + 10 * comm.rank, np.zeros(6, "i"), []
    send, receive = comm.Psend_init(out, 3, right), comm.Precv_init(into, 3, left, 0)
    for _ in range(2):
        receive.Start()
        send.Start()
        send.Pready_list([2, 0])
        send.Pready(1)
        while not receive.Parrived(1):
            pass
        receive.Wait()
        send.Wait()
        got.append(into.tolist())
    send.Free()
    receive.Free()
    return got


def ends(comm):
    MPI, status = mpi(), mpi().Status()
    right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    request = comm.irecv(source=left, tag=1)
    other = MPI.Request(request)
    comm.send("x", right, tag=1)
    while not request.Get_status(status):
        pass
    seen = status.tag, request == other, request.wait(), bool(request), request.test(status), status.tag
    cancelled = comm.Irecv(bytearray(1), left, tag=9)
    cancelled.Cancel()
    cancelled.Wait(status)
    null = MPI.Request()
    return seen, status.Is_cancelled(), null.Test(status), status.source, pickle.loads(pickle.dumps(null)) == null


def generalised(comm):
    MPI, said = mpi(), []
    status = MPI.Status()

    def query(status):
        status.Set_tag(7)
        status.Set_elements(MPI.INT, 3)

    request = MPI.Grequest.Start(query, lambda: said.append("free"), said.append)
    waiting = request.Test()
    request.Cancel()
    request.complete("result")
    return waiting, request.wait(status), status.tag, status.Get_count(MPI.INT), said, bool(request)


def matched(comm):
    MPI = mpi()
    right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    requests, into, status = [comm.Isend(b"abc", right, tag=i) for i in range(2)], bytearray(3), MPI.Status()
    second = comm.Mprobe(left, 1, status)
    first = MPI.Message.Probe(comm, left, 0)
    size = status.count
    second.Recv(into)
    first.Irecv(into).Wait(status)
    MPI.Request.Waitall(requests)
    nobody = comm.Mprobe(MPI.PROC_NULL)
    seen = nobody == MPI.MESSAGE_NO_PROC, bool(nobody)
    nobody.Recv(None)
    return size, bytes(into), status.tag, bool(first), seen, bool(nobody), comm.Improbe(left, 5) is None


def replaced(comm):
    right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    array = np.full(3, comm.rank)
    comm.Sendrecv_replace(array, right, source=left)
    comm.Isendrecv_replace(array, right, source=left).Wait()
    other = np.zeros(3, array.dtype)
    comm.Isendrecv(array, right, 0, other, left).Wait()
    return array.tolist(), other.tolist()


def arrays_with_a_stride_of_bytes(comm):
    MPI, right, left = mpi(), (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    numbers = np.arange(6, dtype="f8") + comm.rank
    where = [MPI.Get_address(numbers[i:]) for i in (4, 1)]
    both = MPI.Datatype.Create_struct([1, 1], where, [MPI.DOUBLE, MPI.DOUBLE]).Commit()
    got = np.zeros(2)
    comm.Sendrecv([MPI.BOTTOM, 1, both], right, recvbuf=got, source=left)
    return got.tolist()


def told_before_the_wait(comm):
    """A buffer that a receive has filled may be read, and changed, as soon as the program knows that it has ended."""
    MPI, status = mpi(), mpi().Status()
    got = np.zeros(2, "i4")
    request = comm.Irecv(got, (comm.rank - 1) % comm.size, 4)
    comm.Send(np.array([comm.rank, 7], "i4"), (comm.rank + 1) % comm.size, 4)
    while not request.Get_status(status):
        pass
    seen = got.tolist(), status.Get_tag(), status.Get_count(MPI.INT)
    got += 1
    request.Wait(status)
    return seen, got.tolist(), status.Get_tag(), bool(request)


PROGRAMS = [
    layouts, parts_of_an_array, structures, packed, pairs, operations_by_type, mistakes, persistent, partitioned, ends,
    generalised, matched, replaced, arrays_with_a_stride_of_bytes, told_before_the_wait,
]  # fmt: skip

#: What Open MPI has otherwise.
AS_MPICH_HAS_IT = {layouts, operations_by_type, mistakes, ends}


@pytest.mark.mpi
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_simulated_ranks_get_what_real_ranks_get(program):
    compare_with_real_ranks(program, AS_MPICH_HAS_IT)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_neither_latency_nor_order_changes_what_ranks_get(program):
    compare_orders(program, 5, "shuffled")
