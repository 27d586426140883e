"""A finding that takes no choice says what its run is, since by default the program passes."""

import numpy as np
import pytest

from bsbpool_sim import explore
from bsbpool_sim.exploring.kept import lines_of


def by_default(comm):
    comm.recv(source=1 - comm.rank)


def without_buffers(comm):
    comm.send(comm.rank, 1 - comm.rank)
    comm.recv(source=1 - comm.rank)


def ready_too_early(comm):
    if comm.rank == 0:
        comm.Rsend(np.zeros(1), 1)
    else:
        comm.Recv(np.empty(1), 0)


def old_numbers(comm):
    grid = comm.Create_cart([comm.size], reorder=True)
    assert grid.rank == comm.rank
    grid.Free()


def read_before_the_wait(comm):
    if comm.rank == 0:
        comm.Send(np.ones(1), 1)
        return None
    got = np.zeros(1)
    request = comm.Irecv(got, 0)
    seen = got[0]
    request.Wait()
    return seen


@pytest.mark.parametrize(
    ("program", "kind", "when"),
    [
        (by_default, "deadlock", "It happens by default, without any choice."),
        (without_buffers, "buffering", "It happens without any choice, if no message is buffered."),
        (
            ready_too_early,
            "buffering",
            "It happens in a run without any choice that only exploring makes: receives begin as late as they can.",
        ),
        (
            old_numbers,
            "failure",
            "It happens in a run without any choice that only exploring makes: the ranks of grids and graphs have "
            "other numbers.",
        ),
        (
            read_before_the_wait,
            "buffer-race",
            "It happens in a run without any choice that only exploring makes: memory that MPI has not written yet has "
            "other values, or waits end as late as they can.",
        ),
    ],
)
def test_when_it_happens_is_said(program, kind, when):
    (finding,) = explore(program, 2, seconds=20, same=lambda results: results).findings
    assert finding.kind == kind
    assert when in [line for _, line in lines_of(finding, lambda _: "")]
