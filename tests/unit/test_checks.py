"""Rules of MPI that a program breaks although no call raises: what it leaves behind, types, memory, with lines."""

import pytest

from bsbpool_sim import DeadlockError, RankErrors, explore, simulate
from bsbpool_sim import mpi as MPI

ALL = ("unreceived-message", "unfinished-request", "leaked-handle")


def left(program, ranks=2, checks=ALL):
    """Kind and rank of what a program leaves, and the function of MPI that made it."""
    found = simulate(program, ranks, checks=checks).violations
    assert all(each.place.file == __file__ for each in found)
    return [(each.kind, each.place.rank, each.place.call.rpartition(".")[2]) for each in found]


def test_a_message_that_nobody_receives_is_left():
    def program(comm):
        if comm.rank == 0:
            comm.send("seen", 1)
            comm.send("unseen", 1)
        else:
            comm.recv()

    assert left(program) == [("unreceived-message", 0, "send")]
    assert left(program, checks=()) == left(program, checks=["leaked-handle"]) == []


def test_what_is_left_is_found_among_many_messages_and_requests_that_ended():
    def program(comm):
        if comm.rank == 0:
            comm.send("unseen", 1, tag=7)
            for _ in range(3000):
                comm.isend("seen", 1).wait()
            comm.send("unseen", 1, tag=8)
        else:
            for _ in range(3000):
                comm.recv(tag=0)

    assert left(program) == [("unreceived-message", 0, "send")] * 2


def test_a_request_is_over_when_somebody_has_waited_or_tested():
    def program(comm):
        other = 1 - comm.rank
        waited, tested, freed = comm.isend(1, other), comm.isend(2, other), comm.isend(3, other)
        comm.isend(4, other)
        waited.wait(), freed.Free()
        while not tested.test()[0]:
            pass
        requests = [comm.irecv(source=other) for _ in range(4)]
        MPI.Request.waitany(requests)
        MPI.Request.waitall(requests)

    assert left(program) == [("unfinished-request", 0, "isend"), ("unfinished-request", 1, "isend")]


def test_a_receive_that_is_not_waited_for_is_what_its_message_is_left_by():
    def program(comm):
        if comm.rank:
            comm.send("x", 0)
        else:
            comm.irecv(source=1)

    assert left(program) == [("unfinished-request", 0, "irecv")]


def test_communicators_and_windows_are_left_unless_they_are_freed():
    def program(comm):
        comm.Dup().Free()
        comm.Split(0)
        MPI.Win.Allocate(8, comm=comm).Free()
        MPI.Win.Allocate(8, comm=comm)

    found = simulate(program, 1, checks=ALL).violations
    assert [each.what for each in found] == ["makes a communicator with Split", "makes a window with Allocate"]


def test_datatypes_are_left_unless_they_are_freed():
    def program(comm):
        MPI.INT.Create_contiguous(2).Commit().Free()
        MPI.DOUBLE.Create_vector(3, 1, 2).Commit()

    (found,) = simulate(program, 1, checks=ALL).violations
    assert found.what == "makes a datatype with Create_vector"


@pytest.mark.parametrize(
    ("sent", "received", "matches"),
    [
        ("INT", "INT", True), ("INT", "INT32_T", True), ("INT", "FLOAT", False), ("LONG", "DOUBLE", False),
        ("INT", "BYTE", True), ("DOUBLE", "FLOAT", False),
    ],
)  # fmt: skip
def test_both_sides_of_a_message_have_to_name_the_same_type(sent, received, matches):
    def program(comm):
        if comm.rank:
            comm.Send([bytearray(8), getattr(MPI, sent)], 0)
        else:
            comm.Recv([bytearray(8), getattr(MPI, received)], source=1)

    found = simulate(program, 2, checks=["type-mismatch"]).violations
    assert [each.kind for each in found] == ([] if matches else ["type-mismatch"])
    assert matches or f"receives items of MPI.{received}, and" in explore(program, 2).findings[0].message


