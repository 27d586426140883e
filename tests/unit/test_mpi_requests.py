"""Requests, matched messages and buffered sends of simulated ranks, as mpi4py has them."""

import pickle

import pytest

from bsbpool_sim import DeadlockError, simulate
from bsbpool_sim import mpi as MPI
from bsbpool_sim.checks.audit import KINDS

np = pytest.importorskip("numpy")


def one(program):
    """What a program returns on a single rank."""
    return simulate(program, ranks=1).results[0]


# -- persistent and partitioned --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Send_init", "Ssend_init", "Rsend_init", "Bsend_init"])
def test_a_persistent_send_sends_what_its_buffer_has_when_it_is_started(kind):
    def program(comm):
        MPI.Attach_buffer(None)
        peer, out, into = 1 - comm.rank, np.zeros(2), np.zeros(2)
        both = [comm.Recv_init(into, peer), getattr(comm, kind)(out, peer)]
        got = []
        for i in range(3):
            out[:] = comm.rank + i
            MPI.Prequest.Startall(both)
            MPI.Request.Waitall(both)
            got.append(into.tolist())
        alive = [bool(each) for each in both]
        for each in both:
            each.Free()
        return got, alive, [bool(each) for each in both], isinstance(both[0], MPI.Prequest)

    expected = [[1, 1], [2, 2], [3, 3]]
    assert simulate(program, ranks=2).results[0] == (expected, [True, True], [False, False], True)


def test_an_active_persistent_request_can_not_be_started():
    def program(comm):
        request = comm.Recv_init(bytearray(1), 0)
        request.Start()
        with pytest.raises(MPI.Exception, match="is active already"):
            request.Start()
        request.Cancel()
        status = MPI.Status()
        request.Wait(status)
        return status.cancelled, request.Get_status(), MPI.Request.Waitany([request])

    assert one(program) == (True, True, MPI.UNDEFINED)


def test_partitions_arrive_one_by_one_whatever_the_partitions_of_the_receiver():
    def program(comm):
        if comm.rank == 0:
            send = comm.Psend_init([np.arange(12, dtype="i"), 2, MPI.INT], 6, 1, tag=4)
            for _ in range(2):
                send.Start()
                for part in (5, 0, 1, 2):
                    send.Pready(part)
                comm.barrier()
                comm.barrier()
                send.Pready_list([3, 4])
                send.Wait()
            return None
        into = np.full(12, -1, "i")
        receive, seen = comm.Precv_init([into, 4, MPI.INT], 3, 0, tag=4), []
        for _ in range(2):
            into[:] = -1
            receive.Start()
            comm.barrier()
            while not receive.Parrived(0):
                pass
            seen.append([receive.Parrived(part) for part in range(3)])
            seen.append(into[:4].tolist())
            comm.barrier()
            receive.Wait()
        return seen, into.tolist()

    once = [[True, False, False], [0, 1, 2, 3]]
    assert simulate(program, ranks=2).results[1] == (once * 2, list(range(12)))


def test_what_a_program_writes_into_a_partition_that_has_arrived_stays():
    def program(comm):
        data = np.arange(4.0)
        if comm.rank == 0:
            send = comm.Psend_init(data, 2, 1, tag=4)
            send.Start()
            send.Pready_range(0, 1)
            return send.Wait()
        receive = comm.Precv_init(data, 2, 0, tag=4)
        receive.Start()
        while not receive.Parrived(0):
            pass
        data[:2] += 10
        assert receive.Parrived(0)
        receive.Wait()
        return data.tolist()

    assert simulate(program, ranks=2, checks=KINDS).results[1] == [10, 11, 2, 3]


def test_no_other_receive_takes_a_partition():
    def program(comm):
        send = comm.Psend_init(b"x", 1, 0)
        send.Start()
        send.Pready(0)
        return comm.iprobe(), send.Test()

    assert one(program) == (False, True)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda c, s: s.Pready(0), "was not started"),
        (lambda c, s: (s.Start(), s.Pready(2)), "there are 2 partitions"),
        (lambda c, s: (s.Start(), s.Pready(1), s.Pready(1)), "was ready already"),
        (lambda c, s: s.Parrived(0), "receives no partitions"),
        (lambda c, s: c.Precv_init(bytearray(2), 2, MPI.ANY_SOURCE, 0), "names one source and one tag"),
        (lambda c, s: MPI.Prequest().Start(), "REQUEST_NULL"),
    ],
)
def test_what_mpi_forbids_of_partitions_is_refused(call, said):
    def program(comm):
        with pytest.raises(MPI.Exception, match=said):
            call(comm, comm.Psend_init(b"ab", 2, 0))

    one(program)


# -- handles ---------------------------------------------------------------------------------------------


def test_a_request_has_several_handles_which_end_together():
    def program(comm):
        request = comm.irecv(source=0)
        other = MPI.Request(request)
        same = other == request == MPI.Request.fromhandle(request.handle)
        comm.send("x", 0)
        return same, other.wait(), bool(request), request == MPI.REQUEST_NULL, request.wait()

    assert one(program) == (True, "x", False, True, None)


