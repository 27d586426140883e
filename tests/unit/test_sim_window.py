"""Windows: locks in virtual time, fences, and what is refused."""

import gc
import time
import weakref

import pytest

from bsbpool_sim import DeadlockError, MPIError, RankErrors, simulate
from bsbpool_sim import mpi as MPI

np = pytest.importorskip("numpy")


def window(comm, size=4):
    return MPI.Win.Create(np.arange(size, dtype="i8") + 10 * comm.rank, 8, comm=comm)


def run(program, ranks=2, **options):
    return simulate(program, ranks, **options).results


def refused(program, text, ranks=2):
    with pytest.raises(RankErrors, match=text) as caught:
        run(program, ranks)
    assert isinstance(next(iter(caught.value.by_rank.values())), MPIError)


def locked(action, ranks=2):
    """The results of `action(window, comm)` on rank 1, which holds rank 0's lock; and of rank 0's memory."""

    def program(comm):
        w = window(comm)
        got = None
        if comm.rank == 1:
            w.Lock(0)
            got = action(w, comm)
            w.Unlock(0)
        comm.barrier()
        return got if comm.rank else np.frombuffer(w.tomemory(), "i8").tolist()

    return run(program, ranks)


def test_get_reads_from_a_displacement():
    def action(w, comm):
        into = np.zeros(2, "i8")
        w.Get(into, 0, 1)
        return into.tolist()

    assert locked(action)[1] == [1, 2]


def test_put_writes():
    assert locked(lambda w, comm: w.Put(np.array([7]), 0, 3))[0] == [0, 1, 2, 7]


@pytest.mark.parametrize(
    ("op", "expected"), [(MPI.SUM, [5, 1, 2, 3]), (MPI.REPLACE, [5, 1, 2, 3]), (MPI.NO_OP, [0, 1, 2, 3])]
)
def test_what_is_there_is_combined(op, expected):
    assert locked(lambda w, comm: w.Get_accumulate(np.array([5]), np.zeros(1, "i8"), 0, op=op))[0] == expected


def test_get_accumulate_gives_what_was_there():
    def action(w, comm):
        old = np.zeros(1, "i8")
        w.Get_accumulate(np.array([5]), old, 0, 2)
        w.Fetch_and_op(np.array([5]), old, 0, 2, MPI.PROD)
        w.Get_accumulate([None, 0, MPI.LONG], old, 0, (2, 1, MPI.LONG), MPI.NO_OP)
        return old.tolist()

    assert locked(action) == [[0, 1, 35, 3], [35]]


def test_compare_and_swap_writes_only_if_equal():
    def action(w, comm):
        old = np.zeros(1, "i8")
        w.Compare_and_swap(np.array([9]), np.array([5]), old, 0, 2)
        w.Compare_and_swap(np.array([9]), np.array([1]), old, 0, 1)
        return old.tolist()

    assert locked(action) == [[0, 9, 2, 3], [1]]


def test_nothing_happens_with_no_rank():
    def action(w, comm):
        into = np.zeros(1, "i8")
        w.Lock(MPI.PROC_NULL)
        w.Get(into, MPI.PROC_NULL)
        w.Put(into, MPI.PROC_NULL)
        w.Get_accumulate(into, into, MPI.PROC_NULL)
        w.Compare_and_swap(into, into, into, MPI.PROC_NULL)
        w.Unlock(MPI.PROC_NULL)
        return into.tolist()

    assert locked(action) == [[0, 1, 2, 3], [0]]


def test_access_takes_the_networks_time():
    def program(comm):
        w = window(comm)
        w.Fence()
        start = MPI.Wtime()
        w.Put(np.zeros(1), 1 - comm.rank)
        return round(MPI.Wtime() - start, 9)

    assert run(program, latency=0.25) == [0.25, 0.25]


def hold(w, kind, seconds):
    w.Lock(0, kind)
    time.sleep(seconds)
    w.Unlock(0)


def test_exclusive_locks_are_granted_in_the_order_of_asking():
    def program(comm):
        w = window(comm)
        time.sleep((comm.size - comm.rank) * 0.01)
        hold(w, MPI.LOCK_EXCLUSIVE, 1)
        return round(MPI.Wtime(), 2)

    assert run(program, 3) == [3.01, 2.01, 1.01]


def test_shared_locks_are_held_together_and_do_not_overtake():
    def program(comm):
        w = window(comm)
        time.sleep(comm.rank * 0.01)
        hold(w, MPI.LOCK_EXCLUSIVE if comm.rank == 2 else MPI.LOCK_SHARED, 1)
        return round(MPI.Wtime(), 2)

    assert run(program, 4) == [1, 1.01, 2.01, 3.01]


