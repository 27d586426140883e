"""MPI.File on simulated ranks: real files, pointers, views, collective accesses, and what is refused."""

import contextlib
import os
import pickle

import pytest

from bsbpool_sim import CannotSimulateError, DeadlockError, RankErrors, explore, simulate
from bsbpool_sim import mpi as MPI

np = pytest.importorskip("numpy")

CREATE = MPI.MODE_CREATE | MPI.MODE_RDWR


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.bin"


def run(program, ranks=2, **options):
    return simulate(program, ranks, **options).results


def with_file(path, action, ranks=1, amode=CREATE):
    """The results of `action(file, comm)` on ranks that have opened `path` together."""

    def program(comm):
        file = MPI.File.Open(comm, path, amode)
        result = action(file, comm)
        file.Close()
        return result

    return run(program, ranks)


def classes_of(path, action, ranks=1, amode=CREATE):
    """The error class that `action` raises on each rank."""

    def classified(file, comm):
        try:
            action(file, comm)
        except MPI.Exception as error:
            return error.Get_error_class()
        return None

    return with_file(path, classified, ranks, amode)


def ints(*values):
    return np.array(values, "i4")


# -- opening ---------------------------------------------------------------------------------------------


def opened(path, amode, ranks=1):
    """The error classes with which ranks can't open a file."""

    def program(comm):
        try:
            MPI.File.Open(comm, path, amode if isinstance(amode, int) else amode[comm.rank]).Close()
        except MPI.Exception as error:
            return error.Get_error_class()
        return None

    return run(program, ranks)


@pytest.mark.parametrize(
    "amode",
    [
        0,
        MPI.MODE_RDONLY | MPI.MODE_WRONLY,
        MPI.MODE_RDONLY | MPI.MODE_CREATE,
        MPI.MODE_RDONLY | MPI.MODE_EXCL,
        MPI.MODE_RDWR | MPI.MODE_SEQUENTIAL,
        1 << 20,
        -1,
    ],
)
def test_a_mode_that_is_none_is_refused(path, amode):
    assert opened(path, amode) == [MPI.ERR_AMODE]
    assert not path.exists()


def test_a_file_that_is_not_there_is_created_only_if_asked(path):
    assert opened(path, MPI.MODE_RDWR, 2) == [MPI.ERR_NO_SUCH_FILE] * 2
    assert opened(path, CREATE, 2) == [None, None]
    assert path.read_bytes() == b""


def test_opening_leaves_what_is_in_a_file(path):
    path.write_bytes(b"kept")
    assert opened(path, CREATE) == [None]
    assert path.read_bytes() == b"kept"


def test_a_file_that_must_be_new_must_not_be_there(path):
    assert opened(path, CREATE | MPI.MODE_EXCL, 2) == [None, None]
    assert opened(path, CREATE | MPI.MODE_EXCL, 2) == [MPI.ERR_FILE_EXISTS] * 2


def test_a_name_that_no_file_can_have_is_refused(tmp_path):
    assert opened(tmp_path, CREATE) == [MPI.ERR_BAD_FILE]
    (tmp_path / "file").touch()
    assert opened(tmp_path / "file" / "x", CREATE) == [MPI.ERR_BAD_FILE]
    assert opened(tmp_path / ("x" * 300), CREATE) == [MPI.ERR_BAD_FILE]
    with pytest.raises(RankErrors, match="embedded null byte"):
        opened("a\0b", CREATE)


def test_ranks_must_give_one_mode(path):
    assert opened(path, [CREATE, CREATE | MPI.MODE_UNIQUE_OPEN], 2) == [MPI.ERR_NOT_SAME] * 2


def test_ranks_must_open_one_file(tmp_path):
    def program(comm):
        MPI.File.Open(comm, tmp_path / f"file {comm.rank}", CREATE)

    with pytest.raises(RankErrors) as caught:
        run(program)
    assert [caught.value.by_rank[rank] for rank in (0, 1)] == [MPI.ERR_IO, MPI.ERR_NO_SUCH_FILE]
    (tmp_path / "file 1").touch()
    with pytest.raises(RankErrors, match="all must open one file"):
        run(program)


def test_a_file_may_have_several_names(path):
    path.touch()
    os.link(path, path.with_name("link"))

    def program(comm):
        file = MPI.File.Open(comm, [path, path.with_name("link")][comm.rank], MPI.MODE_RDWR)
        file.Write_ordered(ints(comm.rank))
        file.Close()

    run(program)
    assert np.fromfile(path, "i4").tolist() == [0, 1]


