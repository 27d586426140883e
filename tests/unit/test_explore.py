"""Exploring: each order of messages that MPI allows is run, what fails in one is found, and its tape repeats it."""

import math
import os
import random
import threading
import time

import pytest
from all_schedules import ends_of

from bsbpool import Owner
from bsbpool_sim import (
    CannotSimulateError,
    ExplorationError,
    MPIError,
    RankErrors,
    Script,
    explore,
    simulate,
)
from bsbpool_sim import mpi as MPI
from bsbpool_sim.exploring.exploration import Exploration


def senders(comm):
    """Each rank but 0 sends one message; rank 0 takes them from any rank."""
    if comm.rank:
        return comm.send(comm.rank, 0)
    return tuple(comm.recv() for _ in range(comm.size - 1))


def master_of(jobs):
    """A master that gives the next job to whoever has done one."""

    def program(comm):
        if comm.rank:
            while (job := comm.recv(source=0)) is not None:
                comm.send(job * job, 0)
            return None
        todo, results, status = list(range(jobs)), [], MPI.Status()
        for worker in range(1, comm.size):
            comm.send(todo.pop(0), worker)
        while len(results) < jobs:
            results.append(comm.recv(status=status))
            if todo:
                comm.send(todo.pop(0), status.Get_source())
        for worker in range(1, comm.size):
            comm.send(None, worker)
        return sorted(results)

    return program


def only(exploration):
    """The one finding."""
    (finding,) = exploration.findings
    return finding


def line_of(function, text):
    """The line of a function's code that has this text."""
    import inspect

    lines, first = inspect.getsourcelines(function)
    return first + next(number for number, line in enumerate(lines) if text in line)


# -- how many schedules ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_loop_of_receives_has_as_many_schedules_as_its_senders_have_orders(count):
    exploration = explore(senders, count + 1)
    assert exploration.complete
    assert (exploration.schedules, exploration.left, exploration.findings) == (math.factorial(count), 0, [])
    assert str(exploration) == f"complete: {math.factorial(count)} schedules; no findings"


@pytest.mark.parametrize(("workers", "most"), [(2, 8), (3, 18)])
def test_a_master_with_four_jobs_has_few_schedules(workers, most):
    exploration = explore(master_of(4), workers + 1, same=lambda results: results[0])
    assert exploration.complete
    assert exploration.schedules <= most
    assert exploration.findings == []


def test_receives_of_different_ranks_are_tried_in_one_order():
    def program(comm):
        if comm.rank > 1:
            return comm.send(comm.rank, 0), comm.send(comm.rank, 1)
        return comm.recv(), comm.recv()

    assert explore(program, 4).schedules == 2 * 2


def test_what_one_receive_brings_about_can_reach_another_first():
    def program(comm):
        if comm.rank == 1:
            comm.send("early", 0)
        elif comm.rank == 3:
            comm.send("x", 2)
        elif comm.rank == 2:
            comm.recv()
            comm.send("late", 0)
        else:
            assert comm.recv() == "early"
            comm.recv()

    exploration = explore(program, 4)
    assert (exploration.complete, exploration.schedules, len(exploration.findings)) == (True, 2, 1)


def requests_of(comm):
    return [comm.irecv(source=rank) for rank in range(1, comm.size)]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_waitany_may_end_its_requests_in_any_order(count):
    found = []

    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        requests = requests_of(comm)
        return tuple(MPI.Request.waitany(requests)[1] for _ in requests)

    exploration = explore(program, count + 1, same=lambda results: found.append(results[0]), checks=())
    assert exploration.complete
    assert exploration.schedules == len({*found}) == math.factorial(count)


def test_waitsome_may_end_all_that_are_done_or_one():
    found = []

    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        requests, ended = requests_of(comm), []
        while (some := MPI.Request.waitsome(requests))[0] is not None:
            ended.append(tuple(some[1]))
        return ended

    assert explore(program, 3, same=lambda results: found.append(results[0]), checks=()).schedules == 3
    assert sorted(found) == [[(1,), (2,)], [(1, 2)], [(2,), (1,)]]


def test_what_follows_the_first_request_can_reach_another_rank_first():
    def program(comm):
        if comm.rank == 0:
            requests = [comm.irecv(source=1), comm.irecv(source=3)]
            comm.send(("first was", MPI.Request.waitany(requests)[0]), 2)
            MPI.Request.waitall(requests)
        elif comm.rank == 2:
            found.append((comm.recv(), comm.recv()))
        else:
            comm.send(comm.rank, 0)
            if comm.rank == 3:
                comm.send(comm.rank, 2)

    found = []
    exploration = explore(program, 4, checks=())
    ways = {(("first was", 0), 3), (("first was", 1), 3), (3, ("first was", 0)), (3, ("first was", 1))}
    assert exploration.schedules == 4
    assert {*found} == ways


