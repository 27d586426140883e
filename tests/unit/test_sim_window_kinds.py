"""Windows of all kinds, their epochs, accesses with requests and of derived datatypes, and the errors of all these."""

import time

import pytest

from bsbpool_sim import DeadlockError, RankErrors, TruncationError, simulate
from bsbpool_sim import mpi as MPI

np = pytest.importorskip("numpy")

SYNC = MPI.ERR_RMA_SYNC


def run(program, ranks=2, **options):
    return simulate(program, ranks, **options).results


def numbers(win):
    return np.frombuffer(win.tomemory(), "i4")


def ints(*values):
    return np.array(values, "i4")


def others(win):
    """A group of all ranks of a window but this one."""
    return win.Get_group().Excl([win.group_rank])


def error_class(action):
    try:
        action()
    except MPI.Exception as error:
        return error.Get_error_class()
    return None


def with_window(action, ranks=2, size=32, **options):
    """The results of `action(window, comm)` on ranks that have a window of 8 integers each."""

    def program(comm):
        win = MPI.Win.Allocate(size, 4, comm=comm)
        result = action(win, comm)
        comm.Barrier()
        return result

    return run(program, ranks, **options)


# -- kinds -----------------------------------------------------------------------------------------------


def test_a_window_says_what_it_is():
    def program(comm):
        memory = np.zeros(3, "i4")
        made = MPI.Win.Create(memory, 4, comm=comm)
        found = [made.attrs == (MPI.Get_address(memory), 12, 4), made.flavor == MPI.WIN_FLAVOR_CREATE]
        found += [MPI.Win.Allocate(8).flavor == MPI.WIN_FLAVOR_ALLOCATE, made.model == MPI.WIN_UNIFIED]
        found += [MPI.Win.Create(None).attrs == MPI.Win.Create(MPI.BOTTOM).attrs == (0, 0, 1)]
        found += [made.group_size == 2, made.group_rank == comm.rank, made.name == ""]
        made.name = "x" * 200
        return [*found, made.Get_name() == "x" * 127, MPI.WIN_NULL.Get_name() == "MPI_WIN_NULL"]

    assert run(program) == [[True] * 10] * 2


def test_a_window_that_was_freed_is_null():
    def program(comm):
        win = MPI.Win.Allocate(8, comm=comm)
        other = MPI.Win(win)
        equal = win == other
        win.Free()
        classes = [error_class(lambda: win.Put(b"x", 0)), error_class(MPI.WIN_NULL.Free)]
        return equal, bool(win), win == MPI.WIN_NULL, win == other, classes

    assert run(program) == [(True, False, True, False, [MPI.ERR_WIN] * 2)] * 2


def test_shared_memory_of_all_ranks_is_one_run():
    def program(comm):
        win = MPI.Win.Allocate_shared(4 * (comm.rank + 1), 4, comm=comm)
        mine, unit = win.Shared_query(comm.rank)
        np.frombuffer(mine, "i4")[:] = comm.rank
        comm.Barrier()
        parts = [win.Shared_query(rank)[0] for rank in range(3)]
        ends = [MPI.Get_address(part) + len(part) for part in parts]
        seen = [np.frombuffer(part, "i4").tolist() for part in parts]
        return seen, unit, ends[0] == MPI.Get_address(parts[1]), len(win.Shared_query(MPI.PROC_NULL)[0])

    assert run(program, 3) == [([[0], [1, 1], [2, 2, 2]], 4, True, 4)] * 3


def test_memory_of_another_host_is_not_shared():
    def action(win, comm):
        return [len(win.Shared_query(rank)[0]) for rank in range(2)]

    assert with_window(action) == [[32, 32], [32, 32]]
    assert with_window(action, hosts=2) == [[32, 0], [0, 32]]


