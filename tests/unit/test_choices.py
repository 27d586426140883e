"""The tape of choices: what is asked, what is recorded, and that a run is repeated from its tape."""

import contextlib
import random
import time

import pytest

import bsbpool
from bsbpool_sim import DeadlockError, RankErrors, Script, SimulationError, Tape, TapeError, simulate
from bsbpool_sim import mpi as MPI
from bsbpool_sim.choices import ComesFirst, Completed, Granted, Kind, MessageFrom, Strikes


class Noting:
    """Takes what it is told to, by kind of choice, and notes what it was asked."""

    def __init__(self, take=lambda choice: 0, kinds=Kind):
        self.take = take
        self.kinds = kinds
        self.asked = []

    def pick(self, choice):
        if choice.kind not in self.kinds:
            return 0
        self.asked.append((choice.kind, choice.who, choice.call, choice.alternatives))
        return self.take(choice)


def last(choice):
    return choice.count - 1


def first_come(comm):
    """Rank 0 receives from all others, from any; their messages are there when it begins."""
    if comm.rank:
        return comm.send(comm.rank, 0, tag=comm.rank % 2)
    time.sleep(1)
    return [comm.recv() for _ in range(comm.size - 1)]


# -- what is asked -----------------------------------------------------------------------------------


def test_a_receive_from_any_rank_asks_which_message_it_takes():
    strategy = Noting(last, [Kind.MESSAGE])
    assert simulate(first_come, 4, policy=strategy).results[0] == [3, 2, 1]
    one, two, three = (MessageFrom(rank, rank % 2) for rank in (1, 2, 3))
    assert strategy.asked == [
        (Kind.MESSAGE, 0, "recv", (one, two, three)),
        (Kind.MESSAGE, 0, "recv", (one, two)),
    ]


def test_of_each_source_only_the_first_message_that_fits_can_be_taken():
    def program(comm):
        if comm.rank:
            for number, tag in enumerate((5, 6, 6)):
                comm.send((comm.rank, number), 0, tag)
            return None
        time.sleep(1)
        return [comm.recv(tag=6), *(comm.recv() for _ in range(5))]

    strategy = Noting(last, [Kind.MESSAGE])
    got = simulate(program, 3, policy=strategy).results[0]
    assert got == [(2, 1), (2, 0), (2, 2), (1, 0), (1, 1), (1, 2)]
    assert strategy.asked[0][3] == (MessageFrom(1, 6), MessageFrom(2, 6))
    assert len(strategy.asked) == 3  # then rank 2 has no message left


def test_a_receive_from_one_rank_asks_nothing():
    def program(comm):
        if comm.rank:
            comm.send(1, 0, 1), comm.send(2, 0, 2)
            return None
        time.sleep(1)
        return [comm.recv(source=1), comm.recv(source=1)]

    strategy = Noting(kinds=[Kind.MESSAGE])
    simulate(program, 2, policy=strategy)
    assert strategy.asked == []


@pytest.mark.parametrize("call", ["probe", "iprobe", "mprobe", "improbe"])
def test_probes_ask_too_and_a_matched_probe_takes_what_was_chosen(call):
    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        time.sleep(1)
        status = MPI.Status()
        found = getattr(comm, call)(status=status)
        got = comm.recv(source=status.source) if isinstance(found, bool) else found.recv()
        return status.source, got, comm.recv()

    strategy = Noting(last, [Kind.MESSAGE])
    assert simulate(program, 3, policy=strategy).results[0] == (2, 2, 1)
    assert strategy.asked == [(Kind.MESSAGE, 0, call, (MessageFrom(1, 0), MessageFrom(2, 0)))]


@pytest.mark.parametrize("call", ["waitany", "testany"])
def test_waitany_and_testany_ask_which_request_they_end(call):
    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        requests = [comm.irecv(source=rank) for rank in (1, 2, 3)]
        requests[1].wait()
        time.sleep(1)
        done = getattr(MPI.Request, call)(requests)
        return done[0], done[-1]

    strategy = Noting(last, [Kind.REQUEST])
    assert simulate(program, 4, policy=strategy).results[0] == (2, 3)
    assert strategy.asked == [(Kind.REQUEST, 0, "waitany", (Completed(0), Completed(2)))]