def race(begin, meanwhile, ranks=2):
    """The lines of the races for memory in an exchange, in which something happens before its requests end."""

    def program(comm):
        memory, other = bytearray(b"12345678"), 1 - comm.rank
        requests = begin(comm, memory, other)
        meanwhile(memory)
        MPI.Request.Waitall(requests)

    found = simulate(program, ranks, checks=["buffer-race"]).violations
    assert all(each.kind == "buffer-race" for each in found)
    return [each.what for each in found if each.place.rank == 0]


def exchange(comm, memory, other):
    view = memoryview(memory)
    return [comm.Isend(view[:4], other), comm.Irecv(view[4:], source=other)]


def test_memory_that_a_request_has_must_not_change():
    assert race(exchange, lambda memory: None) == []
    assert race(exchange, lambda memory: memory.__setitem__(0, 0)) == ["changes memory while Isend has it"]
    assert race(exchange, lambda memory: memory.__setitem__(7, 0)) == ["changes memory while Irecv has it"]


def test_two_requests_must_not_have_the_same_memory_if_one_writes_it():
    def overlapping(comm, memory, other):
        view = memoryview(memory)
        return [comm.Isend(view[:5], other), comm.Irecv(view[3:], source=other)]

    def sent_twice(comm, memory, other):
        return [comm.Isend(memory, other), comm.Isend(memory, other), *(comm.Irecv(bytearray(8)) for _ in range(2))]

    assert race(sent_twice, lambda memory: None) == []
    (found, *_) = race(overlapping, lambda memory: None)
    assert found.startswith("gives memory to Irecv that Isend has, of line ")


def test_memory_is_the_programs_again_after_the_wait():
    def program(comm):
        memory, other = bytearray(8), 1 - comm.rank
        for step in range(3):
            request = comm.Isend(memory, other)
            comm.Recv(bytearray(8), source=other)
            request.Wait()
            memory[0] = step

    assert simulate(program, 2, checks=["buffer-race"]).violations == []


def conflicts(first, second, fence=False, place=0):
    """The conflicts of two accesses to the first cell of rank 0's window, or the second to another one."""

    def program(comm):
        window = MPI.Win.Allocate(16, 8, comm=comm)
        memory = [bytearray(8), MPI.INT64_T]
        window.Fence()
        if comm.rank == 1:
            first(window, memory, 0)
        if fence:
            window.Fence()
        if comm.rank == 2:
            second(window, memory, place)
        window.Fence()
        window.Free()

    found = simulate(program, 3, checks=["rma-race"]).violations
    assert all(each.kind == "rma-race" for each in found)
    return len(found)


def put(window, memory, place):
    window.Put(memory, 0, place)


def get(window, memory, place):
    window.Get(memory, 0, place)


def add(window, memory, place):
    window.Accumulate(memory, 0, place, MPI.SUM)


def largest(window, memory, place):
    window.Accumulate(memory, 0, place, MPI.MAX)


@pytest.mark.parametrize(("first", "second"), [(put, put), (put, get), (get, put), (add, put), (add, largest)])
def test_accesses_to_a_window_conflict_between_two_fences_where_one_writes(first, second):
    assert conflicts(first, second) == 1
    assert conflicts(first, second, fence=True) == conflicts(first, second, place=1) == 0


@pytest.mark.parametrize("access", [get, add])
def test_reading_twice_and_one_operation_do_not_conflict(access):
    assert conflicts(access, access) == 0


def test_a_program_that_raises_leaves_nothing_of_note():
    def program(comm):
        comm.Dup()
        raise ValueError

    assert [each.kind for each in explore(program, 1).findings] == ["failure"]


def test_an_unknown_check_is_refused():
    with pytest.raises(ValueError, match="checks="):
        simulate(lambda comm: None, 1, checks=["everything"])
    with pytest.raises(ValueError, match="there is no check 'everything'"):
        explore(lambda comm: None, 1, checks=["everything"])