def random_program(seed):
    """A program of sends, receives and probes that chance has written."""
    chance = random.Random(seed)
    size = chance.choice([2, 3, 4])
    plans = []
    for rank in range(size):
        others = [other for other in range(size) if other != rank]
        plans.append(
            [
                (
                    chance.choices(["send", "any", "one", "irecv", "waitany", "probe"], [50, 25, 8, 10, 4, 3])[0],
                    chance.choice(others),
                    chance.choice([0, 0, 1]),
                    chance.choice([MPI.ANY_TAG, MPI.ANY_TAG, 0, 1]),
                )
                for _ in range(chance.randint(1, 4))
            ]
        )
    return size, plans


def outcomes(size, plans, reduced):
    """What each rank of a program received, in each schedule; and the number of schedules."""
    received = [[] for _ in range(size)]

    def program(comm):
        mine, requests, status = received[comm.rank], [], MPI.Status()
        for number, (call, other, tag, wanted) in enumerate(plans[comm.rank]):
            if call == "send":
                comm.send((comm.rank, number, mine[-1:]), other, tag)
            elif call == "any":
                mine.append(comm.recv(tag=wanted))
            elif call == "one":
                mine.append(comm.recv(source=other, tag=wanted))
            elif call == "irecv":
                requests.append(comm.irecv(tag=wanted) if tag else comm.irecv(source=other, tag=wanted))
            elif call == "waitany":
                if requests:
                    place, message = MPI.Request.waitany(requests)
                    mine.append(("waitany", place, message))
                    del requests[place]
            else:
                comm.probe(status=status)
                mine.append(("probe", status.source, status.tag))
        mine += [request.wait() for request in requests]

    return ends_of(program, size, received, reduced)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_left_out_leads_to_nothing_new(seed):
    size, plans = random_program(seed)
    every, tried = outcomes(size, plans, reduced=False), outcomes(size, plans, reduced=True)
    assert {*tried} == {*every}
    assert len(tried) <= len(every)


# -- what is found -----------------------------------------------------------------------------------


def test_a_race_whose_messages_lie_an_hour_apart_is_found_in_few_schedules():
    def program(comm):
        if comm.rank == 0:
            first = comm.recv()
            comm.recv()
            assert first == 1
        else:
            time.sleep(3600 * comm.rank)
            comm.send(comm.rank, 0)

    exploration = explore(program, 3, schedules=10)
    finding = only(exploration)
    assert finding.kind == "failure"
    assert (finding.file, finding.line) == (__file__, line_of(program, "assert first == 1"))
    with pytest.raises(RankErrors):
        simulate(program, 3, late_matching=True, tape=finding.tape)


def test_a_receive_from_any_rank_that_takes_what_a_later_one_wants_is_found_as_a_deadlock():
    def program(comm):
        if comm.rank == 0:
            comm.recv()
            comm.recv(source=1)
        else:
            comm.send(comm.rank, 0)

    finding = only(explore(program, 3, schedules=10))
    line = line_of(program, "comm.recv(source=1)")
    assert (finding.kind, finding.file, finding.line) == ("deadlock", __file__, line)
    assert [(each.rank, each.line, each.function) for each in finding.ranks] == [(0, line, "program")]
    assert finding.ranks[0].what == "waits for a message from rank 1, which has ended, with any tag (recv)"
    assert finding.message.startswith("rank 0 waits for ever for a message from rank 1")


def test_a_fault_that_shows_in_many_schedules_is_one_finding():
    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        got = [comm.recv() for _ in range(comm.size - 1)]
        assert got == sorted(got)

    exploration = explore(program, 5)
    assert exploration.schedules == 24
    assert only(exploration).kind == "failure"


def test_two_faults_are_two_findings():
    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        first = comm.recv()
        if first == 2:
            raise ValueError("it was 2")
        if first == 3:
            raise KeyError(first)
        return comm.recv(), comm.recv()

    assert [each.message for each in explore(program, 4).findings] == [
        "rank 0 raised ValueError: it was 2",
        "rank 0 raised KeyError: 3",
    ]