@pytest.mark.parametrize(("index", "ended"), [(0, [0, 1]), (1, [0]), (2, [1])])
@pytest.mark.parametrize("call", ["waitsome", "testsome"])
def test_waitsome_and_testsome_end_all_that_are_done_or_any_one(call, index, ended):
    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        requests = [comm.irecv(source=rank) for rank in (1, 2)]
        time.sleep(1)
        first = getattr(MPI.Request, call)(requests)
        return first, MPI.Request.waitall([r for i, r in enumerate(requests) if i not in first[0]])

    strategy = Noting(lambda choice: index, [Kind.REQUEST])
    first, rest = simulate(program, 3, policy=strategy).results[0]
    assert first == (ended, [i + 1 for i in ended])
    assert rest == [i + 1 for i in (0, 1) if i not in ended]
    assert strategy.asked[0][3] == (Completed(None), Completed(0), Completed(1))


def locks(exclusive):
    """Rank 0 holds its window's lock while the others ask for it; gives who got it, in order."""

    def program(comm):
        import numpy as np

        window = MPI.Win.Create(np.zeros(1, "i8"), 8, comm=comm)
        got = []
        kind = MPI.LOCK_EXCLUSIVE if exclusive(comm.rank) else MPI.LOCK_SHARED
        if comm.rank == 0:
            window.Lock(0, kind)
        comm.barrier()
        time.sleep(comm.rank)
        if comm.rank == 0:
            time.sleep(10)
        else:
            window.Lock(0, kind)
            got.append(time.monotonic())
            time.sleep(1)
        window.Unlock(0)
        order = comm.allgather(got)
        return sorted(range(1, comm.size), key=lambda rank: (order[rank], rank))

    return program


def test_who_gets_a_lock_is_asked_of_those_who_can_have_it():
    pytest.importorskip("numpy")
    strategy = Noting(last, [Kind.LOCK])
    assert simulate(locks(lambda rank: True), 4).results[0] == [1, 2, 3]
    assert simulate(locks(lambda rank: True), 4, policy=strategy).results[0] == [3, 2, 1]
    assert strategy.asked[0] == (Kind.LOCK, 0, "Lock", tuple(Granted(rank, True) for rank in (1, 2, 3)))


def test_a_reader_may_overtake_a_writer_that_waits():
    pytest.importorskip("numpy")
    program = locks(lambda rank: rank == 1)
    strategy = Noting(last, [Kind.LOCK])
    assert simulate(program, 3).results[0] == [1, 2]
    assert simulate(program, 3, policy=strategy).results[0] == [2, 1]
    assert strategy.asked == [(Kind.LOCK, 0, "Lock", (Granted(None, False), Granted(2, False)))]
    assert [str(each) for each in strategy.asked[0][3]] == ["nobody yet", "rank 2, a shared one"]


def test_events_of_one_instant_are_alternatives_and_say_where_they_are():
    strategy = Noting(last, [Kind.EVENT])

    def program(comm):
        time.sleep(1)
        order.append(comm.rank)

    order = []
    simulate(program, 3, policy=strategy)
    assert order == [0, 1, 2]  # the last to start was the first to sleep, and the last one again went first
    assert strategy.asked[0] == (Kind.EVENT, None, "", tuple(ComesFirst(rank, "program goes on") for rank in range(3)))
    assert strategy.asked[-1][3] == (ComesFirst(2, "program goes on"), ComesFirst(1, "program goes on"))


def test_messages_that_arrive_at_one_instant_are_alternatives_and_those_of_one_link_keep_their_order():
    def program(comm):
        if comm.rank:
            comm.send((comm.rank, "a"), 0), comm.send((comm.rank, "b"), 0)
            return None
        return [comm.recv() for _ in range(4)]

    strategy = Noting(last, [Kind.EVENT])
    got = simulate(program, 3, latency=1e-3, policy=strategy).results[0]
    assert got == [(2, "a"), (2, "b"), (1, "a"), (1, "b")] or got == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]
    texts = {str(each) for asked in strategy.asked for each in asked[3]}
    assert "on rank 0: a message arrives from rank 2" in texts


def test_a_timer_that_has_nothing_to_do_is_told_apart():
    def program(comm):
        if comm.rank == 0:
            request = comm.irecv(source=1)
            kernel = comm.cluster.kernel
            kernel.park("a call", 5 * 10**9)  # woken at 1 s, so its timer is idle at 5 s
            return request.test()
        time.sleep(1)
        kernel = comm.cluster.kernel
        kernel.wake(kernel.ranks[0].main)
        time.sleep(4)
        return None

    strategy = Noting(kinds=[Kind.EVENT])
    simulate(lambda comm: (program(comm), time.sleep(10)), 2, policy=strategy)
    idle = [[each.idle for each in asked[3]] for asked in strategy.asked]
    assert [True, False] in idle


