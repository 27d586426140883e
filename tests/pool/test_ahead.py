"""Short jobs are sent ahead, several at a time; nobody may notice but by the clock."""

import os
import sys
import time
import warnings

import pytest
from helpers import Ear, double, executed, fail, gate, held, meet, nap, nothing, release

from bsbpool.pool import JobStatus


def test_short_jobs_keep_their_order_on_each_rank_and_their_statuses(worlds):
    def program(comm):
        ear = Ear()
        outcome = executed(comm, lambda pool: [pool.queue(double, (i,)) for i in range(600)] and None, listeners=[ear])
        return outcome["returned"], [ear.of(job) for job in (0, 300, 599)], len(ear.heard)

    returned, heard, number = worlds(program)[0]
    assert returned == {i: 2 * i for i in range(600)}
    assert heard == [["queued", "running", "success"]] * 3
    assert number == 3 + 600 * 4


@pytest.mark.ranks(2, 4)
def test_at_no_time_more_jobs_are_running_than_there_are_ranks_for_them(worlds):
    def program(comm):
        running, most = set(), [0]

        def listener(progress):
            if type(progress).__name__ == "PoolJobUpdateProgress":
                if progress.status is JobStatus.RUNNING:
                    running.add(progress.job.id)
                running.difference_update({progress.job.id} if progress.status.ended else ())
                most[0] = max(most[0], len(running))

        executed(comm, lambda pool: [pool.queue(nothing) for _ in range(500)] and None, listeners=[listener])
        return most[0]

    assert 1 <= worlds(program)[0] <= worlds.ranks - 1


@pytest.mark.ranks(4)
def test_jobs_behind_one_that_turns_out_to_be_long_go_to_other_ranks(worlds, tmp_path):
    def program(comm):
        paths = [str(tmp_path / str(i)) for i in range(3)]

        def fill(pool):
            for i in range(300):
                pool.queue(*((meet, (paths, i - 150)) if i in (150, 151, 152) else (nothing,)))

        return executed(comm, fill)

    assert worlds(program)[0]["statuses"] == ["success"] * 300


@pytest.mark.ranks(2, 4)
def test_a_job_that_was_sent_ahead_and_then_cancelled_does_not_run(worlds, tmp_path):
    def program(comm):
        answers = []
        opened = tmp_path / "opened"

        def reply(progress, word):
            if word == "100 success":
                for job in progress.jobs[110:400]:
                    with warnings.catch_warnings(record=True) as caught:
                        warnings.simplefilter("always")
                        job.cancel()
                    answers.append((job.id, job.status.value, bool(caught)))
                opened.touch()

        def fill(pool):
            for i in range(500):
                pool.queue(mark, (i, str(opened) if i > 100 else None))

        ear = Ear(reply)
        outcome = executed(comm, fill, listeners=[ear])
        marks = comm.gather(MARKS[:])
        MARKS.clear()
        return outcome.get("statuses"), answers, marks, ear.heard

    statuses, answers, marks, heard = worlds(program)[0]
    ran = sorted(i for rank in (marks[:1] if worlds.simulated else marks) for i in rank)
    assert ran == [i for i, status in enumerate(statuses) if status == "success"]
    assert len(answers) == 290
    for job, status, warned in answers:
        assert warned is (status != "cancelled")
        assert statuses[job] == ("cancelled" if status == "cancelled" else "success")
    assert statuses.count("cancelled") >= 290 - (worlds.ranks - 1)  # each rank may be in one of them
    assert heard[-1] == "closing"


MARKS = []


def mark(owner, i, path=None):
    if path is not None:
        gate(owner, path)
    MARKS.append(i)


@pytest.mark.ranks(2, 4)
def test_a_scheduler_may_cancel_jobs_that_were_sent_ahead(worlds, tmp_path):
    class Node:
        pass

    def program(comm):
        def fill(pool):
            opened = tmp_path / "opened"
            jobs = [pool.queue(*((gate, (str(opened),)) if i > 100 else (nothing,))) for i in range(400)]

            def scheduler(node):
                while not jobs[100].status.ended:
                    time.sleep(0.001)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    for job in jobs:
                        job.cancel()
                opened.touch()

            pool.schedule([Node()], scheduler)

        return executed(comm, fill)

    outcome = worlds(program)[0]
    assert outcome["error"] is None
    assert set(outcome["statuses"]) <= {"success", "cancelled"}
    assert outcome["statuses"].count("cancelled") >= 299 - (worlds.ranks - 1)


@pytest.mark.ranks(2, 4)
def test_when_a_pool_fails_fast_jobs_that_were_sent_ahead_are_cancelled(worlds, tmp_path):
    def program(comm):
        def fill(pool):
            opened = tmp_path / "opened"
            for i in range(400):
                pool.queue(*((gate, (str(opened),)) if i > 200 else (fail if i == 200 else nothing,)))
            return opened.touch

        return executed(comm, fill, fail_fast=True)

    outcome = worlds(program)[0]
    assert outcome["statuses"][200] == "failed"
    assert set(outcome["statuses"][201:]) <= {"cancelled", "aborted"}
    assert outcome["statuses"][201:].count("aborted") <= worlds.ranks - 1
    assert outcome["statuses"][-1] == "cancelled"


