"""Datatypes of simulated ranks: layout, constructors, packing, and buffers that have them."""

import functools
import pickle

import pytest

from bsbpool_sim import RankErrors, simulate
from bsbpool_sim import mpi as MPI

np = pytest.importorskip("numpy")


def facts(datatype):
    return datatype.size, datatype.Get_extent(), datatype.Get_true_extent(), datatype.typestr


# The figures are those of MPICH.
@pytest.mark.parametrize(
    ("datatype", "expected"),
    [
        (MPI.INT.Dup(), (4, (0, 4), (0, 4), "i4")),
        (MPI.INT.Create_contiguous(3), (12, (0, 12), (0, 12), "V12")),
        (MPI.INT.Create_vector(2, 3, -4), (24, (-16, 28), (-16, 28), "V28")),
        (MPI.INT.Create_hvector(2, 3, 5), (24, (0, 17), (0, 17), "V17")),
        (MPI.INT.Create_indexed([1, 2], [3, -4]), (12, (-16, 32), (-16, 32), "V32")),
        (MPI.INT.Create_indexed([0, 1], [-30, 4]), (4, (16, 4), (16, 4), "V4")),
        (MPI.INT.Create_hindexed_block(2, [3, 40]), (16, (3, 45), (3, 45), "V45")),
        (MPI.INT.Create_subarray([4, 5], [2, 3], [1, 1]), (24, (0, 80), (24, 32), "V80")),
        (MPI.INT.Create_subarray([4, 5], [2, 3], [1, 1], MPI.ORDER_F), (24, (0, 80), (20, 40), "V80")),
        (MPI.INT.Create_resized(-3, 40).Create_vector(2, 1, -2), (8, (-83, 120), (-80, 84), "V120")),
        (MPI.Datatype.Create_struct([1, 1], [0, 8], [MPI.DOUBLE, MPI.CHAR]), (9, (0, 16), (0, 9), "V16")),
        (MPI.Datatype.Create_struct([1, 2], [29, 33], [MPI.LONG, MPI.LONG]), (24, (29, 20), (29, 20), "V20")),
        (MPI.Datatype.Create_struct([], [], []), (0, (0, 0), (0, 0), "V0")),
        (MPI.DOUBLE_INT, (12, (0, 16), (0, 12), "V16")),
        (MPI.BYTE.Create_contiguous(1 << 40), (1 << 40, (0, 1 << 40), (0, 1 << 40), f"V{1 << 40}")),
    ],
)
def test_a_datatype_has_the_size_and_bounds_that_mpich_gives_it(datatype, expected):
    assert facts(datatype) == expected


def test_what_made_a_datatype_makes_it_again():
    darray = MPI.INT.Create_darray(4, 1, [9, 8], [MPI.DISTRIBUTE_BLOCK, MPI.DISTRIBUTE_CYCLIC], [-49767, 2], [2, 2])
    struct = MPI.Datatype.Create_struct([1, 2], [0, 8], [MPI.INT, darray])
    base, combiner, params = struct.decode()
    again = getattr(base, f"Create_{combiner.lower()}")(**params)
    assert (base, combiner) == (MPI.DATATYPE_NULL, "STRUCT")
    assert facts(again) == facts(struct)
    assert facts(pickle.loads(pickle.dumps(struct))) == facts(struct)
    assert darray.envelope == (10, 0, 2, 1, MPI.COMBINER_DARRAY)


