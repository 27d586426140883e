"""Exploring programs with windows: who gets a lock, and whose access comes first that can't be divided, are choices."""

import math
import random
import time

import numpy as np
import pytest
from all_schedules import ends_of

from bsbpool_sim import RankErrors, explore, simulate
from bsbpool_sim import mpi as MPI

ONE = np.ones(1, "i")


def number(value=0):
    return np.full(1, value, "i")


def window_of(comm, numbers=1):
    """A window with so many numbers on rank 0; memory on others, too."""
    memory = np.zeros(numbers, "i")
    return MPI.Win.Create(memory, 4, comm=comm), memory


def counted(program, ranks):
    exploration = explore(program, ranks, checks=())
    assert exploration.findings == []
    assert exploration.complete, exploration
    return exploration.schedules


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_fetching_accesses_of_one_counter_come_in_each_order_once(ranks):
    def program(comm):
        window, _ = window_of(comm)
        window.Lock(0, MPI.LOCK_SHARED)
        window.Fetch_and_op(ONE, number(), 0)
        window.Unlock(0)
        window.Free()

    assert counted(program, ranks) == math.factorial(ranks)


@pytest.mark.parametrize(
    ("lock", "schedules"), [(MPI.LOCK_SHARED, 1), (MPI.LOCK_EXCLUSIVE, 6)], ids=["shared", "exclusive"]
)
def test_who_gets_a_lock_matters_only_if_one_of_them_is_exclusive(lock, schedules):
    def program(comm):
        window, _ = window_of(comm)
        window.Lock(0, lock)
        window.Unlock(0)
        window.Free()

    assert counted(program, 3) == schedules


def test_sums_come_in_any_order_and_are_tried_once():
    def program(comm):
        window, memory = window_of(comm)
        window.Fence()
        window.Accumulate(ONE, 0)
        window.Fence()
        assert comm.rank or memory[0] == comm.size
        window.Free()

    assert counted(program, 4) == 1


def test_replacing_is_tried_in_each_order():
    last = set()

    def program(comm):
        window, memory = window_of(comm)
        window.Fence()
        window.Accumulate(number(comm.rank), 0, op=MPI.REPLACE)
        window.Fence()
        if comm.rank == 0:
            last.add(int(memory[0]))
        window.Free()

    assert counted(program, 3) == 6
    assert last == {0, 1, 2}


def test_accesses_of_different_memory_are_not_put_into_orders():
    def program(comm):
        window, _ = window_of(comm, comm.size)
        window.Lock_all()
        window.Fetch_and_op(ONE, number(), 0, comm.rank)
        window.Fetch_and_op(ONE, number(), comm.rank)
        window.Unlock_all()
        window.Free()

    assert counted(program, 3) == 1


def test_a_lost_update_is_found_wherever_times_differ():
    def program(comm):
        window, memory = window_of(comm)
        if comm.rank:
            time.sleep(3600 * comm.rank)
            mine = number()
            window.Lock(0)
            window.Get(mine, 0)
            window.Unlock(0)
            mine += 1
            window.Lock(0)
            window.Put(mine, 0)
            window.Unlock(0)
        comm.Barrier()
        window.Lock(0)
        assert comm.rank or memory[0] == comm.size - 1
        window.Unlock(0)
        window.Free()

    exploration = explore(program, 3, schedules=10)
    (finding,) = exploration.findings
    assert finding.kind == "failure"
    with pytest.raises(RankErrors):
        simulate(program, 3, late_matching=True, tape=finding.tape)


def test_a_message_may_bring_who_would_have_come_first():
    def program(comm):
        window, memory = window_of(comm)
        if comm.rank == 1:
            comm.recv()
        if comm.rank == 3:
            comm.send(None, 1)
        elif comm.rank:
            window.Lock(0)
            mine = number()
            window.Get(mine, 0)
            window.Put(number(10 * int(mine[0]) + comm.rank), 0)
            window.Unlock(0)
        comm.Barrier()
        window.Lock(0)
        if comm.rank == 0:
            seen.add(int(memory[0]))
        window.Unlock(0)
        window.Free()

    seen = set()
    explore(program, 4, checks=())
    assert seen == {12, 21}


