"""Computing that takes virtual time, and clocks whose readings differ."""

import datetime
import time

import pytest
from launching import run

import bsbpool_sim.mpi as MPI
from bsbpool_sim import Script, simulate


@pytest.fixture
def works(monkeypatch):
    """A processor that works for as long as ranks say, in place of the real one."""
    worked = [1]
    monkeypatch.setattr("bsbpool_sim.cluster.processor_time_ns", lambda: worked[0])

    def work(seconds):
        worked[0] += round(seconds * 1e9)

    return work


CLOCKS = {
    "perf_counter": time.perf_counter, "monotonic": time.monotonic, "time": time.time, "time_ns": time.time_ns,
    "process_time": time.process_time, "clock_gettime": lambda: time.clock_gettime(time.CLOCK_MONOTONIC),
    "Wtime": MPI.Wtime, "now": lambda: datetime.datetime.now().timestamp(),
    "now with a zone": lambda: datetime.datetime.now(datetime.UTC).timestamp(),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOCKS)
def test_two_readings_of_a_clock_differ_and_the_first_at_an_instant_is_exact(name):
    def program(comm):
        read = {
            "perf_counter": time.perf_counter, "monotonic": time.monotonic, "time": time.time, "time_ns": time.time_ns,
            "process_time": time.process_time,
        }.get(name, CLOCKS[name])  # fmt: skip
        first, second, third = read(), read(), read()
        time.sleep(1)
        return 1 / (second - first) > 0 and third > second, read() - third

    ((differ, slept),) = simulate(program, 1).results
    assert differ and slept == pytest.approx(1e9 if name == "time_ns" else 1)


def test_loops_of_a_second_each_take_a_second_at_least():
    def program(comm):
        took = []
        for _ in range(3):
            start = time.perf_counter()
            time.sleep(1)
            took.append(time.perf_counter() - start)
        return took

    assert simulate(program, 1).results == [[pytest.approx(1, abs=1e-12)] * 3]


def test_what_a_rank_computes_takes_its_time_and_nobody_elses(works):
    def program(comm):
        start = MPI.Wtime()
        works(3 * comm.rank)
        return MPI.Wtime() - start

    simulation = simulate(program, 3, compute=2.0)
    assert simulation.results == [1e-6, 6, 12] and simulation.elapsed == 12
    assert simulation.trace.header["compute"] == 2


def test_messages_leave_after_what_was_computed_before_them(works):
    def program(comm):
        if comm.rank == 0:
            works(2)
            comm.send("late", 1)
            works(1)
            comm.barrier()
        else:
            comm.recv()
            received = MPI.Wtime()
            comm.barrier()
            return received, MPI.Wtime()
        return None

    assert simulate(program, 2, compute=1).results[1] == (2, 3)
    assert simulate(program, 2, compute=1, latency=0.5).results[1][0] == 2.5
    assert simulate(program, 2).results[1][0] == 0


def test_sleep_comes_after_work_and_a_slow_rank_works_longer(works):
    def program(comm):
        works(2)
        time.sleep(1)
        return MPI.Wtime()

    script = Script()
    script.rank(1, slower=3)
    assert simulate(program, 2, compute=1, script=script).results == [3, 9]


def test_a_program_ends_after_what_it_computed_last(works):
    assert simulate(lambda comm: works(5), 2, compute=1).elapsed == 5
    assert simulate(lambda comm: works(5), 2).elapsed == 0


def test_a_rank_computes_while_a_thread_of_it_waits(works):
    def program(comm):
        if comm.rank:
            works(4)
            comm.send(None, 0)
            return None
        request = comm.irecv()
        works(1)
        request.wait()
        return MPI.Wtime()

    assert simulate(program, 2, compute=1).results[0] == 4


@pytest.mark.parametrize("factor", [-1, float("nan"), float("inf"), "1"])
def test_a_factor_is_a_number_that_is_not_negative(factor):
    with pytest.raises(ValueError, match="compute="):
        simulate(lambda comm: None, 1, compute=factor)


def test_a_tape_can_not_repeat_such_a_run():
    with pytest.raises(ValueError, match="does not repeat exactly"):
        simulate(lambda comm: None, 1, compute=1, tape="v1:")


def test_the_command_says_that_it_does_not_repeat_and_what_was_really_computed_counts(tmp_path):
    code = "import time; t = time.time(); sum(range(10**6)); print(time.time() - t > 0.001)"
    start = ["-m", "bsbpool_sim", "-n", "2", "--compute", "1"]
    status, out, err = run(program=[*start, "--trace", "trace", "-c", code], cwd=tmp_path)
    assert status == 0 and out == "True\nTrue\n"
    assert "with 1 times what computing really took: such a run does not repeat exactly" in err
    assert '"compute":1.0' in (tmp_path / "trace").read_text().replace(" ", "").splitlines()[0]
    status, _, err = run(program=[*start, "--tape", "v1:", "-c", code], cwd=tmp_path)
    assert status == 2 and "--compute and --tape don't go together" in err


def test_without_it_nobody_asks_the_processor(monkeypatch):
    monkeypatch.setattr("bsbpool_sim.cluster.processor_time_ns", lambda: pytest.fail("asked"))
    assert simulate(lambda comm: sum(range(1000)), 1).elapsed == 0