def test_a_null_request_is_done_and_can_be_pickled():
    def program(comm):
        null, status = MPI.Request(), MPI.Status()
        status.source = status.tag = 7
        with pytest.raises(ValueError, match="cannot serialize"):
            pickle.dumps(comm.irecv())
        with pytest.raises(TypeError, match="Prequest takes"):
            MPI.Prequest(comm.irecv())
        again = pickle.loads(pickle.dumps(null))
        return null.test(status), status.source, again == null, MPI.Request.Testany([null]), null == MPI.REQUEST_NULL

    assert one(program) == ((True, None), MPI.ANY_SOURCE, True, (MPI.UNDEFINED, True), True)


@pytest.mark.parametrize("given", [MPI.Status(), MPI.INT, 1234, "abc"], ids=["status", "datatype", "number", "text"])
def test_a_request_is_made_of_another_one_only(given):
    with pytest.raises(TypeError, match="a request is made of another one"):
        MPI.Request(given)


def test_the_number_of_a_persistent_request_gives_a_handle_of_it():
    def program(comm):
        request = comm.Recv_init(bytearray(1), 0)
        other = type(request).fromhandle(request.handle)
        request.Free()
        return isinstance(other, MPI.Prequest), other == request, bool(type(request).fromhandle(request.handle))

    assert one(program) == (True, True, False)


class OwnRequest(MPI.Request):
    """A program's own class of requests."""


def test_a_null_request_of_a_programs_own_class_is_pickled_as_one():
    assert type(pickle.loads(pickle.dumps(OwnRequest(MPI.REQUEST_NULL)))) is OwnRequest


def test_a_receive_that_was_freed_fills_its_buffer():
    def program(comm):
        into = bytearray(1)
        request = comm.Irecv(into, 0)
        request.Free()
        comm.Send(b"x", 0)
        comm.sendrecv("later", 0, source=0)
        return bytes(into), bool(request)

    assert one(program) == (b"x", False)


def test_asking_for_a_status_ends_nothing():
    def program(comm):
        requests = [comm.irecv(source=0, tag=tag) for tag in (1, 2)]
        comm.send("two", 0, tag=2)
        comm.sendrecv("later", 0, source=0)
        statuses = []
        seen = (
            MPI.Request.Get_status_any(requests),
            MPI.Request.Get_status_some(requests, statuses),
            MPI.Request.Get_status_all(requests),
        )
        return seen, statuses[0].tag, MPI.Request.waitany(requests)

    assert one(program) == (((1, True), [1], False), 2, (1, "two"))


# -- generalised requests --------------------------------------------------------------------------------


def test_a_program_completes_its_own_request():
    def program(comm):
        status = MPI.Status()
        said: list[object] = []

        def query(status, *args, word):
            status.Set_source(3)
            status.Set_elements(MPI.INT, 2)
            said.append(("query", *args, word))

        def free(*args, word):
            said.append("free")

        def cancel(done, *args, word):
            said.append(done)

        request = MPI.Grequest.Start(query, free, cancel, (1,), {"word": "w"})
        waiting = request.Test(), request.Cancel()
        request.complete("result")
        return waiting, request.wait(status), status.source, status.count, said, bool(request)

    assert one(program) == ((False, None), "result", 3, 8, [False, ("query", 1, "w"), "free"], False)


def test_what_a_function_of_a_generalised_request_raises_is_an_error_of_mpi(capsys):
    def program(comm):
        def fails(status):
            raise MPI.Exception(MPI.ERR_BUFFER)

        request = MPI.Grequest.Start(fails)
        request.Complete()
        with pytest.raises(MPI.Exception) as caught:
            request.Wait()
        return caught.value.Get_error_class()

    assert one(program) == MPI.ERR_BUFFER
    assert "Traceback" in capsys.readouterr().err


def test_a_request_that_nobody_completes_is_a_deadlock_that_says_so():
    with pytest.raises(Exception, match=r"waits for its generalised request to be completed \(Grequest\)"):
        one(lambda comm: MPI.Grequest.Start().Wait())


# -- matched messages ------------------------------------------------------------------------------------


def test_a_message_has_several_handles_and_is_received_once():
    def program(comm):
        comm.Send(b"x", 0, tag=3)
        message, into = MPI.Message.Probe(comm, 0, 3), bytearray(1)
        other = MPI.Message(message)
        message.Irecv(into).Wait()
        with pytest.raises(MPI.Exception, match="was received already"):
            other.Recv(into)
        return bytes(into), other == MPI.MESSAGE_NULL, MPI.Message.Iprobe(comm)

    assert one(program) == (b"x", True, None)


def test_a_message_of_nobody_is_received_at_once():
    def program(comm):
        message, status = comm.Mprobe(MPI.PROC_NULL), MPI.Status()
        same = message == MPI.MESSAGE_NO_PROC
        message.Recv(None, status)
        MPI.MESSAGE_NO_PROC.Recv(None)
        return same, status.source, bool(message), bool(MPI.MESSAGE_NO_PROC)

    assert one(program) == (True, MPI.PROC_NULL, False, True)