def test_memory_is_attached_and_detached():
    def program(comm):
        win, memory, back = MPI.Win.Create_dynamic(comm=comm), ints(1, 2, 3) + comm.rank, ints(0, 0)
        win.Attach(memory)
        other = 1 - comm.rank
        address = comm.allgather(MPI.Get_address(memory))[other]
        win.Lock(other)
        win.Get(back, other, address + 4)
        beyond = error_class(lambda: win.Get(back, other, address + 8))
        win.Unlock(other)
        comm.Barrier()
        twice = error_class(lambda: win.Attach(memory[1:]))
        win.Detach(memory)
        gone = error_class(lambda: win.Detach(memory))
        comm.Barrier()
        win.Lock(other)
        after = error_class(lambda: win.Get(back, other, address))
        win.Unlock(other)
        query = error_class(lambda: win.Shared_query(0))
        return back.tolist(), beyond, twice, gone, after, query, win.attrs

    errors = [MPI.ERR_RMA_RANGE, MPI.ERR_RMA_ATTACH, MPI.ERR_RMA_ATTACH, MPI.ERR_RMA_RANGE, MPI.ERR_RMA_FLAVOR]
    assert run(program) == [([3, 4], *errors, (0, 0, 1)), ([2, 3], *errors, (0, 0, 1))]


def test_memory_is_attached_to_dynamic_windows_only():
    assert with_window(lambda win, comm: error_class(lambda: win.Attach(ints(1)))) == [MPI.ERR_RMA_FLAVOR] * 2


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: MPI.Win.Allocate(-1), MPI.ERR_SIZE),
        (lambda: MPI.Win.Allocate(8, 0), MPI.ERR_DISP),
        (lambda: MPI.Win.Create(bytearray(8), -1), MPI.ERR_DISP),
    ],
)
def test_a_window_that_can_not_be_is_refused(make, expected):
    assert run(lambda comm: error_class(make), 1) == [expected]


def test_a_window_without_memory_gives_none():
    def program(comm):
        memory = MPI.Win.Create_dynamic().tomemory()
        return len(memory), memory.format, MPI.Get_address(memory)

    assert run(program, 1) == [(0, "B", 0)]


def test_the_memory_of_a_window_is_a_buffer_of_mpi():
    def program(comm):
        win = MPI.Win.Allocate(8)
        win.__buffer__(0)[3] = 5
        assert bytes(win.tomemory()) == bytes([0, 0, 0, 5, 0, 0, 0, 0])
        return type(MPI.Win.Allocate(8).tomemory()) is MPI.buffer is MPI.memory

    assert run(program, 1) == [True]


def test_attributes_tell_what_mpi_has_of_a_window():
    def program(comm):
        win, gone = MPI.Win.Allocate(8, 2, comm=comm), []
        keys = [MPI.WIN_SIZE, MPI.WIN_DISP_UNIT, MPI.WIN_CREATE_FLAVOR, MPI.WIN_MODEL]
        base = win.Get_attr(MPI.WIN_BASE) == MPI.Get_address(win.tomemory())
        key = MPI.Win.Create_keyval(delete_fn=lambda win, key, value: gone.append(value))
        win.Set_attr(key, "mine")
        found = [base, *map(win.Get_attr, keys), win.Get_attr(key), error_class(lambda: win.Set_attr(keys[0], 1))]
        win.Free()
        return found, gone

    expected = [True, 8, 2, MPI.WIN_FLAVOR_ALLOCATE, MPI.WIN_UNIFIED, "mine", MPI.ERR_KEYVAL]
    assert run(program) == [(expected, ["mine"])] * 2


def test_a_window_has_a_group_and_hints():
    def program(comm):
        win = MPI.Win.Allocate(8, info=MPI.Info.Create({"no_locks": "false"}), comm=comm)
        win.info = MPI.Info.Create({"same_size": "true"})
        return MPI.Group.Compare(win.group, comm.Get_group()) == MPI.IDENT, dict(win.info.items())

    assert run(program) == [(True, {"no_locks": "false", "same_size": "true"})] * 2


