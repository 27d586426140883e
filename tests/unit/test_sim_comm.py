"""The simulated communicator: waiting, matching, collectives, buffers, and what is refused.

That results are those of a real MPI is the business of tests/mpi/test_same_as_mpi.py.
"""

import array
import pickle
import time

import pytest

from bsbpool_sim import (
    CannotSimulateError,
    CollectiveMismatchError,
    DeadlockError,
    MPIError,
    RankErrors,
    simulate,
)
from bsbpool_sim import mpi as MPI
from bsbpool_sim.mpi import constants
from bsbpool_sim.mpi.buffers import Buffer
from bsbpool_sim.mpi.datatypes import DATATYPES, datatype
from bsbpool_sim.mpi.operations import OPS, operation
from bsbpool_sim.mpi.reductions import check, combine
from bsbpool_sim.mpi.status import Status, fill

np = pytest.importorskip("numpy")


def run(program, ranks=2, **options):
    return simulate(program, ranks, **options).results


def refused(program, text, kind=MPIError, ranks=2):
    with pytest.raises(RankErrors, match=text) as caught:
        run(program, ranks)
    assert isinstance(next(iter(caught.value.by_rank.values())), kind)


def stuck(program, *texts, ranks=2):
    with pytest.raises(DeadlockError) as caught:
        run(program, ranks)
    for text in texts:
        assert text in str(caught.value)


def by_rank(*programs):
    return lambda comm: programs[comm.rank](comm)


def now():
    return round(MPI.Wtime(), 9)


# -- messages --------------------------------------------------------------------------------------------


def test_a_constant_of_mpi_is_the_one_that_its_calls_know():
    known = {name: value for name, value in vars(constants).items() if isinstance(value, constants.Constant)}
    assert len(known) > 10
    assert [name for name, value in known.items() if getattr(MPI, name) is not value] == []


def test_ranks_share_no_object():
    def program(comm):
        mine = [comm.rank]
        comm.send(mine, 1 - comm.rank)
        mine.append("changed after the send")
        return comm.recv()

    assert run(program) == [[1], [0]]


def test_a_message_takes_latency_and_its_size_over_the_bandwidth():
    def program(comm):
        if comm.rank == 0:
            comm.Send(bytes(1000), 1)
        else:
            comm.Recv(bytearray(1000))
        return now()

    assert run(program, latency=0.5, bandwidth=1000) == [0, 1.5]


def test_messages_of_one_link_keep_their_order_when_events_are_shuffled():
    def program(comm):
        for i in range(30):
            comm.send(i, 1 - comm.rank)
        return [comm.recv() for _ in range(30)]

    assert run(program, policy="shuffled", seed=4) == [list(range(30))] * 2


def test_a_synchronous_send_ends_when_its_receiver_takes_it():
    def sender(comm):
        comm.ssend("a", 1)
        first = now()
        comm.Ssend(b"b", 1)
        requests = [comm.issend("c", 1, tag=1), comm.Issend(b"d", 1, tag=2)]
        MPI.Request.Waitall(requests)
        comm.issend(1, MPI.PROC_NULL).wait()
        return first, now()

    def receiver(comm):
        time.sleep(2)
        comm.recv(tag=0)
        comm.Recv(bytearray(1), tag=0)
        time.sleep(1)
        comm.Recv(bytearray(1), tag=2)
        comm.recv(tag=1)

    assert run(by_rank(sender, receiver))[0] == (2, 3)


def test_messages_to_the_dead_are_dropped():
    def program(comm):
        if comm.rank == 1:
            comm.cluster.kernel.kill(comm.cluster.kernel.ranks[1])
        time.sleep(1)
        comm.send("hello", 1)
        return now()

    assert run(program) == [1, None]


def test_an_unsuccessful_poll_takes_a_microsecond():
    def program(comm):
        times = []
        request = comm.irecv()
        for poll in (comm.iprobe, comm.improbe, request.test, lambda: MPI.Request.testall([request])):
            poll()
            times.append(now())
        return times

    assert run(program, 1) == [[1e-6, 2e-6, 3e-6, 4e-6]]


def test_probes_leave_the_message_and_matched_ones_take_it():
    def receiver(comm):
        status = MPI.Status()
        assert comm.probe(status=status)
        assert comm.iprobe(source=0)
        first = comm.improbe()
        second = comm.mprobe(tag=2)
        assert not comm.iprobe()
        into = bytearray(2)
        first.Recv(into)
        return status.Get_source(), bytes(into), second.irecv().wait()

    def sender(comm):
        time.sleep(1)
        comm.Send(b"ab", 1, tag=1)
        comm.send("second", 1, tag=2)

    assert run(by_rank(sender, receiver))[1] == (0, b"ab", "second")


