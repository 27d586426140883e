"""Exploring tests and probes that do not wait: each may come too early, and loops of them are no more schedules."""

import itertools
import math
import random

import pytest
from all_schedules import ends_of

from bsbpool_sim import RankErrors, explore, looks, simulate
from bsbpool_sim import mpi as MPI
from bsbpool_sim.late_turns import LOOKS
from bsbpool_sim.loops import Hidden
from bsbpool_sim.standstill import Standstill, standstill


def only(exploration):
    (finding,) = exploration.findings
    return finding


def looked(call, comm):
    """What rank 0 gets by one look at a message of rank 1; None: nothing."""
    if call == "iprobe":
        return comm.recv(source=1) if comm.iprobe(source=1) else None
    if call == "improbe":
        message = comm.improbe()
        return message and message.recv()
    request = comm.irecv(source=1)
    if call == "test":
        return request.test()[1]
    if call == "get_status":
        return request.wait() if request.Get_status() else request.Cancel()
    if call == "testsome":
        return (MPI.Request.testsome([request])[1] or [None])[0]
    return getattr(MPI.Request, call)([request])[-1]


CALLS = ["iprobe", "improbe", "test", "get_status", "testany", "testsome", "testall"]


@pytest.mark.parametrize("call", CALLS)
def test_a_look_that_finds_something_could_have_come_too_early(call):
    def program(comm):
        if comm.rank:
            return comm.send("it", 0)
        assert looked(call, comm), "there is always something"
        return None

    exploration = explore(program, 2, checks=())
    assert (exploration.complete, exploration.schedules) == (True, 2)
    finding = only(exploration)
    assert "there is always something" in finding.message
    assert finding.choices[0].text == f"{call} of rank 0 finds nothing yet, although something is there"
    with pytest.raises(RankErrors):
        simulate(program, 2, late_matching=True, tape=finding.tape)


@pytest.mark.parametrize("call", ["iprobe", "test", "testall", "testsome", "improbe", "get_status"])
@pytest.mark.parametrize("senders", [1, 2, 3])
def test_a_loop_of_looks_has_as_many_schedules_as_one_that_waits(call, senders):
    def program(comm):
        if comm.rank:
            comm.send(comm.rank, 0)
            return
        for _ in range(comm.size - 1):
            if call == "iprobe":
                while not comm.iprobe():
                    pass
                comm.recv()
            elif call == "improbe":
                while not (message := comm.improbe()):
                    pass
                message.recv()
            else:
                request = comm.irecv()
                if call == "test":
                    while not request.test()[0]:
                        pass
                elif call == "get_status":
                    while not request.Get_status():
                        pass
                    request.wait()
                elif call == "testall":
                    while not MPI.Request.Testall([request]):
                        pass
                else:
                    while not MPI.Request.Testsome([request]):
                        pass

    exploration = explore(program, senders + 1)
    assert (exploration.findings, exploration.complete) == ([], True)
    # What improbe gave before is known until it gives something else: twice as many for each but the first.
    more = 2 ** (senders - 1) if call == "improbe" else 1
    assert exploration.schedules == math.factorial(senders) * more


def test_a_loop_that_looks_at_two_things_in_turn_ends():
    def program(comm):
        if comm.rank:
            comm.send(comm.rank, 0, tag=comm.rank)
            return
        got = []
        while len(got) < 2:
            got += [comm.recv(tag=tag) for tag in (1, 2) if comm.iprobe(tag=tag)]
        orders.add((*got,))

    orders = set()
    exploration = explore(program, 3)
    assert (exploration.findings, exploration.complete) == ([], True)
    assert orders == {(1, 2), (2, 1)}
    assert exploration.schedules <= 4


def test_who_gives_up_after_a_few_looks_is_found():
    def program(comm):
        if comm.rank:
            return comm.send("it", 0)
        for _ in range(LOOKS):
            if comm.iprobe(source=1):
                return comm.recv(source=1)
        raise RuntimeError("nothing came")

    exploration = explore(program, 2, checks=())
    assert (exploration.complete, exploration.schedules) == (True, LOOKS + 1)
    assert "nothing came" in only(exploration).message


def test_more_looks_that_are_counted_than_are_tried_are_said():
    def program(comm):
        if comm.rank:
            return comm.send("it", 0)
        count = 0
        while not comm.iprobe(source=1):
            count += 1
        return comm.recv(source=1)

    exploration = explore(program, 2)
    assert (exploration.findings, exploration.complete, exploration.schedules) == ([], False, LOOKS + 1)
    assert "times in vain" in exploration.limits[0]


def test_what_was_found_once_is_found_again():
    def program(comm):
        if comm.rank:
            return comm.send("it", 0), comm.send("other", 0)
        while not comm.iprobe(source=1):
            pass
        assert comm.iprobe(source=1) and comm.iprobe()
        comm.recv(source=1)
        request = comm.irecv(source=1)
        while not request.Get_status():
            pass
        assert request.Get_status() and MPI.Request.Get_status_all([request])
        assert request.test() == (True, "other")
        return None

    exploration = explore(program, 2)
    assert (exploration.findings, exploration.complete, exploration.schedules) == ([], True, 1)


