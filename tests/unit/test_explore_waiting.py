"""Loops of tests and probes that only wait: exploring goes through all of their schedules, and says so.

Sleeps are of simulated ranks: they take virtual time, and no test waits.
"""

import functools
import queue
import threading
import time

import pytest

from bsbpool_sim import explore
from bsbpool_sim import mpi as MPI


def each_of(sources, comm):
    left = {*sources}
    while left:
        for source in sorted(left):
            if comm.iprobe(source=source):
                comm.recv(source=source)
                left.discard(source)


def each_in_a_function(sources, comm):
    got = set()

    def look():
        for source in sources:
            if source not in got and comm.iprobe(source=source):
                comm.recv(source=source)
                got.add(source)

    while len(got) < len(sources):
        look()


class Master:
    def __init__(self, sources, comm):
        self.sources, self.comm, self.got = [*sources], comm, 0

    def run(self):
        while self.got < len(self.sources):
            for place, source in enumerate(self.sources):
                if self.comm.iprobe(source=source, tag=0):
                    self.comm.recv(source=source)
                    self.got += 1
                    assert place < len(self.sources)


def one_after_the_other(sources, comm):
    for source in sources:
        while not comm.iprobe(source=source):
            pass
        comm.recv(source=source)


def calls_until_one_finds(sources, comm):
    for source in sources:
        for _ in iter(functools.partial(comm.iprobe, source), True):
            pass
        comm.recv(source=source)


def any_of_them(sources, comm):
    for _ in sources:
        while not any(comm.iprobe(source=source) for source in sources):
            pass
        comm.recv()


def after_nothing_in_a_queue(sources, comm):
    commands: queue.SimpleQueue = queue.SimpleQueue()
    got = 0
    while got < len(sources):
        try:
            commands.get_nowait()
        except queue.Empty:
            if comm.iprobe():
                comm.recv()
                got += 1


WAITING = [
    each_of, each_in_a_function, lambda sources, comm: Master(sources, comm).run(), one_after_the_other,
    calls_until_one_finds, any_of_them, after_nothing_in_a_queue,
]  # fmt: skip


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("master", WAITING)
def test_a_loop_that_only_waits_is_complete_and_right(master, size):
    def program(comm):
        if comm.rank:
            return comm.send("work", 0)
        return master(range(1, comm.size), comm)

    exploration = explore(program, size, checks=())
    assert (exploration.findings, exploration.complete) == ([], True)


def test_a_thread_that_looks_and_sleeps_is_complete_and_right():
    def program(comm):
        if comm.rank:
            return comm.send("work", 0)
        found: queue.Queue = queue.Queue()

        def poll():
            while not comm.iprobe(source=1):
                time.sleep(0.001)
            found.put(comm.recv(source=1))

        thread = threading.Thread(target=poll)
        thread.start()
        assert found.get() == "work"
        return thread.join()

    exploration = explore(program, 2, checks=())
    assert (exploration.findings, exploration.complete) == ([], True)


@pytest.mark.parametrize("strategy", ["pct", "pos", "walk"])
def test_a_thread_that_sleeps_in_a_loop_does_not_keep_others_from_their_turn(strategy):
    def program(comm):
        window = MPI.Win.Create(bytearray(8), 1, comm=comm)
        private = MPI.Win.Create(bytearray(8), 1, comm=comm)
        over = threading.Event()

        def pump():
            while not over.is_set():
                private.Lock(0, MPI.LOCK_SHARED)
                private.Unlock(0)
                time.sleep(1e-4)

        thread = threading.Thread(target=pump)
        if comm.rank == 0:
            thread.start()
        for _ in range(6):  # more often than who finds a window unchanged is next at once
            window.Lock(0)
            window.Unlock(0)
        comm.barrier()
        if comm.rank == 0:
            over.set()
            thread.join()
        private.Free()
        window.Free()

    exploration = explore(program, 2, strategy=strategy, schedules=20, max_events=20_000)
    assert exploration.findings == []
    assert not [limit for limit in exploration.limits if "given up" in limit]
