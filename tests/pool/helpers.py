"""What the tests of the pool have in common: functions for jobs, and a listener that writes down what it hears."""

from __future__ import annotations

import ctypes
import os
import time

import bsbpool
from bsbpool.pool import PoolJobAddedProgress, PoolJobUpdateProgress, PoolStatusProgress

FAILED_ELSEWHERE = ["JobPoolError: See main node logs for details."]


def double(owner, x):
    return 2 * x


def nothing(owner):
    pass


def nap(owner, seconds, value=None):
    time.sleep(seconds)
    return value


def gate(owner, path):
    """A job that ends when somebody has opened its gate, which is a file: no test need guess how long that takes."""
    late = time.monotonic() + 240
    while not os.path.exists(path):
        if time.monotonic() > late:
            raise TimeoutError(f"nobody has opened {path}")
        time.sleep(0.001)


def meet(owner, paths, mine):
    """A job that ends when all the jobs that it is to meet are running, each of which opens a gate."""
    open(paths[mine], "w").close()
    for path in paths:
        gate(owner, path)


def held(owner, fifo, keeps_interpreter=False):
    """A job that is in C code, which nothing interrupts, until `release` is called for its FIFO.

    :param keeps_interpreter: it lets no other thread of its process run meanwhile.
    """
    file = os.open(fifo, os.O_RDWR)
    try:
        library = ctypes.PyDLL(None) if keeps_interpreter else ctypes.CDLL(None)
        library.read(file, ctypes.create_string_buffer(1), 1)
    finally:
        os.close(file)


def release(fifo):
    """Let a job go on that is `held`."""
    with open(fifo, "wb") as file:
        file.write(b"!")


def fail(owner, text="boom"):
    raise ValueError(text)


def whole(error):
    """The errors of a WorkflowError, as text."""
    return [f"{type(e).__name__}: {e}" for e in error.exceptions]


def ends(error):
    """The original exceptions of a WorkflowError, as text, in order."""
    return [f"{type(e.error).__name__}: {e.error}" for e in error.exceptions]


class Ear:
    """Writes down every notification: ``scheduling``, ``+0`` (job 0 added), ``0 queued``, ``ping``."""

    def __init__(self, reply=None):
        self.heard = []
        self.reply = reply or (lambda progress, word: None)

    def __call__(self, progress):
        if isinstance(progress, PoolStatusProgress):
            word = progress.status.value
        elif isinstance(progress, PoolJobAddedProgress):
            word = f"+{progress.job.id}"
        elif isinstance(progress, PoolJobUpdateProgress):
            word = f"{progress.job.id} {progress.status.value}"
        else:
            word = "ping"
        self.heard.append(word)
        return self.reply(progress, word)

    def of(self, job):
        """What was heard of one job."""
        return [word.split()[1] for word in self.heard if word.split()[0] == str(job)]


def executed(comm, fill, *, listeners=(), owner=None, **options):
    """Open a pool on every rank, let main `fill` it, execute it, and say how it ended on this rank.

    Returns a dictionary: on main also what `fill` made of the pool after the execution.
    """
    if owner is None:
        owner = bsbpool.Owner(comm)
    pool = owner.create_job_pool(quiet=True, **options)
    for listener in listeners:
        pool.add_listener(*(listener if isinstance(listener, tuple) else (listener,)))
    outcome: dict = {"error": None, "returned": None}
    with pool:
        look = fill(pool) if pool.is_main() else None
        try:
            returned = pool.execute(return_results=True)
            outcome["returned"] = {job.id: result for job, result in returned.items()}
        except BaseException as error:
            outcome["error"] = whole(error) if isinstance(error, BaseExceptionGroup) else repr(error)
            outcome["raised"] = error if pool.is_main() and not isinstance(error, BaseExceptionGroup) else None
        if pool.is_main():
            outcome["statuses"] = [job.status.value for job in pool.jobs]
            outcome["job errors"] = [
                None if j.error is None else f"{type(j.error).__name__}: {j.error}" for j in pool.jobs
            ]
            outcome["seen"] = look() if callable(look) else look
    outcome.pop("raised", None)
    return outcome
