"""Late matching: each message that could match a receive from any rank is an alternative, and the schedules are all."""

import itertools
import math
import threading
import time

import pytest

from bsbpool_sim import DeadlockError, RankErrors, Script, explore, simulate
from bsbpool_sim import mpi as MPI
from bsbpool_sim.choices import Kind, MessageFrom
from bsbpool_sim.default_strategies import Shuffled


def schedules(program, ranks, **options):
    """All runs of a program: depth first over its tape."""
    runs, prefix = [], []
    while prefix is not None:
        run = simulate(program, ranks, tape=prefix, late_matching=True, **options)
        runs.append(run)
        assert len(runs) < 1000
        indices = [run.tape[number] for number in range(len(run.tape))]
        prefix = next(
            (
                [*indices[:number], indices[number] + 1]
                for number in reversed(range(len(indices)))
                if indices[number] + 1 < run.tape.counts[number]
            ),
            None,
        )
    return runs


def outcomes(program, ranks, **options):
    """What rank 0 returned in each schedule."""
    return [run.results[0] for run in schedules(program, ranks, **options)]


def senders(comm):
    """Each rank but 0 sends one message, at its own time; rank 0 takes them from any rank."""
    if comm.rank:
        time.sleep(10 - comm.rank)
        return comm.send(comm.rank, 0)
    return tuple(comm.recv() for _ in range(comm.size - 1))


@pytest.mark.parametrize("count", [2, 3, 4, 5])
@pytest.mark.parametrize("latency", [0.0, 1e-3])
def test_a_loop_of_receives_has_a_schedule_for_each_order_of_its_senders(count, latency):
    found = outcomes(senders, count + 1, latency=latency)
    assert len(found) == math.factorial(count)
    assert sorted(found) == sorted(itertools.permutations(range(1, count + 1)))


def test_by_default_the_message_that_arrived_first_is_taken_first():
    assert simulate(senders, 4, late_matching=True).results[0] == (3, 2, 1) == simulate(senders, 4).results[0]


def test_a_schedule_is_repeated_from_its_tape():
    for run in schedules(senders, 4):
        again = simulate(senders, 4, late_matching=True, tape=str(run.tape))
        assert again.trace.digest() == run.trace.digest()


def test_messages_of_one_rank_keep_their_order():
    def program(comm):
        if comm.rank:
            comm.send((comm.rank, "a"), 0), comm.send((comm.rank, "b"), 0)
            return None
        return tuple(comm.recv() for _ in range(4))

    found = outcomes(program, 3)
    assert len(found) == len(set(found)) == math.comb(4, 2)
    assert all(order.index((rank, "a")) < order.index((rank, "b")) for order in found for rank in (1, 2))


def test_a_tag_leaves_out_what_it_does_not_fit():
    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0, tag=comm.rank % 2)
        return comm.recv(tag=1), comm.recv(), comm.recv()

    assert sorted(outcomes(program, 4)) == [(1, 2, 3), (1, 3, 2), (3, 1, 2), (3, 2, 1)]


def test_what_is_sent_because_of_a_receive_comes_after_it():
    def program(comm):
        if comm.rank == 1:
            comm.send("first", 0)
        elif comm.rank == 2:
            comm.recv(source=0)
            comm.send("answer", 0)
        else:
            got = [comm.recv()]
            comm.send("go on", 2)
            return [*got, comm.recv()]
        return None

    assert outcomes(program, 3) == [["first", "answer"]]


def test_who_is_matched_first_may_decide_who_else_sends():
    def program(comm):
        if comm.rank == 1:
            comm.send("early", 0)
        elif comm.rank == 3:
            comm.send("x", 2)
        elif comm.rank == 2:
            comm.recv()
            comm.send("late", 0)
        else:
            return comm.recv(), comm.recv()
        return None

    assert sorted(set(outcomes(program, 4))) == [("early", "late"), ("late", "early")]