def test_the_error_handler_of_a_window_hears_of_its_errors():
    def program(comm):
        win, seen = MPI.Win.Allocate(8, comm=comm), []
        win.Set_errhandler(MPI.Win.Create_errhandler(lambda win, code: seen.append(MPI.Get_error_class(code))))
        error_class(lambda: win.Unlock(0))
        return seen

    assert run(program) == [[SYNC]] * 2


# -- accesses --------------------------------------------------------------------------------------------


def test_items_of_a_derived_datatype_go_where_it_has_them():
    def action(win, comm):
        strided = MPI.INT.Create_vector(3, 1, 2).Commit()
        other, back = 1 - comm.rank, ints(0, 0, 0, 0, 0, 0)
        win.Fence()
        win.Put(ints(1, 2, 3), other, (1, 1, strided))
        win.Fence()
        put = numbers(win).tolist()
        win.Fence()
        win.Accumulate(ints(10, 20, 30), other, (1, 1, strided))
        win.Get([back, 1, strided], other, (1, 3, MPI.INT))
        win.Fence()
        return put, numbers(win).tolist(), back.tolist()

    once, twice = [0, 1, 0, 2, 0, 3, 0, 0], [0, 11, 0, 22, 0, 33, 0, 0]
    assert with_window(action) == [(once, twice, [11, 0, 0, 0, 22, 0])] * 2


def test_an_access_beyond_the_window_counts_the_holes_of_its_datatype():
    def action(win, comm):
        strided = MPI.INT.Create_vector(3, 1, 2).Commit()
        win.Lock(comm.rank)
        found = [error_class(lambda at=at: win.Put(ints(1, 2, 3), comm.rank, (at, 1, strided))) for at in (3, 4)]
        win.Unlock(comm.rank)
        return found

    assert with_window(action) == [[None, MPI.ERR_RMA_RANGE]] * 2


def test_requests_are_done_when_the_network_has_brought_them_there():
    def action(win, comm):
        other, back = 1 - comm.rank, ints(0)
        win.Lock_all()
        begun = MPI.Wtime()
        requests = [win.Rput(ints(comm.rank + 5), other), win.Raccumulate(ints(1), other, 1)]
        took = round(MPI.Wtime() - begun, 9)
        MPI.Request.Waitall(requests)
        took_then = round(MPI.Wtime() - begun, 9)
        win.Rget(back, other).Wait()
        win.Rget_accumulate(ints(7), ints(0), other, 2, MPI.REPLACE)
        win.Unlock_all()
        return took, took_then, back.tolist(), round(MPI.Wtime() - begun, 9)

    # Two readings of a clock with nothing between are a microsecond apart.
    assert with_window(action, latency=0.5) == [(1e-6, 0.5, [5], 1.5), (1e-6, 0.5, [6], 1.5)]


def test_a_flush_waits_for_requests_and_leaves_them_to_be_waited_for():
    def action(win, comm):
        win.Lock(1)
        request = win.Rput(ints(comm.rank + 1), 1, comm.rank)
        win.Flush(1)
        flushed = bool(request)
        request.Wait()
        win.Unlock(1)
        comm.Barrier()
        return flushed, bool(request), numbers(win)[:2].tolist()

    assert with_window(action, latency=0.5) == [(True, False, [0, 0]), (True, False, [1, 2])]


def test_no_items_are_accessed_anywhere():
    def action(win, comm):
        nothing = np.zeros(0, "i4")
        win.Lock(0)
        win.Rput(nothing, 0).Wait()
        win.Put(nothing, 0, 100)
        win.Accumulate(nothing, 0)
        win.Get(nothing, 0)
        win.Get_accumulate(nothing, [bytearray(1), 0, MPI.INT], 0)
        win.Get_accumulate([bytearray(1), 0, MPI.BYTE], [bytearray(1), 0, MPI.BYTE], 0, op=MPI.SUM)
        win.Unlock(0)
        comm.Barrier()
        return numbers(win).tolist()

    assert with_window(action) == [[0] * 8] * 2


