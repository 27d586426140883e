"""One rule, one file: each change that docs/design.md lists takes what is patched here, all of it in the file that it
names, and the pool does what the changed rule says."""

import re
import time
from pathlib import Path

import pytest

import bsbpool
from bsbpool.engine import dispatch, failure
from bsbpool.engine.status import JobStatus
from bsbpool.exceptions import JobCancelledError
from bsbpool_sim import simulate

ROOT = Path(__file__).parents[2]

#: By its words in docs/design.md: the change, and the file that it takes.
CHANGES = {
    "retries also after time limits": failure,
    "one more job ahead": dispatch,
    "a failed scheduler handled by a listener": failure,
    "fail-fast that lets running jobs end": failure,
}


def test_the_design_lists_each_change_with_its_file():
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    section = page.partition("### Which file of rules to change")[2].partition("\n#")[0]
    listed = dict(re.findall(r"^\| ([^|]+) \| `(bsbpool/engine/[a-z_]+\.py)`[^|]*\|$", section, re.MULTILINE))
    files = {change: Path(module.__file__).relative_to(ROOT).as_posix() for change, module in CHANGES.items()}
    assert files.items() <= listed.items()
    assert all((ROOT / file).exists() for file in listed.values())


def run(fill, ranks=2, **options):
    """The statuses of the jobs that `fill(pool)` queued, and the errors of the pool."""
    found = []

    def program(comm):
        pool = bsbpool.Owner(comm).create_job_pool(quiet=True, **options)
        try:
            with pool:
                if pool.is_main():
                    fill(pool)
                pool.execute()
        except bsbpool.WorkflowError as error:
            found.extend(error.exceptions if pool.is_main() else ())
        return [job.status.value for job in pool.jobs]

    statuses = simulate(program, ranks).results[0]
    return statuses, [f"{type(error).__name__}: {error}" for error in found]


def nap(owner, seconds):
    time.sleep(seconds)


#: How often `slow_at_first` was called.
tries = []


def slow_at_first(owner):
    tries.append(None)
    time.sleep(10 if len(tries) == 1 else 0.1)


def fail(owner, seconds=0.0):
    time.sleep(seconds)
    raise ValueError("no")


@pytest.mark.unwatched  # that a job runs again only after it was lost with its rank is what is changed
def test_retries_after_time_limits(monkeypatch):
    def fill(pool):
        tries.clear()
        dependency = pool.queue(slow_at_first, timeout=1)
        pool.queue(nap, (0.1,), deps=[dependency])

    assert run(fill, retries=1)[0] == ["aborted", "cancelled"]
    monkeypatch.setattr(failure, "TRIED_AGAIN", failure.TRIED_AGAIN | {failure.FailureCause.INTERRUPTED})
    assert run(fill, retries=1) == (["success", "success"], [])
    assert len(tries) == 2


def test_one_more_job_ahead(monkeypatch):
    def longest():
        lines = []

        def fill(pool):
            for _ in range(40):
                pool.queue(nap, (0.008,))
            pool.add_listener(lambda progress: lines.append(ahead_of(pool)))

        statuses, errors = run(fill)
        assert statuses == ["success"] * 40 and not errors
        return max(lines)

    def ahead_of(pool):
        return sum(pool._engine.dispatch.is_ahead(job) for job in pool.jobs)

    before = longest()
    real = dispatch.Dispatch._how_many
    monkeypatch.setattr(dispatch.Dispatch, "_how_many", lambda self, rank: real(self, rank) + 1)
    assert longest() == before + 1


def test_a_failed_scheduler_that_a_listener_handles(monkeypatch):
    def fill(pool):
        def scheduler(node):
            time.sleep(0.5)
            raise ValueError("no")

        pool.queue(nap, (1.0,))
        pool.schedule([1], scheduler)

    statuses, errors = run(fill, fail_fast=True)
    assert statuses == ["aborted"]
    assert errors == ["JobSchedulingError: 1 was not scheduled: ValueError: no"]
    # What it says of a listener's answer is all that main goes by.
    monkeypatch.setattr(failure.Failures, "of_scheduler", lambda self, error: None)
    assert run(fill, fail_fast=True) == (["success"], [])


@pytest.mark.unwatched  # that a job is cancelled only if another one failed, or the pool stops, is what is changed
def test_fail_fast_that_lets_running_jobs_end(monkeypatch):
    def fill(pool):
        pool.queue(fail, (0.5,))
        pool.queue(nap, (2.0,))
        pool.queue(nap, (2.0,))

    statuses, errors = run(fill, ranks=3, fail_fast=True)
    assert statuses == ["failed", "aborted", "cancelled"]

    def add(self, error):
        self.unhandled.append(error)
        for job in self._graph.jobs if self.fail_fast else ():
            if job._status in (JobStatus.PENDING, JobStatus.QUEUED) and job._rank is None:
                self._graph.end(job, JobStatus.CANCELLED, JobCancelledError(failure.FIRST_ERROR))

    monkeypatch.setattr(failure.Failures, "add", add)
    assert run(fill, ranks=3, fail_fast=True) == (["failed", "success", "cancelled"], errors)
