"""Ranks take turns at a network's file, and who waits for its turn sleeps."""

import time

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


@several
@pytest.mark.parametrize(("held", "wanted"), [("write", "write"), ("write", "read"), ("read", "write")])
def test_who_waits_takes_no_processor_time(installed, held, wanted):
    lock = mpilock.sync()
    for _ in range(2):
        MPI.barrier()
        with lock.read():
            pass  # by the second time all ranks are there
    MPI.barrier()
    if RANK == 1:
        with getattr(lock, held)():
            MPI.barrier()
            time.sleep(0.5)
    else:
        MPI.barrier()
        since, took = time.monotonic(), time.thread_time()
        with getattr(lock, wanted)():
            assert time.monotonic() - since > 0.4
        assert time.thread_time() - took < 0.05
    MPI.barrier()


@several
def test_locks_are_apart_and_those_who_read_are_together(installed):
    one, other = mpilock.sync(), mpilock.sync()
    MPI.barrier()
    with one.read():  # all of them at once
        MPI.barrier()
    with one.write() if RANK == 1 else other.read():
        MPI.barrier()
    MPI.barrier()


@several
def test_a_lock_that_is_closed_leaves_no_files(installed):
    lock = mpilock.sync()
    close = lock._node_lock._close
    MPI.barrier()
    assert close.alive and not lock.closed
    with lock:
        pass
    assert lock.closed and not close.alive


@pytest.mark.parametrize("early", [True, False])
def test_a_network_has_the_lock_of_its_time_and_goes_on_with_it(tmp_path, early):
    """Also the one that it had before, or has when this is no more installed."""
    sync = mpilock.sync
    if early:
        bsbpool.bsb.install()
        assert mpilock.sync is not sync
        scaffold = network(tmp_path)
        bsbpool.bsb.uninstall()
        assert mpilock.sync is sync
    else:
        scaffold = network(tmp_path)
        bsbpool.bsb.install()
    scaffold.compile(clear=True)
    bsbpool.bsb.uninstall()
    assert type(scaffold.storage._engine._lock).__name__ == ("Controller" if early else "WindowController")
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