def test_nothing_is_done_with_no_rank():
    def action(win, comm):
        none, back = MPI.PROC_NULL, ints(3)
        win.Put(None, none)
        win.Rget(back, none).Wait()
        win.Accumulate([None, MPI.INT], none)
        win.Fetch_and_op(None, None, none)
        win.Compare_and_swap(None, None, None, none)
        return back.tolist()

    assert with_window(action) == [[3], [3]]


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        (lambda win: win.Put(ints(1), 7), MPI.ERR_RANK),
        (lambda win: win.Put(ints(1), 0, -1), MPI.ERR_DISP),
        (lambda win: win.Put(ints(1), 0, 8), MPI.ERR_RMA_RANGE),
        (lambda win: win.Put(ints(1), 0, (0, -1)), MPI.ERR_COUNT),
        (lambda win: win.Put(ints(1), 0, (0, 1, MPI.DATATYPE_NULL)), MPI.ERR_TYPE),
        (lambda win: win.Put(ints(1, 2), 0, (0, 1)), MPI.ERR_TRUNCATE),
        (lambda win: win.Get(ints(1), 0, (0, 2)), MPI.ERR_TRUNCATE),
        (lambda win: win.Accumulate(ints(1), 0, (0, 1, MPI.FLOAT)), MPI.ERR_TYPE),
        (lambda win: win.Accumulate(ints(1), 0, op=MPI.NO_OP), MPI.ERR_OP),
        (lambda win: win.Accumulate(np.ones(1), 0, op=MPI.BAND), MPI.ERR_OP),
        (lambda win: win.Compare_and_swap(np.ones(1), np.ones(1), np.ones(1), 0), MPI.ERR_TYPE),
    ],
)
def test_an_access_that_can_not_be_is_refused(access, expected):
    def program(comm):
        win = MPI.Win.Allocate(32, 4)
        win.Lock(0)
        return error_class(lambda: access(win))

    assert run(program, 1) == [expected]


def test_single_items_are_single():
    def program(comm):
        win = MPI.Win.Allocate(32, 4)
        win.Lock(0)
        for wrong in (ints(1, 2), np.ones(1)):
            with pytest.raises(ValueError, match=r"expecting a single element, got 2|mismatch in origin and result"):
                win.Fetch_and_op(ints(1), wrong, 0)
            with pytest.raises(ValueError, match=r"expecting a single element, got 2|mismatch in origin and compare"):
                win.Compare_and_swap(ints(1), wrong, ints(1), 0)

    run(program, 1)


def test_a_counter_gives_each_rank_its_own_number():
    def action(win, comm):
        taken = []
        win.Lock_all()
        for _ in range(3):
            win.Fetch_and_op(ints(1), back := ints(0), 0)
            taken += back.tolist()
            time.sleep(1e-6 * (comm.rank + 1))
        win.Unlock_all()
        return taken

    taken = with_window(action, 4, latency=1e-6)
    assert sorted(number for each in taken for number in each) == list(range(12))


# -- epochs ----------------------------------------------------------------------------------------------


def test_ranks_that_post_are_accessed_until_all_have_completed():
    def action(win, comm):
        if comm.rank == 0:
            time.sleep(1)
            win.Post(others(win))
            early = win.Test()
            return early, win.Wait(), numbers(win)[:3].tolist(), MPI.Wtime()
        win.Start(others(win).Incl([0]))
        started = MPI.Wtime()
        time.sleep(comm.rank)
        win.Put(ints(comm.rank), 0, comm.rank)
        win.Complete()
        return started

    assert with_window(action, 3) == [(False, True, [0, 1, 2], 3.0), 1.0, 1.0]


def test_testing_an_epoch_goes_on_until_it_has_ended():
    def action(win, comm):
        if comm.rank == 0:
            win.Post(others(win))
            tests = 1
            while not win.Test():
                tests += 1
            return tests > 10, error_class(win.Wait) == SYNC
        win.Start(others(win))
        time.sleep(1e-4)
        win.Complete()

    assert with_window(action) == [(True, True), None]