@pytest.mark.parametrize("send", ["send", "Send", "isend", "Isend"])
def test_a_message_above_the_eager_limit_waits_for_its_receiver(send):
    def program(comm):
        data = bytearray(100) if send[0].isupper() else bytes(100)
        request = getattr(comm, send)(data, 1 - comm.rank)
        if request is not None:
            request.wait()
        if send[0].isupper():
            comm.Recv(bytearray(100), source=1 - comm.rank)
        else:
            comm.recv(source=1 - comm.rank)

    simulate(program, 2)
    simulate(program, 2, eager_limit=200)
    with pytest.raises(DeadlockError, match=f"to receive its message with tag 0 \\({send.lower()}\\)|{send}"):
        simulate(program, 2, eager_limit=50)


def test_what_is_buffered_by_the_program_and_what_is_exchanged_waits_for_nobody():
    def program(comm):
        other = 1 - comm.rank
        MPI.Attach_buffer(bytearray(10_000))
        comm.bsend(bytes(100), other)
        comm.ibsend(bytes(100), other).wait()
        received = [comm.recv(source=other) for _ in range(2)]
        received.append(comm.sendrecv(bytes(100), other, source=other))
        comm.Sendrecv(bytes(100), other, recvbuf=bytearray(100), source=other)
        comm.send("nobody", MPI.PROC_NULL)
        MPI.Detach_buffer()
        return len(received)

    assert simulate(program, 2, eager_limit=0).results == [3, 3]


def test_a_program_that_needs_buffers_is_found_by_exploring_it():
    def program(comm):
        comm.send("to the right", (comm.rank + 1) % comm.size)
        comm.recv()

    (finding,) = explore(program, 3).findings
    assert (finding.kind, finding.eager_limit, len(finding.ranks)) == ("buffering", 0, 3)
    with pytest.raises(DeadlockError):
        simulate(program, 3, late_matching=True, eager_limit=0, tape=finding.tape)
    assert explore(program, 3, checks=ALL).findings == []


def broadcast(comm, memory, other):
    return [comm.Ibcast(memory, root=0)]


def summed(comm, memory, other):
    return [comm.Iallreduce(MPI.IN_PLACE, memory)]


@pytest.mark.parametrize("begin", [broadcast, summed])
def test_memory_that_a_collective_call_has_must_not_change(begin):
    assert race(begin, lambda memory: None) == []
    (found, *_) = race(begin, lambda memory: memory.__setitem__(0, 99))
    assert found in ("changes memory while Ibcast has it", "changes memory while Iallreduce has it")


def test_memory_that_a_persistent_request_has_must_not_change_between_start_and_wait():
    def program(comm, early):
        memory = bytearray(4)
        request = comm.Send_init(memory, 1) if comm.rank == 0 else comm.Recv_init(memory, 0)
        for step in range(2):
            request.Start()
            if early and comm.rank == 0:
                memory[0] = step + 1
            request.Wait()
            memory[0] = step + 1
        request.Free()

    assert simulate(lambda comm: program(comm, False), 2, checks=["buffer-race"]).violations == []
    (found,) = simulate(lambda comm: program(comm, True), 2, checks=["buffer-race"]).violations
    assert found.what == "changes memory while Start has it"


def test_a_call_that_waits_must_not_get_memory_that_a_request_writes():
    def program(comm):
        memory, other = bytearray(8), 1 - comm.rank
        request = comm.Irecv(memoryview(memory)[4:], source=other)
        comm.Send(memoryview(memory)[: 4 + comm.rank], other)
        request.Wait()

    with pytest.raises(RankErrors) as raised:  # five bytes are sent, and four are received
        simulate(program, 2, checks=["buffer-race"])
    (found,) = raised.value.simulation.violations
    assert found.place.rank == 1 and found.what.startswith("gives memory to Send that Irecv has, of line ")


