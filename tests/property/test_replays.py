"""A replay gives what was recorded, whatever was: random pools with all that can happen to them, each run and replayed.

The cases are those of test_invariants.py. That real runs are replayed is shown in tests/mpi/test_fidelity.py.
"""

import pytest
from graphs import cases, crowds, run
from hypothesis import given
from test_invariants import examples

from bsbpool.trace import read_trace
from bsbpool_sim.replay import ReplayError, replay
from bsbpool_sim.replay.export import to_scenario
from bsbpool_sim.scenario import load


def is_replayed(case, tmp_path_factory):
    trace = run(case).trace
    path = tmp_path_factory.getbasetemp() / "run.trace"
    trace.write(path)
    for recorded in (trace, read_trace(path)):
        if not any(e[0] == "pool" for e in recorded.events):
            with pytest.raises(ReplayError, match="the trace has no pool"):
                replay(recorded)
            continue
        result = replay(recorded)
        assert result.same, (result.why, result.difference)
        assert result.events == sum(e[0] not in ("fault", "receive", "traceback") for e in recorded.events)


def test_random_cases_are_replayed(tmp_path_factory):
    @examples(150)
    @given(cases())
    def replayed(case):
        is_replayed(case, tmp_path_factory)

    replayed()


def test_jobs_that_are_sent_ahead_are_replayed(tmp_path_factory):
    @examples(60)
    @given(crowds())
    def replayed(case):
        is_replayed(case, tmp_path_factory)

    replayed()


def test_random_cases_become_scenarios_that_pass(tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "made.yaml"

    @examples(60)
    @given(cases())
    def kept(case):
        trace = run(case).trace
        if not trace.of("job"):
            with pytest.raises(ReplayError):
                to_scenario(trace)
            return
        path.write_text(to_scenario(trace), encoding="utf-8")
        result = load(path).run()
        assert result.ok, result.report()

    kept()
