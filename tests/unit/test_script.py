"""Scripts: which jobs a rule is of, what befalls jobs, ranks and links, and what a script can't mean."""

import contextlib

import pytest

from bsbpool import job_pool
from bsbpool.exceptions import RankLostError, WorkflowError
from bsbpool_sim import DeadlockError, RankErrors, ScriptError, simulate
from bsbpool_sim.script import Script


def add(owner, *numbers):
    return sum(numbers)


def mul(owner, *numbers):
    return 0


class Strategy:
    def get_node_name(self):
        return "place granule"


class Run:
    """What a pool of jobs did on simulated ranks under a script."""

    def __init__(self, fill, script, ranks=2, pools=1, **options):
        self.jobs = []

        def program(comm):
            for _ in range(pools):
                with job_pool(comm, quiet=True) as pool:
                    if pool.is_main():
                        fill(pool)
                    with contextlib.suppress(WorkflowError):
                        pool.execute()
                    if pool.is_main():
                        self.jobs.append([job.error or job.result for job in pool.jobs])
                        self.statuses = [job.status.value for job in pool.jobs]

        self.simulation = simulate(program, ranks, script=script, **options)
        messages = self.simulation.trace.of("message")
        #: seconds that the jobs of the last pool took, by id, and the ranks that ran them.
        self.took = {m["job"]: (m["ended"] - m["started"]) / 1e9 for m in messages}
        self.ranks = {m["job"]: m["rank"] for m in messages}
        faults = [event for event in self.simulation.trace.events if event.e == "fault"]
        self.faults = [(event.t / 1e9, event.rank, str(event.what)) for event in faults]


def jobs(pool):
    """Jobs 0 to 4: two functions, one with a context, one named by its submitter, and a lambda."""
    pool.queue(add, (1, 2))
    pool.queue(mul, (1, 2))
    pool.queue(add, (3, 4), chunk=(0, 1))
    pool.queue(add, (5, 6), submitter=Strategy(), chunk=(1, 1))
    pool.queue(lambda owner: 5)


# -- selection ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        ({"name": "*"}, {0, 1, 2, 3, 4}),
        ({"name": "add"}, {0, 2}),
        ({"name": "<function add>"}, {0, 2}),
        ({"name": "a?d"}, {0, 2}),
        ({"name": "place granule"}, {3}),
        ({"name": "place *"}, {3}),
        ({"name": "<lambda>"}, {4}),
        ({"name": "m[tu]l"}, {1}),
        ({"id": 2}, {2}),
        ({"id": 2, "name": "add"}, {2}),
        ({"context": {"chunk": (0, 1)}}, {2}),
        ({"name": "add", "context": {"chunk": (0, 1)}}, {2}),
        ({"name": "*", "pool": 1}, {0, 1, 2, 3, 4}),
    ],
    ids=str,
)
def test_a_rule_is_of_the_jobs_that_it_selects(selection, selected):
    run = Run(jobs, Script().job(**selection, takes=1.0))
    assert {job for job, took in run.took.items() if took == 1.0} == selected
    assert run.jobs == [[3, 0, 7, 11, 5]]


@pytest.mark.parametrize(
    "selection",
    [{"name": "ADD"}, {"name": "ad"}, {"id": 5}, {"id": 1, "name": "add"}, {"context": {"chunk": 0}},
     {"context": {"chunk": (0, 1), "more": 1}}, {"name": "*", "pool": 2}],
    ids=str,
)  # fmt: skip
def test_a_rule_that_is_of_no_job_is_an_error(selection):
    with pytest.raises(ScriptError, match=r"the script's job\(.*\) matched no job: .* Mend the rule, or leave it out"):
        Run(jobs, Script().job(**selection, takes=1.0))


def test_the_first_rule_of_a_job_is_its_rule():
    script = Script().job(id=2, returns="id").job("add", returns="name").job("*", returns="any")
    assert Run(jobs, script).jobs == [["name", "any", "id", "any", "any"]]
    script = Script().job("add", returns="name").job(id=3, returns="id").job("*", returns="any")
    assert Run(jobs, script).jobs == [["name", "any", "name", "id", "any"]]


def test_a_rule_that_others_leave_no_job_is_an_error():
    with pytest.raises(ScriptError, match=r"job\(name='add'\) matched no job"):
        Run(jobs, Script().job("*", takes=1).job("add", takes=2))


def test_pools_are_told_apart_by_their_number():
    run = Run(lambda pool: pool.queue(add, (1,)), Script().job("add", pool=2, returns="second"), pools=3)
    assert run.jobs == [[1], ["second"], [1]]


# -- what becomes of a job ---------------------------------------------------------------------------


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_job_takes_its_time_and_then_runs_for_real(ranks):
    run = Run(lambda pool: pool.queue(add, (1, 2)), Script().job("add", takes=2.5), ranks)
    assert (run.took, run.jobs, run.simulation.elapsed) == ({0: 2.5}, [[3]], 2.5)