def test_a_generalised_request_that_its_program_has_completed_is_done():
    def program(comm):
        request = MPI.Grequest.Start()
        request.Complete()
        assert request.Test()

    exploration = explore(program, 1)
    assert (exploration.findings, exploration.complete, exploration.schedules) == ([], True, 1)


def test_a_message_that_others_bring_about_is_found_by_an_earlier_look():
    def program(comm):
        if comm.rank == 2:
            comm.send("first", 1)
        elif comm.rank == 1:
            comm.recv()
            comm.send("then", 0)
        else:
            found.add(comm.iprobe(source=1))
            comm.recv()

    found = set()
    exploration = explore(program, 3)
    assert (exploration.findings, exploration.complete, exploration.schedules) == ([], True, 2)
    assert found == {True, False}


# -- against all orders ------------------------------------------------------------------------------


def random_program(seed):
    """A program of messages and looks that chance has written."""
    chance = random.Random(seed)
    size = chance.choice([2, 3])
    calls = ["send", "any", "one", "probe", "loop", "status", *CALLS]
    weights = [36, 12, 7, 8, 6, 4, 6, 6, 8, 4, 6, 6, 6]
    plans = []
    for rank in range(size):
        others = [other for other in range(size) if other != rank]
        steps = chance.randint(1, 5 - size)
        plans.append(
            [(chance.choices(calls, weights)[0], chance.choice(others), chance.choice([0, 0, 1])) for _ in range(steps)]
        )
    return size, plans


def outcomes(size, plans, reduced):
    """What each rank of a program saw, in each schedule."""
    received = [[] for _ in range(size)]

    def program(comm):
        mine, requests, status = received[comm.rank], [], MPI.Status()
        for step, (call, other, tag) in enumerate(plans[comm.rank]):
            if call == "send":
                comm.send((comm.rank, step, mine[-1:]), other, tag)
            elif call == "any":
                mine.append(comm.recv(tag=tag or MPI.ANY_TAG))
            elif call == "one":
                mine.append(comm.recv(source=other))
            elif call == "iprobe":
                mine.append(comm.iprobe(source=other, tag=tag))
            elif call == "probe":
                found = comm.iprobe(status=status)
                mine.append((found, status.source if found else None))
            elif call == "improbe":
                message = comm.improbe(source=other if tag else MPI.ANY_SOURCE)
                mine.append(message and message.recv())
            elif call == "loop":
                while not comm.iprobe(tag=tag):
                    pass
                mine.append(comm.recv(tag=tag))
            else:
                several = [comm.irecv(source=other), comm.irecv(tag=tag)]
                if call in ("test", "get_status", "status"):
                    mine += [getattr(request, call)() if call != "status" else None for request in several]
                else:
                    mine.append(getattr(MPI.Request, call)(several))
                requests += [request for request in several if request]
            mine.append(step)
        mine += [request.wait() for request in requests]

    return ends_of(program, size, received, reduced)


def all_outcomes(size, plans, monkeypatch):
    """The same of a search that leaves nothing out, and takes nobody for being where it was."""
    count = itertools.count()
    with monkeypatch.context() as changed:
        changed.setattr(
            looks,
            "standstill",
            lambda frame, what, _: Standstill(what, standstill(frame, what).lines, next(count), Hidden.NO),
        )
        found = outcomes(size, plans, False)
    # Nobody is where it was, so a loop that looks for what never comes goes on until its schedule is given up.
    return [each.replace("HorizonError", "DeadlockError") for each in found]


@pytest.mark.parametrize("seed", range(30))
def test_what_is_left_out_leads_to_nothing_new(seed, monkeypatch):
    size, plans = random_program(seed)
    every, tried = all_outcomes(size, plans, monkeypatch), outcomes(size, plans, True)
    assert {*tried} == {*every}
    assert len(tried) <= len(every)


@pytest.mark.parametrize("call", ["iprobe", "test", "testall", "get_status"])
@pytest.mark.parametrize("both", [False, True], ids=["one rank", "both ranks"])
def test_a_loop_of_looks_at_what_never_comes_is_a_deadlock_at_once(call, both):
    def program(comm):
        if comm.rank and not both:
            return
        request = comm.irecv(source=1 - comm.rank, tag=1)
        looks = {
            "iprobe": lambda: comm.iprobe(source=1 - comm.rank),
            "test": lambda: request.test()[0],
            "testall": lambda: MPI.Request.testall([request])[0],
            "get_status": request.Get_status,
        }
        while not looks[call]():
            pass

    finding = only(explore(program, 2, checks=(), max_events=1000))
    assert (finding.kind, len(finding.ranks)) == ("deadlock", 1 + both)
    assert f"in a loop of {call}" in finding.message and "a message from rank 1" in finding.message


def test_who_looks_in_a_loop_goes_on_when_it_counts_how_often():
    def program(comm):
        looks = 0
        while not comm.iprobe() and looks < 3 * LOOKS:
            looks += 1
        return looks

    assert explore(program, 2, checks=(), schedules=20).findings == []