def test_a_lock_of_the_program_s_own_is_given_back_in_the_end():
    """Who compares and swaps in a loop lets others go on: who asked first comes first."""

    def program(comm):
        window, memory = window_of(comm, 2)
        window.Lock_all()
        taken = number(1)
        while taken[0]:
            window.Compare_and_swap(ONE, number(), taken, 0)
        window.Fetch_and_op(ONE, number(), 0, 1)
        window.Accumulate(number(0), 0, op=MPI.REPLACE)
        window.Unlock_all()
        comm.Barrier()
        assert comm.rank or list(memory) == [0, comm.size]
        window.Free()

    exploration = explore(program, 2, checks=())
    # Who gets it first, and how many times the other one looks at it in vain: up to three.
    assert (exploration.findings, exploration.complete) == ([], False)
    assert exploration.left == 0
    assert exploration.schedules <= 16
    assert "looks more often was not tried" in exploration.limits[0]
    assert explore(program, 3, schedules=100, checks=()).findings == []


def test_memory_that_ranks_read_and_write_as_their_own_is_not_called_complete():
    def program(comm):
        window = MPI.Win.Allocate_shared(8, comm=comm)
        window.Fence()
        window.Free()

    exploration = explore(program, 2, checks=())
    assert not exploration.complete
    assert "used the same memory, or one file" in exploration.limits[0]


# -- against all orders ------------------------------------------------------------------------------


def random_program(seed):
    """A program of messages and of accesses to two numbers of rank 0, or rank 1, that chance has written."""
    chance = random.Random(seed)
    size = chance.choice([2, 3])
    calls = ["send", "any", "update", "look", "fetch", "swap", "sum", "later"]
    plans = []
    for rank in range(size):
        others = [other for other in range(size) if other != rank]
        plans.append(
            [
                (
                    chance.choices(calls, [30, 25, 14, 10, 14, 7, 7, 7])[0],
                    chance.choice(others),
                    chance.choice([0, 0, 1]),
                )
                for _ in range(chance.randint(1, 5 - size))
            ]
        )
    return size, plans


def outcomes(size, plans, reduced):
    """What each rank of a program saw, in each schedule."""
    received = [[] for _ in range(size)]

    def program(comm):
        mine = received[comm.rank]
        window, _ = window_of(comm, 2)
        for step, (call, other, place) in enumerate(plans[comm.rank]):
            value, target = number(100 * comm.rank + step), place if size > 2 else 0
            into = number(-1)
            if call == "send":
                comm.send((comm.rank, mine[-1:]), other)
            elif call == "any":
                mine.append(comm.recv())
            elif call in ("update", "look"):
                window.Lock(target)
                window.Get(into, target, place)
                if call == "update":
                    window.Put(value, target, place)
                window.Unlock(target)
            elif call == "later":
                window.Lock(target, MPI.LOCK_SHARED)
                request = window.Rget_accumulate(value, into, target, place, op=MPI.REPLACE)
                if other < comm.rank:
                    comm.send(None, other)
                request.Wait()
                window.Unlock(target)
            else:
                window.Lock(target, MPI.LOCK_SHARED)
                if call == "fetch":
                    window.Fetch_and_op(value, into, target, place)
                elif call == "swap":
                    window.Compare_and_swap(value, number(), into, target, place)
                else:
                    window.Accumulate(value, target, place)
                window.Unlock(target)
            mine.append(int(into[0]))

    return ends_of(program, size, received, reduced)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_left_out_leads_to_nothing_new(seed):
    size, plans = random_program(seed)
    every, tried = outcomes(size, plans, reduced=False), outcomes(size, plans, reduced=True)
    assert {*tried} == {*every}
    assert len(tried) <= len(every)
