"""Files and windows are on simulated ranks what they are on real ones.

As in `test_same_as_mpi`: under ``mpirun -n 4 pytest`` each program also runs on the real COMM_WORLD.
"""

import functools
import os
import shutil
import tempfile

import pytest
from both_worlds import compare_orders, compare_with_real_ranks, mpi

from bsbpool_sim import simulate

np = pytest.importorskip("numpy")


def ints(*values):
    return np.array(values, "i4")


#: The classes of errors that the programs below are about.
CLASSES = (
    "ACCESS", "AMODE", "ARG", "BAD_FILE", "COUNT", "DISP", "FILE", "FILE_EXISTS", "IO", "NO_SUCH_FILE", "OP", "RANK",
    "READ_ONLY", "RMA_FLAVOR", "RMA_SYNC", "TYPE", "UNSUPPORTED_DATAREP", "UNSUPPORTED_OPERATION", "WIN",
)  # fmt: skip


def outcome(call):
    """What a call returns, or the name of the class of the error that it raises."""
    MPI = mpi()
    names = {getattr(MPI, f"ERR_{name}"): name for name in CLASSES}
    try:
        return call()
    except MPI.Exception as error:
        return names[error.Get_error_class()]


def with_folder(program):
    """A program that gets a folder, the same on all ranks."""

    def whole(comm):
        folder = comm.bcast(tempfile.mkdtemp() if comm.rank == 0 else None)
        try:
            return program(comm, folder)
        finally:
            comm.Barrier()
            if comm.rank == 0:
                shutil.rmtree(folder)

    whole.__name__ = program.__name__
    return whole


def opened(comm, folder, amode=None):
    MPI = mpi()
    return MPI.File.Open(
        comm, os.path.join(folder, "data"), MPI.MODE_CREATE | MPI.MODE_RDWR if amode is None else amode
    )


def content(comm, folder):
    comm.Barrier()
    return np.fromfile(os.path.join(folder, "data"), "i4").tolist()


@with_folder
def collective_accesses(comm, folder):
    MPI, file, back = mpi(), opened(comm, folder), ints(0, 0)
    mine = ints(comm.rank, 10 + comm.rank)
    file.Set_view(0, MPI.INT)
    file.Write_at_all(2 * comm.rank, mine)
    file.Read_at_all(2 * ((comm.rank + 1) % comm.size), back)
    file.Seek(2 * (comm.size + comm.rank))
    file.Write_all_begin(mine)
    file.Write_all_end(mine)
    file.Iwrite_at_all(2 * (2 * comm.size + comm.rank), mine).Wait()
    file.Write_ordered(np.full(comm.rank, -1, "i4"))
    shared, own, size = file.Get_position_shared(), file.Get_position(), file.Get_size()
    file.Close()
    return back.tolist(), shared, own, size, content(comm, folder)


@with_folder
def views_with_holes(comm, folder):
    MPI, file, back = mpi(), opened(comm, folder), ints(0, 0, 0)
    pieces = MPI.INT.Create_vector(1, 1, 1).Create_resized(0, 4 * comm.size).Commit()
    file.Set_view(4 + 4 * comm.rank, MPI.INT, pieces)
    file.Write(ints(*range(100 * comm.rank, 100 * comm.rank + 3)))
    comm.Barrier()
    file.Read_at(1, back[:2])
    file.Seek(0, MPI.SEEK_END)
    end, byte = file.Get_position(), file.Get_byte_offset(2)
    file.Set_view(0, MPI.INT, MPI.INT.Create_indexed([1, 1], [1, comm.size]).Commit())
    file.Read_at_all(0, back)
    file.Close()
    return back.tolist(), end, byte, content(comm, folder)


@with_folder
def strided_buffers(comm, folder):
    MPI, memory = mpi(), np.arange(6, dtype="i4")
    here = os.path.join(folder, str(comm.rank))
    os.mkdir(here)
    file = opened(MPI.COMM_SELF, here)
    strided = MPI.INT.Create_vector(3, 1, 2).Commit()
    file.Write([memory, 1, strided])
    memory[:] = -1
    file.Read_at(0, [memory, 1, strided])
    found = memory.tolist(), file.Get_size()
    file.Close()
    return found


