"""Accesses to windows that conflict are found, and none is where something orders the two."""

import numpy as np
import pytest

from bsbpool_sim import mpi as MPI
from bsbpool_sim import simulate
from bsbpool_sim.checks import window_races


def races(accesses, ranks=2, cells=4):
    """Who is told of a race when ``accesses(window, comm, cells)`` runs, and by which call."""

    def program(comm):
        mine = np.zeros(cells)
        window = MPI.Win.Create(mine, disp_unit=8, comm=comm)
        accesses(window, comm, mine)
        comm.Barrier()
        window.Free()

    found = simulate(program, ranks, checks=["rma-race"]).violations
    assert all(each.place.file == __file__ for each in found)
    return [(each.place.rank, each.place.call.rpartition(".")[2]) for each in found]


ONE = np.ones(1)


def between_fences(*calls):
    """Rank n makes the n-th of the calls, between two fences."""

    def accesses(window, comm, mine):
        window.Fence()
        calls[comm.rank](window)
        window.Fence()

    return accesses


def put(at, count=1):
    return lambda window: window.Put(np.ones(count), 0, target=at)


def get(at, count=1):
    return lambda window: window.Get(np.empty(count), 0, target=at)


def add(at, op=MPI.SUM):
    return lambda window: window.Accumulate(ONE, 0, target=at, op=op)


def read(at):
    return lambda window: window.Fetch_and_op(ONE, np.empty(1), 0, at, op=MPI.NO_OP)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (put(0), put(0)), (put(0, 2), put(1)), (put(1), get(0, 3)), (get(2), put(2)), (add(0), put(0)),
        (get(1), add(1)), (add(1, MPI.SUM), add(1, MPI.PROD)), (read(0), put(0)),
    ],
)  # fmt: skip
def test_two_accesses_of_the_same_bytes_conflict_if_one_writes(one, other):
    assert len(races(between_fences(one, other))) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (put(0), put(1)), (put(0, 2), put(2)), (get(0, 3), get(1)), (add(0), add(0)), (read(0), add(0, MPI.MAX)),
        (read(1), read(1)), (read(0), get(0)), (add(1), get(2)),
    ],
)  # fmt: skip
def test_accesses_of_other_bytes_reads_and_those_of_one_operation_do_not(one, other):
    assert races(between_fences(one, other)) == []


def test_one_rank_may_not_put_twice_at_one_place_without_a_flush():
    def twice(flush):
        def accesses(window, comm, mine):
            if comm.rank == 1:
                window.Lock(0)
                window.Put(ONE, 0)
                if flush:
                    window.Flush(0)
                window.Put(ONE, 0)
                window.Unlock(0)

        return accesses

    assert races(twice(False)) == [(1, "Put")]
    assert races(twice(True)) == []


def test_items_with_gaps_conflict_only_where_they_are():
    def columns(second):
        def accesses(window, comm, mine):
            column = MPI.DOUBLE.Create_vector(2, 1, 2).Commit()
            window.Fence()
            window.Put([np.ones(2), 2, MPI.DOUBLE], 0, target=[comm.rank * second, 1, column])
            window.Fence()
            column.Free()

        return accesses

    assert races(columns(1), cells=5) == []
    assert races(columns(2), cells=5) == [(1, "Put")]


def one_after_the_other(end, order, lock=MPI.LOCK_SHARED):
    """Ranks 1 and 2 put at one place of rank 0's window; `order` is called when `end` has ended the first access."""

    def accesses(window, comm, mine):
        for rank in (1, 2):
            if comm.rank == rank:
                window.Lock(0, lock)
                window.Put(ONE, 0)
                if rank == 1 and end == "Flush":
                    window.Flush(0)
                    order(comm)
                window.Unlock(0)
            if rank == 1 and (end == "Unlock" or comm.rank != 1):
                order(comm)

    return races(accesses, ranks=3)


def message(comm):
    if comm.rank == 1:
        comm.send("done", 2)
    elif comm.rank == 2:
        comm.recv(source=1)


def by_way_of_rank_0(comm):
    if comm.rank == 1:
        comm.send("done", 0)
    elif comm.rank == 0:
        comm.send(comm.recv(source=1), 2)
    else:
        comm.recv(source=0)