def test_a_file_that_is_deleted_on_close_is_gone_then(path):
    assert with_file(path, lambda file, comm: path.exists(), 2, CREATE | MPI.MODE_DELETE_ON_CLOSE) == [True, True]
    assert not path.exists()


def test_files_are_deleted(path):
    def program(comm):
        MPI.File.Delete(path)

    path.touch()
    run(program, 1)
    assert not path.exists()
    with pytest.raises(RankErrors, match="No such file") as caught:
        run(program, 1)
    assert caught.value.by_rank[0] == MPI.ERR_NO_SUCH_FILE


def test_a_file_that_is_never_closed_is_closed_when_the_simulation_ends(path):
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []

    def program(comm):
        MPI.File.Open(comm, path, CREATE).Write_ordered(ints(comm.rank))

    run(program, 3)
    assert np.fromfile(path, "i4").tolist() == [0, 1, 2]
    assert not before or len(os.listdir("/proc/self/fd")) == len(before)


def test_a_closed_file_is_null(path):
    def action(file, comm):
        same = MPI.File(file)
        other = MPI.File.Open(comm, path, CREATE)
        equal = file == same, file == other, bool(other)
        other.Close()
        other.free()
        return equal, other == MPI.FILE_NULL, bool(other)

    assert with_file(path, action) == [((True, False, True), True, False)]

    def program(comm):
        MPI.FILE_NULL.Get_size()

    with pytest.raises(RankErrors, match="Get_size: the file is FILE_NULL") as caught:
        run(program, 1)
    assert caught.value.by_rank[0] == MPI.ERR_FILE


# -- access ----------------------------------------------------------------------------------------------


def test_data_is_written_and_read_at_offsets(path):
    def action(file, comm):
        file.Write_at(100, ints(1, 2, 3))
        back, status = ints(0, 0, 0), MPI.Status()
        file.Read_at(100, back, status)
        return back.tolist(), status.Get_count(MPI.INT), file.Get_size(), file.Get_position()

    assert with_file(path, action) == [([1, 2, 3], 3, 112, 0)]
    assert path.read_bytes() == bytes(100) + ints(1, 2, 3).tobytes()


def test_a_read_ends_where_the_file_ends(path):
    def action(file, comm):
        file.Write(ints(1, 2, 3))
        file.Seek(6)
        back, status = ints(7, 7, 7), MPI.Status()
        file.Read(back, status)
        found = status.Get_count(MPI.BYTE), status.Get_count(MPI.INT), back.tolist()[2]
        file.Read(back, status)
        return found, status.Get_count(MPI.BYTE), file.Get_position()

    assert with_file(path, action) == [((6, MPI.UNDEFINED, 7), 0, 12)]


def test_a_request_moves_the_pointer_by_what_was_asked_for(path):
    def action(file, comm):
        file.Iwrite(ints(1, 2)).Wait()
        file.Seek(0)
        status = MPI.Status()
        file.Iread(ints(0, 0, 0)).Wait(status)
        return file.Get_position(), status.Get_count(MPI.INT)

    assert with_file(path, action) == [(12, 2)]


def test_each_rank_has_a_pointer_of_its_own_and_all_have_one_together(path):
    def action(file, comm):
        file.Write_shared(ints(comm.rank, comm.rank))
        comm.Barrier()
        mine = ints(9, 9)
        file.Read(mine)
        return mine.tolist(), file.Get_position(), file.Get_position_shared()

    results = with_file(path, action, 3)
    wrote = np.fromfile(path, "i4").tolist()
    assert sorted(wrote) == [0, 0, 1, 1, 2, 2]
    assert results == [(wrote[:2], 8, 24)] * 3


def test_which_rank_writes_first_at_the_shared_pointer_is_a_choice(path):
    def order(seed):
        path.write_bytes(b"")

        def program(comm):
            file = MPI.File.Open(comm, path, CREATE)
            file.Write_shared(bytes([comm.rank]))
            file.Close()

        run(program, 3, seed=seed, policy="shuffled")
        return path.read_bytes()

    assert len({order(seed) for seed in range(20)}) == 6