def test_nobody_is_probed_at_once():
    def program(comm):
        status = MPI.Status()
        none = comm.mprobe(MPI.PROC_NULL), comm.improbe(MPI.PROC_NULL)
        both = [message == MPI.MESSAGE_NO_PROC for message in none]
        return comm.probe(MPI.PROC_NULL, status=status), comm.iprobe(MPI.PROC_NULL), both, status.source.name  # type: ignore[attr-defined]

    assert run(program, 1) == [(True, True, [True, True], "PROC_NULL")]


def test_receives_are_matched_in_the_order_in_which_they_were_posted():
    def receiver(comm):
        requests = [comm.irecv(), comm.irecv(tag=2), comm.irecv(source=0)]
        return MPI.Request.waitall(requests)

    def sender(comm):
        for tag in (1, 2, 3):
            comm.send(tag, 1, tag=tag)

    assert run(by_rank(sender, receiver))[1] == [1, 2, 3]


# -- requests --------------------------------------------------------------------------------------------


def staggered(comm):
    """Rank 0 gets a request for each other rank, whose message comes at the second of its number."""
    if comm.rank:
        time.sleep(comm.rank)
        comm.send(comm.rank, 0)
        return []
    return [comm.irecv(source=r) for r in range(1, comm.size)]


def of_main(action, ranks=4):
    def program(comm):
        requests = staggered(comm)
        return None if comm.rank else action(requests)

    return run(program, ranks)[0]


def test_one_of_several_is_waited_for():
    def action(requests):
        got = [MPI.Request.waitany(requests) for _ in requests] + [MPI.Request.Waitany(requests)]
        return got, now()

    assert of_main(action) == ([(0, 1), (1, 2), (2, 3), MPI.UNDEFINED], 3)


def test_some_of_several_are_waited_for():
    def action(requests):
        first = MPI.Request.waitsome(requests)
        time.sleep(5)
        statuses = [MPI.Status()]
        rest = MPI.Request.waitsome(requests, statuses)
        return first, rest, statuses[0].source, MPI.Request.waitsome(requests), MPI.Request.Waitsome(requests)

    assert of_main(action) == (([0], [1]), ([1, 2], [2, 3]), 2, (None, None), None)


def test_several_are_tested():
    def action(requests):
        out = [MPI.Request.testsome(requests), MPI.Request.testany(requests), MPI.Request.Testall(requests)]
        time.sleep(1)
        out += [MPI.Request.testany(requests), MPI.Request.Testany(requests)]
        time.sleep(5)
        out += [
            MPI.Request.testsome(requests),
            MPI.Request.testsome(requests),
            MPI.Request.Testsome(requests),
        ]
        return out, MPI.Request.testall(requests), MPI.Request.testany(requests), MPI.Request.waitall([])

    none = MPI.UNDEFINED
    assert of_main(action) == (
        [
            ([], []),
            (none, False, None),
            False,
            (0, True, 1),
            (none, False),
            ([1, 2], [2, 3]),
            (None, None),
            None,
        ],
        (True, [None] * 3),
        (none, True, None),
        [],
    )


def test_a_request_tells_its_status_without_ending():
    def action(requests):
        (request,) = requests
        status = MPI.Status()
        early = request.get_status(status)
        time.sleep(2)
        late = request.Get_status(status), status.source
        return (
            early,
            late,
            bool(request),
            request.Test(status),
            request.Wait(status),
            bool(request),
            request.wait(),
        )

    assert of_main(action, 2) == (False, (True, 1), True, True, True, False, None)


def test_a_send_request_is_over_after_its_wait():
    def program(comm):
        request = comm.isend(1, 0)
        request.cancel()
        got = comm.recv(), request.get_status(), request.wait(), bool(request)
        with pytest.raises(MPI.Exception, match="Free of a request that was freed, or has ended"):
            request.Free()
        return got

    assert run(program, 1) == [(1, True, None, False)]


def test_a_cancelled_receive_takes_no_message():
    def program(comm):
        request, status = comm.irecv(), MPI.Status()
        request.Cancel()
        comm.send("for the next", 0)
        got = request.wait(status), comm.recv()
        with pytest.raises(MPI.Exception, match="Cancel of a request that was freed, or has ended"):
            request.cancel()
        return (*got, status.Is_cancelled())

    assert run(program, 1) == [(None, "for the next", True)]