def receiver_is_known(comm):
    if comm.rank == 1:
        comm.recv(source=2)
    elif comm.rank == 2:
        comm.ssend("are you there?", 1)


def nothing(comm):
    pass


def unrelated(comm):
    if comm.rank == 0:
        comm.send("hello", 2)
    elif comm.rank == 2:
        comm.recv(source=0)


@pytest.mark.parametrize("order", [message, by_way_of_rank_0, receiver_is_known, lambda comm: comm.Barrier()])
def test_what_a_rank_learns_orders_its_accesses(order):
    assert one_after_the_other("Unlock", order) == []


@pytest.mark.parametrize("order", [nothing, unrelated])
def test_a_message_of_somebody_who_knows_nothing_does_not(order):
    assert [call for _, call in one_after_the_other("Unlock", order)] == ["Put"]


def test_a_flush_ends_accesses_within_an_epoch():
    assert one_after_the_other("Flush", message) == []


def test_exclusive_locks_order_what_is_under_them():
    assert one_after_the_other("Unlock", nothing, MPI.LOCK_EXCLUSIVE) == []


def test_post_start_complete_and_wait_order_two_origins():
    def accesses(window, comm, mine):
        everybody = comm.Get_group()
        for origin in (1, 2):
            if comm.rank == 0:
                group = everybody.Incl([origin])
                window.Post(group)
                window.Wait()
            elif comm.rank == origin:
                group = everybody.Incl([0])
                window.Start(group)
                window.Put(ONE, 0)
                window.Complete()

    assert races(accesses, ranks=3) == []


@pytest.mark.parametrize("first", [True, False])
def test_what_a_rank_stores_between_fences_must_not_be_accessed(first):
    """Whether the store comes before the access in this run, or after it."""

    def storing(at):
        def accesses(window, comm, mine):
            window.Fence()
            if comm.rank == int(first):
                comm.recv()
            if comm.rank == 1:
                window.Put(ONE, 0, target=2)
            else:
                mine[at] = 5
            if comm.rank != int(first):
                comm.send("next", int(first))
            window.Fence()

        return accesses

    assert races(storing(2)) == [(1, "Put")]
    assert races(storing(3)) == []


def test_what_a_rank_stores_outside_of_epochs_is_its_own():
    def accesses(window, comm, mine):
        for step in range(3):
            mine[:] = step
            window.Fence()
            window.Get(np.empty(4), 1 - comm.rank)
            window.Fence()

    assert races(accesses) == []


def test_a_shared_counter_is_right_with_one_call_and_wrong_with_two():
    def counting(right):
        def accesses(window, comm, mine):
            number = np.empty(1)
            window.Lock(0, MPI.LOCK_SHARED)
            if right:
                window.Fetch_and_op(ONE, number, 0)
            else:
                window.Get(number, 0)
                window.Flush(0)
                window.Put(number + 1, 0)
            window.Unlock(0)

        return accesses

    assert races(counting(True), ranks=3) == []
    assert {call for _, call in races(counting(False), ranks=3)} == {"Get", "Put"}


def test_accesses_that_are_over_for_all_are_not_held_against_later_ones(monkeypatch):
    compared = []

    def noted(one, other, really=window_races.conflict):
        compared.append(one)
        return really(one, other)

    monkeypatch.setattr(window_races, "conflict", noted)

    def rounds_of_locks(window, comm, mine):
        for _ in range(300):
            window.Lock(comm.rank)
            window.Put(ONE, comm.rank)
            window.Unlock(comm.rank)
            comm.Barrier()

    def rounds_of_fences(window, comm, mine):
        window.Fence()
        for _ in range(300):
            window.Put(ONE, comm.rank)
            window.Fence()

    def one_that_is_not_over(window, comm, mine):
        for at in [*[1 + comm.rank] * 300, 0] if comm.rank == 0 else [0]:
            window.Lock(0, MPI.LOCK_SHARED)
            window.Put(ONE, 0, at)
            window.Unlock(0)

    for accesses in (rounds_of_locks, rounds_of_fences):
        compared.clear()
        assert races(accesses) == []
        assert len(compared) < 600 * 70  # of 600 accesses, some tens are kept at a time; all were 90,000 pairs
    assert {call for _, call in races(one_that_is_not_over)} == {"Put"}