def test_a_later_receive_from_one_rank_takes_what_the_earlier_one_from_any_has_left():
    def program(comm):
        if comm.rank:
            for number in range(2 if comm.rank == 1 else 1):
                comm.send((comm.rank, number), 0)
            return None
        anyone, one = comm.irecv(), comm.irecv(source=1)
        got = one.wait()
        first = anyone.wait()
        return first, got, comm.recv()

    assert sorted(outcomes(program, 3)) == [((1, 0), (1, 1), (2, 0)), ((2, 0), (1, 0), (1, 1))]


def test_a_receive_from_one_rank_does_not_pass_over_a_message_that_is_not_decided():
    def program(comm):
        if comm.rank == 1:
            comm.send("seven", 0, tag=7), comm.send("five", 0, tag=5)
        elif comm.rank == 2:
            comm.send("other seven", 0, tag=7)
        else:
            seven, one = comm.irecv(tag=7), comm.irecv(source=1)
            comm.barrier()
            return seven.wait(), one.wait(), comm.recv()
        comm.barrier()
        return None

    assert sorted(outcomes(program, 3)) == [("other seven", "seven", "five"), ("seven", "five", "other seven")]


def test_a_receive_that_is_cancelled_lets_others_have_its_messages():
    def program(comm):
        if comm.rank:
            return comm.send("x", 0)
        anyone, one = comm.irecv(), comm.irecv(source=1)
        time.sleep(1)
        anyone.cancel()
        return one.wait()

    assert outcomes(program, 2) == ["x"]


@pytest.mark.parametrize("call", ["probe", "mprobe"])
def test_probes_from_any_rank_are_matched_late_too(call):
    def program(comm):
        if comm.rank:
            time.sleep(3 - comm.rank)
            return comm.send(comm.rank, 0)
        status = MPI.Status()
        found = getattr(comm, call)(status=status)
        first = comm.recv(source=status.source) if call == "probe" else found.recv()
        return first, comm.recv()

    assert sorted(outcomes(program, 3)) == [(1, 2), (2, 1)]


@pytest.mark.parametrize("call", ["iprobe", "improbe"])
def test_a_loop_of_probes_does_not_keep_others_from_being_matched(call):
    def program(comm):
        if comm.rank == 2:
            time.sleep(5)
            comm.send("a", 0)
            comm.send("b", 1)
            return None
        if comm.rank == 1:
            got = comm.recv()
            comm.send("c", 0)
            return got
        got = []
        while len(got) < 2:
            status = MPI.Status()
            if found := getattr(comm, call)(status=status):
                got.append(comm.recv(source=status.source) if call == "iprobe" else found.recv())
        return tuple(got)

    assert sorted(set(outcomes(program, 3))) == [("a", "c"), ("c", "a")]


def test_a_loop_of_tests_does_not_keep_others_from_being_matched():
    def program(comm):
        if comm.rank == 0:
            request = comm.irecv(source=1)
            while not (done := request.test())[0]:
                pass
            return done[1]
        if comm.rank == 1:
            first = comm.recv(), comm.recv()
            comm.send(first, 0)
        else:
            comm.send(comm.rank, 1)
        return None

    # Each test is a choice, too: whether it comes before or after what others do, and finds something.
    assert sorted(set(outcomes(program, 4))) == [(2, 3), (3, 2)]


def wait_by_sleeping(done):
    while not done.is_set():
        time.sleep(0.01)


def wait_by_reading_the_clock(done):
    while not done.is_set():
        time.monotonic()