def test_all_can_be_locked_at_once():
    def program(comm):
        w = window(comm)
        w.Lock_all()
        into = np.zeros(4, "i8")
        w.Get(into, 1)
        w.Flush_all()
        w.Unlock_all()
        w.Free()
        return into.tolist()

    assert run(program) == [[10, 11, 12, 13]] * 2


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_lock_that_is_never_given_back_names_its_holder(exclusive):
    def program(comm):
        w = window(comm)
        time.sleep(comm.rank)
        if comm.rank == 3:
            return
        w.Lock(0, MPI.LOCK_EXCLUSIVE if exclusive or comm.rank == 2 else MPI.LOCK_SHARED)
        if comm.rank == 1:
            comm.cluster.kernel.kill(comm.cluster.kernel.ranks[1])
        if exclusive and comm.rank == 0:
            w.Unlock(0)

    with pytest.raises(DeadlockError) as caught:
        run(program, 4)
    held = "an exclusive one is held by rank 1, which died at 1 s"
    if not exclusive:
        held = "a shared one is held by rank 0, which has ended, and rank 1, which died at 1 s"
    assert f"rank 2 waits for the lock of rank 0's window: {held}" in str(caught.value)


def test_a_rank_that_died_while_it_asked_gets_no_lock():
    def program(comm):
        w = window(comm)
        if comm.rank == 0:
            comm.cluster.kernel.at(5 * 10**8, comm.cluster.kernel.kill, comm.cluster.kernel.ranks[1])
        time.sleep(comm.rank * 0.1)
        hold(w, MPI.LOCK_EXCLUSIVE, 1)
        return round(MPI.Wtime(), 2)

    assert run(program, 3) == [1, None, 2]


def test_a_window_without_a_communicator_is_this_ranks_alone():
    def program(comm):
        w = MPI.Win.Allocate(8)
        w.Lock(0)
        w.Put(np.array([comm.rank]), 0)
        w.Unlock(0)
        return bytes(w.tomemory())[0]

    assert run(program) == [0, 1]


@pytest.mark.parametrize(
    ("misuse", "text"),
    [
        (lambda w: w.Get(np.zeros(1), 1), r"without its lock: call Lock\(1\)"),
        (lambda w: w.Unlock(1), "doesn't hold the lock of rank 1"),
        (lambda w: w.Lock(0, 3), "lock_type=3"),
        (lambda w: w.Lock(2), "rank=2 is no rank"),
        (lambda w: (w.Lock(0), w.Lock(0)), "holds the lock of rank 0 already"),
        (lambda w: (w.Lock(0), w.Free()), "Free of a window in an epoch of access that is open: call Unlock"),
        (lambda w: (w.Lock(0), w.Put(np.zeros(9), 0)), "bytes 0 to 72 of rank 0's window, which has 32"),
        (lambda w: (w.Lock(0), w.Put(np.zeros(1), 0, -1)), "displacement -1: it is 0 or more"),
    ],
)
def test_misuse_is_refused(misuse, text):
    def program(comm):
        w = window(comm)
        return comm.rank or misuse(w)

    refused(program, text)


def test_a_window_is_over_memory_that_can_be_written():
    def program(comm):
        MPI.Win.Create(b"12345678", comm=comm)

    with pytest.raises(RankErrors, match="read-only") as caught:
        run(program, 1)
    assert isinstance(caught.value.by_rank[0], BufferError)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (lambda w: w.Get(np.zeros(1, "i8"), 0, [0, 2]), "is 16 bytes, and the buffer that receives it 8"),
        (lambda w: w.Put(np.zeros(2, "i8"), 0, [0, 1]), "Put of 16 bytes, and the target has a count of 8 bytes"),
        (lambda w: w.Get(np.zeros(9, "i8"), 0, [2, 3]), "Get of bytes 16 to 40 of rank 0's window, which has 32"),
        (lambda w: w.Accumulate(np.zeros(1, "i8"), 0, [0, 1, MPI.DOUBLE]), "is of LONG and the target of DOUBLE"),
        (lambda w: w.Accumulate(np.zeros(1), 0, op=MPI.BAND), "MPI has no BAND for DOUBLE"),
        (lambda w: w.Accumulate(np.zeros(1), 0, op=MPI.Op.Create(max)), "an operation of the program's own"),
    ],
)
def test_count_and_type_of_a_target_are_heeded(action, said):
    with pytest.raises(RankErrors, match=said):
        locked(lambda w, comm: action(w))


def test_a_target_has_three_parts_at_most():
    with pytest.raises(RankErrors, match=r"target=.*: it is a displacement, or that with a count, and a datatype"):
        locked(lambda w, comm: w.Get(np.zeros(1, "i8"), 0, [0, 1, MPI.LONG, 2]))


@pytest.mark.parametrize("call", ["Get", "Get_accumulate", "Compare_and_swap"])
def test_what_an_access_has_brought_is_freed_with_its_buffer(call):
    kind = type("Buffer", (np.ndarray,), {})  # a weak reference can be made to it

    def program(comm):
        win = window(comm)
        win.Fence()
        collecting = gc.isenabled()
        gc.disable()
        try:
            buffer = np.zeros(1, "i8").view(kind)
            freed = weakref.ref(buffer)
            if call == "Get":
                win.Get(buffer, 0)
            elif call == "Get_accumulate":
                win.Get_accumulate(np.ones(1, "i8"), buffer, 0)
            else:
                win.Compare_and_swap(np.ones(1, "i8"), np.ones(1, "i8"), buffer, 0)
            win.Fence()
            del buffer
            return freed() is None
        finally:
            if collecting:
                gc.enable()

    assert run(program) == [True, True]