@with_folder
def ends_of_files(comm, folder):
    MPI, file, status = mpi(), opened(comm, folder), mpi().Status()
    file.Set_size(10)
    found = []
    for start, read in [(0, "Read"), (6, "Read"), (20, "Read"), (6, "Iread")]:
        file.Seek(start)
        buffer = bytearray(8)
        if read == "Iread":
            file.Iread(buffer).Wait(status)
        else:
            file.Read(buffer, status)
        found.append((status.Get_count(MPI.BYTE), status.Get_count(MPI.INT) == MPI.UNDEFINED, file.Get_position()))
    file.Set_view(1, MPI.INT)
    for size in (0, 1, 2, 5, 6, 9):
        file.Set_size(size)
        file.Seek(0, MPI.SEEK_END)
        found.append(file.Get_position())
    file.Preallocate(7)
    found += [file.Get_size()]
    file.Preallocate(30)
    found += [file.Get_size()]
    file.Close()
    return found


@with_folder
def external_data(comm, folder):
    MPI, file, back = mpi(), opened(comm, folder), np.zeros(1)
    file.Set_view(0, MPI.INT, MPI.INT, "external32")
    file.Write_at_all(2 * comm.rank, ints(comm.rank, -2))
    file.Set_view(8 * comm.size, MPI.DOUBLE, MPI.DOUBLE, "external32")
    file.Write_at_all(comm.rank, np.array([comm.rank + 0.5]))
    file.Read_at_all(comm.rank, back)
    name = file.Get_view()[3]
    file.Close()
    comm.Barrier()
    with open(os.path.join(folder, "data"), "rb") as data:
        return back.tolist(), name, data.read()


@with_folder
def modes_of_files(comm, folder):
    MPI, own = mpi(), mpi().COMM_SELF
    here = os.path.join(folder, str(comm.rank))
    os.mkdir(here)
    r, w, rw, create = MPI.MODE_RDONLY, MPI.MODE_WRONLY, MPI.MODE_RDWR, MPI.MODE_CREATE
    modes = [0, r, rw, r | create, r | w, rw | MPI.MODE_SEQUENTIAL, 1 << 20, create | w, create | w | MPI.MODE_EXCL]
    found = [outcome(lambda mode=mode: opened(own, here, mode).Close()) for mode in modes]
    found += [outcome(lambda: MPI.File.Delete(os.path.join(here, "data")))]
    found += [outcome(lambda: MPI.File.Delete(os.path.join(here, "data")))]
    found += [
        outcome(lambda: MPI.File.Open(own, here, rw)),
        outcome(lambda: MPI.File.Open(own, f"{here}/x/y", rw | create)),
    ]
    gone = opened(own, here, create | rw | MPI.MODE_DELETE_ON_CLOSE)
    there = os.path.exists(os.path.join(here, "data"))
    gone.Close()
    return found, there, os.path.exists(os.path.join(here, "data")), outcome(gone.Get_size), gone == MPI.FILE_NULL


@with_folder
def mistakes_with_files(comm, folder):
    MPI, own = mpi(), mpi().COMM_SELF
    here = os.path.join(folder, str(comm.rank))
    os.mkdir(here)
    data = bytearray(3)
    file = opened(own, here)
    calls = [
        lambda: file.Read_at(-1, data), lambda: file.Seek(-1), lambda: file.Seek(0, 17), lambda: file.Set_size(-1),
        lambda: file.Preallocate(-1), lambda: file.Get_byte_offset(-1), lambda: file.Set_view(-5),
        lambda: file.Set_view(0, MPI.INT, MPI.SHORT), lambda: file.Set_view(0, MPI.DATATYPE_NULL),
        lambda: file.Set_view(0, MPI.INT, MPI.INT, "unheard of"), lambda: file.Set_view(MPI.DISPLACEMENT_CURRENT),
        lambda: file.Write_all_end(data), lambda: file.Set_view(0, MPI.INT), lambda: file.Write([data, MPI.BYTE]),
    ]  # fmt: skip
    found = [outcome(call) for call in calls]
    file.Close()
    for amode, names in [
        (MPI.MODE_RDONLY, ["Write", "Write_all", "Iwrite", "Sync"]),
        (MPI.MODE_WRONLY, ["Read", "Read_all", "Iread", "Read_shared"]),
        (MPI.MODE_WRONLY | MPI.MODE_SEQUENTIAL, ["Write", "Get_position", "Get_position_shared"]),
    ]:
        file = opened(own, here, amode)
        for name in names:
            given = [] if name in ("Sync", "Get_position", "Get_position_shared") else [data]
            found.append(outcome(functools.partial(getattr(file, name), *given)))
        file.Close()
    return found