def test_a_distributed_arrays_parts_are_the_whole():
    def part(rank):
        given = ([7, 9], [MPI.DISTRIBUTE_BLOCK, MPI.DISTRIBUTE_CYCLIC], [MPI.DISTRIBUTE_DFLT_DARG, 2], [2, 3])
        return MPI.INT.Create_darray(6, rank, *given).Commit()

    def program(comm):
        packed = np.zeros(part(comm.rank).size // 4, "i")
        part(comm.rank).Pack(np.arange(63, dtype="i"), packed, 0, comm)
        return packed.tolist()

    parts = simulate(program, 6).results
    assert sorted(each for part in parts for each in part) == [*range(63)]


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: MPI.INT.Free(), MPI.ERR_TYPE),
        (lambda: MPI.DATATYPE_NULL.Commit(), MPI.ERR_TYPE),
        (lambda: MPI.INT.Create_contiguous(-1), MPI.ERR_COUNT),
        (lambda: MPI.INT.Create_subarray([3], [4], [0]), MPI.ERR_ARG),
        (lambda: MPI.INT.Create_darray(4, 1, [9], [MPI.DISTRIBUTE_BLOCK], [2], [4]), MPI.ERR_ARG),
        (lambda: MPI.Datatype.Create_struct([1], [0], [MPI.DATATYPE_NULL]), MPI.ERR_TYPE),
        (lambda: MPI.INT.Get_contents(), MPI.ERR_TYPE),
        (lambda: MPI.Datatype.Match_size(MPI.TYPECLASS_REAL, 3), MPI.ERR_ARG),
        (lambda: MPI.INT.Pack_external("external32", bytes(8), bytearray(8), 4), MPI.ERR_ARG),
    ],
)
def test_what_mpi_forbids_of_datatypes_is_refused_with_its_class(call, kind):
    with pytest.raises(MPI.Exception) as caught:
        call()
    assert caught.value.Get_error_class() == kind


def test_a_handle_that_was_freed_is_null_and_what_was_made_of_it_stays():
    def program(comm):
        column = MPI.INT.Create_vector(2, 1, 2)
        other, pair = MPI.Datatype(column), column.Create_contiguous(2)
        column.Free()
        return bool(column), bool(other), pair.size, MPI.Datatype.fromhandle(other.handle) == other

    assert simulate(program, ranks=1).results == [(False, True, 16, True)]


def test_names_of_predefined_datatypes_are_each_ranks_own():
    def program(comm):
        if comm.rank:
            MPI.INT.Set_name("mine")
        comm.barrier()
        return MPI.INT.name

    assert simulate(program, ranks=2).results == ["MPI_INT", "mine"]


def test_a_column_is_sent_and_received_as_a_row():
    def program(comm):
        matrix = np.arange(12, dtype="i").reshape(3, 4)
        if comm.rank == 0:
            column = MPI.INT.Create_vector(3, 1, 4).Commit()
            comm.Send([matrix[:, 1:].base, 1, column], 1)
            return None
        row, status = np.zeros(4, "i"), MPI.Status()
        comm.Recv(row, 0, status=status)
        return row.tolist(), status.Get_count(MPI.INT), status.Get_elements(MPI.INT.Create_contiguous(2))

    assert simulate(program, ranks=2).results[1] == ([0, 4, 8, 0], 3, 3)


def test_less_than_a_whole_item_is_received_into_its_first_parts():
    def program(comm):
        into = np.full(6, -1, "i")
        comm.Send(np.arange(3, dtype="i"), 0)
        status = MPI.Status()
        comm.Recv([into, 1, MPI.INT.Create_vector(3, 2, 2).Commit()], 0, status=status)
        return into.tolist(), status.Get_count(MPI.INT.Create_contiguous(2)), status.count

    assert simulate(program, ranks=1).results[0] == ([0, 1, 2, -1, -1, -1], MPI.UNDEFINED, 12)


def test_addresses_are_displacements_from_bottom():
    def program(comm):
        one, two, into = np.arange(2, dtype="i"), np.array([2.5]), bytearray(16)
        where = [MPI.Get_address(one), MPI.Get_address(two)]
        both = MPI.Datatype.Create_struct([2, 1], where, [MPI.INT, MPI.DOUBLE]).Commit()
        comm.Sendrecv([MPI.BOTTOM, 1, both], 0, recvbuf=into, source=0)
        return bytes(into) == one.tobytes() + two.tobytes()

    assert simulate(program, ranks=1).results == [True]