def test_a_wait_for_several_names_some_of_them():
    stuck(
        lambda comm: MPI.Request.waitall([comm.irecv(tag=i) for i in range(8)]),
        "waits for a message from any rank with tag 0 (irecv) and a message from any rank with tag 1",
        "tag 4 (irecv) and 3 more, since 0 s",
    )
    stuck(lambda comm: MPI.Request.waitany([comm.irecv(tag=i) for i in range(2)]), "tag 0 (irecv) or a message")


# -- collectives -----------------------------------------------------------------------------------------


def ends(call, **options):
    """When each of four ranks, which come one second after another, leaves `call`."""

    def program(comm):
        time.sleep(comm.rank)
        call(comm)
        return now()

    return run(program, 4, **options)


@pytest.mark.parametrize(
    ("call", "times"),
    [
        (lambda c: c.barrier(), [3, 3, 3, 3]),
        (lambda c: c.Barrier(), [3, 3, 3, 3]),
        (lambda c: c.Ibarrier().wait(), [3, 3, 3, 3]),
        (lambda c: c.allgather(1), [3, 3, 3, 3]),
        (lambda c: c.alltoall([1] * 4), [3, 3, 3, 3]),
        (lambda c: c.allreduce(1), [3, 3, 3, 3]),
        (lambda c: c.bcast(1, root=2), [2, 2, 2, 3]),
        (lambda c: c.scatter([1] * 4, root=0), [0, 1, 2, 3]),
        (lambda c: c.gather(1, root=0), [3, 1, 2, 3]),
        (lambda c: c.reduce(1, root=3), [0, 1, 2, 3]),
        (lambda c: c.scan(1), [0, 1, 2, 3]),
    ],
)
def test_a_collective_call_waits_only_for_whom_it_needs(call, times):
    assert ends(call) == times


def test_a_scan_waits_for_lower_ranks():
    def program(comm):
        time.sleep(comm.size - comm.rank)
        return comm.scan(1), now()

    assert run(program, 3) == [(1, 3), (2, 3), (3, 3)]


def test_a_collective_call_takes_a_hop_for_each_level_of_a_tree():
    assert ends(lambda c: c.barrier(), latency=0.5) == [4, 4, 4, 4]
    assert run(lambda c: (c.barrier(), now())[1], 1, latency=0.5) == [0]


def test_who_is_missing_is_named():
    def program(comm):
        if comm.rank == 2:
            comm.cluster.kernel.kill(comm.cluster.kernel.ranks[2])
        if comm.rank < 3:
            comm.barrier()

    stuck(
        program,
        "rank 0 waits for ranks 2, 3 to call barrier() (they have not called it; rank 2 died at 0 s; rank 3 has ended)",
        ranks=4,
    )
    stuck(
        lambda c: c.rank and c.bcast(1),
        "rank 0 to call bcast(root=0) (it has not called it; rank 0 has ended)",
    )
    stuck(lambda c: c.rank and c.scan(1), "rank 0 to call scan(op=SUM)")
    stuck(lambda c: c.rank or c.gather(1), "rank 1 to call gather(root=0)")
    stuck(lambda c: c.rank or c.Ibarrier().wait(), "rank 1 to call Ibarrier()")
    stuck(lambda c: c.rank or c.barrier(), "ranks 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 4 more to call", ranks=15)
    stuck(
        lambda c: c.rank or c.ssend(1, 1, tag=3),
        "rank 1, which has ended, to receive its message with tag 3 (ssend)",
    )


def test_a_call_that_travels_says_so():
    def program(comm):
        if comm.rank:
            comm.cluster.kernel.at(5 * 10**8, lambda _: texts.append(comm.cluster.kernel.report()), None)
        comm.barrier()
        request = comm.Ibarrier()
        comm.cluster.kernel.at(15 * 10**8, lambda _: texts.append(comm.cluster.kernel.report()), None)
        request.wait()

    texts = []
    run(program, latency=1)
    assert "rank 0 waits for the end of barrier(), since 0 s" in texts[0]
    assert "rank 0 waits for the end of Ibarrier(), since 1 s" in texts[1]


