"""What goes wrong, who is told, and that every rank leaves."""

import pickle
import re
import threading
import time

import pytest
from helpers import FAILED_ELSEWHERE, Ear, double, executed, fail, nap, nothing

import bsbpool
from bsbpool.pool import JobErroredError, WorkflowError


def test_main_gets_all_unhandled_errors_and_the_others_are_sent_to_main(worlds):
    def program(comm):
        def fill(pool):
            for text in ("one", "two", "three"):
                pool.queue(fail, (text,), submitter=text)
            pool.queue(double, (1,))

        return executed(comm, fill)

    first, *others = worlds(program)
    assert sorted(first["error"]) == [
        "JobErroredError: <FunctionJob 0 one> failed",
        "JobErroredError: <FunctionJob 1 two> failed",
        "JobErroredError: <FunctionJob 2 three> failed",
    ]
    assert first["statuses"] == ["failed"] * 3 + ["success"]
    assert [other["error"] for other in others] == [FAILED_ELSEWHERE] * (worlds.ranks - 1)


def test_an_error_carries_the_original_exception_and_the_traceback_of_its_rank(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            job = pool.queue(fail, ("corrupt",)) if pool.is_main() else None
            try:
                pool.execute()
            except WorkflowError as error:
                if job is None:
                    return str(error.message)
                (only,) = error.exceptions
                assert isinstance(only, JobErroredError)
                assert only.error is only.__cause__ is job.error
                import traceback

                return error.message, repr(only.error), "".join(traceback.format_exception(only))

    (message, original, text), *others = worlds(program)
    assert message == "Your workflow encountered errors."
    assert original == "ValueError('corrupt')"
    assert "raise ValueError(text)" in text
    assert bool(re.search(r"On rank [123] on", text)) is worlds.parallel
    assert others == ["Unhandled exceptions during parallel execution."] * (worlds.ranks - 1)


def test_a_pool_that_fails_fast_starts_no_further_job(worlds):
    def program(comm):
        def fill(pool):
            first = pool.queue(nothing)
            bad = pool.queue(fail, deps=[first])
            for _ in range(40):
                pool.queue(nap, (0.02,), deps=[first])
            pool.queue(nothing, deps=[bad])

        return executed(comm, fill, fail_fast=True)

    first, *others = worlds(program)
    assert first["error"] == ["JobErroredError: " + first["error"][0].split(": ", 1)[1]]
    assert first["statuses"][:2] == ["success", "failed"]
    # The rank of the failed job may have been sent the next one already.
    assert first["statuses"].count("aborted") <= worlds.ranks - 1
    assert first["statuses"].count("success") <= worlds.ranks
    assert first["statuses"].count("cancelled") >= 40 - 2 * worlds.ranks
    stopped = "The pool stopped at the first error, before this job had ended."
    assert f"JobCancelledError: {stopped}" in first["job errors"]
    assert [other["error"] for other in others] == [FAILED_ELSEWHERE] * (worlds.ranks - 1)


@pytest.mark.ranks(3)
def test_when_a_pool_stops_early_running_jobs_are_aborted(worlds):
    def program(comm):
        def fill(pool):
            pool.queue(nap, (0.4,))
            pool.queue(nap, (0.05,))
            pool.queue(fail, deps=[pool.jobs[1]])
            pool.queue(nothing, deps=[pool.jobs[0]])

        return executed(comm, fill, fail_fast=True)

    outcome = worlds(program)[0]
    assert outcome["statuses"] == ["aborted", "success", "failed", "cancelled"]
    assert outcome["job errors"][0].startswith("JobAbortedError: The pool stopped at the first error")


def test_a_handled_error_does_not_stop_a_pool_that_fails_fast(worlds):
    def program(comm):
        def fill(pool):
            bad = pool.queue(fail)
            pool.queue(double, (1,))
            pool.queue(nothing, deps=[bad])

        ear = Ear(lambda progress, word: word == "0 failed")
        return executed(comm, fill, listeners=[ear], fail_fast=True)

    outcomes = worlds(program)
    assert outcomes[0]["statuses"] == ["failed", "success", "cancelled"]
    assert [outcome["error"] for outcome in outcomes] == [None] * worlds.ranks


def test_results_of_a_pool_that_failed_can_be_read(worlds):
    def program(comm):
        def fill(pool):
            jobs = [pool.queue(double, (i,)) for i in range(3)]
            pool.queue(fail, deps=jobs)
            return lambda: [job.result for job in jobs]

        return executed(comm, fill).get("seen")

    assert worlds(program)[0] == [0, 2, 4]


# -- what can't be packed --------------------------------------------------------------------------------


class Stubborn:
    """Can't be pickled."""

    def __reduce__(self):
        raise TypeError("I stay here")


class Poisoned:
    """Can be pickled, and not unpickled."""

    def __reduce__(self):
        return _poison, ()


def _poison():
    raise RuntimeError("poison")


class Picky(Exception):
    """Can't be made from its args."""

    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")


def stubborn_result(owner):
    return Stubborn()


def poisoned_result(owner):
    return Poisoned()


def picky_error(owner):
    raise Picky(7, "picky")


def stubborn_error(owner):
    error = ValueError("stubborn")
    error.load = Stubborn()  # type: ignore[attr-defined]
    raise error


@pytest.mark.ranks(2, 4)
def test_a_job_whose_arguments_can_not_be_pickled_fails_alone(worlds):
    def program(comm):
        def fill(pool):
            for i in range(30):
                pool.queue(double, (Stubborn() if i == 7 else i,))

        return executed(comm, fill)

    outcome = worlds(program)[0]
    assert outcome["statuses"] == ["success"] * 7 + ["failed"] + ["success"] * 22
    assert "its arguments can't be pickled (TypeError: I stay here)" in outcome["job errors"][7]


@pytest.mark.ranks(2, 4)
def test_when_no_job_can_be_pickled_all_fail(worlds):
    def program(comm):
        return executed(comm, lambda pool: [pool.queue(double, (Stubborn(),)) for _ in range(5)] and None)

    assert worlds(program)[0]["statuses"] == ["failed"] * 5


@pytest.mark.ranks(2)
@pytest.mark.parametrize(
    ("function", "args", "error"),
    [
        (double, (Poisoned(),), "JobPoolError: its call can't be unpickled on the worker (RuntimeError: poison)"),
        (stubborn_result, (), "JobPoolError: its result of type Stubborn can't be pickled (TypeError: I stay here)"),
        (picky_error, (), "RemoteError: test_errors.Picky: 7: picky"),
        (stubborn_error, (), "RemoteError: builtins.ValueError: stubborn"),
    ],
)
def test_what_can_not_travel_fails_its_job_with_an_error_that_names_it(worlds, function, args, error):
    def program(comm):
        def fill(pool):
            pool.queue(function, args)
            pool.queue(double, (1,))

        return executed(comm, fill)

    outcome = worlds(program)[0]
    assert outcome["statuses"] == ["failed", "success"]
    assert outcome["job errors"][0].startswith(error)


@pytest.mark.ranks(2)
def test_a_result_that_can_not_be_unpickled_is_an_error_for_who_reads_it(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            jobs = [pool.queue(poisoned_result), pool.queue(double, (4,))] if pool.is_main() else []
            pool.execute()
            if jobs:
                with pytest.raises(bsbpool.pool.JobPoolError, match="can't be read: RuntimeError: poison"):
                    _ = jobs[0].result
                return jobs[1].result

    assert worlds(program)[0] == 8


@pytest.mark.ranks(1)
def test_on_one_rank_nothing_is_pickled(worlds):
    def program(comm):
        lock = threading.Lock()

        def give(owner, thing):
            assert thing is lock
            return thing

        with bsbpool.job_pool(comm, quiet=True) as pool:
            job = pool.queue(give, (lock,))
            pool.execute()
            return job.result is lock

    with pytest.raises(TypeError):
        pickle.dumps(threading.Lock())
    assert worlds(program) == [True]


# -- worse -----------------------------------------------------------------------------------------------


def leave(owner):
    raise SystemExit(3)


def exhaust(owner):
    raise MemoryError


def recurse(owner):
    return recurse(owner)


@pytest.mark.parametrize(
    ("function", "error"), [(leave, "SystemExit: 3"), (exhaust, "MemoryError: "), (recurse, "RecursionError: ")]
)
def test_whatever_a_job_raises_is_the_failure_of_that_job(worlds, function, error):
    def program(comm):
        def fill(pool):
            pool.queue(function)
            pool.queue(double, (1,))

        return executed(comm, fill)

    first, *others = worlds(program)
    assert first["statuses"] == ["failed", "success"]
    assert first["job errors"][0].startswith(error)
    assert [other["error"] for other in others] == [FAILED_ELSEWHERE] * (worlds.ranks - 1)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_on_main_stops_the_pool_on_every_rank(worlds, kind):
    def program(comm):
        def reply(progress, word):
            if word == "0 running":
                raise kind

        return executed(
            comm, lambda pool: [pool.queue(nap, (0.05,)) for _ in range(9)] and None, listeners=[Ear(reply)]
        )

    first, *others = worlds(program)
    assert first["error"] == f"{kind.__name__}()"
    assert set(first["statuses"]) <= {"aborted", "cancelled"}
    assert first["statuses"][0] == "aborted"
    assert [other["error"] for other in others] == [FAILED_ELSEWHERE] * (worlds.ranks - 1)


@pytest.mark.ranks(2, 4)
def test_a_worker_that_is_interrupted_in_a_job_leaves_and_the_rest_goes_on(worlds):
    def interrupted(owner):
        if owner._comm.get_rank() == 1:
            raise KeyboardInterrupt
        time.sleep(0.3)  # so that each rank gets one

    def program(comm):
        comm.Barrier()
        return executed(comm, lambda pool: [pool.queue(interrupted) for _ in range(4)] and None)

    first, second, *_ = worlds(program)
    assert second["error"] == "KeyboardInterrupt()"
    assert first["statuses"].count("aborted") == 1
    assert "RankLostError: Rank 1 left the pool: KeyboardInterrupt" in first["job errors"]
    if worlds.ranks == 2:
        assert first["statuses"].count("cancelled") == 3
        assert first["error"][-1].startswith("JobPoolError: No rank is left to run jobs, and 3 jobs have not run")
    else:
        assert first["statuses"].count("success") == 3
        assert len(first["error"]) == 1


def test_besides_what_a_listener_raised_failures_are_noted(worlds):
    def program(comm):
        def reply(progress, word):
            if word == "closing":
                raise LookupError("listener")

        pool = bsbpool.Owner(comm).create_job_pool(quiet=True)
        pool.add_listener(Ear(reply))
        with pool:
            if pool.is_main():
                pool.queue(fail, submitter="bad")
            try:
                pool.execute()
            except LookupError as error:
                return error.__notes__
            except WorkflowError:
                return None

    assert worlds(program)[0] == ["Besides: JobErroredError: <FunctionJob 0 bad> failed"]


class Nameless:
    """What a user may submit: it has no text."""

    def __str__(self):
        raise RuntimeError("no text")


def test_a_submitter_or_context_without_a_text_stops_nothing(worlds):
    def program(comm):
        def fill(pool):
            pool.queue(fail, ("bad",), submitter=Nameless(), cell=Nameless())

        return executed(comm, fill)

    assert worlds(program)[0]["error"] == [
        "JobErroredError: <FunctionJob 0 <Nameless whose text raises RuntimeError> "
        "(cell=<Nameless whose text raises RuntimeError>)> failed"
    ]
