"""Ranks that are slow, paused, or die: what a fault-tolerant MPI lets a pool do, on simulated ranks."""

import pytest
from helpers import Ear, double, executed, fail, nap, nothing

import bsbpool
from bsbpool.worlds import current_world
from bsbpool_sim import DeadlockError, RankErrors, Script, simulate


def run(ranks, script, fill, **options):
    """The outcomes of a pool by rank, and the simulation."""
    ear = Ear()

    def program(comm):
        return executed(comm, fill, listeners=[ear] if comm.rank == 0 else [], **options)

    simulation = simulate(program, ranks, script=script)
    return simulation.results, simulation, ear.heard


def naps(*seconds):
    return lambda pool: [pool.queue(nap, (s,), submitter=f"nap {i}") for i, s in enumerate(seconds)] and None


def test_the_job_of_a_rank_that_dies_is_aborted_and_the_rest_goes_on():
    def fill(pool):
        jobs = [pool.queue(nap, (1.0, i), submitter=f"nap {i}") for i in range(5)]
        pool.queue(nothing, deps=[jobs[1]], submitter="child")

    (main, *others), simulation, _ = run(3, Script().rank(2, dies=0.5), fill)
    assert main["statuses"] == ["success", "aborted", "success", "success", "success", "cancelled"]
    assert main["error"] == [
        "JobErroredError: <FunctionJob 1 nap 1> was aborted: Rank 2 on a simulated host died at 0.5 s"
    ]
    assert main["job errors"][1] == "RankLostError: Rank 2 on a simulated host died at 0.5 s"
    assert others[0]["error"] == ["JobPoolError: See main node logs for details."]
    assert others[1] is None
    assert simulation.died == {2: 0.5}
    assert simulation.elapsed == 4.0


def test_a_listener_may_handle_the_loss_of_a_job():
    ear = Ear(lambda progress, word: word == "0 aborted")

    def program(comm):
        return executed(comm, naps(1, 1), listeners=[ear])

    main, *_ = simulate(program, 3, script=Script().rank(1, dies=0.5)).results
    assert main["error"] is None
    assert main["statuses"] == ["aborted", "success"]


def test_a_rank_that_dies_with_no_job_is_no_error():
    (main, *_), _, _ = run(3, Script().rank(2, dies=0.5), naps(2))
    assert main["error"] is None
    assert main["statuses"] == ["success"]


def test_with_no_rank_left_the_pool_stops_and_says_so():
    (main, *_), simulation, _ = run(3, Script().rank(1, dies=1.5).rank(2, dies=0.5), naps(1, 1, 1, 1))
    assert main["statuses"] == ["success", "aborted", "aborted", "cancelled"]
    assert main["error"][-1] == (
        "JobPoolError: No rank is left to run jobs, and 1 job has not run: ranks 1 to 2 are all gone."
    )
    assert simulation.elapsed == 1.5


def test_results_that_were_there_stay_when_ranks_die():
    def program(comm):
        with bsbpool.job_pool(comm) as pool:
            if not pool.is_main():
                return pool.execute()
            jobs = [pool.queue(nap, (1.0, i)) for i in range(3)]
            with pytest.raises(bsbpool.WorkflowError):
                pool.execute()
            return [job.result if job.error is None else None for job in jobs]

    script = Script().rank(1, dies=2.5)
    assert simulate(program, 2, script=script).results[0] == [0, 1, None]


def test_when_main_dies_the_workers_leave():
    (main, *others), simulation, _ = run(3, Script().rank(0, dies=0.5), naps(1, 1, 1))
    assert main is None
    assert [other["error"] for other in others] == [
        ["RankLostError: main (rank 0) is gone: a simulated host died at 0.5 s"]
    ] * 2
    assert simulation.elapsed == 1.0  # each was at a job


def test_a_job_that_kills_its_rank_is_aborted():
    script = Script().job("nap 0", kills=True, takes=0.2)
    (main, *_), simulation, _ = run(4, script, naps(1, 1, 1))
    assert main["statuses"] == ["aborted", "success", "success"]
    assert simulation.died == {1: 0.2}
    killed = {"kind": "killed", "job": "0"}
    assert simulation.trace.of("fault") == [{"t": 200_000_000, "e": "fault", "rank": 1, "what": killed}]