def test_waits_on_other_communicators_name_them():
    def program(comm):
        half = comm.Split(comm.rank % 2)
        if comm.rank == 2:
            half.Set_name("evens")
        half.recv(source=0)

    stuck(
        program,
        "rank 2 waits for a message from rank 0 with any tag (recv) on evens of ranks 0, 2",
        "rank 3 waits for a message from rank 1 with any tag (recv) on the communicator of ranks 1, 3",
        ranks=4,
    )


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (
            lambda c: c.barrier(),
            lambda c: c.bcast(1),
            r"rank 1 called bcast\(root=0\) where rank 0 called barrier\(\), as collective call 1 of MPI_",
        ),
        (
            lambda c: c.gather(1, root=0),
            lambda c: c.gather(1, root=1),
            r"gather\(root=1\) where rank 0 called gather\(root=0",
        ),
        (lambda c: c.reduce(1), lambda c: c.reduce(1, MPI.MAX), r"reduce\(root=0, op=MAX\) where"),
        (lambda c: c.Dup().barrier(), lambda c: c.Dup().Ibarrier(), "as collective call 1 of communicator 1:"),
    ],
)
def test_different_collective_calls_are_noticed_at_once(first, second, text):
    refused(by_rank(first, second), text, CollectiveMismatchError)


def test_collective_calls_are_forgotten_when_all_have_come():
    def program(comm):
        for _ in range(5):
            comm.allreduce(1)
            comm.Ibarrier().wait()
        comm.barrier()
        return len(comm.context.under_way)

    assert run(program) == [0, 0]


def test_what_an_operation_raises_is_its_ranks_error():
    refused(lambda c: c.reduce(None), "rank 0 raised TypeError", TypeError)


# -- communicators ---------------------------------------------------------------------------------------


def test_a_communicator_knows_itself():
    def program(comm):
        comm.name = "ours"
        other = comm.Dup()
        return (
            comm.Get_name(),
            repr(other),
            comm.Is_inter(),
            comm.Is_intra(),
            comm.Get_rank(),
            comm.Get_size(),
            comm == MPI.COMM_WORLD,
            comm == other,
            isinstance(comm, MPI.Intracomm),
            MPI.COMM_SELF.size,
            repr(comm),
        )

    assert run(program, 1) == [
        (
            "ours",
            "<simulated communicator, rank 0 of 1>",
            False,
            True,
            0,
            1,
            True,
            False,
            True,
            1,
            "<simulated ours, rank 0 of 1>",
        ),
    ]


def test_communicators_compare_by_their_ranks():
    def program(comm):
        turned = comm.Split(0, key=-comm.rank)
        alone = comm.Split(comm.rank)
        return [comm.Compare(c) for c in (comm, comm.Dup(), turned, alone)]

    assert run(program)[0] == [MPI.IDENT, MPI.CONGRUENT, MPI.SIMILAR, MPI.UNEQUAL]


def test_a_freed_communicator_is_null():
    def program(comm):
        copy = comm.Dup()
        copy.Free()
        assert (bool(copy), copy == MPI.COMM_NULL, type(copy)) == (False, True, MPI.Intracomm)
        assert not hasattr(copy, "__len__")
        return copy.send(1, 0)

    refused(program, "send of a communicator that was freed")


def test_handles_are_equal_if_they_are_of_one_communicator_and_can_not_be_hashed():
    def program(comm):
        other, copy = MPI.Intracomm(comm), comm.Dup()
        with pytest.raises(TypeError, match="unhashable"):
            hash(comm)
        return other == comm, other is comm, copy == comm, MPI.Intracomm() == MPI.COMM_NULL

    assert run(program, 1) == [(True, False, False, True)]


def test_a_communicator_that_was_freed_by_another_handle_is_refused():
    def program(comm):
        copy = comm.Dup()
        other = MPI.Intracomm(copy)
        copy.Free()
        return other.recv()

    refused(program, "recv of a communicator that was freed")


def test_a_receive_ends_after_its_communicator_was_freed():
    def program(comm):
        copy = comm.Dup()
        request = copy.irecv()
        copy.send(comm.rank, dest=1 - comm.rank)
        copy.Free()
        return request.wait()

    assert run(program, 2) == [1, 0]


def test_communicators_that_a_program_made_cannot_be_sent():
    refused(lambda c: c.send(c.Dup(), 0), "rank 0 can't send this Intracomm: cannot serialize", TypeError)


def test_a_predefined_communicator_that_is_sent_is_the_receivers():
    def program(comm):
        comm.send([MPI.COMM_WORLD, MPI.COMM_NULL], dest=1 - comm.rank)
        world, null = comm.recv()
        return world is MPI.COMM_WORLD, null is MPI.COMM_NULL, world.rank

    assert run(program, 2) == [(True, True, 0), (True, True, 1)]