@pytest.mark.ranks(2, 4)
@pytest.mark.parametrize("why", ["a job", "a listener"])
def test_when_a_pool_stops_early_what_it_calls_cancelled_has_not_run(worlds, why, tmp_path):
    """Later jobs wait for main to hear of job 300, so that some are left then, however busy the machine is."""

    def program(comm):
        opened = tmp_path / "opened"

        def fill(pool):
            for i in range(600):
                marked = (mark, (i, str(opened)) if i > 300 else (i,))
                pool.queue(*((fail,) if i == 300 and why == "a job" else marked))

        def raises(progress, word):
            if word in ("300 success", "300 failed"):
                opened.touch()
            if word == "300 success":
                raise LookupError("of a listener")

        outcome = executed(comm, fill, listeners=[Ear(raises)], fail_fast=True)
        marks = comm.gather(MARKS[:])
        MARKS.clear()
        return outcome.get("statuses"), outcome["error"], marks

    statuses, error, marks = worlds(program)[0]
    ran = sorted(i for rank in (marks[:1] if worlds.simulated else marks) for i in rank)
    assert ran == [i for i, status in enumerate(statuses) if status in ("success", "aborted")]
    assert statuses[300] == "failed" if why == "a job" else "of a listener" in str(error)
    assert "cancelled" in statuses


@pytest.mark.ranks(2)
def test_a_pool_stops_early_though_a_rank_does_not_say_what_it_has_started(worlds, tmp_path):
    """Its job ends when the pool has stopped: if main waited for that, this would not end."""
    if worlds.simulated or sys.platform != "linux":
        pytest.skip("in the simulator no job keeps others from running")

    def program(comm):
        def fill(pool):
            for i in range(300):
                pool.queue(*((held, (fifo, True)) if i == 200 else (nothing,)))

        def raises(progress, word):
            if word == "200 running":
                raise LookupError("of a listener")

        fifo = str(tmp_path / "hold")
        if comm.Get_rank() == 0:
            os.mkfifo(fifo)
        outcome = executed(comm, fill, listeners=[Ear(raises)])
        if comm.Get_rank() == 0:
            release(fifo)
        return outcome["error"], outcome.get("statuses")

    error, statuses = worlds(program)[0]
    assert "of a listener" in error
    assert statuses[200] == "aborted"
    assert statuses[-1] == "cancelled"


@pytest.mark.ranks(2, 4)
def test_an_unpicklable_job_among_short_ones_fails_alone(worlds):
    def program(comm):
        def fill(pool):
            for i in range(400):
                pool.queue(double, (open if i != 300 else (x for x in "generator"),) if i % 100 == 0 else (i,))

        return executed(comm, fill)

    def ok(i):
        return "failed" if i % 100 == 0 else "success"

    assert worlds(program)[0]["statuses"] == [ok(i) for i in range(400)]


@pytest.mark.ranks(2, 4)
def test_a_rank_that_caches_something_unforeseen_gives_the_jobs_behind_back(worlds):
    def program(comm):
        freed = []

        def register(owner):
            owner.register_pool_cached_item(5, lambda: freed.append(5))

        def look(owner):
            return list(owner._pool_cache)

        def fill(pool):
            for i in range(300):
                pool.queue(register if i == 100 else look)

        outcome = executed(comm, fill)
        return outcome["returned"]

    returned = worlds(program)[0]
    assert [returned[i] for i in range(300) if i != 100] == [[]] * 299


@pytest.mark.ranks(3)
def test_jobs_do_not_wait_behind_a_long_one_that_came_before_them(worlds, tmp_path):
    """The long one ends when all others have: if one waited behind it, none of them would end."""

    def program(comm):
        path, ended = str(tmp_path / "gate"), []

        def reply(progress, word):
            if word.endswith("success"):
                ended.append(progress.job.id)
                if len(ended) == 199:
                    open(path, "w").close()

        def fill(pool):
            for i in range(200):
                pool.queue(*((gate, (path,)) if i == 40 else (nap, (0.00001,))))

        executed(comm, fill, listeners=[Ear(reply)])
        return ended

    ended = worlds(program)[0]
    assert len(ended) == 200 and ended[-1] == 40


@pytest.mark.ranks(3)
def test_large_results_and_arguments_among_short_jobs_keep_their_order(worlds):
    def program(comm):
        def fill(pool):
            for i in range(300):
                pool.queue(count, (i, b"x" * (200_000 if i % 7 == 0 else 1), 200_000 if i % 5 == 0 else 1, i % 11 == 0))

        outcome = executed(comm, fill)
        counts = comm.gather(MARKS[:])
        MARKS.clear()
        return outcome.get("statuses"), outcome["error"], counts

    statuses, error, counts = worlds(program)[0]
    assert error is None
    assert statuses == ["success"] * 300
    assert sorted(i for rank in (counts[:1] if worlds.simulated else counts) for i in rank) == list(range(300))


def count(owner, i, argument, size, caches):
    MARKS.append(i)
    if caches:
        owner.register_pool_cached_item(1000 + i, list)
    return b"y" * size