def test_results_that_differ_between_orders_are_found_where_they_must_not():
    def program(comm):
        if comm.rank:
            return comm.send(10.0**comm.rank, 0)
        return [comm.recv() for _ in range(comm.size - 1)]

    assert explore(program, 3).findings == []
    assert explore(program, 3, same=lambda results: sum(results[0])).findings == []
    finding = only(explore(program, 3, same=lambda results: results[0]))
    assert finding.kind == "divergence"
    assert "[10.0, 100.0]" in finding.message
    assert "[100.0, 10.0]" in finding.message


def test_results_of_arrays_can_be_the_same():
    numpy = pytest.importorskip("numpy")

    def program(comm):
        if comm.rank:
            return comm.send(numpy.full(2, comm.rank), 0)
        return comm.recv() + comm.recv()

    assert explore(program, 3, same=lambda results: results[0]).findings == []


def test_what_mpi_forbids_has_a_kind_of_its_own():
    def truncated(comm):
        if comm.rank:
            return comm.Send(bytearray(8), 0)
        return comm.Recv(bytearray(4))

    def mismatched(comm):
        return comm.bcast(1) if comm.rank else comm.gather(1)

    def invalid(comm):
        return comm.send(1, dest=comm.size)

    def caught(comm):
        with pytest.raises(MPIError):
            comm.send(1, dest=comm.size)

    kinds = [[each.kind for each in explore(p, 2).findings] for p in (truncated, mismatched, invalid, caught)]
    assert kinds == [["truncation"], ["collective-mismatch"], ["invalid-argument"], []]


def test_an_abort_in_some_order_is_a_failure_at_its_line():
    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        if comm.recv() == 2:
            comm.Abort(3)
        comm.recv()

    finding = only(explore(program, 3))
    assert (finding.kind, finding.line) == ("failure", line_of(program, "comm.Abort(3)"))


def test_one_that_waits_for_a_rank_that_raised_is_no_fault_of_its_own():
    def program(comm):
        if comm.rank:
            raise ValueError("first")
        comm.recv(source=1)

    assert [each.kind for each in explore(program, 2).findings] == ["failure"]


def test_a_death_that_may_happen_is_a_choice():
    def program(comm):
        if comm.rank:
            return comm.send(1, 0)
        return comm.recv(source=1)

    exploration = explore(program, 2, script=Script().rank(1, may_die=True))
    assert (exploration.schedules, exploration.complete) == (2, True)
    assert "rank 1, which died at 0 s" in only(exploration).message


# -- strategies and budgets --------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["walk", "pos", "pct", "portfolio"])
def test_each_strategy_finds_a_race_and_does_the_same_again(strategy):
    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        got = [comm.recv() for _ in range(comm.size - 1)]
        assert got[0] != 3

    one, other = (explore(program, 4, strategy=strategy, schedules=40, seed=1) for _ in range(2))
    assert only(one).kind == "failure"
    assert (one.strategy, one.schedules, one.complete) == (strategy, 40, False)
    assert [(each.tape, each.schedule) for each in one.findings] == [(e.tape, e.schedule) for e in other.findings]
    assert one.distinct == other.distinct <= 6


def test_the_budget_ends_the_search_with_an_estimate_of_what_is_left():
    exploration = explore(senders, 7, strategy="exhaustive", schedules=100)
    assert (exploration.schedules, exploration.complete) == (100, False)
    assert exploration.left == pytest.approx(720 - 100, rel=0.01)


def test_what_does_not_end_within_half_of_the_budget_is_drawn_for_the_rest():
    exploration = explore(senders, 8, schedules=60)
    assert (exploration.schedules, exploration.strategy, exploration.complete) == (60, "portfolio", False)
    assert exploration.left > 4000
    assert "about" in str(exploration)


def test_ctrl_c_keeps_what_was_found():
    def stop(so_far):
        if so_far.schedules == 3:
            raise KeyboardInterrupt

    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        got = [comm.recv() for _ in range(comm.size - 1)]
        assert got[-1] == 4

    exploration = explore(program, 5, progress=stop)
    assert (exploration.schedules, exploration.interrupted, exploration.complete) == (3, True, False)
    assert only(exploration).kind == "failure"


def test_a_program_that_raises_keyboard_interrupt_is_not_taken_for_ctrl_c():
    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        if [comm.recv(), comm.recv()] == [2, 1]:
            raise KeyboardInterrupt

    with pytest.raises(CannotSimulateError, match="the program raised KeyboardInterrupt, that is for Ctrl-C"):
        explore(program, 3)


def test_a_rank_that_ends_itself_is_found():
    def program(comm):
        if comm.rank == 1:
            os._exit(3)

    finding = only(explore(program, 2))
    assert (finding.kind, finding.message.partition(";")[0]) == ("failure", "rank 1 ended with exit status 3")
    assert finding.file == __file__ and finding.ranks[0].function == "program"