# -- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "text", "kind"),
    [
        (lambda c: c.send(1, 2), r"dest=2 is no rank: this communicator has the ranks 0 to 1", MPIError),
        (lambda c: c.send(1, -7), "dest=-7", MPIError),
        (lambda c: c.send(1, "1"), "dest must be a rank, an integer, not '1'", TypeError),
        (lambda c: c.send(1, 1, tag=-3), "tag=-3 can't be sent", MPIError),
        (lambda c: c.recv(source=5), "source=5 is no rank", MPIError),
        (lambda c: c.recv(source=None), "source must be a rank", TypeError),
        (lambda c: c.recv(tag=-5), "tag=-5 can't be received", MPIError),
        (lambda c: c.send(lambda: 1, 1), "rank 0 can't send this function", TypeError),
        (
            lambda c: c.bcast(1, root=2),
            r"bcast\(root=2\): the root must be one of the ranks 0 to 1",
            MPIError,
        ),
        (lambda c: c.reduce(1, root=None), "reduce: root must be an integer, not None", TypeError),
        (lambda c: c.scatter([1]), "scatter needs 2 items, one for each rank, not 1", ValueError),
        (lambda c: c.scatter(3), "not int 3", ValueError),
        (lambda c: c.alltoall([1, 2, 3]), "alltoall needs 2 items", ValueError),
        (lambda c: c.allreduce(1, op="sum"), "op must be one like MPI.SUM", TypeError),
        (lambda c: c.Split(-1), "color=-1: a color is 0 or more", MPIError),
        (lambda c: c.Send(np.zeros((4, 4))[:, 1], 0), "must be contiguous", BufferError),
        (lambda c: c.Send([bytes(4), 2, MPI.INT], 0), "4 bytes has no room for 2 items of INT", MPIError),
        (
            lambda c: (c.Send(bytes(4), 0), c.Recv(bytearray(3), 0)),
            "the message from rank 0 with tag 0 is 4 bytes, and the buffer that receives it 3",
            MPIError,
        ),
        (
            lambda c: (c.Send(bytes(4), 0), c.Recv(bytes(4), 0)),
            "the buffer that receives is read-only",
            BufferError,
        ),
        (
            lambda c: c.Gather(bytes(1), bytearray(3)),
            "number of entries 3 is not a multiple of .* blocks 2",
            ValueError,
        ),
        (lambda c: c.Gatherv(bytes(1), [bytearray(3), [3]]), "expecting 2 items, got 1", ValueError),
        (lambda c: c.Gather(MPI.IN_PLACE, None, root=1), "only the root may give IN_PLACE", MPIError),
        (lambda c: c.Reduce(MPI.IN_PLACE, bytes(1), root=1), "only the root may give IN_PLACE", MPIError),
        (lambda c: (c.send(1, 0), c.recv(status=3)), "must be an MPI.Status, not 3", TypeError),
    ],
)
def test_misuse_is_refused_in_one_clear_message(call, text, kind):
    refused(lambda c: c.rank or call(c), text, kind)


def test_a_broadcast_into_too_small_a_buffer_names_both_sizes():
    refused(
        lambda c: c.Bcast(bytearray(4 - c.rank)),
        "what rank 0 broadcasts is 4 bytes, and the buffer that receives it 3",
    )


def test_reduced_buffers_must_have_one_size():
    refused(
        lambda c: c.Allreduce(bytes(4 - c.rank), bytearray(4 - c.rank)),
        "buffers of different sizes: rank 0 4 bytes and rank 1 3 bytes",
    )


def test_reduced_buffers_must_be_of_one_type():
    refused(
        lambda c: c.Allreduce(np.zeros(1, "f8" if c.rank else "i8"), np.zeros(1, "f8" if c.rank else "i8")),
        r"rank 0 reduces LONG and rank 1 DOUBLE",
    )


def test_a_function_of_two_objects_is_no_operation_for_buffers():
    refused(lambda c: c.Allreduce(bytes(1), bytearray(1), op=max), r"make an operation, MPI.Op.Create", TypeError)


# -- collectives of buffers --------------------------------------------------------------------------------


def filled(call, size=2, dtype="u1"):
    """What `call(comm, buffer)` writes into a buffer of `size` zeros, on each of two ranks."""

    def program(comm):
        buffer = np.zeros(size, dtype)
        call(comm, buffer)
        return buffer.tolist()

    return run(program)