def test_durations_can_be_drawn_from_the_seed():
    def took(seed):
        script = Script().job("add", takes=lambda random: random.uniform(1, 2)).job("mul", takes=3)
        return Run(lambda pool: [pool.queue(f) for f in (add, mul, add)], script, seed=seed).took

    assert took(1) == took(1) != took(2)
    first, fixed, second = took(1).values()
    assert fixed == 3
    assert 1 <= first < 2
    assert first != second


@pytest.mark.parametrize("others", [0, 1, 5])
def test_what_one_rule_draws_shifts_no_other(others):
    def took(others):
        draw = lambda random: random.random()  # noqa: E731
        script = Script().job("add", takes=draw).job("mul", takes=draw)
        return Run(lambda pool: [pool.queue(f) for f in (mul,) * (others + 1) + (add,)], script).took[others + 1]

    assert took(others) == took(0)


def test_a_negative_draw_is_no_time():
    run = Run(lambda pool: pool.queue(add), Script().job("add", takes=lambda random: -5.0))
    assert run.took == {0: 0.0}


@pytest.mark.parametrize("value", [None, 0, "text", [1, 2]])
def test_a_job_returns_what_the_script_says(value):
    run = Run(lambda pool: pool.queue(mul, (1,)), Script().job("mul", takes=1, returns=value))
    assert (run.statuses, run.took) == (["success"], {0: 1.0})
    assert run.jobs == [[value]]


@pytest.mark.parametrize(("raises", "text"), [(ValueError("corrupt"), "corrupt"), (ValueError, "")])
def test_a_job_raises_what_the_script_says(raises, text):
    run = Run(lambda pool: [pool.queue(add), pool.queue(add)], Script().job("add", takes=1, raises=raises))
    first, second = run.jobs[0]
    assert run.statuses == ["failed", "failed"]
    assert (type(first), str(first)) == (ValueError, text)
    assert first is not second
    assert run.took == {0: 1.0, 1: 1.0}


def test_each_job_raises_an_exception_of_its_own():
    error = ValueError("corrupt")
    run = Run(lambda pool: [pool.queue(add), pool.queue(add)], Script().job("add", raises=error), ranks=1)
    first, second = run.jobs[0]
    assert len({id(e) for e in (first, second, error)}) == 3


def test_a_job_that_hangs_is_a_deadlock_that_says_so():
    with pytest.raises(DeadlockError) as caught:
        Run(lambda pool: pool.queue(add), Script().job("add", takes=2, hangs=True))
    main, worker = str(caught.value).splitlines()[1:]
    assert main.startswith("  rank 0 waits for a message for its pool (the 1st on this communicator), since 0 s, at")
    assert worker.startswith("  rank 1 waits for job 0 (<function add>) to end, which hangs, since 2 s, at ")


def test_a_job_kills_its_rank():
    run = Run(lambda pool: [pool.queue(add), pool.queue(mul)], Script().job("add", takes=2, kills=True), ranks=3)
    assert run.simulation.died == {1: 2.0}
    assert run.faults == [(2.0, 1, "killed by job 0")]
    assert run.statuses == ["aborted", "success"]
    assert isinstance(run.jobs[0][0], RankLostError)
    assert str(run.jobs[0][0]) == "Rank 1 on a simulated host died at 2 s"


# -- what befalls ranks and links --------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.5, 1, 3])
def test_a_slow_rank_takes_longer_by_its_factor(factor):
    script = Script().job("add", takes=2).rank(2, slower=factor)
    run = Run(lambda pool: [pool.queue(add), pool.queue(add)], script, ranks=3)
    assert {run.ranks[job]: took for job, took in run.took.items()} == {1: 2.0, 2: 2.0 * factor}
    assert run.faults == ([] if factor == 1 else [(0.0, 2, f"slower by a factor of {factor:g}")])


def test_a_rank_is_paused_while_its_job_runs():
    script = Script().job("add", takes=10).rank(1, pauses=[(2, 3), (100, 1)])
    run = Run(lambda pool: pool.queue(add), script)
    assert run.took == {0: 13.0}
    assert run.faults == [(2.0, 1, "paused for 3 s")]


def test_a_rank_dies_at_its_time():
    script = Script().job("add", takes=10).rank(1, dies=4)
    run = Run(lambda pool: [pool.queue(add) for _ in range(3)], script, ranks=3)
    assert run.simulation.died == {1: 4.0}
    assert run.statuses == ["aborted", "success", "success"]
    assert run.simulation.elapsed == 20.0


def test_a_rank_dies_once():
    script = Script().job("add", takes=5, kills=True).rank(1, dies=5)
    run = Run(lambda pool: [pool.queue(add), pool.queue(mul)], script, ranks=3)
    assert [what for _, rank, what in run.faults if rank == 1] == ["died"]