def test_jobs_that_were_sent_ahead_to_a_rank_that_dies_run_elsewhere_and_none_runs_twice():
    def fill(pool):
        for i in range(600):
            pool.queue(note, (i,))

    RAN.clear()

    (main, *_), _, heard = run(3, Script().rank(1, dies=0.0100505), fill)
    aborted = [i for i, status in enumerate(main["statuses"]) if status == "aborted"]
    assert len(aborted) == 1
    assert main["statuses"].count("success") == 599
    assert sorted(RAN) == list(range(600))
    assert heard.count("closing") == 1


RAN = []


def note(owner, i):
    RAN.append(i)
    nap(owner, 0.0001)


def test_a_death_is_learned_a_latency_later():
    script = Script(latency=0.25).rank(1, dies=1.0)
    (main, *_), simulation, _ = run(2, script, naps(5))
    assert main["statuses"] == ["aborted"]
    assert [event["t"] for event in simulation.trace.of("lost")] == [1_250_000_000]


def test_a_pool_opened_after_a_death_goes_on_with_the_ranks_left():
    def program(comm):
        owner = bsbpool.Owner(comm)
        first = executed(comm, naps(1, 1), owner=owner)
        second = executed(comm, naps(1, 1), owner=owner)
        return first["error"] is None, second["error"], second.get("statuses")

    main, *_ = simulate(program, 3, script=Script().rank(2, dies=0.5)).results
    assert main == (False, None, ["success", "success"])


def test_a_slow_rank_takes_longer_and_gets_fewer_jobs():
    (main, *_), simulation, _ = run(3, Script().rank(1, slower=10), naps(*[0.1] * 11))
    assert main["error"] is None
    ranks = [event["rank"] for event in simulation.trace.of("status") if event["status"] == "success"]
    assert ranks.count(1) == 1
    assert simulation.elapsed == pytest.approx(1.0)


def test_a_paused_rank_goes_on_where_it_was():
    _, simulation, _ = run(2, Script().rank(1, pauses=[(0.4, 2.0)]), naps(1))
    assert simulation.elapsed == 3.0


def test_late_messages_delay_a_job_and_lose_nothing():
    (main, *_), simulation, _ = run(2, Script().link(1, 0, delay=0.5), naps(1, 1))
    assert main["statuses"] == ["success", "success"]
    assert simulation.elapsed == 3.5  # the news that it is ready, and two outcomes, half a second late each


def test_a_job_that_hangs_is_a_deadlock_that_says_which():
    with pytest.raises(DeadlockError) as caught:
        run_plain(2, Script().job("double", hangs=True), lambda pool: pool.queue(double, (1,)) and None)
    text = str(caught.value)
    assert "rank 0 waits for a message for its pool" in text
    assert "rank 1 waits for job 0 (<function double>) to end, which hangs, since 0 s" in text


def run_plain(ranks, script, fill):
    def program(comm):
        return executed(comm, fill)

    return simulate(program, ranks, script=script)


def test_an_error_on_a_rank_is_raised_with_its_rank():
    def program(comm):
        with bsbpool.job_pool(comm) as pool:
            if pool.is_main():
                pool.queue(fail)
            pool.execute()

    with pytest.raises(RankErrors, match="ranks 0, 1 raised; rank 0 first: WorkflowError") as caught:
        simulate(program, 2)
    assert isinstance(caught.value.by_rank[1], bsbpool.WorkflowError)


@pytest.mark.unmeasured
def test_ten_thousand_ranks_run_a_pool():
    def program(comm):
        with bsbpool.job_pool(comm) as pool:
            if pool.is_main():
                for i in range(20_000):
                    pool.queue(double, (i,))
            return len(pool.execute(return_results=True))

    assert simulate(program, 10_000).results[0] == 20_000


def test_when_messages_fail_main_says_which_job_was_where(monkeypatch):
    """What an MPI may do that notices a dead rank and can't go on: it raises, where main waits."""
    from bsbpool_sim.world import SimChannel

    get = SimChannel.get

    def fails(channel, until=None):
        world = current_world()
        if world.rank == 0 and until != 0 and world.now() >= 1_000_000_000:
            raise OSError("a peer is gone")
        return get(channel, until)

    monkeypatch.setattr(SimChannel, "get", fails)

    def program(comm):
        with bsbpool.job_pool(comm) as pool:
            if pool.is_main():
                pool.queue(nap, (1,), submitter="short")
                pool.queue(nap, (9,), submitter="long")
                with pytest.raises(OSError, match="a peer is gone") as caught:
                    pool.execute()
                return caught.value.__notes__
            with pytest.raises(bsbpool.WorkflowError):
                pool.execute()

    notes = simulate(program, 3).results[0]
    assert notes == ["Jobs that were running then:\n    <FunctionJob 1 long> on rank 2 on a simulated host"]