def mine(comm):
    """Two bytes: ten times the rank, and one more."""
    return np.array([10 * comm.rank, 10 * comm.rank + 1], "u1")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda c, b: c.Sendrecv(mine(c), 1 - c.rank, recvbuf=b, source=1 - c.rank), [[10, 11], [0, 1]]),
        (lambda c, b: (c.Isend(mine(c), 1 - c.rank), c.Irecv(b).Wait()), [[10, 11], [0, 1]]),
        (lambda c, b: c.Bcast(mine(c) if c.rank else b, root=1), [[10, 11], [0, 0]]),
        (lambda c, b: c.Scatter(mine(c), b[:1], root=1), [[10, 0], [11, 0]]),
        (lambda c, b: c.Scatter(mine(c), b[:1] if c.rank else MPI.IN_PLACE), [[0, 0], [1, 0]]),
        (lambda c, b: c.Scatterv([mine(c), [2, 0]], b[: 2 - 2 * c.rank]), [[0, 1], [0, 0]]),
        (lambda c, b: c.Gather(mine(c)[:1], b), [[0, 10], [0, 0]]),
        (lambda c, b: c.Gather(mine(c)[1:] if c.rank else MPI.IN_PLACE, b), [[0, 11], [0, 0]]),
        (lambda c, b: c.Gatherv(mine(c)[: c.rank], [b, ((0, 1), (0, 1))], root=0), [[0, 10], [0, 0]]),
        (lambda c, b: c.Allgather(mine(c)[:1], b), [[0, 10], [0, 10]]),
        (lambda c, b: c.Allgatherv(mine(c)[:1], [b, ([1, 1], [1, 0]), MPI.BYTE]), [[10, 0], [10, 0]]),
        (lambda c, b: c.Alltoall(mine(c), b), [[0, 10], [1, 11]]),
        (lambda c, b: (b.__setitem__(0, c.rank + 5), c.Alltoall(MPI.IN_PLACE, b)), [[5, 6], [0, 0]]),
        (lambda c, b: c.Reduce(mine(c), b), [[10, 12], [0, 0]]),
        (lambda c, b: (b.fill(c.rank + 1), c.Reduce(b if c.rank else MPI.IN_PLACE, b)), [[3, 3], [2, 2]]),
        (lambda c, b: c.Allreduce(mine(c), b, MPI.MAX), [[10, 11], [10, 11]]),
        (lambda c, b: (b.fill(c.rank + 1), c.Allreduce(MPI.IN_PLACE, b)), [[3, 3], [3, 3]]),
        (lambda c, b: c.Scan(mine(c), b), [[0, 1], [10, 12]]),
        (lambda c, b: c.Exscan(mine(c), b), [[0, 0], [0, 1]]),
    ],
)
def test_buffers_are_filled(call, expected):
    assert filled(call) == expected


def test_a_users_operation_changes_buffers_in_place():
    def larger(a, b, datatype):
        b[:] = bytes(max(x, y) for x, y in zip(a, b, strict=True))

    assert filled(lambda c, b: c.Allreduce(mine(c), b, MPI.Op.Create(larger))) == [[10, 11]] * 2


def test_scans_leave_out_or_take_in_this_rank():
    assert run(lambda c: (c.scan(c.rank + 1), c.exscan(c.rank + 1)), 3) == [(1, None), (3, 1), (6, 3)]


def test_objects_are_exchanged():
    def program(comm):
        right = (comm.rank + 1) % comm.size
        return (
            comm.sendrecv(comm.rank, right),
            comm.alltoall([10 * comm.rank + r for r in range(comm.size)]),
            comm.gather(comm.rank, root=1),
            comm.reduce(comm.rank, MPI.MAX, root=1),
            comm.allreduce((comm.rank % 2, comm.rank), MPI.MAXLOC),
            comm.scatter("abc" if comm.rank == 0 else None),
        )

    assert run(program, 3)[1] == (0, [1, 11, 21], [0, 1, 2], 2, (1, 1), "b")


@pytest.mark.parametrize(
    ("op", "x", "y", "result"),
    [
        (MPI.MAX, 2, 1, 2),
        (MPI.MIN, 2, 1, 1),
        (MPI.PROD, 2, 3, 6),
        (MPI.LAND, 2, 0, False),
        (MPI.LOR, 2, 0, True),
        (MPI.LXOR, 2, 1, False),
        (MPI.BXOR, 6, 3, 5),
        (MPI.MAXLOC, (2, 5), (2, 3), (2, 3)),
        (MPI.MINLOC, (1, 5), (2, 3), (1, 5)),
        (MPI.MINLOC, (2, 5), (1, 3), (1, 3)),
        (MPI.REPLACE, 1, 2, 2),
        (MPI.NO_OP, 1, 2, 1),
        (MPI.Op.Create(lambda x, y, _: x - y), 5, 3, 2),
    ],
)
def test_operations_reduce_two_objects(op, x, y, result):
    assert op(x, y) == result