@pytest.mark.parametrize("wrong", [{"strategy": "best"}, {"schedules": 0}, {"seconds": 0}])
def test_arguments_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        explore(senders, 2, **wrong)


# -- what can't be explored --------------------------------------------------------------------------


def test_a_program_that_keeps_something_between_runs_is_refused():
    runs = []

    def program(comm):
        runs.append(comm.rank)
        if comm.rank:
            comm.send("x" * len(runs), 0)
        else:
            comm.recv()

    with pytest.raises(ExplorationError, match="is not repeated, though the same was chosen: there is as event"):
        explore(program, 2)


def test_a_program_that_only_differs_later_is_refused_too():
    runs = []

    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        runs.append(comm.rank)
        return [comm.recv() for _ in range(2 if len(runs) < 5 else 1)]

    with pytest.raises(ExplorationError, match="is not repeated, though the same was chosen"):
        explore(program, 4)


def test_a_program_whose_first_run_is_another_one_is_refused_and_told_so():
    kept = []

    def program(comm):
        comm.sendrecv("x" * len(kept), 0)
        kept[:] = [1]

    with pytest.raises(ExplorationError, match="Only its first run is another one: it may set something in a module"):
        explore(program, 1)


def test_a_program_that_takes_another_time_in_each_run_is_explored():
    runs = []

    def program(comm):
        runs.append(comm.rank)
        time.sleep(len(runs))
        if comm.rank:
            comm.send(comm.rank, 0)
        else:
            comm.recv()

    assert str(explore(program, 2)) == "complete: 1 schedule; no findings"


def test_who_waits_with_a_limit_again_and_again_does_not_keep_others_from_their_messages():
    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        done = threading.Event()
        threading.Thread(target=lambda: (comm.recv(), comm.recv(), done.set())).start()
        waits = 1
        while not done.wait(60):
            waits += 1
        return waits

    exploration = explore(program, 3)
    # Two orders of messages, and in each the event is set before or after the program begins to wait for it.
    assert exploration.schedules == 4
    assert exploration.findings == []
    said = "a wait of a thread ended by its timeout only where nothing else could continue: earlier was not tried"
    assert said in exploration.limits
    assert not exploration.complete


def test_who_sleeps_before_it_sends_comes_in_time_for_who_waits_with_limits():
    def program(comm):
        if comm.rank:
            time.sleep(600 * (comm.rank - 1))
            return comm.send(comm.rank, 0)
        done, taken = threading.Event(), []
        threading.Thread(target=lambda: (taken.extend([comm.recv(), comm.recv()]), done.set())).start()
        while not done.wait(60):
            pass
        return taken

    ends = set()
    explore(program, 3, same=lambda results: ends.add((*results[0],)))
    assert ends == {(1, 2), (2, 1)}


def test_what_cannot_be_simulated_is_no_finding():
    def program(comm):
        import subprocess

        subprocess.run(["true"])

    with pytest.raises(CannotSimulateError, match="a real process"):
        explore(program, 1)


def test_a_program_that_never_ends_is_found_as_such():
    def program(comm):
        while True:
            time.sleep(1)

    finding = only(explore(program, 1, max_events=1000, schedules=1))
    assert finding.kind == "failure"
    assert finding.message.startswith("it does not end: more than 1000 events")


@pytest.mark.parametrize("call", ["iprobe", "test", "testall"])
def test_who_looks_in_a_loop_waits_and_is_explored_completely(call):
    def program(comm):
        if comm.rank:
            comm.send(None, 0)
            return
        if call == "iprobe":
            while not comm.iprobe(source=1):
                pass
            comm.recv(source=1)
            return
        request = comm.irecv(source=1)
        while not (request.test() if call == "test" else MPI.Request.testall([request]))[0]:
            pass

    exploration = explore(program, 2)
    assert (exploration.findings, exploration.complete, exploration.schedules) == ([], True, 1)


def test_a_program_with_a_thread_is_explored_completely():
    def program(comm):
        thread = threading.Thread(target=comm.Barrier)
        thread.start()
        thread.join()

    exploration = explore(program, 2)
    assert (exploration.findings, exploration.schedules, exploration.complete) == ([], 1, True)


# -- job pools ---------------------------------------------------------------------------------------


def job(owner, number):
    return number