def test_ordered_accesses_are_in_the_order_of_ranks(path):
    def action(file, comm):
        comm.Barrier()
        file.Write_ordered(np.full(comm.rank + 1, comm.rank, "i4"))
        file.Write_ordered(ints(10 + comm.rank))
        file.Seek_shared(0)
        back = np.zeros(comm.rank + 1, "i4")
        file.Read_ordered(back)
        return back.tolist()

    assert with_file(path, action, 3) == [[0], [1, 1], [2, 2, 2]]
    assert np.fromfile(path, "i4").tolist() == [0, 1, 1, 2, 2, 2, 10, 11, 12]


@pytest.mark.parametrize("kind", ["_all", "_at_all", "_ordered"])
@pytest.mark.parametrize("how", ["at once", "split", "request"])
def test_collective_accesses_do_what_single_ones_do(path, kind, how):
    if (kind, how) == ("_ordered", "request"):
        pytest.skip("MPI has no such call")

    def access(file, word, offset, buffer):
        place, status = [offset] if kind == "_at_all" else [], MPI.Status()
        if kind == "_all":
            file.Seek(offset)
        elif kind == "_ordered":
            file.Seek_shared(0)
        if how == "at once":
            getattr(file, word + kind)(*place, buffer, status)
        elif how == "split":
            getattr(file, f"{word}{kind}_begin")(*place, buffer)
            getattr(file, f"{word}{kind}_end")(buffer, status)
        else:
            getattr(file, f"I{word.lower()}{kind}")(*place, buffer).Wait(status)
        return status.Get_count(MPI.INT)

    def action(file, comm):
        file.Set_view(0, MPI.INT)
        wrote = access(file, "Write", 2 * comm.rank, ints(comm.rank, 10 + comm.rank))
        back = ints(0, 0)
        return wrote, access(file, "Read", 2 * comm.rank, back), back.tolist()

    assert with_file(path, action, 3) == [(2, 2, [rank, 10 + rank]) for rank in range(3)]
    assert np.fromfile(path, "i4").tolist() == [0, 10, 1, 11, 2, 12]


def test_all_ranks_of_a_thousand_write_into_one_file(path):
    with_file(path, lambda file, comm: file.Write_at_all(4 * comm.rank, ints(comm.rank)), 1000)
    assert np.array_equal(np.fromfile(path, "i4"), np.arange(1000))


# -- views -----------------------------------------------------------------------------------------------


def test_positions_and_offsets_count_etypes_of_the_view(path):
    def action(file, comm):
        file.Set_view(2, MPI.INT)
        file.Write(ints(1, 2, 3))
        found = file.Get_position(), file.Get_byte_offset(3), file.Get_size()
        file.Seek(-1, MPI.SEEK_END)
        file.Seek(-1, MPI.SEEK_CUR)
        back = ints(0)
        file.Read(back)
        return found, back.tolist(), file.Get_view() == (2, MPI.INT, MPI.INT, "native")

    assert with_file(path, action) == [((3, 14, 14), [2], True)]


def test_the_end_counts_items_that_have_only_begun(path):
    def action(file, comm):
        file.Set_view(1, MPI.INT)
        ends = []
        for size in (0, 1, 2, 5, 6):
            file.Set_size(size)
            file.Seek(0, MPI.SEEK_END)
            ends.append(file.Get_position())
        return ends

    assert with_file(path, action) == [[0, 0, 1, 1, 2]]


def test_external32_has_the_most_significant_byte_first(path):
    def action(file, comm):
        file.Set_view(0, MPI.INT, None, "external32")
        file.Write(ints(1, -2))
        file.Set_view(8, MPI.C_DOUBLE_COMPLEX, None, "external32")
        file.Write(np.array([1 + 2j]))
        back = np.zeros(1, complex)
        file.Read_at(0, back)
        return back.tolist(), file.Get_view()[3]

    assert with_file(path, action) == [([1 + 2j], "external32")]
    assert path.read_bytes() == np.array([1, -2], ">i4").tobytes() + np.array([1, 2], ">f8").tobytes()


def test_external32_of_a_type_that_has_another_size_there_is_refused(path):
    def action(file, comm):
        file.Set_view(0, MPI.LONG, None, "external32")
        file.Write(np.array([1]))

    with pytest.raises(RankErrors, match="another size in external32") as caught:
        with_file(path, action)
    assert isinstance(caught.value.by_rank[0], CannotSimulateError)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((-1,), MPI.ERR_ARG),
        ((MPI.DISPLACEMENT_CURRENT,), MPI.ERR_ARG),
        ((0, MPI.INT, MPI.SHORT), MPI.ERR_ARG),
        ((0, MPI.INT, MPI.INT, "unheard of"), MPI.ERR_UNSUPPORTED_DATAREP),
    ],
)
def test_a_view_that_is_none_is_refused(path, arguments, expected):
    assert classes_of(path, lambda file, comm: file.Set_view(*arguments)) == [expected]