def accessed(access, flush):
    def program(comm):
        window = MPI.Win.Allocate(8, 1, comm=comm)
        memory = bytearray(b"12345678")
        window.Lock(0)
        access(window, memory)
        if flush:
            window.Flush_local(0)
        memory[0] = 9
        window.Unlock(0)
        comm.Barrier()
        window.Free()

    return [each.what for each in simulate(program, 1, checks=["buffer-race"]).violations]


@pytest.mark.parametrize("call", ["Put", "Get", "Rput", "Rget", "Accumulate"])
def test_memory_of_an_access_is_the_programs_again_after_a_flush(call):
    def access(window, memory):
        request = getattr(window, call)(memory, 0)
        if request is not None:
            requests.append(request)

    requests = []
    assert accessed(access, flush=True) == []
    assert accessed(access, flush=False) == [f"changes memory while {call} has it"]


@pytest.mark.parametrize(
    ("sent", "received", "matches"),
    [
        (lambda: MPI.INT.Create_vector(2, 1, 2), MPI.INT, True),
        (lambda: MPI.INT.Create_vector(2, 1, 2), MPI.FLOAT, False),
        (lambda: MPI.Datatype.Create_struct([1, 1], [0, 8], [MPI.INT, MPI.DOUBLE]), MPI.BYTE, True),
        (lambda: MPI.Datatype.Create_struct([1, 1], [0, 8], [MPI.INT, MPI.DOUBLE]), MPI.INT, False),
    ],
    ids=["a vector", "a vector of others", "bytes", "a structure"],
)
def test_a_derived_datatype_matches_what_it_consists_of(sent, received, matches):
    def program(comm):
        kind = sent().Commit()
        if comm.rank == 0:
            comm.Send([bytearray(16), 1, kind], 1)
        else:
            comm.Recv([bytearray(16), received], 0)
        kind.Free()

    found = [each.kind for each in simulate(program, 2, checks=["type-mismatch"]).violations]
    assert found == ([] if matches else ["type-mismatch"])


def test_ranks_have_to_give_items_of_one_type_to_a_collective_call():
    def program(comm):
        comm.Bcast([bytearray(8), MPI.INT if comm.rank == 0 else MPI.FLOAT])

    (found,) = simulate(program, 2, checks=["type-mismatch"]).violations
    assert found.what == "gives items of MPI.FLOAT to Bcast" and "others give it items of MPI.INT" in found.right


def test_an_object_must_not_be_received_as_items():
    def program(comm, kind):
        if comm.rank == 0:
            comm.send(1, 1)
        else:
            comm.Recv([bytearray(64), kind], 0)

    (found,) = simulate(lambda comm: program(comm, MPI.INT), 2, checks=["type-mismatch"]).violations
    assert found.what == "receives items of MPI.INT"
    assert simulate(lambda comm: program(comm, MPI.BYTE), 2, checks=["type-mismatch"]).violations == []


def test_files_and_info_objects_are_left_unless_they_are_freed(tmp_path):
    def program(comm, free):
        info = MPI.Info.Create()
        file = MPI.File.Open(comm, str(tmp_path / "file"), MPI.MODE_CREATE | MPI.MODE_WRONLY)
        if free:
            info.Free()
            file.Close()

    def kinds(free):
        return [
            each.what for each in simulate(lambda comm: program(comm, free), 1, checks=["leaked-handle"]).violations
        ]

    assert kinds(True) == [] and kinds(False) == ["makes an info object with Create", "makes a file with Open"]


def test_a_group_is_left_only_if_there_is_one_for_each_step():
    def program(comm, steps):
        for _ in range(steps):
            comm.Get_group()

    assert simulate(lambda comm: program(comm, 2), 1, checks=["leaked-handle"]).violations == []
    assert len(simulate(lambda comm: program(comm, 3), 1, checks=["leaked-handle"]).violations) == 3


def test_a_window_is_not_freed_before_a_fence_has_ended_its_accesses():
    def program(comm, fence):
        window = MPI.Win.Allocate(8, 1, comm=comm)
        window.Fence()
        window.Put(bytearray(1), 0)
        if fence:
            window.Fence()
        window.Free()

    assert simulate(lambda comm: program(comm, True), 1).results == [None]
    (found,) = explore(lambda comm: program(comm, False), 1).findings
    assert found.kind == "epoch"
    assert "Free of a window in an epoch of access that is open: call Fence() first" in found.message


