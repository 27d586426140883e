"""Ranks take turns at a network's file, and who waits for its turn sleeps."""

import os
import threading
import time
from pathlib import Path

import mpilock
import pytest
from bsb import MPI
from networks import network
from reconstructions import contents

import bsbpool.bsb
from bsbpool.bsb.locking import KNOWN, waits_asleep

RANKS, RANK = MPI.get_size(), MPI.get_rank()

several = pytest.mark.skipif(RANKS == 1, reason="a rank alone waits for nobody")


@pytest.fixture
def number(tmp_path):
    """A file with a number, twice. Who writes does so in two steps, between which they differ."""
    file = MPI.bcast(tmp_path / "number")
    if RANK == 0:
        file.write_text("0 0")
    MPI.barrier()
    return file


def read(file):
    found = file.read_text()
    one, other = found.split()
    assert one == other, "read while another rank wrote"
    time.sleep(0.0005)
    assert file.read_text() == found, "written while this rank read"


def write(file):
    one, other = file.read_text().split()
    assert one == other, "two ranks write"
    file.write_text(f"{int(one) + 1} {other}")
    time.sleep(0.0005)
    file.write_text(f"{int(one) + 1} {int(one) + 1}")


def take_turns(lock, file):
    """Read and write in turns with the other ranks, with all that may nest: each rank writes 32 times, one 33 times."""
    for _ in range(8):
        with lock.read():
            read(file)
            with lock.read():
                read(file)
        with lock.write():
            write(file)
            with lock.write():
                write(file)
                with lock.read():
                    read(file)
            write(file)
        with lock.read():
            read(file)
            with lock.write():  # meanwhile others may have written
                write(file)
            read(file)
    MPI.barrier()
    with lock.single_write() as fence:
        fence.guard()
        write(file)
        fence.share(file.read_text())
    assert fence.collect() == file.read_text() == f"{RANKS * 32 + 1} {RANKS * 32 + 1}"


def test_many_read_or_one_writes(installed, number):
    take_turns(mpilock.sync(), number)


@several
@pytest.mark.parametrize("without", [0, 1])
def test_ranks_with_mpilocks_own_lock_take_turns_with_those_that_have_this(number, without):
    lock = (mpilock.sync if without == RANK else waits_asleep(mpilock))()
    take_turns(lock, number)


def state(thread):
    """What the kernel says of a thread: `R` while it runs or wants to, `S` while it sleeps."""
    return Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()[0]


@several
@pytest.mark.parametrize(("held", "wanted"), [("write", "write"), ("write", "read"), ("read", "write")])
def test_who_waits_sleeps(installed, held, wanted):
    lock = mpilock.sync()
    MPI.barrier()
    with lock.read():
        pass  # of the next lock every rank knows that all ranks have joined
    MPI.barrier()
    if RANK == 1:
        with getattr(lock, held)():
            MPI.barrier()
            MPI.barrier()
        return
    took = []

    def take():
        with getattr(lock, wanted)():
            took.append(True)

    MPI.barrier()
    thread = threading.Thread(target=take)
    thread.start()
    while state(thread) != "S":
        time.sleep(0.01)
    for _ in range(20):
        time.sleep(0.005)
        assert state(thread) == "S"
    assert not took
    MPI.barrier()
    thread.join()
    assert took


@several
def test_locks_are_apart_and_those_who_read_are_together(installed):
    one, other = mpilock.sync(), mpilock.sync()
    MPI.barrier()
    with one.read():  # all of them at once
        MPI.barrier()
    with one.write() if RANK == 1 else other.read():
        MPI.barrier()
    MPI.barrier()


def locks():
    """The files of locks that this rank has open."""
    links = [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return sum("bsbpool-lock" in each for each in links)


@several
def test_a_lock_has_two_files_until_it_is_closed(installed):
    before = locks()
    lock = mpilock.sync()
    assert locks() == before + 2 and not lock.closed
    MPI.barrier()
    with lock:
        pass
    assert locks() == before and lock.closed


def test_a_rank_alone_has_mpilocks_own(installed):
    before = locks()
    lock = mpilock.sync(MPI.get_communicator().Split(RANK))
    with lock.write(), lock.read():
        assert locks() == before


@pytest.mark.parametrize("early", [True, False])
def test_a_network_goes_on_with_the_lock_that_it_was_made_with(tmp_path, early):
    sync, before = mpilock.sync, locks()
    if early:
        bsbpool.bsb.install()
        scaffold = network(tmp_path)
        bsbpool.bsb.uninstall()
    else:
        scaffold = network(tmp_path)
        bsbpool.bsb.install()
    assert (locks() > before) == (early and RANKS > 1)
    scaffold.compile(clear=True)
    bsbpool.bsb.uninstall()
    assert mpilock.sync is sync
    if RANK == 0:
        assert contents(scaffold.storage.root)


def test_another_version_of_mpilock_keeps_its_own(monkeypatch):
    assert mpilock.__version__ in KNOWN
    sync = mpilock.sync
    monkeypatch.setattr(mpilock, "__version__", "3.0.0")
    bsbpool.bsb.install()
    try:
        assert mpilock.sync is sync
    finally:
        bsbpool.bsb.uninstall()