# -- buffers, datatypes, operations ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "content", "type"),
    [
        (b"abc", b"abc", "UNSIGNED_CHAR"),
        ([b"abc", 2], b"ab", "UNSIGNED_CHAR"),
        ([b"abc", (1, 2)], b"c", "UNSIGNED_CHAR"),
        ([b"abcd", None, MPI.SHORT], b"abcd", "SHORT"),
        ([b"abcd", "h"], b"abcd", "SHORT"),
        ([b"abcd", 1, "i2"], b"ab", "INT16_T"),
        ([b"abcd", [1, 2]], b"c", "UNSIGNED_CHAR"),
        ([None, 0, MPI.INT], b"", "INT"),
        ([MPI.BOTTOM, "d"], b"", "DOUBLE"),
        (array.array("d", [0.0]), bytes(8), "DOUBLE"),
        (np.zeros(1, "c16"), bytes(16), "C_DOUBLE_COMPLEX"),
        (np.zeros(2, ">u1"), bytes(2), "UNSIGNED_CHAR"),
        ([np.zeros(2, ">i2"), MPI.BYTE], bytes(4), "BYTE"),
        (np.zeros(1, np.longdouble), bytes(16), "LONG_DOUBLE"),
        (np.zeros((0, 3)), b"", "DOUBLE"),
        ([np.zeros(2, "i4,f8"), MPI.BYTE], bytes(24), "BYTE"),
        (np.array([[1, 2], [3, 4]], "u1", order="F"), b"\1\3\2\4", "UNSIGNED_CHAR"),
    ],
)
def test_buffers_are_understood(spec, content, type):
    buffer = Buffer(spec)
    assert (buffer.read(), repr(buffer.type)) == (content, type)


def test_what_is_no_datatype_is_refused():
    class Vector:
        def Get_name(self):
            return ""

    with pytest.raises(TypeError, match=r"a datatype is an MPI\.Datatype or a format"):
        datatype(Vector())
    with pytest.raises(KeyError, match="cannot map 'x' to MPI datatype"):
        datatype("x")


@pytest.mark.parametrize(
    ("spec", "error", "said"),
    [
        (np.zeros(2, ">i2"), BufferError, r"'>h' .* the byte order of another machine.*astype"),
        (np.zeros(2, "i4,f8"), KeyError, r"is that of no MPI datatype: name one, as \[array, MPI.BYTE\]"),
        (np.array([b"ab"]), KeyError, "the format '2s'"),
    ],
)
def test_a_buffer_of_unknown_format_is_refused(spec, error, said):
    with pytest.raises(error, match=said):
        Buffer(spec)


def test_a_buffer_reduction_that_is_not_simulated_is_refused():
    with pytest.raises(CannotSimulateError, match="SUM of REAL16 can't be simulated: NumPy has no quadruple precision"):
        check("Reduce", OPS["SUM"], DATATYPES["REAL16"])


@pytest.mark.parametrize(
    ("op", "type", "said"),
    [
        ("SUM", "BYTE", "MPI has no SUM for BYTE: for bytes it has BAND, BOR, BXOR"),
        ("SUM", "C_BOOL", "for truth values it has LAND, LOR, LXOR"),
        ("BAND", "DOUBLE", "for floating-point numbers it has SUM, PROD, MAX, MIN"),
        ("MAX", "C_LONG_DOUBLE_COMPLEX", "for complex numbers it has SUM, PROD"),
        ("SUM", "CHARACTER", "MPI has no SUM for CHARACTER: it holds no numbers"),
        ("MAXLOC", "INT", "MPI has no MAXLOC for INT: for integers it has"),
        ("REPLACE", "INT", "MPI has no REPLACE for INT"),
    ],
)
def test_an_operation_that_mpi_has_not_for_a_type_is_refused(op, type, said):
    with pytest.raises(MPI.Exception, match=said):
        check("Reduce", OPS[op], DATATYPES[type])


def test_integers_wrap_as_in_c():
    assert combine(operation(MPI.SUM), MPI.INT8_T, [b"\x7f", b"\x01"]) == b"\x80"


def test_constants_survive_pickling():
    for thing in (MPI.ANY_SOURCE, MPI.SUM, MPI.DOUBLE):
        again = pickle.loads(pickle.dumps(thing))
        assert repr(again) == repr(thing)
    assert operation(pickle.loads(pickle.dumps(MPI.Op.Create(max)))).function is max