def test_a_start_without_a_post_names_who_should_post():
    def action(win, comm):
        if comm.rank == 0:
            win.Start(others(win))

    with pytest.raises(DeadlockError, match=r"rank 0 waits for rank 1 to call Win\.Post"):
        with_window(action)


def test_a_fence_that_one_rank_does_not_call_names_the_window():
    def action(win, comm):
        if comm.rank == 0:
            win.Fence()

    with pytest.raises(DeadlockError, match=r"rank 1 to call Win\.Fence.* on the window of ranks 0, 1"):
        with_window(action)


def test_a_group_is_of_the_window():
    def program(comm):
        win = MPI.Win.Allocate(8)
        return error_class(lambda: win.Start(comm.Get_group()))

    assert run(program) == [MPI.ERR_GROUP] * 2


BEGUN = [
    ([], lambda win: win.Put(ints(1), 0)),
    ([], lambda win: win.Unlock(0)),
    ([], lambda win: win.Unlock_all()),
    ([], lambda win: win.Flush(0)),
    ([], lambda win: win.Flush_all()),
    ([], lambda win: win.Sync()),
    ([], lambda win: win.Complete()),
    ([], lambda win: win.Wait()),
    ([], lambda win: win.Test()),
    ([lambda win: win.Lock(0)], lambda win: win.Lock(0)),
    ([lambda win: win.Lock(0)], lambda win: win.Lock_all()),
    ([lambda win: win.Lock(0)], lambda win: win.Unlock_all()),
    ([lambda win: win.Lock(0)], lambda win: win.Fence()),
    ([lambda win: win.Lock(0)], lambda win: win.Free()),
    ([lambda win: win.Lock_all()], lambda win: win.Lock_all()),
    ([lambda win: win.Lock_all()], lambda win: win.Lock(0)),
    ([lambda win: win.Lock_all()], lambda win: win.Unlock(0)),
    ([lambda win: win.Lock_all()], lambda win: win.Fence()),
    ([lambda win: win.Fence(), lambda win: win.Put(ints(1), 0)], lambda win: win.Lock(0)),
    ([lambda win: win.Fence(), lambda win: win.Put(ints(1), 0)], lambda win: win.Flush_all()),
    ([lambda win: win.Fence(MPI.MODE_NOSUCCEED)], lambda win: win.Put(ints(1), 0)),
    ([lambda win: win.Fence(), lambda win: win.Lock(0), lambda win: win.Unlock(0)], lambda win: win.Put(ints(1), 0)),
]
GROUPED = [
    ([lambda win: win.Lock(0)], lambda win: win.Start(MPI.GROUP_EMPTY)),
    ([lambda win: win.Fence(), lambda win: win.Put(ints(1), 0)], lambda win: win.Start(MPI.GROUP_EMPTY)),
    ([lambda win: win.Fence(), lambda win: win.Put(ints(1), 0)], lambda win: win.Post(MPI.GROUP_EMPTY)),
    ([lambda win: win.Start(MPI.GROUP_EMPTY)], lambda win: win.Start(MPI.GROUP_EMPTY)),
    ([lambda win: win.Start(MPI.GROUP_EMPTY)], lambda win: win.Lock(0)),
    ([lambda win: win.Start(MPI.GROUP_EMPTY)], lambda win: win.Fence()),
    ([lambda win: win.Start(MPI.GROUP_EMPTY)], lambda win: win.Put(ints(1), 0)),
    ([lambda win: win.Post(MPI.GROUP_EMPTY)], lambda win: win.Post(MPI.GROUP_EMPTY)),
    ([lambda win: win.Post(MPI.GROUP_EMPTY)], lambda win: win.Fence()),
    ([lambda win: win.Post(MPI.GROUP_EMPTY)], lambda win: win.Free()),
]