def test_what_has_an_order_at_one_instant_is_no_choice():
    script = Script().rank(1, dies=1.0).rank(2, dies=1.0)

    def program(comm):
        with bsbpool.job_pool(comm) as pool:
            if pool.is_main():
                pool.queue(lambda _: time.sleep(5))
            with contextlib.suppress(bsbpool.WorkflowError):
                pool.execute()

    strategy = Noting(last)
    assert [*simulate(program, 4, policy=strategy, script=script).died] == [1, 2]
    assert {asked[0] for asked in strategy.asked} <= {Kind.EVENT}
    assert not any("dies" in str(each) for asked in strategy.asked for each in asked[3])


# -- faults ------------------------------------------------------------------------------------------


def test_a_rank_that_may_die_lives_by_default_and_dies_where_it_is_chosen():
    def program(comm):
        if comm.rank:
            comm.send("a", 0), comm.send("b", 0)
            return None
        time.sleep(1)
        return [comm.recv() for _ in range(2) if comm.iprobe()]

    script = Script().rank(1, may_die=True)
    assert simulate(program, 2, script=script).results[0] == ["a", "b"]
    strategy = Noting(kinds=[Kind.FAULT])
    assert simulate(program, 2, script=script, policy=strategy).results[0] == ["a", "b"]
    assert strategy.asked == [(Kind.FAULT, 1, "send", (Strikes(None), Strikes("rank 1 dies")))] * 2
    got = [simulate(program, 2, script=script, tape=tape) for tape in ("v1:0.1", "v1:1.1", "v1:2.1")]
    # Choice 0 is which of the two programs starts first.
    assert [simulation.results[0] for simulation in got] == [["a", "b"], [], ["a"]]
    assert [list(simulation.died) for simulation in got] == [[], [1], [1]]


def test_a_message_may_take_longer():
    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        return [(comm.recv(), time.monotonic()) for _ in range(2)]

    script = Script().link(1, 0, delay=1.0, may_delay=2.0)
    start = simulate(lambda comm: time.monotonic(), 1).results[0]

    def got(**options):
        return [(who, at - start) for who, at in simulate(program, 3, script=script, **options).results[0]]

    assert got() == [(2, 0.0), (1, 1.0)]
    strategy = Noting(last, [Kind.FAULT])
    assert got(policy=strategy) == [(2, 0.0), (1, 3.0)]
    late = Strikes("its message to rank 0 takes 2 s longer")
    assert strategy.asked == [(Kind.FAULT, 1, "send", (Strikes(None), late))]
    assert [str(each) for each in strategy.asked[0][3]] == ["no fault", late.what]


def test_each_death_of_a_worker_is_found_by_its_choice():
    def job(_):
        pass

    def program(comm):
        with bsbpool.job_pool(comm) as pool:
            jobs = [pool.queue(job) for i in range(4)] if pool.is_main() else []
            with contextlib.suppress(bsbpool.WorkflowError):
                pool.execute()
            return [job.status.value for job in jobs]

    script = Script().rank(2, may_die=True)
    strategy = Noting(kinds=[Kind.FAULT])
    whole = simulate(program, 3, script=script, policy=strategy)
    assert whole.results[0] == ["success"] * 4
    assert len(strategy.asked) > 2
    for death in range(len(strategy.asked)):
        asked = []
        strategy = Noting(
            lambda choice, death=death, asked=asked: asked.append(0) or len(asked) == death + 1, [Kind.FAULT]
        )
        simulation = simulate(program, 3, script=script, policy=strategy)
        assert list(simulation.died) == [2]
        assert set(simulation.results[0]) <= {"success", "aborted"}
        again = simulate(program, 3, script=script, tape=str(simulation.tape))
        assert again.trace.digest() == simulation.trace.digest()


# -- tapes -------------------------------------------------------------------------------------------


def busy(comm):
    """A program with choices of many kinds."""
    for _ in range(4):
        time.sleep(random.choice([0.0, 0.5]))
        comm.send(comm.rank, random.randrange(comm.size), tag=random.randrange(2))
    comm.barrier()
    time.sleep(1)
    requests = [comm.irecv(source=rank, tag=0) for rank in range(comm.size)]
    time.sleep(1)
    got = [MPI.Request.testsome(requests)[0], MPI.Request.testany(requests)[0]]
    for request in requests:
        if request:
            request.cancel()
    while comm.iprobe():
        got.append(comm.recv())
    return comm.allgather(got)