@pytest.mark.parametrize("wait", [wait_by_sleeping, wait_by_reading_the_clock])
def test_a_thread_that_tests_is_not_kept_waiting_by_one_that_waits_for_it_in_virtual_time(wait):
    def program(comm):
        if comm.rank:
            time.sleep(0.02)
            comm.send("it", 0)
            return comm.recv(source=MPI.ANY_SOURCE)
        received, done = [], threading.Event()

        def receive():
            request = comm.irecv(source=1)
            while not (tested := request.test())[0]:
                time.sleep(0.001)
            received.append(tested[1])
            done.set()

        thread = threading.Thread(target=receive)
        thread.start()
        wait(done)
        thread.join()
        comm.send("all", 1)
        return received

    assert simulate(program, 2, late_matching=True).results == [["it"], "all"]


def test_who_probes_for_what_never_comes_goes_on_in_virtual_time():
    def program(comm):
        looked = 0
        while time.monotonic() < start + 1e-4:
            assert not comm.iprobe() and not comm.iprobe(source=0)
            looked += 1
        return looked

    start = simulate(lambda comm: time.monotonic(), 1).results[0]
    assert simulate(program, 2, late_matching=True).results == [50, 50]
    # Which rank looks first is a choice, too, that makes no difference.
    assert explore(program, 2).schedules == 1


def test_a_deadlock_of_one_schedule_is_found():
    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        if comm.recv() == 2:
            comm.recv(source=2)
        return comm.recv()

    assert simulate(program, 3, late_matching=True).results[0] == 2
    with pytest.raises(DeadlockError, match="rank 0 waits for a message from rank 2"):
        simulate(program, 3, late_matching=True, tape=[1])


def test_a_synchronous_send_completes_when_its_message_is_chosen():
    def program(comm):
        if comm.rank:
            comm.ssend(comm.rank, 0)
            comm.send(comm.rank * 10, 0)
            return None
        return tuple(comm.recv() for _ in range(4))

    found = outcomes(program, 3)
    assert len(found) == len(set(found)) == math.comb(4, 2)


def test_a_rank_that_died_receives_nothing():
    def program(comm):
        if comm.rank == 1:
            return comm.recv()
        time.sleep(2)
        comm.send("x", 1)
        return "alive"

    script = Script().rank(1, dies=1.0)
    assert outcomes(program, 2, script=script) == ["alive"]


def test_communicators_and_their_ranks_are_told_apart():
    def program(comm):
        part = comm.Split(comm.rank % 2)
        if part.rank:
            return part.send(comm.rank, 0)
        return tuple(part.recv() for _ in range(part.size - 1))

    class Noting:
        def pick(self, choice):
            asked.append((choice.kind, choice.who, choice.where.rpartition(" in ")[0], choice.alternatives))
            return 0

    asked = []
    runs = schedules(program, 6)
    assert {tuple(run.results[:2]) for run in runs} == {*itertools.product([(2, 4), (4, 2)], [(3, 5), (5, 3)])}
    simulate(program, 6, late_matching=True, policy=Noting())
    line = program.__code__.co_firstlineno + 4
    assert (Kind.MESSAGE, 1, f"{__file__}:{line}", (MessageFrom(5, 0), MessageFrom(3, 0))) in asked
    assert asked[0][:3] == (Kind.RECEIVER, None, "")
    assert [str(each) for each in asked[0][3]] == ["on rank 0: recv takes a message", "on rank 1: recv takes a message"]


@pytest.mark.parametrize("policy", ["shuffled", Shuffled(3)])
def test_an_order_of_events_is_no_policy_for_late_matching(policy):
    with pytest.raises(ValueError, match="orders events of one instant, which are no choices with late_matching"):
        simulate(senders, 2, policy=policy, late_matching=True)


def test_a_race_that_no_seed_finds_is_found():
    def program(comm):
        if comm.rank:
            time.sleep(comm.rank * 1e-6)
            return comm.send(comm.rank, 0)
        assert comm.recv() == 1, "rank 1 is always first"
        return comm.recv()

    for seed in range(20):
        simulate(program, 3, seed=seed, policy="shuffled")
    with pytest.raises(RankErrors, match="rank 1 is always first"):
        schedules(program, 3)