@pytest.mark.parametrize(
    ("script", "seconds"),
    [
        (Script(), 0.0),
        (Script().link(0, 1, delay=1), 2.0),
        (Script().link(1, 0, delay=1), 2.0),
        (Script().link(0, 1, delay=1).link(1, 0, delay=0.25), 2.5),
        (Script(latency=0.5), 2.0),
        (Script(latency=0.5).link(0, 1, delay=1), 4.0),
    ],
    ids=["nothing", "to the worker", "to main", "both", "latency", "latency and delay"],
)
def test_messages_take_as_long_as_the_script_says(script, seconds):
    # ready to main, the job to the worker, its end to main, and the stop to the worker
    assert Run(lambda pool: pool.queue(add), script).simulation.elapsed == pytest.approx(seconds)


def test_bandwidth_makes_large_messages_slow():
    def elapsed(size):
        script = Script(bandwidth=1e6).job("add", returns=b"x" * size)
        return Run(lambda pool: pool.queue(add), script).simulation.elapsed

    assert elapsed(10**6) - elapsed(0) == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("script", [Script(latency=0.5), Script(bandwidth=1e9)])
def test_the_network_of_the_script_goes_before_that_of_the_simulation(script):
    plain = Run(lambda pool: pool.queue(add), script).simulation.elapsed
    assert Run(lambda pool: pool.queue(add), script, latency=9.0).simulation.elapsed == plain


def test_a_script_can_be_used_again():
    script = Script().job("add", takes=lambda random: random.random()).rank(1, dies=9)
    first, second = (Run(jobs, script).simulation.trace.digest() for _ in range(2))
    assert first == second


# -- what can't be meant -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("say", "message"),
    [
        (lambda s: s.job(), "say which job: by name"),
        (lambda s: s.job(pool=1), "say which job: by name"),
        (lambda s: s.job("x", returns=None, hangs=True), "a job ends in one way"),
        (lambda s: s.job("x", raises=ValueError, kills=True), "a job ends in one way"),
        (lambda s: s.job("x", takes=-1), "takes is a number of seconds from 0 on, not -1"),
        (lambda s: s.job("x", takes=float("nan")), "takes is a number of seconds from 0 on, not nan"),
        (lambda s: s.rank(1).rank(1), "rank 1 has a line in this script already"),
        (lambda s: s.rank(1, slower=0), "slower is a factor above 0 .*, not 0"),
        (lambda s: s.rank(1, pauses=[(-1, 1)]), "a pause's start is a number of seconds from 0 on, not -1"),
        (lambda s: s.rank(1, pauses=[(1, -1)]), "a pause's length is a number of seconds from 0 on, not -1"),
        (lambda s: s.rank(1, dies=-2), "dies is a number of seconds from 0 on, not -2"),
        (lambda s: s.link(0, 1, delay=-2), "delay is a number of seconds from 0 on, not -2"),
        (lambda s: Script(latency=-1), "latency is a number of seconds from 0 on, not -1"),
        (lambda s: Script(bandwidth=0), "bandwidth is a number of bytes per second above 0, not 0"),
    ],
)
def test_what_can_not_be_meant_is_refused_when_it_is_said(say, message):
    with pytest.raises(ScriptError, match=message):
        say(Script())


@pytest.mark.parametrize(
    ("script", "rank"),
    [
        (Script().rank(2), 2),
        (Script().rank(-1), -1),
        (Script().link(0, 7, delay=1), 7),
        (Script().link(3, 0, delay=1), 3),
    ],
)
def test_a_rank_that_is_not_there_is_refused_when_the_simulation_begins(script, rank):
    with pytest.raises(ScriptError, match=f"the script names rank {rank}, but there are ranks 0 to 1 only"):
        Run(jobs, script)


def many(pool):
    for i in range(8):
        pool.queue(add, submitter=f"step {i}")


@pytest.mark.parametrize(
    ("fill", "name", "message"),
    [
        (jobs, "place granul", "the nearest name that came is 'place granule'"),
        (jobs, "xyz", "jobs that came are named '<function add>', '<function mul>', 'place granule', "),
        (many, "xyz", "jobs that came are named 'step 0', 'step 1', 'step 2', 'step 3', 'step 4' and others"),
        (lambda pool: None, "add", "no job came at all"),
    ],
)
def test_a_rule_that_is_of_no_job_is_told_the_nearest_name(fill, name, message):
    with pytest.raises(ScriptError) as caught:
        Run(fill, Script().job(name, takes=1))
    assert f"the script's job(name={name!r}) matched no job: {message}" in str(caught.value)


def test_a_rule_that_is_of_no_job_is_a_note_where_a_rank_raised():
    def program(comm):
        raise ValueError("bad")

    with pytest.raises(RankErrors) as caught:
        simulate(program, 1, script=Script().job("add"))
    assert "and the script: the script's job(name='add') matched no job" in caught.value.__notes__[0]