# -- sends -----------------------------------------------------------------------------------------------


def test_a_buffered_send_takes_its_place_until_it_has_arrived():
    def program(comm):
        attached = bytearray(2 * (MPI.BSEND_OVERHEAD + 4))
        comm.Attach_buffer(attached)
        for _ in range(2):
            comm.Bsend(b"abcd", 0)
        with pytest.raises(MPI.Exception, match="messages under way take 200: attach a larger one"):
            comm.Bsend(b"abcd", 0)
        comm.Flush_buffer()
        comm.Ibsend(b"abcd", 0).Wait()
        return comm.Detach_buffer() is attached, comm.Detach_buffer().nbytes

    assert one(program) == (True, 0)


def test_sends_to_nobody_look_at_no_buffer():
    def program(comm):
        comm.Send(None, MPI.PROC_NULL)
        comm.Recv(None, MPI.PROC_NULL)
        comm.Send_init(None, MPI.PROC_NULL).Start()
        return comm.Isendrecv(None, MPI.PROC_NULL, 0, None, MPI.PROC_NULL).Test()

    assert one(program) is True


def test_a_buffer_is_replaced_by_what_is_received():
    def program(comm):
        peer, blocking, begun = 1 - comm.rank, np.full(2, comm.rank), np.full(2, comm.rank)
        comm.Sendrecv_replace(blocking, peer, source=peer)
        comm.Isendrecv_replace(begun, peer, source=peer).Wait()
        return blocking.tolist() + begun.tolist()

    assert simulate(program, ranks=2).results == [[1] * 4, [0] * 4]


# -- sending and receiving at once, where sends wait for their receivers --------------------------------------


def ask(way, request):
    """Whether a request is done, by one of the ways to ask that don't wait."""
    if way == "Get_status":
        return request.Get_status()
    return getattr(MPI.Request, way)([request]) if way.endswith("all") else getattr(request, way)()


@pytest.mark.parametrize("call", ["Isendrecv", "Isendrecv_replace"])
@pytest.mark.parametrize("way", ["Test", "Get_status", "Testall", "Get_status_all"])
@pytest.mark.parametrize("late", [False, True])
def test_a_request_that_sends_and_receives_is_done_when_both_are(call, way, late):
    def program(comm):
        buffer, status = np.full(100, comm.rank), MPI.Status()
        if comm.rank == 1:
            comm.Send(np.full(1, 7), 0)
            comm.send("it is there now", 0, tag=3)
            comm.recv(source=0, tag=1)
            comm.Recv(buffer, 0)
            return comm.recv(source=0, tag=2), buffer[:2].tolist()
        if call == "Isendrecv":
            request = comm.Isendrecv(buffer, 1, 0, buffer.copy(), 1)
        else:
            request = comm.Isendrecv_replace(buffer, 1, source=1)
        comm.recv(source=1, tag=3)
        early = ask(way, request)
        comm.send("receive it now", 1, tag=1)
        while not ask(way, request):
            pass
        request.Wait(status)
        comm.send(early, 1, tag=2)
        return status.source if way.startswith("Get") else None

    assert simulate(program, 2, eager_limit=100, late_matching=late).results == [
        1 if way.startswith("Get") else None,
        (False, [0, 0]),
    ]


def test_a_request_that_sends_and_receives_from_nobody_is_done_when_its_message_is_taken():
    def program(comm):
        if comm.rank == 0:
            request = comm.Isendrecv(np.zeros(100), 1, 0, None, MPI.PROC_NULL)
            before = request.Test()
            comm.send(None, 1, tag=1)
            return before, request.Wait()
        comm.recv(tag=1)
        return comm.Recv(np.zeros(100), 0)

    assert simulate(program, 2, eager_limit=100).results == [(False, True), None]


def test_an_ended_wait_for_a_send_that_nobody_receives_says_so():
    def program(comm):
        if comm.rank == 0:
            comm.Isendrecv(np.zeros(100), 1, 0, np.zeros(1), 1).Wait()
        comm.Send(np.zeros(1), 0)

    with pytest.raises(DeadlockError, match=r"has ended, to receive its message with tag 0 \(Isendrecv\)"):
        simulate(program, 2, eager_limit=100)


def test_a_request_that_sends_and_receives_may_be_freed_and_leaves_nothing():
    def program(comm):
        into = np.zeros(1)
        if comm.rank == 0:
            comm.Isendrecv(np.ones(100), 1, 0, into, 1).Free()
        else:
            comm.Send(np.ones(1), 0)
            comm.Recv(np.zeros(100), 0)
        comm.Barrier()
        return into[0]

    run = simulate(program, 2, eager_limit=100, checks=["unfinished-request", "unreceived-message", "leaked-handle"])
    assert (run.results, run.violations) == ([1, 0], [])
