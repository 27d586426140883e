"""A program that fails as its argument says, for `test_exits.py`. Each rank prints what it got, and lets it pass."""

import os
import signal
import sys
import time

from mpi4py import MPI

import bsbpool
from bsbpool.pool.protocol import DONE, Codec

comm, case = MPI.COMM_WORLD, sys.argv[1]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it


def tell(text):
    os.write(1, f"rank {comm.rank}: {text}\n".encode())
    if case == "barrier":  # mpirun may drop what it has not read yet of a rank that calls Abort
        with open(sys.argv[2], "a") as kept:
            kept.write(f"rank {comm.rank}: {text}\n")


def nap(owner, seconds):
    time.sleep(seconds)


def interrupt(owner):
    if owner._comm.get_rank() == 1:
        signal.raise_signal(signal.SIGINT)
    time.sleep(0.2)


def out_of_memory(owner):
    raise MemoryError("no room for the network")


def large(owner):
    return bytes(3_000_000)


def talk(owner, megabytes):
    for _ in range(megabytes):
        os.write(1, b"." * 999_999 + b"\n")
    return megabytes


def wait_for_all(owner):
    MPI.COMM_WORLD.Barrier()


class Listener:
    """Raises when the first job has succeeded."""

    def __init__(self, error):
        self.error = error

    def __call__(self, progress):
        if getattr(getattr(progress, "status", None), "value", "") == "success":
            raise self.error


def deep(levels):
    """Fails with a long traceback, whose lines differ: Python does not fold them."""
    if not levels:
        raise ValueError(f"rank {comm.rank} went deep")
    (shallow if levels % 2 else deep)(levels - 1)


def shallow(levels):
    deep(levels)


def break_the_machinery():
    encode = Codec.encode

    def broken(self, message):
        if message[0] == DONE:
            raise MemoryError("no room for a message")
        return encode(self, message)

    Codec.encode = broken  # type: ignore[method-assign]


def program():
    listener = {
        "listener": Listener(ValueError("a listener")),
        "interrupt on main": Listener(KeyboardInterrupt()),
        "exit on main": Listener(SystemExit(3)),
    }.get(case)
    if case == "machinery" and comm.rank == 1:
        break_the_machinery()
    pool = bsbpool.Owner(comm).create_job_pool(quiet=True, job_timeout=0.5 if case == "barrier" else None)
    if listener is not None:
        pool.add_listener(listener)
    with pool:
        if pool.is_main():
            pool.queue(large, submitter="large")
            for _ in range(6):
                pool.queue(*((interrupt,) if case == "interrupt on a worker" else (nap, (0.05,))))
            if case == "memory":
                pool.queue(out_of_memory, submitter="hungry")
            if case == "barrier":
                pool.queue(wait_for_all, submitter="barrier")
            if case == "talk":
                pool.queue(talk, (int(sys.argv[2]),))
            if case == "before":
                raise ValueError("before execute()")
        try:
            pool.execute()
        finally:
            if pool.is_main():
                tell(f"{sum(job.status.value == 'success' for job in pool.jobs)} of {len(pool.jobs)} succeeded")
        if case == "after" and pool.is_main():
            raise ValueError("after execute()")
        if case == "everywhere":
            comm.Barrier()
            deep(40)


try:
    program()
    tell("fine")
except BaseException as error:
    inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
    cause = getattr(inner, "error", None)
    tell(f"{type(error).__name__} with {type(inner).__name__}: {inner}" + (f": {cause!r}" if cause else ""))
    if case == "barrier" and comm.rank == 0:
        comm.Abort(7)
    raise
