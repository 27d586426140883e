"""A rank that looks again and again lets time pass, and a long wait is soon over. All time here is virtual."""

from __future__ import annotations

import numpy as np
import pytest

from bsbpool_sim import explore, simulate

LONG = 30


def told_by_window(kind):
    """Rank 0 writes into its window late; the others look at it until then, and return how often and how late."""

    def program(comm):
        import time

        from mpi4py import MPI

        win = MPI.Win.Allocate(8 if comm.rank == 0 else 0, 8, comm=comm)
        one, seen, looks = np.ones(1, "i8"), np.zeros(1, "i8"), 0
        if comm.rank == 0:
            time.sleep(LONG)
            win.Lock(0)
            win.Accumulate(one, 0, op=MPI.REPLACE)
            win.Unlock(0)
        while comm.rank and not seen[0]:
            win.Lock(0, MPI.LOCK_SHARED)
            if kind == "Get":
                win.Get(seen, 0)
            elif kind == "Fetch_and_op":
                win.Fetch_and_op(one, seen, 0, op=MPI.NO_OP)
            else:
                win.Compare_and_swap(one, one, seen, 0)
            win.Unlock(0)
            looks += 1
        win.Free()
        return looks, MPI.Wtime()

    return program


@pytest.mark.parametrize("kind", ["Get", "Fetch_and_op", "Compare_and_swap"])
def test_who_looks_at_a_window_in_a_loop_lets_others_go_on(kind):
    for looks, end in simulate(told_by_window(kind), ranks=2).results[1:]:
        assert looks < 14_000
        assert LONG <= end < 1.002 * LONG


def test_reading_something_new_each_time_takes_no_time():
    def program(comm):
        from mpi4py import MPI

        win = MPI.Win.Allocate(8 * 3000, 8, comm=comm)
        seen = np.zeros(1, "i8")
        win.Lock(0, MPI.LOCK_SHARED)
        for place in range(3000):
            win.Get(seen, 0, place)
        win.Unlock(0)
        counted = [count(win) for _ in range(3000)]
        win.Free()
        return counted[-1], MPI.Wtime()

    def count(win):
        one, before = np.ones(1, "i8"), np.zeros(1, "i8")
        win.Lock(0)
        win.Fetch_and_op(one, before, 0)
        win.Unlock(0)
        return int(before[0])

    assert simulate(program, ranks=1).results == [(2999, 0.0)]


def test_exploring_goes_on_while_a_rank_looks_at_a_window_in_a_loop():
    exploration = explore(told_by_window("Fetch_and_op"), ranks=3, schedules=5)
    assert not exploration.findings
    exploration = explore(told_by_window("Get"), ranks=2, schedules=5)
    assert not exploration.findings


def probing(comm):
    import time

    from mpi4py import MPI

    if comm.rank:
        time.sleep(LONG)
        return comm.send(None, 0)
    looks = 0
    while not comm.Iprobe():
        looks += 1
    comm.recv()
    return looks, MPI.Wtime()


def test_a_long_wait_by_probing_is_soon_over():
    looks, end = simulate(probing, ranks=2).results[0]
    assert looks < 120_000
    assert LONG <= end < 1.001 * LONG


def test_a_short_wait_by_probing_ends_as_soon_as_the_message_comes():
    def program(comm):
        import time

        from mpi4py import MPI

        if comm.rank:
            time.sleep(0.01)
            return comm.send(None, 0)
        request = comm.irecv(source=1)
        while not request.test()[0]:
            pass
        return MPI.Wtime()

    assert simulate(program, ranks=2).results[0] == pytest.approx(0.01, abs=2e-6)


def test_exploring_comes_to_the_end_of_a_time_that_a_program_sets_itself():
    def program(comm):
        import time

        end = time.monotonic() + 600
        looks = 0
        while time.monotonic() < end:
            assert not comm.Iprobe()
            looks += 1
        return looks < 3000

    exploration = explore(program, ranks=1, schedules=2, same=lambda results: results)
    assert exploration.complete
    assert not exploration.findings


def test_a_probe_is_late_by_what_was_waited_for_this_message_only():
    """Each of many messages ends a loop of probes: together they take longer than after which probes take longer."""

    def program(comm):
        import time

        from mpi4py import MPI

        late = []
        for number in range(300):
            if comm.rank:
                time.sleep(0.01)
                comm.send(None, 0)
            else:
                while not comm.iprobe():
                    pass
                comm.recv()
                late.append(MPI.Wtime() - 0.01 * (number + 1))
        return late

    assert max(simulate(program, ranks=2).results[0]) < 0.001