def test_a_pool_is_explored_within_each_instant():
    def program(comm):
        with Owner(comm).create_job_pool(quiet=True) as pool:
            jobs = [pool.queue(job, (number,)) for number in range(3)] if pool.is_main() else []
            pool.execute()
            return [each.result for each in jobs]

    exploration = explore(program, 2, schedules=30, same=lambda results: results[0])
    assert exploration.findings == []
    assert (exploration.complete, exploration.schedules) == (False, 2)
    assert "other durations" in exploration.limits[0]


def test_making_findings_small_takes_no_longer_than_finding_them(monkeypatch):
    """The real time is that of a clock on which each run of the program takes a second."""
    runs = []
    monkeypatch.setattr("bsbpool.worlds.local.ThreadedWorld.now", lambda: len(runs) * 1_000_000_000)

    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        runs.append(None)
        taken = [comm.recv() for _ in range(4)]
        assert taken[3] != 1, taken

    exploration = explore(program, 5, seconds=20, strategy="walk")
    assert [each.kind for each in exploration.findings] == ["failure"]
    assert len(runs) <= 2 * 20 + 3, "a run that began within the time ends after it, and one says what its choices are"
    assert "the time for that was over" in exploration.limits[-1]
    runs.clear()
    unlimited = explore(program, 5, seconds=None, schedules=20, strategy="walk")
    assert len(runs) > 2 * 20 + 3
    assert unlimited.findings[0].delays is not None and exploration.findings[0].delays is None


def test_a_schedule_in_which_ranks_sleep_until_the_horizon_while_others_could_go_on_is_given_up():
    def program(comm):
        if comm.rank:
            comm.send(None, 0)
            return
        comm.recv()  # is decided when nothing else runs, or when others have slept often
        comm.recv()
        done.append(True)

    def with_a_rank(comm):
        if comm.rank == 0:
            done.clear()
        comm.Barrier()
        if comm.rank == 3:
            sleeps_on()
        else:
            program(comm)

    def with_a_thread(comm):
        done.clear()
        thread = threading.Thread(target=sleeps_on)
        if comm.rank == 0:
            thread.start()
        program(comm)
        if comm.rank == 0:
            thread.join()

    def sleeps_on():
        while not done:
            time.sleep(3600)

    done = []
    exploration = explore(with_a_rank, 4)
    assert exploration.findings == [] and not exploration.complete
    assert "ranks slept until the horizon while others could go on" in exploration.limits[-1]
    # A thread goes on after a sleep in its turn, which is decided as all else.
    assert str(explore(with_a_thread, 3)) == "complete: 2 schedules; no findings"


def test_a_program_that_sleeps_on_and_on_and_leaves_nothing_to_decide_does_not_end():
    def program(comm):
        while comm.rank == 0:
            time.sleep(3600)

    (finding,) = explore(program, 2).findings
    assert finding.kind == "failure" and finding.message.startswith("it does not end: ")


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"schedules": 6, "complete": True, "left": 0.0}, "complete: 6 schedules"),
        ({"schedules": 1, "distinct": 1, "left": 0.0}, "all that is tried: 1 schedule"),
        ({"schedules": 1, "distinct": 1}, "1 schedule, 1 of them different"),
        ({"schedules": 4, "distinct": 3, "left": 1234.5}, "4 schedules, 3 of them different, about 1,200 left"),
        ({"schedules": 4, "distinct": 3, "left": 3e30}, "4 schedules, 3 of them different, about 3e+30 left"),
    ],
)
def test_a_summary_says_whether_all_was_tried_and_how_much_is_left(facts, text):
    assert str(Exploration(**facts)) == f"{text}; no findings"


def test_it_is_said_that_there_was_no_time_to_find_which_memory_is_read_early(monkeypatch):
    """The real time is that of a clock on which each run of the program takes a second."""
    runs = []
    monkeypatch.setattr("bsbpool.worlds.local.ThreadedWorld.now", lambda: len(runs) * 1_000_000_000)

    def program(comm):
        if comm.rank:
            return comm.Send(bytearray(b"new"), 0)
        runs.append(None)
        buffer = bytearray(b"old")
        request = comm.Irecv(buffer, 1)
        early = bytes(buffer)
        request.Wait()
        return early

    cut = explore(program, 2, seconds=3, strategy="exhaustive")
    assert (cut.findings, cut.complete, cut.left) == ([], False, 0)
    assert cut.limits[-1].startswith("which memory is read before MPI has written it")
    runs.clear()
    whole = explore(program, 2, seconds=20, strategy="exhaustive")
    assert ([each.kind for each in whole.findings], whole.complete, whole.limits) == (["buffer-race"], True, ())
