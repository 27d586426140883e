"""Virtual time, tasks, and what befalls ranks."""

import pytest

from bsbpool.durations import exact_duration
from bsbpool_sim.default_strategies import InOrder, Shuffled
from bsbpool_sim.errors import DeadlockError, HorizonError
from bsbpool_sim.kernel import SECOND, Kernel, nanoseconds
from bsbpool_sim.network import Network
from bsbpool_sim.random_streams import stream
from bsbpool_sim.same_instant import DEADLINES, LOSSES, NEWS


def kernel(size=1, policy=None, **limits):
    return Kernel(size, policy or InOrder(), **{"horizon": 1000 * SECOND, "max_events": 10_000, **limits})


def run(k, *programs):
    """Run each program on the rank of its position; gives the tasks."""
    tasks = [k.start_program(k.ranks[i], p) for i, p in enumerate(programs)]
    try:
        k.run()
    finally:
        k.close()
    return tasks


@pytest.mark.parametrize(("ns", "text"), [(0, "0 s"), (1_500_000_000, "1.5 s"), (1, "0.000000001 s"), (10**10, "10 s")])
def test_times_read_as_seconds(ns, text):
    assert exact_duration(ns) == text
    assert nanoseconds(ns / SECOND) == ns


def test_time_passes_only_by_waiting():
    k = kernel()
    run(k, lambda: k.compute(3 * SECOND))
    assert k.now == 3 * SECOND


def test_tasks_run_in_the_order_in_which_they_started():
    k, order = kernel(3), []
    run(k, *(lambda i=i: order.append(i) for i in range(3)))
    assert order == [0, 1, 2]


def test_a_shuffled_order_is_another_and_the_same_for_the_same_seed():
    def order(seed):
        k, seen = kernel(20, Shuffled(seed)), []
        run(k, *(lambda i=i: seen.append(i) for i in range(20)))
        return seen

    assert order(1) == order(1) != order(2)
    assert sorted(order(1)) == list(range(20))


def test_a_woken_task_says_so_and_one_whose_time_came_too():
    k, woken = kernel(2), []

    def sleeper():
        woken.append(k.park("a call", 5 * SECOND))
        woken.append(k.park("a call", 9 * SECOND))
        woken.append(k.park("a call", k.now))

    def caller():
        k.compute(SECOND)
        k.wake(k.ranks[0].main)
        k.wake(k.ranks[0].main)

    run(k, sleeper, caller)
    assert woken == [True, False, False]


def test_a_timer_of_an_earlier_wait_does_not_end_a_later_one():
    k, ends = kernel(2), []

    def sleeper():
        for until in (10, 2, 20):
            k.park("a call", until)
            ends.append(k.now)
        k.park("a call without an end")

    def caller():
        k.compute(1)
        k.wake(k.ranks[0].main)
        k.compute(30)
        k.wake(k.ranks[0].main)

    run(k, sleeper, caller)
    assert ends == [1, 2, 20]


def test_a_slow_rank_computes_longer():
    k = kernel()
    k.ranks[0].slowness = 2.5
    run(k, lambda: k.compute(SECOND))
    assert k.now == 2.5 * SECOND


@pytest.mark.parametrize(
    ("pauses", "end"), [([(1, 2)], 12), ([(1, 4), (2, 1)], 14), ([(1, 2), (5, 3)], 15), ([(10, 5)], 15)]
)
def test_a_paused_rank_ends_its_computation_later(pauses, end):
    k = kernel()
    for at, ns in pauses:
        k.at(at, lambda ns: k.pause(k.ranks[0], ns), ns)
    run(k, lambda: k.compute(10))
    assert k.now == end


def test_nothing_of_a_dead_rank_runs_any_more():
    k, ran = kernel(2), []

    def victim():
        try:
            k.compute(10)
        finally:
            if not k.closing:
                ran.append("finally")

    k.on_death.append(lambda rank: ran.append(f"{rank.index} died"))
    run(k, victim, lambda: (k.compute(5), k.kill(k.ranks[0]), k.kill(k.ranks[0]), k.compute(20)))
    assert ran == ["0 died"]
    assert k.ranks[0].dead_at == 5


def test_a_rank_that_kills_itself_stops_there():
    k = kernel(2)
    suicide, other = run(k, lambda: k.kill(k.ranks[0]), lambda: k.compute(1))
    assert suicide.ended_at is None
    assert other.ended_at == 1


def test_ends_of_programs_are_announced():
    k, ended = kernel(2), []
    k.on_end.append(lambda rank: ended.append((rank.index, k.now)))
    run(k, lambda: k.compute(3), lambda: None)
    assert ended == [(1, 0), (0, 3)]


def test_what_a_program_raises_stays_with_its_task():
    k = kernel(2)
    bad, good = run(k, lambda: 1 / 0, lambda: "fine")
    assert isinstance(bad.error, ZeroDivisionError)
    assert good.result == "fine"


