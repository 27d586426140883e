"""The lock between processes of one node: who may go on, who sleeps, and which lock is found by a token."""

import os
import subprocess
import sys
import threading

import pytest

from bsbpool.worlds import current_world
from bsbpool.worlds.node_lock import found, made

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such files")


@pytest.fixture
def both():
    """One lock, as the process that made it has it, and as another."""
    mine = made(2)
    other = found(mine.token, 2)
    yield mine, other
    mine.close()
    other.close()


def files():
    return [each for each in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{each}")]


def waits(call):
    """Start a call in a thread. Returns the thread, which waits in it by then."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    return thread


def goes_on(thread):
    thread.join(10)
    return not thread.is_alive()


def test_one_at_a_time_passes_the_gate(both):
    mine, other = both
    mine.lock_gate()
    thread = waits(other.lock_gate)
    mine.unlock_gate()
    assert goes_on(thread)
    other.unlock_gate()


def test_who_writes_waits_for_those_who_read(both):
    mine, other = both
    for lock in both:
        lock.lock_gate()
        lock.begin_reading()
        lock.unlock_gate()
    other.end_reading()
    other.lock_gate()
    thread = waits(other.wait_for_readers)
    mine.end_reading()
    assert goes_on(thread)


def test_threads_take_turns_as_processes_do(both):
    mine, other = both
    mine.lock_gate()
    thread = waits(mine.lock_gate)
    mine.begin_reading()
    mine.unlock_gate()
    assert goes_on(thread)
    mine.begin_reading()  # the other thread, too
    mine.unlock_gate()
    mine.end_reading()
    other.lock_gate()
    thread = waits(other.wait_for_readers)
    mine.end_reading()
    assert goes_on(thread)


def test_it_is_complete_when_all_have_joined(both):
    mine, other = both
    assert not mine.complete() and not other.complete()
    mine.join(0)
    assert not mine.complete() and not other.complete()
    other.join(1)
    assert mine.complete() and other.complete()


HOLDS = """
import sys, time
from bsbpool.worlds.node_lock import found
lock = found(int(sys.argv[1]), 2)
lock.lock_gate()
print("locked", flush=True)
time.sleep(600)
"""


def test_another_process_finds_it_and_the_gate_opens_when_that_dies(both):
    mine, _ = both
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(mine.token)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"locked\n"
            thread = waits(mine.lock_gate)
        finally:
            process.kill()
        assert goes_on(thread)
    mine.unlock_gate()


@pytest.mark.parametrize("which", ["another token", "no process", "no file", "a pipe", "a folder", "some file"])
def test_nothing_else_is_taken_for_it(tmp_path, which):
    lock = made(2)
    before = files()
    reading, writing = os.pipe()
    (tmp_path / "file").write_bytes(bytes(16))
    opened = os.open(tmp_path / "file", os.O_RDWR), os.open(tmp_path, os.O_RDONLY)
    number = {"no file": 60_000, "a pipe": reading, "some file": opened[0], "a folder": opened[1]}
    token = {
        "another token": lock.token ^ 1,
        "no process": lock.token | (1 << 22) - 1 << 42,
    }.get(which) or os.getpid() << 42 | number[which] << 26
    assert found(token, 2) is None
    for each in (reading, writing, *opened):
        os.close(each)
    assert files() == before
    lock.close()


def test_closed_or_forgotten_it_leaves_no_file():
    before = files()
    lock = made(2)
    assert len(files()) == len(before) + 2
    lock.close()
    lock.close()
    assert files() == before
    made(2)
    assert files() == before


def test_where_numbers_do_not_fit_there_is_none(monkeypatch):
    before = files()
    monkeypatch.setattr(os, "getpid", lambda: 1 << 22)
    assert made(2) is None and files() == before


def test_other_systems_and_other_worlds_have_none(monkeypatch):
    assert current_world().node_lock() is None
    monkeypatch.setattr(sys, "platform", "darwin")
    assert made(2) is None