def test_etypes_of_all_ranks_have_one_size(path):
    types = [MPI.INT, MPI.DOUBLE]
    assert classes_of(path, lambda file, comm: file.Set_view(0, types[comm.rank]), 2) == [MPI.ERR_NOT_SAME] * 2


# -- sizes and the rest ----------------------------------------------------------------------------------


def test_a_file_is_cut_off_and_filled_up(path):
    def action(file, comm):
        sizes = []
        for call, size in [(file.Set_size, 8), (file.Preallocate, 4), (file.Preallocate, 9), (file.Set_size, 2)]:
            call(size)
            sizes.append(file.size)
        return sizes

    assert with_file(path, action, 2) == [[8, 8, 9, 2]] * 2


def test_what_a_file_says_of_itself(path):
    def action(file, comm):
        file.Sync()
        file.atomicity = True
        return file.amode == CREATE, file.group_size, file.group_rank, file.atomicity, file.Get_type_extent(MPI.DOUBLE)

    assert with_file(path, action, 2) == [(True, 2, rank, True, 8) for rank in range(2)]


def test_a_file_that_is_appended_to_begins_at_its_end(path):
    path.write_bytes(b"12345")
    action = lambda file, comm: (file.Get_position(), file.Get_position_shared())  # noqa: E731
    assert with_file(path, action, amode=MPI.MODE_WRONLY | MPI.MODE_APPEND) == [(5, 5)]


READ_ONLY, WRITE_ONLY = MPI.MODE_RDONLY, MPI.MODE_WRONLY
SEQUENTIAL = MPI.MODE_WRONLY | MPI.MODE_SEQUENTIAL


@pytest.mark.parametrize(
    ("amode", "call", "arguments", "expected"),
    [
        (READ_ONLY, "Write", (b"x",), MPI.ERR_READ_ONLY),
        (READ_ONLY, "Write_ordered", (b"x",), MPI.ERR_READ_ONLY),
        (READ_ONLY, "Set_size", (1,), MPI.ERR_READ_ONLY),
        (READ_ONLY, "Sync", (), MPI.ERR_READ_ONLY),
        (WRITE_ONLY, "Read", (bytearray(1),), MPI.ERR_ACCESS),
        (WRITE_ONLY, "Iread_shared", (bytearray(1),), MPI.ERR_ACCESS),
        (SEQUENTIAL, "Write_at", (0, b"x"), MPI.ERR_UNSUPPORTED_OPERATION),
        (SEQUENTIAL, "Seek", (0,), MPI.ERR_UNSUPPORTED_OPERATION),
        (SEQUENTIAL, "Get_byte_offset", (0,), MPI.ERR_UNSUPPORTED_OPERATION),
        (SEQUENTIAL, "Set_view", (0,), MPI.ERR_ARG),
        (CREATE, "Read_at", (-1, bytearray(1)), MPI.ERR_ARG),
        (CREATE, "Get_byte_offset", (-1,), MPI.ERR_ARG),
        (CREATE, "Seek", (-1,), MPI.ERR_ARG),
        (CREATE, "Seek", (0, 17), MPI.ERR_ARG),
        (CREATE, "Set_size", (-1,), MPI.ERR_ARG),
        (CREATE, "Write_all_end", (b"x",), MPI.ERR_IO),
    ],
)
def test_what_a_file_was_not_opened_for_is_refused(path, amode, call, arguments, expected):
    path.touch()
    assert classes_of(path, lambda file, comm: getattr(file, call)(*arguments), amode=amode) == [expected]


def test_a_sequential_file_goes_on_where_its_shared_pointer_is(path):
    def action(file, comm):
        file.Write_shared(b"123")
        file.Set_view(MPI.DISPLACEMENT_CURRENT)
        file.Write_ordered(b"45")
        return file.Get_view()[0]

    assert with_file(path, action, amode=SEQUENTIAL | MPI.MODE_CREATE) == [3]
    assert path.read_bytes() == b"12345"


def test_a_buffer_is_made_of_whole_etypes(path):
    def action(file, comm):
        file.Set_view(0, MPI.INT)
        file.Write([bytes(6), MPI.BYTE])

    assert classes_of(path, action) == [MPI.ERR_IO]