def test_what_a_helper_task_raises_ends_the_simulation():
    k = kernel()

    def program():
        k.start(k.ranks[0], "helper", lambda: 1 / 0)
        k.park("the helper")

    with pytest.raises(ZeroDivisionError) as caught:
        run(k, program)
    assert caught.value.__notes__ == ["in task 'helper' of simulated rank 0 at 0 s"]


def test_a_helper_task_that_returns_is_forgotten():
    k = kernel()

    def program():
        k.start(k.ranks[0], "helper", lambda: None)
        k.compute(1)
        return len(k.ranks[0].tasks)

    assert run(k, program)[0].result == 1


def test_the_first_failure_is_the_one_that_is_raised():
    k = kernel()
    k.at(0, lambda _: (k.fail(ValueError("first")), k.fail(ValueError("second"))), None)
    with pytest.raises(ValueError, match="first"):
        run(k, lambda: k.compute(1))


def test_a_deadlock_says_who_waits_for_what_since_when_and_where():
    k = kernel(3)

    def waits():
        k.compute(2 * SECOND)
        k.park(lambda: "a " + "miracle")  # this line

    with pytest.raises(DeadlockError) as caught:
        run(k, waits, lambda: None, lambda: k.kill(k.ranks[2]))
    line = waits.__code__.co_firstlineno + 2
    assert str(caught.value).splitlines()[1:] == [
        f"  rank 0 waits for a miracle, since 2 s, at {__file__}:{line} in waits",
        "  rank 1 ended at 0 s",
        "  rank 2 died at 0 s",
    ]


def test_a_report_of_many_is_cut():
    k = kernel(60)
    with pytest.raises(DeadlockError, match="… and 10 more"):
        run(k, *[lambda: k.park("nothing")] * 60)


def test_a_report_names_helpers_and_tasks_that_never_ran():
    k = kernel()
    k.start_program(k.ranks[0], lambda: None)
    k.start(k.ranks[0], "helper", lambda: None)
    assert k.report() == "  rank 0 has not started yet\n  rank 0 (helper) has not started yet"
    k.close()


@pytest.mark.parametrize(
    ("limits", "text"),
    [({"horizon": 5 * SECOND}, "past the horizon of 5 s"), ({"max_events": 5}, "more than 5 events by 4 s")],
)
def test_what_goes_on_for_ever_is_given_up(limits, text):
    k = kernel(**limits)

    def program():
        while True:
            k.compute(SECOND)

    with pytest.raises(HorizonError, match=text):
        run(k, program)


def test_where_time_stands_still_it_is_given_up_before_all_events_have_come():
    k = kernel(max_events=10_000_000)
    k.most_at_once = 1000

    def program():
        while True:
            k.park("nothing", min(k.now + SECOND, 5 * SECOND))

    with pytest.raises(HorizonError, match="time stands still: more than 1000 events at 5 s"):
        run(k, program)


def test_reading_the_clock_is_free_but_waiting_by_reading_it_is_not():
    k = kernel()

    def program():
        readings = [k.read_clock() for _ in range(1000)]
        while k.read_clock() < 50_000:
            pass
        return set(readings)

    assert run(k, program)[0].result == {0}
    assert k.now == 50_000


def test_closing_runs_finally_blocks_that_can_do_nothing():
    k, seen = kernel(), []

    def program():
        try:
            k.park("nothing")
        finally:
            seen.append("finally")
            k.park("more")

    def raises():
        try:
            k.park("nothing")
        finally:
            raise ValueError("while closing")

    with pytest.raises(DeadlockError):
        run(k, lambda: (k.start(k.ranks[0], "helper", raises), program()))
    assert seen == ["finally"]


def test_messages_of_a_link_take_latency_and_bandwidth_and_delay_and_keep_their_order():
    network = Network(latency=1e-6, bandwidth=1e9)
    assert network.takes(1000) == 2000
    assert network.arrival(0, 0, 1, 1000) == 2000
    assert network.arrival(1, 0, 1, 0) == 2000
    assert network.arrival(1, 1, 0, 0) == 1001
    network.delay(1, 0, 500)
    assert network.arrival(1, 1, 0, 0) == 1501


def test_streams_of_different_purposes_are_independent():
    assert stream(1, "a").random() == stream(1, "a").random() != stream(1, "b").random()


def test_what_was_scheduled_earlier_for_an_instant_comes_before_what_is_scheduled_when_it_has_come():
    k, seen = kernel(), []

    def schedule_more(_):
        k.at(5, seen.append, "then")
        k.at(5, seen.append, "then news", NEWS)
        k.at(5, seen.append, "then, second")
        k.fault(5, seen.append, "a fault")
        k.in_order(5, LOSSES, 0.5, seen.append, "a loss")

    def program():
        k.at(5, seen.append, "news", NEWS)
        k.at(5, schedule_more, None)
        k.at(5, seen.append, "first")
        k.at(5, seen.append, "a deadline", DEADLINES)
        k.park("time", 6)

    run(k, program)
    assert seen == ["a fault", "first", "then", "then, second", "news", "then news", "a loss", "a deadline"]