@pytest.mark.parametrize(
    ("spec", "error", "said"),
    [
        (lambda: [bytearray(8), 1, MPI.INT.Create_contiguous(2)], MPI.Exception, r"was not committed: call its Commit"),
        (lambda: [bytearray(8), 3, MPI.INT], MPI.Exception, "a buffer of 8 bytes has no room for 3 items of INT"),
        (lambda: [bytearray(8), 1, MPI.INT.Create_vector(2, 1, -1).Commit()], MPI.Exception, "from byte -4 to byte 4"),
        (lambda: [bytearray(6), MPI.INT], ValueError, "buffer length 6 is not a multiple of datatype extent 4"),
        (lambda: [bytearray(8), (1, 3), MPI.INT], ValueError, "displacement 3 out of bounds"),
        (lambda: [None, 1, MPI.INT], ValueError, "buffer is None but count is 1"),
        (lambda: [MPI.BOTTOM, 1, MPI.INT], MPI.Exception, "displacements of a datatype are addresses"),
        (lambda: [bytearray(8), 1, MPI.DATATYPE_NULL], MPI.Exception, "is DATATYPE_NULL"),
        (lambda: 5, TypeError, "expecting buffer or list/tuple, not 5"),
    ],
)
def test_a_buffer_that_can_not_be_right_is_refused(spec, error, said):
    def program(comm):
        with pytest.raises(error, match=said):
            comm.Send(spec(), 0)

    simulate(program, ranks=1)


def test_pairs_are_reduced_with_their_places():
    def program(comm):
        pairs = np.zeros(2, np.dtype([("value", "f8"), ("index", "i4")], align=True))
        pairs["value"], pairs["index"] = [comm.rank, 7.0], comm.rank
        found = np.zeros_like(pairs)
        comm.Allreduce([pairs, MPI.DOUBLE_INT], [found, MPI.DOUBLE_INT], MPI.MAXLOC)
        return found["value"].tolist(), found["index"].tolist()

    assert simulate(program, ranks=3).results == [([2.0, 7.0], [2, 0])] * 3


def test_a_programs_operation_gets_memory_as_the_datatype_lays_it_out():
    def program(comm):
        pair = MPI.Datatype.Create_struct([1, 1], [0, 8], [MPI.INT, MPI.DOUBLE]).Commit()

        def add(a, b, datatype):
            assert datatype == pair
            x, y = (np.frombuffer(each, "i4,f4,f8") for each in (a, b))
            y["f0"] += x["f0"]
            y["f2"] += x["f2"]

        mine, total = np.array([(1, 0, 0.5)], "i4,f4,f8"), np.zeros(1, "i4,f4,f8")
        comm.Allreduce([mine, 1, pair], [total, 1, pair], MPI.Op.Create(add, True))
        return total["f0"][0], total["f2"][0]

    assert simulate(program, ranks=3).results == [(3, 1.5)] * 3


def test_external32_is_big_endian_and_of_its_own_sizes():
    out = bytearray(24)
    at = MPI.LONG.Pack_external("external32", np.array([-2]), out, 0)
    at = MPI.LONG_DOUBLE.Pack_external("external32", np.array([-1.5], np.longdouble), out, at)
    assert (at, bytes(out[:6])) == (20, b"\xff\xff\xff\xfe\xbf\xff")
    back, wide = np.zeros(1, "i8"), np.zeros(1, np.longdouble)
    at = MPI.LONG.Unpack_external("external32", out, 0, back)
    MPI.LONG_DOUBLE.Unpack_external("external32", out[: at + 16], at, wide)
    assert (back[0], wide[0]) == (-2, -1.5)