def early(begin):
    """What exploring finds in a program that reads memory before and after the wait of what brings something there."""

    def program(comm, before):
        memory = bytearray(8)
        end = begin(comm, memory)
        read = bytes(memory) if before else None
        end()
        return read or bytes(memory)

    assert explore(lambda comm: program(comm, False), 2).findings == []
    return [(each.kind, each.message) for each in explore(lambda comm: program(comm, True), 2).findings]


def received(comm, memory):
    request = comm.Irecv(memory, 1 - comm.rank)
    comm.Send(bytearray(8), 1 - comm.rank)
    return request.Wait


def gathered(comm, memory):
    return comm.Iallgather(bytearray(4), memory).Wait


def got(comm, memory):
    window = MPI.Win.Allocate(8, 1, comm=comm)
    window.Fence()
    window.Get(memory, 0)

    def end():
        window.Fence()
        window.Free()

    return end


@pytest.mark.parametrize(("begin", "call"), [(received, "Irecv"), (gathered, "Iallgather"), (got, "Get")])
def test_who_reads_memory_before_mpi_has_written_it_is_found_by_exploring(begin, call):
    ((kind, message),) = early(begin)
    assert kind == "buffer-race" and message.startswith(f"rank 0 reads memory that {call} has not written yet, and ")


def test_what_is_behind_the_end_of_a_message_stays():
    def program(comm):
        memory, other = bytearray(b"12345678"), 1 - comm.rank
        request = comm.Irecv(memory, other)
        comm.Send(b"abcd", other)
        request.Wait()
        assert memory == b"abcd5678"

    assert explore(program, 2).findings == []


def reading(write, read, between=()):
    """The conflicts that exploring finds where rank 0 writes to rank 1's window, and rank 1 reads it."""

    def program(comm):
        memory = bytearray(b"12345678")
        window = MPI.Win.Create(memory, comm=comm)
        result = None
        if write is by_fence:
            window.Fence()
        if comm.rank == 0:
            write(window, 1)
        for call in between:
            call(window, comm)
        if comm.rank == 1:
            result = read(window, memory)
        if write is by_fence:
            window.Fence()
        comm.Barrier()
        window.Free()
        return result

    return [each.message for each in explore(program, 2).findings if each.kind == "rma-race"]


def by_fence(window, target):
    window.Put(b"abcd", target)


def by_lock(window, target):
    window.Lock(target)
    window.Put(b"abcd", target)
    window.Unlock(target)


def first(window, memory):
    return bytes(memory[:4])


def last(window, memory):
    return bytes(memory[4:])


def first_with_lock(window, memory):
    window.Lock(1)
    read = bytes(memory[:4])
    window.Unlock(1)
    return read


def fence(window, comm):
    window.Fence()


def barrier(window, comm):
    comm.Barrier()


@pytest.mark.parametrize("write", [by_fence, by_lock])
def test_who_reads_its_own_window_while_others_write_there_is_found_by_exploring(write):
    (message,) = reading(write, first)
    assert "accesses the window of rank 1 (Put), who read these bytes themselves meanwhile" in message


def test_it_is_no_race_after_what_ends_the_write_or_elsewhere_in_the_window():
    assert reading(by_fence, first, [fence]) == reading(by_lock, first, [barrier]) == []
    assert reading(by_fence, last) == reading(by_lock, last) == []


def test_it_is_no_race_under_a_lock_of_ones_own():
    assert reading(by_lock, first_with_lock) == []


def test_an_info_object_that_could_not_be_made_is_nobodys_to_free():
    def program(comm):
        with pytest.raises(TypeError):
            MPI.Info.Create(items=3)

    assert simulate(program, 1, checks=["leaked-handle"]).violations == []