def counters_with_requests(comm):
    MPI = mpi()
    win, back, other = MPI.Win.Allocate(8 if comm.rank == 0 else 0, 4, comm=comm), ints(0), ints(0)
    win.Lock_all()
    win.Raccumulate(ints(comm.rank + 1), 0).Wait()
    win.Flush(0)
    comm.Barrier()
    win.Rget(back, 0).Wait()
    request = win.Rget_accumulate(ints(1), other, 0, 1, MPI.SUM)
    request.Wait()
    win.Unlock_all()
    comm.Barrier()
    total = np.frombuffer(win.tomemory(), "i4").tolist() if comm.rank == 0 else None
    win.Free()
    return back.tolist(), comm.allreduce(int(other[0])), total


def groups_that_access(comm):
    MPI = mpi()
    win = MPI.Win.Allocate(4 * comm.size, 4, comm=comm)
    numbers = np.frombuffer(win.tomemory(), "i4")
    numbers[:] = -1
    group = win.Get_group()
    left, right = group.Incl([(comm.rank - 1) % comm.size]), group.Incl([(comm.rank + 1) % comm.size])
    comm.Barrier()
    win.Post(left)
    win.Start(right)
    win.Put(ints(comm.rank), (comm.rank + 1) % comm.size, comm.rank)
    win.Complete()
    win.Wait()
    found = numbers.tolist()
    win.Free()
    return found


def strides_in_windows(comm):
    MPI, right = mpi(), (comm.rank + 1) % comm.size
    win = MPI.Win.Allocate(32, 4, comm=comm)
    strided, numbers, back = (
        MPI.INT.Create_vector(3, 1, 2).Commit(),
        np.frombuffer(win.tomemory(), "i4"),
        np.zeros(6, "i4"),
    )
    numbers[:] = 0
    win.Fence()
    win.Put(ints(1, 2, 3) + comm.rank, right, (1, 1, strided))
    win.Fence()
    win.Accumulate(ints(10, 20, 30), right, (1, 1, strided), MPI.SUM)
    win.Fence()
    win.Get([back, 1, strided], right, (1, 3, MPI.INT))
    win.Fence(MPI.MODE_NOSUCCEED)
    found = numbers.tolist(), back.tolist()
    win.Free()
    return found


def attached_memory(comm):
    MPI, right = mpi(), (comm.rank + 1) % comm.size
    win, memory, back = MPI.Win.Create_dynamic(comm=comm), np.arange(5, dtype="i4") + 10 * comm.rank, ints(0, 0)
    win.Attach(memory)
    addresses = comm.allgather(MPI.Get_address(memory))
    win.Lock(right, MPI.LOCK_SHARED)
    win.Get(back, right, MPI.Aint_add(addresses[right], 8))
    win.Unlock(right)
    comm.Barrier()
    win.Detach(memory)
    found = back.tolist(), win.attrs, win.flavor, outcome(lambda: win.Shared_query(0))
    win.Free()
    return found


def shared_memory(comm):
    MPI = mpi()
    win = MPI.Win.Allocate_shared(4 * (comm.rank + 1), 4, comm=comm)
    np.frombuffer(win.Shared_query(comm.rank)[0], "i4")[:] = comm.rank
    comm.Barrier()
    found = [(np.frombuffer(memory, "i4").tolist(), unit) for memory, unit in map(win.Shared_query, range(comm.size))]
    comm.Barrier()
    win.Free()
    return found