@pytest.mark.parametrize(("before", "call"), BEGUN)
def test_a_call_outside_of_its_epoch_is_refused(before, call):
    def program(comm):
        win = MPI.Win.Allocate(32, 4)
        for each in before:
            each(win)
        return error_class(lambda: call(win))

    assert run(program, 1) == [SYNC]


@pytest.mark.parametrize(("before", "call"), GROUPED)
def test_a_call_outside_of_an_epoch_of_a_group_is_refused(before, call):
    test_a_call_outside_of_its_epoch_is_refused(before, call)


@pytest.mark.parametrize(
    "calls",
    [
        [lambda win: win.Fence(), lambda win: win.Lock(0), lambda win: win.Put(ints(1), 0), lambda win: win.Unlock(0)],
        [lambda win: win.Lock_all(), lambda win: win.Put(ints(1), 0), lambda win: win.Flush_local(0)],
        [lambda win: win.Lock(0), lambda win: win.Sync(), lambda win: win.Flush_all()],
        [lambda win: win.Fence(), lambda win: win.Put(ints(1), 0), lambda win: win.Fence(), lambda win: win.Lock(0)],
        [lambda win: win.Post(win.Get_group()), lambda win: win.Start(win.Get_group()),
         lambda win: win.Put(ints(1), 0), lambda win: win.Complete(), lambda win: win.Wait()],
        [lambda win: win.Lock(0, MPI.LOCK_SHARED, MPI.MODE_NOCHECK), lambda win: win.Unlock(0)],
    ],
)  # fmt: skip
def test_calls_in_their_epochs_are_allowed(calls):
    def program(comm):
        win = MPI.Win.Allocate(32, 4)
        return [error_class(lambda call=call: call(win)) for call in calls]

    assert run(program, 1) == [[None] * len(calls)]


@pytest.mark.parametrize(
    "call",
    [
        lambda win: win.Fence(3),
        lambda win: win.Lock(0, MPI.LOCK_SHARED, MPI.MODE_NOPUT),
        lambda win: win.Start(None, MPI.MODE_NOSTORE),
    ],
)
def test_an_assertion_is_one_of_its_call(call):
    assert run(lambda comm: error_class(lambda: call(MPI.Win.Allocate(8))), 1) == [MPI.ERR_ARG]


def test_which_rank_has_a_lock_first_is_a_choice():
    def last(seed):
        def action(win, comm):
            comm.Barrier()
            win.Lock(0)
            win.Put(ints(comm.rank), 0)
            win.Unlock(0)
            comm.Barrier()
            return numbers(win)[0]

        return int(with_window(action, 3, seed=seed, policy="shuffled")[0])

    assert {last(seed) for seed in range(20)} == {0, 1, 2}


def test_more_than_a_buffer_takes_is_too_much():
    def program(comm):
        win = MPI.Win.Allocate(8)
        win.Lock(0)
        win.Get_accumulate(bytearray(4), bytearray(2), 0)

    with pytest.raises(RankErrors) as caught:
        run(program, 1)
    assert isinstance(caught.value.by_rank[0], TruncationError)


def test_a_datatype_without_items_may_be_accumulated_from_and_to():
    def program(comm):
        nothing = MPI.INT.Create_indexed_block(1, []).Commit()
        win, ones = MPI.Win.Allocate(8, 4, comm=comm), ints(1, 1)
        win.Lock(0)
        win.Accumulate([ones, 0, MPI.INT], 0, [0, 1, nothing])
        win.Accumulate([ones, 1, nothing], 0, [0, 1, nothing])
        win.Get_accumulate([ones, 0, MPI.INT], [ones, 0, MPI.INT], 0, [0, 1, nothing])
        more = error_class(lambda: win.Accumulate([ones, 1, MPI.INT], 0, [0, 1, nothing]))
        win.Unlock(0)
        found = numbers(win).tolist(), more == MPI.ERR_TYPE
        win.Free()
        nothing.Free()
        return found

    assert run(program, 1) == [([0, 0], True)]