def test_a_status_is_memory_of_the_programs():
    status = MPI.Status()
    status.source, status.count, status.cancelled = 3, 1 << 33, True
    again = MPI.Status.f2py(status.py2f())
    assert (again, again.count, again.cancelled) == (status, 1 << 33, True)
    status.tomemory()[MPI.F_SOURCE] = 5
    assert status.Get_source() == 5
    with pytest.raises(TypeError, match="a status is made of another one"):
        MPI.Status(3)  # type: ignore[arg-type]  # which is what is tested


def test_memory_of_mpi_is_bytes_that_c_code_finds():
    memory = MPI.buffer.allocate(4)
    memory[1:3] = b"ab"
    assert (bytes(memory), memory[2], len(memory), MPI.Get_address(memory)) == (b"\0ab\0", 98, 4, memory.address)
    with pytest.raises(BufferError, match="not writable"):
        MPI.buffer.frombuffer(b"abc")
    memory.release()
    assert (memory.address, memory.nbytes, memory.obj) == (0, 0, None)


class Foreign:
    """An array without the buffer protocol, but with an interface of its own."""

    def __init__(self, array, **interface):
        self.array = array
        self.__cuda_array_interface__ = {**array.__array_interface__, **interface}


def test_arrays_without_the_buffer_protocol_are_sent_by_their_interface():
    def program(comm):
        given, into = Foreign(np.arange(3, dtype="i")), np.zeros(3, "i")
        comm.Sendrecv(given, 0, recvbuf=into, source=0)
        memory = MPI.buffer.frombuffer(given)
        with pytest.raises(BufferError, match="not CPU-accessible"):
            memory.tobytes()
        return into.tolist(), MPI.Get_address(given) == MPI.Get_address(given.array)

    assert simulate(program, ranks=1).results == [([0, 1, 2], True)]


@pytest.mark.parametrize(
    ("interface", "error", "said"),
    [
        ({"data": (16, False)}, BufferError, "in memory of a device, which simulated ranks can't reach"),
        ({"strides": (8,)}, BufferError, "must be contiguous"),
        ({"typestr": ">i4"}, BufferError, "the byte order of another machine"),
        ({"mask": object()}, BufferError, "is masked"),
        ({"descr": 3}, TypeError, "'descr' is a list"),
    ],
)
def test_an_interface_that_can_not_be_read_is_refused(interface, error, said):
    def program(comm):
        with pytest.raises(error, match=said):
            comm.Send(Foreign(np.arange(3, dtype="i"), **{"strides": None, "descr": None, **interface}), 0)

    simulate(program, ranks=1)


def test_an_array_of_counts_may_be_numpys():
    def program(comm):
        into = np.zeros(4, "i")
        comm.Allgatherv(np.full(2, comm.rank, "i"), [into, np.array([2, 2]), np.array([2, 0]), MPI.INT])
        return into.tolist()

    assert simulate(program, ranks=2).results == [[1, 1, 0, 0]] * 2


def test_a_pickle_leaves_nothing_of_what_it_makes_a_datatype_of():
    def program(comm):
        base = MPI.INT.Dup()
        struct = MPI.Datatype.Create_struct([1, 1], [0, 16], [base, base])
        again = pickle.loads(pickle.dumps(struct))
        result = facts(again), facts(struct)
        for each in (base, struct, again):
            each.Free()
        return result

    run = simulate(program, 1, checks=["leaked-handle"])
    ((again, struct),) = run.results
    assert (again, run.violations) == (struct, [])


def test_what_is_packed_reaches_no_further_than_its_buffer():
    def program(comm, unpack):
        part = MPI.INT.Create_hindexed([2, 1], [8, 40]).Commit()  # 36 bytes, of which the first is byte 8
        if unpack:
            part.Unpack(bytearray(100), 0, np.zeros(18, "i4"), comm)
        part.Pack(np.arange(18, dtype="i4"), bytearray(100), 0, comm)

    for unpack in (False, True):
        with pytest.raises(RankErrors, match=r"72 bytes stands for 2 items of 36 bytes, .* from byte 8 to byte 80"):
            simulate(functools.partial(program, unpack=unpack), 1)
