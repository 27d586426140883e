"""Results and arguments that an MPI which counts with 31 bits can't take as one message.

They take 10 GB of memory, so they are run only when asked for: ``mpirun -n 2 python -m pytest --huge``.
"""

import numpy
import pytest

import bsbpool

pytestmark = [pytest.mark.mpi, pytest.mark.huge]

#: Above 2 GiB, and no multiple of anything; in items of four bytes.
ITEMS = 2**29 + 12_345


def pattern():
    """Data in which each place is another than that of any other place."""
    return numpy.arange(ITEMS, dtype=numpy.uint32)


def intact(data):
    """Whether this is that data; looked at piece by piece."""
    there = numpy.frombuffer(data, dtype=numpy.uint32)
    return len(there) == ITEMS and all(
        numpy.array_equal(there[start : start + 2**24], numpy.arange(start, min(start + 2**24, ITEMS), dtype="u4"))
        for start in range(0, ITEMS, 2**24)
    )


def as_array(owner):
    return pattern()


def as_bytes(owner):
    return pattern().tobytes()


def small(owner):
    return 1


def check(owner, data):
    return intact(data)


@pytest.mark.parametrize("job", [as_array, as_bytes])
def test_a_result_above_2_gib_arrives_whole_between_others(job):
    with bsbpool.job_pool(quiet=True) as pool:
        jobs = [pool.queue(each) for each in (small, job, small)] if pool.is_main() else []
        pool.execute()
        if pool.is_main():
            assert [each.status.value for each in jobs] == ["success"] * 3
            assert intact(jobs[1].result)


def test_an_argument_above_2_gib_arrives_whole():
    with bsbpool.job_pool(quiet=True) as pool:
        job = pool.queue(check, (pattern(),)) if pool.is_main() else None
        pool.execute()
        assert job is None or job.result is True