def test_operations_and_datatypes_describe_themselves():
    assert (MPI.SUM.Is_commutative(), MPI.SUM.is_commutative, MPI.SUM.is_predefined) == (True, True, True)
    assert not MPI.Op.Create(max).is_predefined
    assert operation(max).name == "max"
    assert (MPI.INT.Get_size(), MPI.INT.extent, MPI.INT.Get_name()) == (4, 4, "MPI_INT")


def test_a_status_can_be_set_and_copied():
    status = Status()
    status.Set_source(3)
    status.Set_tag(4)
    status.Set_elements(MPI.INT, 5)
    status.Set_cancelled(True)
    copy = Status(status)
    assert (copy.Get_source(), copy.Get_tag(), copy.Get_count(MPI.INT), copy.Get_error()) == (3, 4, 5, 0)
    assert copy.Get_elements(MPI.DOUBLE) is not None
    fill(None, 0, 0, 0)
    assert (repr(MPI.ANY_TAG), str(MPI.PROC_NULL), repr(MPI.IN_PLACE)) == ("-1", "-1", "IN_PLACE")


def test_the_environment_is_that_of_a_simulated_rank():
    def program(comm):
        return (
            MPI.Get_processor_name(),
            MPI.Is_initialized(),
            MPI.Is_finalized(),
            MPI.Query_thread() == MPI.THREAD_MULTIPLE,
            MPI.Is_thread_main(),
            MPI.Wtick(),
            MPI.Get_library_version().split()[0],
            MPI.Get_version() > (3, 0),
        )

    assert run(program)[1] == ("simulated-0", True, False, True, True, 1e-9, "bsbpool", True)


def test_names_that_are_not_simulated_say_so():
    with pytest.raises(AttributeError, match=r"MPI\.Get_weather can't be simulated"):
        MPI.Get_weather  # noqa: B018


def test_outside_of_a_simulation_there_is_no_world():
    with pytest.raises(Exception, match="outside of a program under simulate"):
        MPI.COMM_WORLD  # noqa: B018


# -- what was accepted once, and is not -------------------------------------------------------------------


def test_a_loop_of_get_status_takes_time_and_ends():
    def program(comm):
        if comm.rank == 0:
            time.sleep(1e-3)
            comm.send("x", 1)
            return None
        request, asked = comm.irecv(source=0), 0
        while not request.Get_status():
            asked += 1
        return asked, request.wait()

    assert simulate(program, 2).results[1] == (1000, "x")


def test_a_matched_message_is_received_once():
    def program(comm):
        comm.send("x", comm.rank)
        message = comm.mprobe()
        return message.recv(), message.irecv()

    refused(program, "received already")


def test_a_buffer_for_bsend_must_be_large_enough_and_only_one():
    def small(comm):
        MPI.Attach_buffer(bytearray(MPI.BSEND_OVERHEAD + 2))
        comm.Bsend(b"abc", comm.rank)

    def two(comm):
        MPI.Attach_buffer(bytearray(200))
        MPI.Attach_buffer(bytearray(200))

    refused(small, "bsend of 3 bytes takes 99 of the buffer, .* the one that was attached has 98")
    refused(two, "there is a buffer attached already")
    refused(lambda comm: comm.ibsend("x", comm.rank), "attach one first")


def test_statuses_that_cannot_grow_are_filled_as_far_as_they_go():
    def program(comm):
        for i in range(2):
            comm.send("x", comm.rank, tag=i)
        status = MPI.Status()
        MPI.Request.waitall([comm.irecv(tag=0), comm.irecv(tag=1)], (status,))
        return status.tag

    assert run(program, 1) == [0]


def test_a_key_or_a_kind_of_communicator_that_mpi_does_not_have_is_refused():
    refused(lambda comm: comm.Get_attr(7), r"7 is no key of attributes of an MPI.Comm")
    refused(lambda comm: comm.Split_type(7), r"give one like MPI.COMM_TYPE_SHARED, or MPI.UNDEFINED")


def test_what_goes_to_nobody_need_not_be_pickled():
    def program(comm):
        def thing():
            """Can't be pickled."""

        for send in (comm.send, comm.ssend, comm.bsend):
            send(thing, MPI.PROC_NULL)
        comm.Bsend(b"a buffer for it need not be attached either", MPI.PROC_NULL)
        requests = [send(thing, dest=MPI.PROC_NULL) for send in (comm.isend, comm.issend, comm.ibsend)]
        MPI.Request.waitall(requests)
        return comm.sendrecv(thing, MPI.PROC_NULL, source=MPI.PROC_NULL)

    assert run(program, 2) == [None, None]