def test_a_buffer_that_is_read_into_can_be_written(path):
    with pytest.raises(RankErrors) as caught:
        with_file(path, lambda file, comm: file.Read(b"abc"))
    assert isinstance(caught.value.by_rank[0], BufferError)


def test_a_file_has_one_collective_call_at_a_time(path):
    def action(file, comm):
        file.Write_all_begin(b"x")
        with pytest.raises(MPI.Exception, match="between Write_all_begin and Write_all_end"):
            file.Sync()
        with pytest.raises(MPI.Exception, match="it was Write_all_begin that was called"):
            file.Read_all_end(bytearray(1))
        file.Write_all_end(b"x")

    with_file(path, action)


def test_ranks_must_agree_on_a_size(path):
    assert classes_of(path, lambda file, comm: file.Set_size(comm.rank), 2) == [MPI.ERR_ARG] * 2
    assert classes_of(path, lambda file, comm: file.Seek_shared(comm.rank), 2) == [MPI.ERR_ARG] * 2


def test_an_open_file_can_not_be_pickled(path):
    def action(file, comm):
        with pytest.raises(ValueError, match="cannot serialize"):
            pickle.dumps(file)
        return pickle.loads(pickle.dumps(MPI.FILE_NULL)) is MPI.FILE_NULL

    assert with_file(path, action) == [True]
    with pytest.raises(TypeError):
        hash(MPI.FILE_NULL)


def test_the_group_and_the_hints_of_a_file(path):
    def action(file, comm):
        hints = file.Get_info()
        hints.Set("cb_nodes", "2")
        hints.Set("unheard of", "x")
        file.info = hints
        known = dict(file.info.items())
        return MPI.Group.Compare(file.group, comm.Get_group()) == MPI.IDENT, file.Get_group().Get_size(), known

    assert with_file(path, action, 2) == [(True, 2, {"cb_nodes": "2"})] * 2


def test_the_error_handler_of_a_file_hears_of_its_errors(path):
    def action(file, comm):
        seen = []
        handler = MPI.File.Create_errhandler(lambda file, code: seen.append(MPI.Get_error_class(code)))
        default = file.Get_errhandler() == MPI.ERRORS_RETURN
        file.Set_errhandler(handler)
        with contextlib.suppress(MPI.Exception):
            file.Seek(-1)
        return default, seen

    assert with_file(path, action, 2) == [(True, [MPI.ERR_ARG])] * 2


def test_the_error_handler_of_file_null_hears_of_files_that_can_not_be_opened(path):
    def program(comm):
        seen = []
        handler = MPI.File.Create_errhandler(
            lambda file, code: seen.append((file == MPI.FILE_NULL, MPI.Get_error_class(code)))
        )
        MPI.FILE_NULL.Set_errhandler(handler if comm.rank else MPI.ERRORS_RETURN)
        with contextlib.suppress(MPI.Exception):
            MPI.File.Open(comm, path)
        return seen

    assert run(program) == [[], [(True, MPI.ERR_NO_SUCH_FILE)]]


def test_a_collective_call_that_one_rank_does_not_make_is_a_deadlock(path):
    def program(comm):
        file = MPI.File.Open(comm, path, CREATE)
        if comm.rank == 0:
            file.Write_all(b"x")
        else:
            comm.Barrier()

    with pytest.raises(DeadlockError) as caught:
        run(program)
    text = str(caught.value)
    assert "rank 0 waits for rank 1 to call File.Write_all" in text and "the file data.bin" in text
    assert "rank 1 waits for rank 0 to call Barrier" in text


def test_data_representations_are_registered_as_in_mpich():
    def program(comm):
        MPI.Register_datarep("mine", None, None, lambda type: type.extent)
        classes = []
        for name, convert in [("mine", None), ("other", lambda *arguments: None), ("x" * 200, None)]:
            with pytest.raises(MPI.Exception) as caught:
                MPI.Register_datarep(name, convert, None, lambda type: type.extent)
            classes.append(caught.value.Get_error_class())
        return classes

    assert run(program) == [[MPI.ERR_DUP_DATAREP, MPI.ERR_UNSUPPORTED_DATAREP, MPI.ERR_ARG]] * 2


def test_exploring_says_that_accesses_to_a_file_were_not_tried_in_other_orders(path):
    def program(comm):
        file = MPI.File.Open(comm, path, CREATE)
        file.Write_shared(b"x")
        file.Close()

    result = explore(program, 2)
    assert any("or one file" in each for each in result.limits) and not result.complete
