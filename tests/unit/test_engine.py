"""The engine alone: events in, commands out."""

import sys
import tracemalloc
from typing import Any

import pytest
from engine_jobs import EngineJob

from bsbpool.engine.commands import Added, Announce, Assign
from bsbpool.engine.dispatch import AHEAD_NS, FEW, MOST_AHEAD, SHORT_NS
from bsbpool.engine.engine import Engine
from bsbpool.engine.failure import FailureCause
from bsbpool.engine.status import JobStatus
from bsbpool.errors_and_facts import own_facts
from bsbpool.exceptions import JobAbortedError, JobCancelledError, JobPoolError, RankLostError
from bsbpool.facts import Stopped

SHORT, LONG = 1_000, 2 * SHORT_NS


class Driver:
    """An engine with its jobs, and what came out of it.

    :param ranks: how many ranks are ready from the start: 1, 2, …
    """

    def __init__(self, ranks=0, begun=True, **options):
        self.engine: Any = Engine(**options)  # of jobs as below
        self.jobs = []
        #: (ids, rank, items to free) of each assignment.
        self.assigned = []
        #: (id, status) of each change.
        self.announced = []
        if begun:
            self.engine.begin()
        for rank in range(1, ranks + 1):
            self.do("ready", rank, ())

    def do(self, event, *arguments):
        answer = getattr(self.engine, event)(*arguments)
        self.carry_out()
        lines = self.lines().values()
        assert bool(self.engine.dispatch.poll_slack_ns()) == (bool(lines) and all(len(line) > 1 for line in lines))
        return answer

    def carry_out(self):
        while self.engine.commands:
            command = self.engine.commands.popleft()
            if isinstance(command, Assign):
                jobs: Any = command.jobs
                self.assigned.append(([job.id for job in jobs], command.rank, command.free))
            elif isinstance(command, Announce):
                job: Any = command.job
                self.announced.append((job.id, command.status.value))
                assert command.status in command.old.successors

    def add(self, *dependencies, cache=()):
        job = EngineJob(cache)
        self.jobs.append(job)
        self.do("add", job, [self.jobs[d] for d in dependencies])
        return job

    def add_many(self, number):
        for _ in range(number):
            self.add()

    def finish(self, job, error=None, ns=LONG):
        self.do("finished", self.jobs[job], error, ns)

    def run_all(self):
        """Finish what runs, in the order of assignment, until nothing does."""
        done = 0
        while done < len(self.assigned):
            for job in self.assigned[done][0]:
                self.finish(job)
            done += 1

    def statuses(self):
        return [job.status.value for job in self.jobs]

    def order(self):
        return [job for jobs, *_ in self.assigned for job in jobs]

    def lines(self):
        """By rank: the jobs that it was sent and has not told the end of."""
        return {rank: [job.id for job in jobs] for rank, jobs in self.engine.dispatch.assigned().items()}


# -- who gets what -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"first_in_first_out": True}])
def test_ready_jobs_leave_in_the_order_in_which_they_were_added(options):
    driver = Driver(1, **options)
    driver.add_many(5)
    driver.run_all()
    assert driver.order() == [0, 1, 2, 3, 4]


def test_a_job_that_became_ready_later_leaves_later():
    driver = Driver()
    driver.add()
    driver.add(0)
    driver.add_many(2)
    driver.do("ready", 1, ())
    driver.run_all()
    assert driver.order() == [0, 2, 3, 1]


def test_first_in_first_out_goes_by_when_a_job_was_added():
    driver = Driver(first_in_first_out=True)
    driver.add()
    driver.add(0)
    driver.add_many(2)
    driver.do("ready", 0, ())
    driver.run_all()
    assert driver.order() == [0, 1, 2, 3]


