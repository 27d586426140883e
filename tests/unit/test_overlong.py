"""Limits of real time: of what runs in the main thread, of a simulation, and of a test on simulated ranks."""

import contextlib
import functools
import signal
import threading

import pytest
from launching import WITHOUT

from bsbpool_sim import overlong
from bsbpool_sim.cluster import Cluster
from bsbpool_sim.errors import OverlongError, RankErrors
from bsbpool_sim.overlong import time_limit
from bsbpool_sim.simulation import run_on

pytest_plugins = ["pytester"]

needs_a_timer = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer of the process")


class TimeUp(Exception):
    """What is raised when time is up."""


def time_up():
    raise TimeUp


def nothing(number, frame):
    raise AssertionError("the timer of somebody else was not given back")


@pytest.fixture
def timer():
    """Gives the timer of the process back."""
    handler = signal.getsignal(signal.SIGALRM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, handler)


def for_ever():
    while True:
        pass


@needs_a_timer
def test_what_never_ends_is_left_and_the_timer_is_given_back(timer):
    signal.signal(signal.SIGALRM, nothing)
    with pytest.raises(TimeUp), time_limit(0.05, time_up):
        for_ever()
    assert signal.getsignal(signal.SIGALRM) is nothing
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@needs_a_timer
def test_what_ends_in_time_is_left_alone(timer):
    with time_limit(60, time_up) as watched:
        watched.look()
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@needs_a_timer
def test_what_catches_the_error_gets_it_again(timer, monkeypatch):
    monkeypatch.setattr(overlong, "AGAIN", 0.05)

    def stubborn():
        for _ in range(3):
            with contextlib.suppress(TimeUp):
                for_ever()
        for_ever()

    with pytest.raises(TimeUp), time_limit(0.05, time_up):
        stubborn()


@needs_a_timer
def test_limits_in_each_other_come_in_their_time(timer):
    came = []

    def inner():
        with time_limit(0.05, lambda: came.append("shorter")):
            while not came:
                pass
        for_ever()

    with pytest.raises(TimeUp), time_limit(0.2, time_up), time_limit(60, lambda: came.append("longer")):
        inner()
    assert came == ["shorter"]
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@needs_a_timer
def test_the_timer_of_somebody_else_rings_in_its_time_and_goes_on(timer):
    rang = []
    signal.signal(signal.SIGALRM, lambda number, frame: rang.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.05, 60)
    with pytest.raises(TimeUp), time_limit(0.2, time_up):
        for_ever()
    assert rang == [signal.SIGALRM]
    left, interval = signal.getitimer(signal.ITIMER_REAL)
    assert 0 < left <= 60 == interval


@needs_a_timer
def test_a_timer_that_nobody_handles_is_ignored_if_it_was(timer):
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with pytest.raises(TimeUp), time_limit(0.2, time_up):
        for_ever()
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN


def in_a_thread(function):
    """What a function returns in another thread, where no signal comes."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def test_in_another_thread_who_looks_finds_that_time_is_up(monkeypatch):
    monkeypatch.setattr(overlong, "AGAIN", 0)

    def look():
        calls = []
        with time_limit(0, lambda: calls.append(None)) as watched:
            watched.look()
            watched.look()
        with time_limit(60, time_up) as watched:
            watched.look()
        return len(calls)

    assert in_a_thread(look) == 2


def limited(program, seconds=0.1):
    """What is raised by a program on two ranks that have so much time."""
    cluster = Cluster(2)
    with time_limit(seconds, functools.partial(cluster.kernel.give_up, "took too long")) as watched:
        cluster.kernel.meanwhile = watched.look
        try:
            run_on(cluster, program)
        except (OverlongError, RankErrors) as error:
            return error


def never_receives(comm):
    while not comm.iprobe():
        pass


def test_a_simulation_in_another_thread_ends_between_two_events():
    assert "took too long:\n  rank 0 waits for" in str(in_a_thread(lambda: limited(never_receives)))


@needs_a_timer
def test_a_rank_that_loops_is_named_with_its_line(timer):
    def program(comm):
        if comm.rank:
            comm.recv()
        comm.recv(source=1) if comm.rank else for_ever()

    error = limited(program)
    assert isinstance(error, OverlongError) and error.simulation.results == [None, None]
    first, *ranks = str(error).splitlines()
    assert first == "took too long:"
    assert [line.partition(", ")[0] for line in ranks] == ["  rank 0 runs at 0 s", "  rank 1 has not started yet"]
    assert ranks[0].endswith(" in for_ever")


@needs_a_timer
def test_who_raised_before_is_named_with_it(timer):
    def program(comm):
        if comm.rank == 0:
            raise ValueError("no data")
        for_ever()

    error = limited(program)
    assert isinstance(error, RankErrors) and "no data" in str(error)
    assert "took too long:" in error.__notes__[0] and "rank 0 raised at 0 s" in error.__notes__[0]


@needs_a_timer
def test_a_rank_that_does_not_let_itself_be_ended_is_ended_nevertheless(timer, monkeypatch):
    monkeypatch.setattr(overlong, "AGAIN", 0.05)

    def program(comm):
        for _ in range(3):
            with contextlib.suppress(BaseException):
                for_ever()
        for_ever()

    assert isinstance(limited(program), OverlongError)


OVERLONG = """
import time

@pytest.mark.ranks(2, timeout=0.2)
def test_polls(comm):
    while not comm.iprobe():
        pass

@pytest.mark.ranks(2, timeout=0.2)
def test_sleeps(comm):
    while not comm.iprobe():
        time.sleep(0.1)  # in virtual time

@pytest.mark.ranks(2, timeout=0.2)
def test_loops(comm):
    if comm.rank == 1:
        comm.recv()
    while True:
        pass

@pytest.fixture
def never(comm):
    yield
    while comm.rank:
        pass

def test_fixture(comm, never):
    pass

def test_after(comm):
    comm.barrier()
"""


@needs_a_timer
@pytest.mark.unmeasured
def test_tests_on_simulated_ranks_end_at_their_limit(pytester, monkeypatch, timer):
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr("bsbpool.worlds.launcher.LAUNCHERS", {})
    pytester.makeini("[pytest]\nmpi_timeout = 0.3")
    pytester.makepyfile(f"import pytest\n{OVERLONG}")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-ra", *WITHOUT)
    result.assert_outcomes(failed=3, passed=2, errors=1)
    text = result.stdout.str()
    assert text.count("took longer than its limit of 0.2 s of real time, which ranks(…, timeout=SECONDS)") == 6
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_fixture*", "took longer than its limit of 0.3 s *", "  rank 1 runs *in never",
            "*_ test_polls*", "  rank *test_*.py:7 in test_polls", "  rank *test_*.py:7 in test_polls",
            "*_ test_sleeps*", "  rank *test_*.py:1? in test_sleeps", "  rank *test_*.py:1? in test_sleeps",
            "*_ test_loops*", "  rank 0 runs *test_*.py:19 in test_loops",
        ],
    )  # fmt: skip


def test_what_is_debugged_has_no_limit(pytester, monkeypatch):
    """The debugger is a stand-in, which says what pytest's own says when somebody stops in it."""
    monkeypatch.setattr("bsbpool.worlds.launcher.LAUNCHERS", {})
    pytester.makepyfile(
        """
import pytest

@pytest.mark.ranks(2, timeout=0.1)
def test_stops(comm, pytestconfig):
    pytestconfig.hook.pytest_enter_pdb(config=pytestconfig, pdb=None)
    for _ in range(20_000_000):
        pass
"""
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider", *WITHOUT).assert_outcomes(passed=1)
