"""Ctrl-C while a simulation runs: it ends it, wherever it strikes, and the next one is right."""

import _thread
import contextlib
import gc
import signal
import sys
import threading
import time
import weakref
from typing import Any

import pytest
from greenlet import getcurrent

import bsbpool
from bsbpool.frames import is_own
from bsbpool_sim import explore, simulate
from bsbpool_sim.cluster import Cluster
from bsbpool_sim.ctrl_c import ending_at_ctrl_c
from bsbpool_sim.kernel import Task
from bsbpool_sim.program.output import RankStream, SharedStream
from bsbpool_sim.simulation import run_on

#: Bound before simulated ranks may not press it.
PRESS_CTRL_C = signal.raise_signal

NUMBER = 2  #: of a tool, as `sys.monitoring` counts them: coverage is measured by another one


@pytest.fixture
def heard():
    """Ctrl-C as Python handles it; a job in the background of a shell ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


#: How often a program has gone on.
STEPS: list[int] = []


def farm(comm):
    if comm.rank:
        comm.send(comm.rank, 0)
        STEPS.append(comm.rank)
        return comm.bcast(None), time.time(), STEPS.append(comm.rank)
    got = [(comm.recv(), STEPS.append(0)) for _ in range(comm.size - 1)]
    return comm.bcast(got), time.time(), STEPS.append(0)


def pool(comm):
    with bsbpool.job_pool(comm) as pool:
        jobs = [pool.queue(lambda owner, n: STEPS.append(n), (n,)) for n in range(3)] if pool.is_main() else []
        pool.execute()
        return [job.status for job in jobs]


@pytest.mark.unwatched  # a trace that ends between two statements may lack what belongs together
@pytest.mark.skipif(
    sys.version_info < (3, 12),
    reason="Python tells of the places where it looks for signals from 3.12 on",
)
@pytest.mark.parametrize(("program", "step"), [(farm, 5), (pool, 31)])
def test_wherever_ctrl_c_strikes_the_simulation_ends_and_the_next_is_right(heard, program, step):
    """Python looks for signals where functions begin, where loops go back, and where functions of C return."""
    right = simulate(program, 3).results
    monitoring: Any = vars(sys)["monitoring"]
    events = monitoring.events
    passed, strikes = 0, step
    steps: list[int] = []
    state = time.time, time.sleep, gc.isenabled(), [*sys.meta_path]

    def look(code, *_):
        nonlocal passed
        # A call that goes on is reported also after reporting has ended.
        if ending_at_ctrl_c.running is not None and is_own(sys._getframe(1)):
            passed += 1
            if passed != strikes:
                return
            if isinstance(getcurrent(), Task):
                raise KeyboardInterrupt  # none of ours takes its place, as where somebody else handles the signal
            steps.append(len(STEPS))
            PRESS_CTRL_C(signal.SIGINT)

    monitoring.use_tool_id(NUMBER, "Ctrl-C")
    try:
        for each in (events.PY_START, events.JUMP, events.C_RETURN):
            monitoring.register_callback(NUMBER, each, look)
        while passed >= strikes - step:
            passed = 0
            steps.clear()
            monitoring.set_events(NUMBER, events.PY_START | events.JUMP | events.CALL)
            try:
                simulate(program, 3)
            except KeyboardInterrupt:
                pass
            else:
                assert passed < strikes, "it ended as if nobody had pressed it"
            finally:
                monitoring.set_events(NUMBER, 0)
            assert steps in ([], [len(STEPS)]), "a program has gone on: it might do so for ever"
            assert (time.time, time.sleep, gc.isenabled(), [*sys.meta_path]) == state
            passed, there = -1_000_000, passed
            assert simulate(program, 3).results == right
            passed = there
            strikes += step
    finally:
        monitoring.free_tool_id(NUMBER)
    assert strikes > 20 * step


def interrupted():
    """Raise it as Ctrl-C does: at any place, and not by a statement."""

    def generator():
        yield

    place = generator()
    next(place)
    place.throw(KeyboardInterrupt)


def test_ctrl_c_in_a_thread_of_a_rank_ends_the_simulation():
    """Python raises it in the main thread only; as an exception of the thread it would be printed, and lost."""

    def program(comm):
        thread = threading.Thread(target=interrupted)
        thread.start()
        thread.join()

    with pytest.raises(KeyboardInterrupt):
        simulate(program, 2)


def test_ctrl_c_in_a_thread_that_was_started_without_an_object_ends_the_simulation():
    def program(comm):
        _thread.start_new_thread(interrupted, ())
        comm.barrier()  # meanwhile the thread has its turn

    with pytest.raises(KeyboardInterrupt):
        simulate(program, 2)


def caught(comm):
    try:
        PRESS_CTRL_C(signal.SIGINT)
    except KeyboardInterrupt:
        return "it went on"


def lost(comm):
    """Python prints what a callback of a weak reference raises, and forgets it."""

    class Thing:
        pass

    thing = Thing()
    reference = weakref.ref(thing, lambda _: PRESS_CTRL_C(signal.SIGINT))
    del thing
    return reference


def in_a_job(comm):
    with bsbpool.job_pool(comm, quiet=True) as pool:
        if pool.is_main():
            pool.queue(lambda owner: PRESS_CTRL_C(signal.SIGINT))
        pool.execute()


def as_main_queues(comm):
    """The pool catches it, lets its workers go, and raises it again."""
    with bsbpool.job_pool(comm, quiet=True) as pool:
        if pool.is_main():
            presses = iter([signal.SIGINT])
            pool.add_listener(lambda progress: [PRESS_CTRL_C(each) for each in presses])
            pool.queue(abs)
        pool.execute()


#: What ends the task within the callback is printed there, too.
PRINTED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
CATCHING = [caught, pytest.param(lost, marks=PRINTED), in_a_job, as_main_queues]


@pytest.mark.parametrize("program", CATCHING)
@pytest.mark.parametrize("ranks", [1, 3])
def test_ctrl_c_ends_a_simulation_whatever_catches_it(heard, program, ranks):
    with pytest.raises(KeyboardInterrupt) as raised:
        simulate(program, ranks)
    assert raised.traceback[-1].name in ("caught", "<lambda>", "<listcomp>")  # where it was pressed


@pytest.mark.parametrize("program", CATCHING)
def test_ctrl_c_ends_an_exploration_whatever_catches_it(heard, program):
    exploration = explore(program, 3)
    assert (exploration.interrupted, exploration.findings) == (True, [])


def test_ctrl_c_as_a_program_is_told_to_end_is_raised_in_the_end(heard):
    def program(comm):
        if comm.rank == 0:
            raise ValueError("no")
        try:
            comm.recv()
        finally:
            with contextlib.suppress(KeyboardInterrupt):
                PRESS_CTRL_C(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        simulate(program, 2)


def test_ranks_that_ctrl_c_has_ended_can_run_again(heard):
    """Fixtures on ranks do so, to be torn down."""
    cluster = Cluster(2)
    cluster.kernel.at(0, lambda _: PRESS_CTRL_C(signal.SIGINT), None)
    with pytest.raises(KeyboardInterrupt):
        run_on(cluster, lambda comm: comm.barrier(), last=False)
    assert run_on(cluster, lambda comm: comm.rank).results == [0, 1]


class Interrupted:
    """A real stream; Ctrl-C strikes when it has written what it was given."""

    encoding, errors = "utf-8", "strict"

    def __init__(self):
        self.buffer, self.written = self, b""

    def isatty(self):
        return False

    def write(self, data):
        self.written += data
        raise KeyboardInterrupt

    def flush(self):
        """Nothing is held."""


def test_a_line_that_is_interrupted_as_it_is_written_is_not_written_again():
    real = Interrupted()
    stream = RankStream(SharedStream(real, False, []), "", 0)
    stream.write("begun")
    with pytest.raises(KeyboardInterrupt):
        stream.write("\nand")
    with pytest.raises(KeyboardInterrupt):
        stream.finish()
    assert real.written == b"begun\nand"