@pytest.mark.parametrize("arrival", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_the_lowest_idle_rank_takes_the_first_ready_job(arrival):
    driver = Driver(begun=False)
    driver.add_many(3)
    for rank in arrival:
        driver.do("ready", rank, ())
    driver.do("begin")
    assert driver.assigned == [([0], 1, []), ([1], 2, []), ([2], 3, [])]


def test_a_rank_that_becomes_free_is_taken_before_higher_ones():
    driver = Driver(4)
    driver.add_many(3)
    driver.finish(1)
    driver.add()
    assert driver.assigned[-1] == ([3], 2, [])


def test_nothing_runs_before_the_pool_begins():
    driver = Driver(2, begun=False)
    driver.add_many(3)
    assert driver.statuses() == ["pending"] * 3
    assert driver.assigned == []


def test_a_job_goes_through_all_states_in_order():
    driver = Driver(1)
    driver.add()
    driver.finish(0)
    assert driver.announced == [(0, "queued"), (0, "running"), (0, "success")]


def test_added_jobs_are_told_only_to_those_who_listen():
    engine = Engine()
    engine.add(EngineJob(), ())
    assert not engine.commands
    engine.graph.tells_added = True
    job = EngineJob()
    engine.add(job, ())
    assert list(engine.commands) == [Added(job)]


def test_ids_count_the_jobs():
    driver = Driver()
    driver.add_many(3)
    assert [job.id for job in driver.engine.jobs] == [0, 1, 2]


def test_unfinished_counts_the_jobs_that_have_not_ended():
    driver = Driver(1)
    driver.add_many(2)
    driver.finish(0)
    assert driver.engine.unfinished == 1


def test_ranks_counts_those_that_are_there():
    driver = Driver(3)
    driver.do("lost", 2, RankLostError("gone"))
    assert len(driver.engine.dispatch.lines) == 2


def test_news_of_a_job_that_has_ended_are_ignored():
    driver = Driver(1)
    driver.add()
    driver.finish(0)
    driver.finish(0, ValueError())
    assert driver.statuses() == ["success"]


def test_an_engine_on_hold_gives_out_no_jobs_until_it_goes_on():
    driver = Driver(2)
    driver.do("hold")
    driver.add_many(2)
    assert driver.assigned == []
    driver.do("go_on")
    assert driver.order() == [0, 1]


# -- dependencies ------------------------------------------------------------------------------------


def test_a_job_waits_for_all_its_dependencies():
    driver = Driver(3)
    driver.add_many(2)
    driver.add(0, 1)
    driver.finish(1)
    assert driver.statuses()[2] == "pending"
    driver.finish(0)
    assert driver.statuses()[2] == "running"


def test_a_dependency_named_twice_is_one():
    driver = Driver(1)
    driver.add()
    driver.add(0, 0)
    driver.run_all()
    assert driver.statuses() == ["success", "success"]


def test_a_dependency_that_has_succeeded_does_not_count():
    driver = Driver(1)
    driver.add()
    driver.finish(0)
    driver.add(0)
    assert driver.statuses() == ["success", "running"]


def fail(driver):
    driver.finish(0, ValueError("bad"))


def cancel(driver):
    driver.do("cancel", driver.jobs[0], None)


def lose(driver):
    driver.do("lost", 1, RankLostError("gone"))


ENDINGS = [(fail, 1, "failed"), (cancel, 0, "cancelled"), (lose, 1, "aborted")]


@pytest.mark.parametrize(("end", "ranks", "status"), ENDINGS)
def test_a_job_of_a_dependency_that_did_not_succeed_is_cancelled_at_once(end, ranks, status):
    driver = Driver(ranks)
    driver.add()
    end(driver)
    driver.add(0)
    assert driver.statuses() == [status, "cancelled"]


@pytest.mark.parametrize(("end", "ranks", "status"), ENDINGS)
def test_dependents_are_cancelled_with_the_words_of_the_reference(end, ranks, status):
    driver = Driver(ranks)
    driver.add()
    driver.add(0)
    end(driver)
    assert driver.statuses() == [status, "cancelled"]
    assert isinstance(driver.jobs[1].error, JobCancelledError)
    assert str(driver.jobs[1].error) == "Job killed for dependency failure"


def test_only_dependents_are_cancelled():
    driver = Driver(2)
    driver.add_many(3)
    driver.add(0)
    driver.add(1)
    driver.add(3, 4)
    fail(driver)
    assert driver.statuses() == ["failed", "running", "running", "cancelled", "pending", "cancelled"]


DEEP = 20_000


def chain(driver):
    for i in range(DEEP):
        driver.add(*([i - 1] if i else []))


def fan(driver):
    driver.add()
    for _ in range(DEEP - 1):
        driver.add(0)


def diamonds(driver):
    driver.add()
    while len(driver.jobs) < DEEP:
        top = len(driver.jobs) - 1
        driver.add(top)
        driver.add(top)
        driver.add(top + 1, top + 2)


@pytest.mark.unmeasured
@pytest.mark.parametrize("shape", [chain, fan, diamonds])
def test_a_failure_cancels_however_many_depend_on_it_once_each(shape):
    driver = Driver(1)
    shape(driver)
    driver.announced.clear()
    fail(driver)
    others = len(driver.jobs) - 1
    assert driver.engine.unfinished == 0
    assert driver.announced == [(0, "failed")] + [(i + 1, "cancelled") for i in range(others)]


@pytest.mark.unmeasured
@pytest.mark.parametrize("shape", [chain, fan, diamonds])
def test_however_many_depend_on_each_other_all_run_once(shape):
    driver = Driver(2)
    shape(driver)
    driver.run_all()
    assert driver.engine.unfinished == 0
    assert sorted(driver.order()) == list(range(len(driver.jobs)))


# -- ending jobs early -------------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "text"), [("not needed", "not needed"), (None, "Job was cancelled"), ("", "")])
def test_a_cancelled_job_has_the_reason_as_its_error(reason, text):
    driver = Driver()
    job = driver.add()
    assert driver.do("cancel", job, reason)
    assert isinstance(job.error, JobCancelledError)
    assert str(job.error) == text


@pytest.mark.parametrize("begun", [True, False])
def test_a_job_that_was_cancelled_never_runs(begun):
    driver = Driver(begun=begun)
    driver.add_many(3)
    driver.do("cancel", driver.jobs[1], None)
    if not begun:
        driver.do("begin")
    driver.do("ready", 1, ())
    driver.run_all()
    assert driver.order() == [0, 2]


def test_cancelling_all_that_is_ready_leaves_the_rank_idle():
    driver = Driver()
    driver.add_many(2)
    for job in driver.jobs:
        driver.do("cancel", job, None)
    driver.do("ready", 1, ())
    driver.add()
    assert driver.order() == [2]


@pytest.mark.parametrize("end", [None, fail, lambda d: d.finish(0), lambda d: d.do("stop", "why")])
def test_what_runs_or_has_ended_is_not_cancelled(end):
    driver = Driver(1)
    driver.add()
    if end:
        end(driver)
    before = driver.statuses()
    assert not driver.do("cancel", driver.jobs[0], None)
    assert driver.statuses() == before


def test_stopping_cancels_what_had_not_started_and_aborts_what_runs():
    driver = Driver(2)
    driver.add_many(4)
    driver.add(3)
    driver.finish(0)
    driver.do("stop", "closed")
    assert driver.statuses() == ["success", "aborted", "aborted", "cancelled", "cancelled"]
    kinds = {job.status: type(job.error) for job in driver.jobs[1:]}
    assert kinds == {JobStatus.ABORTED: JobAbortedError, JobStatus.CANCELLED: JobCancelledError}
    assert {own_facts(job.error) for job in driver.jobs[1:]} == {Stopped(True, "closed"), Stopped(False, "closed")}
    assert driver.engine.unfinished == 0


def test_after_stopping_no_job_leaves():
    driver = Driver(1)
    driver.add_many(3)
    driver.do("stop", "enough")
    driver.finish(0)
    assert driver.order() == [0]
    assert driver.statuses() == ["aborted", "cancelled", "cancelled"]


def test_stopping_releases_what_jobs_required():
    driver = Driver(1)
    driver.add(cache=[7])
    driver.add(cache=[7])
    driver.do("stop", "enough")
    assert driver.engine.caches.required == {}


def test_of_a_lost_rank_the_running_job_is_aborted():
    driver = Driver(2)
    driver.add_many(3)
    error = RankLostError("rank 1 died")
    assert driver.do("lost", 1, error) is None  # it is no error besides that of the job
    assert driver.statuses() == ["aborted", "running", "queued"]
    assert driver.jobs[0].error is error


def test_a_lost_rank_gets_no_more_jobs():
    driver = Driver(3)
    assert driver.do("lost", 1, RankLostError("gone")) is None
    driver.add_many(2)
    assert [rank for _, rank, _ in driver.assigned] == [2, 3]


def test_a_rank_is_lost_once():
    driver = Driver(1)
    driver.add()
    driver.do("lost", 1, RankLostError("gone"))
    assert driver.do("lost", 1, RankLostError("gone")) is None
    assert driver.do("lost", 5, RankLostError("never came")) is None


# -- sending ahead -----------------------------------------------------------------------------------


def ahead(jobs=1000, ranks=1, ns=SHORT, **options):
    """An engine that sends ahead, with so many jobs, each rank of which has run one that took `ns`."""
    driver = Driver(ranks, send_ahead=True, **options)
    driver.add_many(jobs)
    for job in range(ranks):
        driver.finish(job, ns=ns)
    return driver


def test_nothing_is_sent_ahead_before_it_is_known_how_long_jobs_take():
    driver = Driver(2, send_ahead=True)
    driver.add_many(1000)
    assert [jobs for jobs, *_ in driver.assigned] == [[0], [1]]


def test_short_jobs_are_sent_several_at_a_time():
    assert len(ahead().assigned[-1][0]) == MOST_AHEAD


@pytest.mark.parametrize("idle_first", [True, False])
def test_what_becomes_ready_goes_to_an_idle_rank_at_once(idle_first):
    driver = Driver(2, send_ahead=True)
    driver.engine.dispatch.idle_first = idle_first  # traces of 0.1 were made without that rule
    driver.add_many(5)
    driver.finish(0, ns=SHORT)
    assert driver.assigned == [([0], 1, []), ([1], 2, []), ([2, 3], 1, [])]
    driver.finish(1, ns=SHORT)
    driver.finish(4, ns=SHORT)
    assert driver.assigned[3:] == [([4], 2, [])]  # and rank 2 is idle
    driver.add(2), driver.add(2)
    driver.finish(2, ns=SHORT)  # after it rank 1 has job 3, which may be long
    assert driver.assigned[4:] == ([([5], 2, [])] if idle_first else [([5], 1, [])])


def test_nothing_is_sent_ahead_where_that_is_off():
    driver = Driver(1)
    driver.add_many(1000)
    driver.finish(0, ns=SHORT)
    assert [jobs for jobs, *_ in driver.assigned] == [[0], [1]]


@pytest.mark.parametrize(
    ("ns", "number"), [(AHEAD_NS // 4, 4), (AHEAD_NS // 2 - 1, 3), (AHEAD_NS, 2), (SHORT_NS, 2), (LONG, 1)]
)
def test_no_more_work_is_sent_ahead_than_the_limit(ns, number):
    assert len(ahead(ns=ns).assigned[-1][0]) == number


def test_only_the_first_of_several_runs():
    driver = ahead()
    jobs = driver.assigned[-1][0]
    assert [driver.statuses()[j] for j in jobs] == ["running"] + ["queued"] * (len(jobs) - 1)


def test_the_next_of_several_runs_when_one_is_told_to_have_ended():
    driver = ahead()
    first, second, *_ = driver.assigned[-1][0]
    driver.finish(first, ns=SHORT)
    assert driver.announced[-2:] == [(first, "success"), (second, "running")]


def test_a_rank_gets_more_when_half_of_what_it_was_sent_is_done():
    driver = ahead()
    sent = len(driver.assigned)
    jobs = driver.assigned[-1][0]
    for job in jobs[: MOST_AHEAD // 2 - 1]:
        driver.finish(job, ns=SHORT)
    assert len(driver.assigned) == sent
    driver.finish(jobs[MOST_AHEAD // 2 - 1], ns=SHORT)
    assert len(driver.assigned) == sent + 1
    assert len(driver.lines()[1]) == MOST_AHEAD


def test_a_few_long_jobs_end_sending_ahead():
    driver = ahead()
    jobs = driver.assigned[-1][0]
    driver.do("hold")
    for job in jobs[:-5]:
        driver.finish(job, ns=SHORT)
    for job in jobs[-5:]:
        driver.finish(job, ns=LONG)
    driver.do("go_on")
    assert len(driver.assigned[-1][0]) == 1


def test_after_many_short_jobs_several_are_sent_again():
    driver = ahead(ns=LONG)
    while len(driver.assigned[-1][0]) == 1 and driver.engine.unfinished:
        driver.finish(driver.assigned[-1][0][0], ns=SHORT)
    assert driver.engine.unfinished > 900
    assert len(driver.assigned) > 5


@pytest.mark.parametrize("ranks", [2, 5])
def test_the_tail_is_spread_over_the_ranks(ranks):
    driver = ahead(jobs=40 * ranks, ranks=ranks)
    shares = [len(line) for line in driver.lines().values()]
    assert sum(shares) < 40 * ranks * 0.6
    assert max(shares) <= 20


@pytest.mark.parametrize("ranks", [2, 5])
def test_of_the_last_jobs_none_is_sent_ahead_of_a_rank_that_has_none(ranks):
    driver = ahead(jobs=2 * ranks, ranks=ranks)
    assert [len(line) for line in driver.lines().values()] == [1] * ranks
    driver = ahead(jobs=3 * ranks, ranks=ranks)
    lines = [len(line) for line in driver.lines().values()]
    assert (lines[0], lines[-1]) == (2, 1)


def test_a_single_rank_is_sent_all_there_is():
    driver = ahead(jobs=5)
    assert driver.lines() == {1: [1, 2, 3, 4]}


def test_a_rank_that_was_sent_few_gets_another_after_each():
    driver = ahead(ns=AHEAD_NS // (FEW - 2))
    jobs, sent = driver.assigned[-1][0], len(driver.assigned)
    assert 2 < len(jobs) <= FEW
    driver.finish(jobs[0], ns=AHEAD_NS // (FEW - 2))
    assert [len(jobs) for jobs, *_ in driver.assigned[sent:]] == [1]


def test_a_rank_that_holds_cached_items_gets_one_job_at_a_time():
    driver = Driver(send_ahead=True)
    driver.add_many(1000)
    driver.add(cache=[7])
    driver.do("ready", 1, [7])
    for job in range(10):
        driver.finish(job, ns=SHORT)
    assert all(len(jobs) == 1 for jobs, *_ in driver.assigned)


def test_a_job_that_requires_cached_items_is_sent_alone():
    driver = Driver(1, send_ahead=True)
    driver.add_many(3)
    driver.add(cache=[7])
    driver.add_many(1000)
    driver.finish(0, ns=SHORT)
    assert driver.assigned[-1][0] == [1, 2]
    driver.finish(1, ns=SHORT)
    driver.finish(2, ns=SHORT)
    assert driver.assigned[-1][0] == [3]


def test_an_idle_rank_takes_a_job_that_requires_cached_items_with_nothing_behind_it():
    driver = Driver(1, send_ahead=True)
    driver.add()
    driver.add(cache=[7])
    driver.add_many(1000)
    driver.finish(0, ns=SHORT)
    assert driver.assigned[-1][0] == [1]


def test_jobs_that_come_back_keep_their_place_in_line():
    driver = ahead(jobs=200)
    running, *others = driver.assigned[-1][0]
    driver.do("returned", 1, [driver.jobs[j] for j in others])
    assert driver.lines() == {1: [running]}
    driver.finish(running, ns=LONG)
    again = driver.assigned[-1][0]
    assert again == list(range(others[0], others[0] + len(again)))
    driver.do("ready", 2, ())
    assert driver.assigned[-1][0][0] == again[-1] + 1


def test_jobs_that_come_back_go_to_idle_ranks():
    driver = ahead(jobs=200)
    _, *others = driver.assigned[-1][0]
    for job in driver.jobs[others[-1] + 1 :]:
        driver.do("cancel", job, None)
    driver.do("ready", 2, ())
    driver.do("returned", 1, [driver.jobs[j] for j in others])
    assert driver.assigned[-1][1] == 2
    assert driver.assigned[-1][0][0] == others[0]


def test_a_rank_that_gives_back_the_job_that_it_runs_is_an_error_of_the_pool():
    driver = ahead()
    running = driver.jobs[driver.assigned[-1][0][0]]
    with pytest.raises(JobPoolError, match=r"rank 1 gave back .*, which it runs"):
        driver.do("returned", 1, [running])


def test_jobs_sent_ahead_to_a_rank_that_is_lost_run_elsewhere_first():
    driver = ahead(jobs=200)
    running, *others = driver.assigned[-1][0]
    driver.do("lost", 1, RankLostError("gone"))
    driver.do("ready", 2, ())
    assert driver.statuses()[running] == "aborted"
    assert driver.assigned[-1][0][0] == others[0]


def test_a_job_that_was_sent_ahead_is_called_back_before_it_is_cancelled():
    driver = ahead()
    job = driver.jobs[driver.assigned[-1][0][5]]
    assert driver.engine.dispatch.is_ahead(job)
    assert not driver.do("cancel", job, "not needed")
    assert job.status is JobStatus.QUEUED
    driver.do("returned", 1, [job])
    assert job.status is JobStatus.CANCELLED  # type: ignore[comparison-overlap]
    assert str(job.error) == "not needed"


def test_a_job_that_was_called_back_too_late_goes_on():
    driver = ahead()
    first, second, *_ = driver.assigned[-1][0]
    driver.do("cancel", driver.jobs[second], None)
    driver.finish(first, ns=SHORT)
    driver.finish(second, ns=SHORT)
    assert driver.statuses()[second] == "success"
    driver.engine.validate()  # nothing is left of the order to return the job


def test_a_job_that_was_called_back_too_late_and_is_lost_runs_again_and_is_not_cancelled_then():
    driver = ahead(retries=1)
    first, second, *_ = driver.assigned[-1][0]
    driver.do("cancel", driver.jobs[second], None)
    driver.finish(first, ns=SHORT)
    driver.do("lost", 1, RankLostError("gone"))
    driver.do("ready", 3, ())
    driver.run_all()
    assert driver.statuses()[second] == "success"
    driver.engine.validate()  # nothing is left of the order to return the job


def test_a_job_that_was_called_back_too_late_and_lost_is_not_cancelled_when_another_rank_gives_it_back():
    driver = ahead(retries=1)
    first, second, *_ = driver.assigned[-1][0]
    job = driver.jobs[second]
    driver.do("cancel", job, None)
    driver.finish(first, ns=SHORT)
    driver.do("ready", 2, ())
    driver.do("lost", 1, RankLostError("gone"))
    while not driver.engine.dispatch.is_ahead(job):
        driver.finish(driver.engine.dispatch.lines[2][0].id, ns=SHORT)
    driver.do("returned", 2, [job])
    driver.run_all()
    assert driver.statuses()[second] == "success"


def test_a_job_that_was_called_back_from_a_lost_rank_is_cancelled():
    driver = ahead()
    job = driver.jobs[driver.assigned[-1][0][5]]
    driver.do("cancel", job, None)
    driver.do("lost", 1, RankLostError("gone"))
    assert job.status is JobStatus.CANCELLED


def test_a_job_that_runs_or_waits_on_main_is_not_ahead():
    driver = ahead()
    running = driver.jobs[driver.assigned[-1][0][0]]
    assert not driver.engine.dispatch.is_ahead(running)
    assert not driver.engine.dispatch.is_ahead(driver.jobs[-1])


def test_a_job_sent_ahead_that_could_not_be_packed_fails_alone():
    driver = ahead()
    first, second, third, *_ = driver.assigned[-1][0]
    driver.do(
        "finished",
        driver.jobs[second],
        JobPoolError("its arguments can't be pickled"),
        None,
        FailureCause.RAISED,
        False,
    )
    assert [driver.statuses()[j] for j in (first, second, third)] == ["running", "failed", "queued"]
    driver.finish(first, ns=SHORT)
    assert driver.statuses()[third] == "running"


def test_news_may_wait_for_half_of_a_job_while_each_rank_has_another_one():
    driver = ahead(jobs=5, ranks=2, ns=8_000_000)
    assert driver.lines() == {1: [2, 3], 2: [4]}
    assert driver.engine.dispatch.poll_slack_ns() == 0
    driver = ahead(jobs=8, ranks=2, ns=8_000_000)
    first, second = driver.lines().values()
    assert len(first) == len(second) == 2
    assert driver.engine.dispatch.poll_slack_ns() == 4_000_000
    driver.do("returned", 2, [driver.jobs[second[1]]])
    assert driver.engine.dispatch.poll_slack_ns() == 0
    driver.do("lost", 2, RankLostError("gone"))
    assert driver.engine.dispatch.poll_slack_ns() == 4_000_000


def test_news_of_jobs_that_may_be_over_at_once_do_not_wait():
    """One in five is long, as makes a rank's line short; the other four in it are over before main has napped."""
    driver = ahead(jobs=100, ranks=2, ns=8_000_000)
    for number in range(40):
        driver.finish(driver.lines()[1][0], ns=10_000 if number % 5 else 8_000_000)
        assert {len(line) for line in driver.lines().values()} == {2}
        assert driver.engine.dispatch.poll_slack_ns() <= (4_000_000 if number == 0 else 420_000)
    for _ in range(40):
        driver.finish(driver.lines()[1][0], ns=8_000_000)
    assert driver.engine.dispatch.poll_slack_ns() > 3_800_000


def test_an_engine_stops_whose_links_were_interrupted_as_they_were_made():
    class Interrupted(list):
        def append(self, item):
            raise KeyboardInterrupt

    engine, jobs = Engine(), [EngineJob(), EngineJob()]
    engine.add(jobs[0], ())
    engine.begin()
    engine.graph._dependents = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        engine.add(jobs[1], [jobs[0]])
    engine.stop("Ctrl-C")
    assert [each.status.value for each in jobs] == ["cancelled", "cancelled"]


def test_a_link_takes_two_words():
    engine, jobs = Engine(), [EngineJob() for _ in range(1000)]
    for job in jobs:
        engine.add(job, ())
    tracemalloc.start()
    try:
        for _ in range(10):
            engine.add(EngineJob(), jobs)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / 10_000 < 30  # with what the rows have in reserve, and a number for each job's last link


# -- cached items ------------------------------------------------------------------------------------


def test_required_counts_the_unfinished_jobs_of_an_item():
    driver = Driver(1)
    driver.add(cache=[7, 8])
    driver.add(cache=[7])
    assert driver.engine.caches.required == {7: 2, 8: 1}
    driver.finish(0)
    assert driver.engine.caches.required == {7: 1}
    driver.do("cancel", driver.jobs[1], None)
    driver.finish(1)
    assert driver.engine.caches.required == {}


def test_an_item_that_nobody_requires_any_more_is_freed_before_the_next_job():
    driver = Driver(1)
    driver.add(cache=[7])
    driver.add_many(2)
    driver.do("cached", 1, [7])
    driver.run_all()
    assert driver.assigned == [([0], 1, []), ([1], 1, [7]), ([2], 1, [])]


def test_an_item_is_kept_as_long_as_an_unfinished_job_requires_it():
    driver = Driver(1)
    driver.add(cache=[7])
    driver.add()
    driver.add(cache=[7])
    driver.add()
    driver.do("cached", 1, [7])
    driver.run_all()
    assert [free for *_, free in driver.assigned] == [[], [], [], [7]]


def test_each_rank_frees_what_it_holds_itself():
    driver = Driver(2)
    driver.add(cache=[7])
    driver.add(cache=[8, 7])
    driver.do("cached", 1, [7])
    driver.do("cached", 2, [8])
    driver.finish(0)
    driver.finish(1)
    driver.add_many(2)
    assert driver.assigned[2:] == [([2], 1, [7]), ([3], 2, [8])]


def test_items_are_freed_in_the_order_in_which_they_became_stale():
    driver = Driver(2)
    driver.add(cache=[3, 9])
    driver.add(cache=[5])
    driver.do("cached", 1, [9, 5, 3])
    driver.finish(1)
    driver.finish(0)
    driver.add()
    assert driver.assigned[-1] == ([2], 1, [5, 3, 9])


@pytest.mark.parametrize("event", ["ready", "cached"])
def test_an_item_that_nobody_ever_required_is_freed(event):
    driver = Driver(0 if event == "ready" else 1)
    driver.do(event, 1, [7])
    driver.add()
    assert driver.assigned[-1] == ([0], 1, [7])


def test_an_item_that_is_required_again_meanwhile_is_not_freed():
    driver = Driver(1)
    driver.add(cache=[7])
    driver.do("cached", 1, [7])
    driver.finish(0)
    driver.add(cache=[7])
    driver.finish(1)
    driver.add()
    assert [free for *_, free in driver.assigned] == [[], [], [7]]


def test_a_lost_rank_frees_nothing():
    driver = Driver(2)
    driver.add(cache=[7])
    driver.do("cached", 1, [7])
    driver.do("lost", 1, RankLostError("gone"))
    driver.add()
    assert driver.assigned[-1] == ([1], 2, [])


def test_a_rank_that_has_freed_all_is_sent_several_jobs_again():
    driver = Driver(1, send_ahead=True)
    driver.add(cache=[7])
    driver.do("cached", 1, [7])
    driver.finish(0, ns=SHORT)
    driver.add_many(1000)
    driver.finish(1, ns=SHORT)
    assert driver.assigned[1:2] == [([1], 1, [7])]
    assert len(driver.assigned[-1][0]) == MOST_AHEAD


# -- by hand -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [True, False])
def test_a_job_can_be_run_by_hand(begun):
    driver = Driver(begun=begun)
    job = driver.add()
    driver.do("run_by_hand", job)
    assert driver.announced == [(0, "queued"), (0, "running")]
    driver.finish(0)
    assert driver.statuses() == ["success"]


def test_a_job_that_was_run_by_hand_goes_to_no_rank():
    driver = Driver(begun=False)
    driver.add_many(2)
    driver.do("run_by_hand", driver.jobs[0])
    driver.do("begin")
    driver.do("ready", 1, ())
    assert driver.order() == [1]


def test_a_failure_by_hand_cancels_dependents():
    driver = Driver()
    driver.add()
    driver.add(0)
    driver.do("run_by_hand", driver.jobs[0])
    fail(driver)
    assert driver.statuses() == ["failed", "cancelled"]


def test_dependents_of_a_job_run_by_hand_wait_for_the_pool_to_begin():
    driver = Driver(1, begun=False)
    driver.add()
    driver.add(0)
    driver.do("run_by_hand", driver.jobs[0])
    driver.finish(0)
    assert driver.statuses() == ["success", "pending"]
    driver.do("begin")
    assert driver.order() == [1]


def test_a_job_with_open_dependencies_can_not_be_run_by_hand():
    driver = Driver()
    driver.add()
    driver.add(0)
    with pytest.raises(JobPoolError, match="can't run yet: 1 of its dependencies"):
        driver.do("run_by_hand", driver.jobs[1])


def test_a_job_that_runs_can_not_be_run_by_hand():
    driver = Driver(1)
    driver.add()
    with pytest.raises(JobPoolError, match="is running, it can't become running"):
        driver.do("run_by_hand", driver.jobs[0])


def test_a_job_that_was_sent_ahead_can_not_be_run_by_hand():
    driver = ahead()
    with pytest.raises(JobPoolError, match="was sent to rank 1"):
        driver.do("run_by_hand", driver.jobs[driver.assigned[-1][0][3]])


def test_a_job_that_is_queued_by_hand_runs():
    driver = Driver(1)
    driver.add()
    driver.add(0)
    driver.do("set_status", driver.jobs[1], JobStatus.QUEUED)
    driver.finish(0)
    assert driver.statuses() == ["success", "running"]


@pytest.mark.parametrize("status", [JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.ABORTED])
def test_a_status_set_by_hand_has_its_consequences(status):
    driver = Driver(begun=False)
    driver.add()
    driver.add(0)
    driver.do("run_by_hand", driver.jobs[0])
    driver.do("begin")
    driver.do("set_status", driver.jobs[0], status)
    assert driver.statuses() == [status.value, "queued" if status is JobStatus.SUCCESS else "cancelled"]
    assert driver.engine.unfinished == (1 if status is JobStatus.SUCCESS else 0)


@pytest.mark.parametrize("status", [JobStatus.RUNNING, JobStatus.SUCCESS, JobStatus.ABORTED, JobStatus.PENDING])
def test_a_status_that_can_not_follow_is_refused(status):
    driver = Driver(begun=False)
    driver.add()
    with pytest.raises(JobPoolError, match=f"is pending, it can't become {status.value}"):
        driver.do("set_status", driver.jobs[0], status)


@pytest.mark.parametrize("status", [JobStatus.SUCCESS, JobStatus.ABORTED])
def test_a_rank_whose_job_was_ended_by_hand_is_free_when_it_is_done(status):
    driver = Driver(1)
    driver.add_many(2)
    driver.do("set_status", driver.jobs[0], status)
    assert driver.order() == [0]
    driver.finish(0)
    assert driver.order() == [0, 1]
    assert driver.statuses() == [status.value, "running"]


def test_a_rank_may_be_lost_after_its_job_was_ended_by_hand():
    driver = Driver(1)
    driver.add()
    driver.do("set_status", driver.jobs[0], JobStatus.SUCCESS)
    assert driver.do("lost", 1, RankLostError("gone")) is None
    assert driver.statuses() == ["success"]


# -- what it costs -----------------------------------------------------------------------------------

ENGINE = Engine.add.__code__.co_filename


def independent(driver, n):
    driver.add_many(n)


def one_after_the_other(driver, n):
    for i in range(n):
        driver.add(*([i - 1] if i else []))


def many_after_one(driver, n):
    driver.add()
    for _ in range(n - 1):
        driver.add(0)


def many_before_one(driver, n):
    driver.add_many(n - 1)
    driver.add(*range(n - 1))


def with_cached_items(driver, n):
    for i in range(n):
        driver.add(cache=[i // 10])


def steps(shape, n, options, end):
    """How many lines of the engine run for a job, on average: each round of a loop is one at least."""
    driver = Driver(4, begun=False, **options)
    lines = 0

    def count(frame, event, argument):
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(lambda frame, event, argument: count if frame.f_code.co_filename == ENGINE else None)
    try:
        shape(driver, n)
        driver.do("begin")
        end(driver)
    finally:
        sys.settrace(before)
    assert driver.engine.unfinished == 0
    return lines / n


def all_run(driver):
    done = 0
    while done < len(driver.assigned):
        for job in driver.assigned[done][0]:
            driver.finish(job, ns=SHORT)
        done += 1


def first_fails(driver):
    fail(driver)
    all_run(driver)


def stopped(driver):
    driver.do("stop", "enough")


SHAPES = [independent, one_after_the_other, many_after_one, many_before_one, with_cached_items]


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("shape", "options", "end"),
    [
        *((shape, {}, end) for shape in SHAPES for end in (all_run, first_fails, stopped)),
        *((shape, {"send_ahead": True}, all_run) for shape in SHAPES),
        (independent, {"first_in_first_out": True}, all_run),
    ],
)
def test_a_job_costs_the_same_whether_there_are_a_thousand_or_five_thousand(shape, options, end):
    few, many = steps(shape, 1000, options, end), steps(shape, 5000, options, end)
    # What happens once only is shared by more; it is counted exactly, so that the least growth shows.
    assert 0.95 * few < many < 1.001 * few


def test_jobs_that_come_back_keep_their_order():
    driver = ahead(60)
    before, (first, *behind) = len(driver.assigned), driver.lines()[1]
    assert len(behind) > 2
    driver.do("returned", 1, [driver.jobs[job] for job in behind])
    while jobs := driver.lines()[1]:
        driver.finish(jobs[0])
    assert [job for jobs, *_ in driver.assigned[before:] for job in jobs] == [*range(first + 1, 60)]