class Anything:
    """Picks by chance."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, choice):
        return self.random.randrange(choice.count)


class Backwards:
    """Numbers events, the last first."""

    last = 0

    def choose(self):
        self.last -= 1
        return self.last


@pytest.mark.parametrize("latency", [0.0, 1e-3])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", [lambda seed: "shuffled", Anything, lambda seed: Backwards()])
def test_a_run_is_repeated_from_its_tape(make, seed, latency):
    first = simulate(busy, 5, seed=seed, latency=latency, policy=make(seed))
    for tape in (first.tape, str(first.tape), [first.tape[i] for i in range(len(first.tape))]):
        again = simulate(busy, 5, seed=seed, latency=latency, tape=tape)
        assert again.trace.digest() == first.trace.digest()
        assert again.results == first.results
        assert again.tape == first.tape
        assert [*again.tape.counts] == [*first.tape.counts]


@pytest.mark.parametrize("policy", ["shuffled", Anything(3)])
def test_a_pool_is_repeated_from_its_tape(policy):
    def nap(_):
        time.sleep(random.random())

    def program(comm):
        with bsbpool.job_pool(comm) as pool:
            if pool.is_main():
                jobs = [pool.queue(nap, timeout=0.9 if i % 5 == 0 else None, submitter="s") for i in range(30)]
                pool.queue(nap, deps=jobs[:3])
            with contextlib.suppress(bsbpool.WorkflowError):
                pool.execute()

    script = Script().rank(2, dies=2.0, slower=2.0).rank(1, pauses=[(0.5, 0.2)])
    first = simulate(program, 5, seed=4, script=script, policy=policy)
    again = simulate(program, 5, seed=4, script=script, tape=str(first.tape))
    assert again.trace.digest() == first.trace.digest()
    assert again.tape == first.tape != Tape()


def test_without_a_policy_the_tape_is_empty_and_the_run_the_same_as_with_an_empty_one():
    plain, asked = simulate(busy, 5, latency=1e-3), simulate(busy, 5, latency=1e-3, tape="v1:")
    assert plain.trace.digest() == asked.trace.digest()
    assert (str(plain.tape), len(plain.tape), str(asked.tape)) == ("v1:", 0, "v1:")
    assert len(asked.tape) > 20
    assert all(count >= 2 for count in asked.tape.counts)


def test_after_a_given_beginning_the_strategy_decides():
    tape = [0, 0, 0, 0, 0]
    messages = Noting(last, [Kind.MESSAGE])
    by_strategy = simulate(first_come, 4, policy=messages).tape
    assert by_strategy.departures == dict.fromkeys(number for number in by_strategy.departures) | dict(
        zip(by_strategy.departures, (2, 1), strict=True)
    )
    first = min(by_strategy.departures)
    mixed = simulate(first_come, 4, policy=messages, tape=[0] * (first + 1))
    assert mixed.results[0] == [1, 3, 2]
    assert simulate(first_come, 4, tape=tape).results[0] == [1, 2, 3]


def test_a_run_that_failed_has_its_tape():
    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        time.sleep(1)
        if comm.recv() == 2:
            raise ValueError("2 came first")
        return comm.recv()

    assert simulate(program, 3).results[0] == 2
    with pytest.raises(RankErrors) as failed:
        simulate(program, 3, policy=Noting(last, [Kind.MESSAGE]))
    tape = failed.value.simulation.tape
    assert len(tape.departures) == 1
    with pytest.raises(RankErrors, match="2 came first"):
        simulate(program, 3, tape=str(tape))


@pytest.mark.parametrize(
    ("indices", "text"),
    [([], "v1:"), ([0, 0], "v1:"), ([False, True], "v1:1.1"), ([3, 0, 0, 12], "v1:0.3,3.12")],
)
def test_a_tape_prints_what_departs_from_the_default_and_is_read_back(indices, text):
    tape = Tape(indices)
    assert str(tape) == text and repr(tape) == f"<Tape {text}>"
    read = Tape.parse(text)
    assert read == tape and hash(read) == hash(tape)
    assert read.departures == tape.departures
    assert [tape[i] for i in range(len(tape))] == indices
    assert len(read) == max(tape.departures, default=-1) + 1
    assert tape != Tape([9]) and tape != text


def test_a_tape_knows_only_its_own_choices():
    with pytest.raises(IndexError, match="2 choices, and no choice 2"):
        Tape([0, 1])[2]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'' is no tape: one is v1: and then choice.alternative"),
        ("12.1", "'12.1' is no tape"),
        ("v1:1", "no tape"),
        ("v1:1.0", "no tape"),
        ("v1:1.1,", "no tape"),
        ("v1: 1.1", "no tape"),
        ("v1:1.1\n", "no tape"),
        ("v1:-1.1", "no tape"),
        ("v1:٣.1", "no tape"),
        ("v1:2.1,1.1", "its choices are numbers that grow: '1.1' does not fit"),
        ("v1:1.1,1.2", "its choices are numbers that grow: '1.2' does not fit"),
        (f"v1:{'9' * 5000}.1", "its choices are numbers that grow"),
        ("v2:1.1", "has version v2, this simulator reads v1"),
        ("nonsense" * 100, "no tape"),
    ],
)
def test_what_is_no_tape_is_refused(text, why):
    with pytest.raises(TapeError, match=why) as refused:
        simulate(first_come, 2, tape=text)
    assert isinstance(refused.value, ValueError)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("tape", [[-1], ["1"], [1.5], [0, None]])
def test_what_holds_no_indices_is_no_tape(tape):
    with pytest.raises(TapeError, match="holds indices of alternatives, from 0 on"):
        Tape(tape)


def test_a_tape_of_another_program_is_refused_by_the_choice_that_it_does_not_fit():
    with pytest.raises(TapeError, match=r"alternative 9 in choice 0 \(which event of one instant comes first\)") as one:
        simulate(first_come, 3, tape="v1:0.9")
    assert "which has 3: on rank 0: program goes on; on rank 1: program goes on;" in str(one.value)
    messages = Noting(last, [Kind.MESSAGE])
    number = min(simulate(first_come, 4, policy=messages).tape.departures)
    with pytest.raises(
        TapeError, match=rf"choice {number} \(which message recv of rank 0 takes\), which has 3: "
    ) as two:
        simulate(first_come, 4, tape=f"v1:{number}.3")
    assert "the message of rank 1 with tag 1; the message of rank 2 with tag 0;" in str(two.value)
    assert two.value.simulation.results[0] is None


def test_a_tape_that_goes_on_after_the_end_is_refused():
    with pytest.raises(
        TapeError, match=r"names choice 4000, and this run has made \d+\. It is of another program"
    ) as e:
        simulate(first_come, 3, tape="v1:4000.1")
    assert isinstance(e.value, SimulationError)
    assert e.value.simulation.results[0] == [1, 2]


def test_a_tape_that_does_not_fit_a_run_that_failed_is_said_with_its_error():
    def raises(comm):
        raise ValueError("this")

    def waits(comm):
        comm.recv()

    for program, error in ((raises, RankErrors), (waits, DeadlockError)):
        with pytest.raises(error) as failed:
            simulate(program, 2, tape="v1:4000.1")
        assert any("names choice 4000" in note for note in failed.value.__notes__)


@pytest.mark.parametrize("index", [-1, 2, "0", 0.5, None])
def test_a_strategy_that_picks_no_index_is_an_error(index):
    with pytest.raises(ValueError, match=r"the strategy picked .* in choice 0 .*: it must be an index from 0 to 1"):
        simulate(first_come, 2, policy=Noting(lambda choice: index))


def test_a_choice_says_where_in_the_program_it_is():
    wheres = []

    def note(choice):
        wheres.append((choice.where, choice.question, str(choice)))
        return 0

    simulate(first_come, 3, policy=Noting(note))
    assert wheres[0][:2] == ("", "which event of one instant comes first")
    where, question, text = wheres[-1]
    line = first_come.__code__.co_firstlineno + 5
    assert where.startswith(f"{__file__}:{line} in ")
    assert question == "which message recv of rank 0 takes"
    assert text.endswith("(which message recv of rank 0 takes)")


def test_what_finally_blocks_do_after_the_end_is_no_choice():
    def program(comm):
        if comm.rank:
            for _ in range(3):
                comm.send(comm.rank, 0)
            return None
        try:
            time.sleep(1)
            comm.recv(source=1)
            comm.ssend("nobody receives this", 1)
        finally:
            comm.recv()
        return None

    strategy = Noting(last, [Kind.MESSAGE])
    with pytest.raises(DeadlockError):
        simulate(program, 3, policy=strategy)
    assert strategy.asked == []