def epochs_of_windows(comm):
    MPI, data = mpi(), ints(1)
    win = MPI.Win.Allocate(32, 4)  # of this rank alone
    nobody, here = MPI.GROUP_EMPTY, win.Get_group()
    steps = [
        lambda: win.Put(data, 0), lambda: win.Unlock(0), lambda: win.Unlock_all(), lambda: win.Flush(0), win.Flush_all,
        win.Sync, win.Complete, win.Wait, win.Test,
        lambda: win.Lock(0), lambda: win.Lock(0), win.Lock_all, lambda: win.Start(nobody), win.Unlock_all,
        win.Flush_all,
        lambda: win.Put(data, 0, -1), lambda: win.Put(data, 7), lambda: win.Put(data, 0, (0, -1)),
        lambda: win.Put(data, 0, (0, 1, MPI.DATATYPE_NULL)), lambda: win.Accumulate(data, 0, (0, 1, MPI.DOUBLE)),
        lambda: win.Accumulate(data, 0, op=MPI.NO_OP),
        lambda: win.Compare_and_swap(np.ones(1), np.ones(1), np.ones(1), 0), lambda: win.Unlock(0),
        lambda: win.Lock(0, MPI.LOCK_SHARED, MPI.MODE_NOPUT), lambda: win.Fence(3), lambda: win.Lock(9),
        win.Lock_all, win.Lock_all, lambda: win.Lock(0), win.Fence, lambda: win.Flush(0), lambda: win.Unlock(0),
        win.Unlock_all,
        win.Fence, lambda: win.Put(data, 0), lambda: win.Lock(0), lambda: win.Flush(0), lambda: win.Start(nobody),
        lambda: win.Post(nobody), win.Fence, lambda: win.Lock(0), lambda: win.Unlock(0), lambda: win.Put(data, 0),
        lambda: win.Fence(MPI.MODE_NOSUCCEED), lambda: win.Put(data, 0),
        lambda: win.Start(nobody), lambda: win.Start(nobody), lambda: win.Lock(0), win.Fence, lambda: win.Put(data, 0),
        win.Complete, lambda: win.Post(here), lambda: win.Post(here), lambda: win.Start(here), lambda: win.Put(data, 0),
        win.Complete, win.Wait, lambda: win.Attach(data),
        lambda: MPI.WIN_NULL.Fence(), lambda: MPI.WIN_NULL.Free(),
    ]  # fmt: skip
    found = [outcome(step) for step in steps]
    win.Free()
    return found


def names_of_windows(comm):
    MPI = mpi()
    win = MPI.Win.Allocate(16, 2, comm=comm)
    found = [win.Get_name(), MPI.WIN_NULL.Get_name(), win.attrs[1:], win.flavor, win.model, win.Get_attr(MPI.WIN_SIZE)]
    win.name = "x" * 200
    found += [win.name, win.group_size, win.group_rank, win.Get_errhandler() == MPI.ERRORS_RETURN]
    win.Free()
    return [*found, bool(win), win == MPI.WIN_NULL]


PROGRAMS = [
    collective_accesses, views_with_holes, strided_buffers, ends_of_files, external_data, modes_of_files,
    mistakes_with_files, counters_with_requests, groups_that_access, strides_in_windows, attached_memory, shared_memory,
    epochs_of_windows, names_of_windows,
]  # fmt: skip

#: What Open MPI has otherwise.
AS_MPICH_HAS_IT = {
    collective_accesses,
    views_with_holes,
    ends_of_files,
    mistakes_with_files,
    epochs_of_windows,
    names_of_windows,
}


@pytest.mark.mpi
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_simulated_ranks_get_what_real_ranks_get(program):
    compare_with_real_ranks(program, AS_MPICH_HAS_IT)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_neither_latency_nor_order_changes_what_ranks_get(program):
    compare_orders(program, 5, "shuffled")


EXPECTED = {
    collective_accesses: ([0, 10], 1, 8, 48, [-1, 10, 1, 11, 0, 10, 1, 11, 0, 10, 1, 11]),
    views_with_holes: ([0, 100, 1], 3, 24, [0, 0, 100, 1, 101, 2, 102]),
    strided_buffers: ([0, -1, 2, -1, 4, -1], 12),
    counters_with_requests: ([3], 1, None),
    groups_that_access: [0, -1],
    strides_in_windows: ([0, 11, 0, 22, 0, 33, 0, 0], [12, 0, 0, 0, 23, 0]),
    attached_memory: ([2, 3], (0, 0, 1), 3, "RMA_FLAVOR"),
    shared_memory: [([0], 4), ([1, 1], 4)],
}


@pytest.mark.parametrize("program", EXPECTED, ids=lambda p: p.__name__)
def test_simulated_ranks_get_what_real_ranks_got(program):
    assert simulate(program, 2).results[1] == EXPECTED[program]
