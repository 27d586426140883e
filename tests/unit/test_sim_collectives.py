"""Collective calls of simulated ranks in all forms: what they bring to whom, who waits for whom, what is refused.

What one form does that the others do too is tested for the blocking one in `test_sim_comm`.
"""

import re
import time

import pytest

from bsbpool_sim import CollectiveMismatchError, DeadlockError, MPIError, RankErrors, simulate
from bsbpool_sim import mpi as MPI

np = pytest.importorskip("numpy")


def run(program, ranks=3, **options):
    return simulate(program, ranks, **options).results


def refused(program, text, kind=MPIError, ranks=2):
    with pytest.raises(RankErrors) as raised:
        run(program, ranks)
    error = next(iter(raised.value.by_rank.values()))
    assert isinstance(error, kind)
    assert re.search(text, str(error)), str(error)


def three(comm):
    """Three numbers of this rank's."""
    return np.arange(3, dtype="i4") + 10 * comm.rank


def zeros(count):
    return np.full(count, -1, "i4")


#: Each collective call of buffers: its name, and what makes its arguments and tells which of them is the result.
CALLS = {
    "Barrier": lambda c: ((), None),
    "Bcast": lambda c: ((three(c), 1), 0),
    "Scatter": lambda c: ((np.arange(6, dtype="i4"), zeros(2), 1), 1),
    "Scatterv": lambda c: (([np.arange(9, dtype="i4"), [2, 1, 0], [5, 0, 0], MPI.INT], zeros(2 - c.rank), 0), 1),
    "Gather": lambda c: ((three(c), zeros(9), 2), 1),
    "Gatherv": lambda c: ((three(c)[: c.rank], [zeros(6), [0, 1, 2], [0, 0, 4], MPI.INT], 2), 1),
    "Allgather": lambda c: ((three(c), zeros(9)), 1),
    "Allgatherv": lambda c: ((three(c)[: c.rank], [zeros(3), [0, 1, 2]]), 1),
    "Alltoall": lambda c: ((three(c), zeros(3)), 1),
    "Alltoallv": lambda c: (
        ([three(c), [0, 1, 2], [0, 0, 1], MPI.INT], [zeros(3 * c.rank), [c.rank] * 3, c.rank, MPI.INT]),
        1,
    ),
    "Alltoallw": lambda c: (
        ([three(c), [1] * 3, [8, 4, 0], [MPI.INT] * 3], [zeros(3), [1] * 3, [0, 4, 8], [MPI.INT] * 3]),
        1,
    ),
    "Reduce": lambda c: ((three(c), zeros(3), MPI.MAX, 1), 1),
    "Allreduce": lambda c: ((three(c), zeros(3)), 1),
    "Reduce_scatter_block": lambda c: ((three(c), zeros(1)), 1),
    "Reduce_scatter": lambda c: ((three(c), zeros([2, 0, 1][c.rank]), [2, 0, 1]), 1),
    "Scan": lambda c: ((three(c), zeros(3)), 1),
    "Exscan": lambda c: ((three(c), zeros(3)), 1),
}

RESULTS = {
    "Barrier": [None] * 3,
    "Bcast": [[10, 11, 12]] * 3,
    "Scatter": [[0, 1], [2, 3], [4, 5]],
    "Scatterv": [[5, 6], [0], []],
    "Gather": [[-1] * 9, [-1] * 9, [0, 1, 2, 10, 11, 12, 20, 21, 22]],
    "Gatherv": [[-1] * 6, [-1] * 6, [10, -1, -1, -1, 20, 21]],
    "Allgather": [[0, 1, 2, 10, 11, 12, 20, 21, 22]] * 3,
    "Allgatherv": [[10, 20, 21]] * 3,
    "Alltoall": [[0, 10, 20], [1, 11, 21], [2, 12, 22]],
    "Alltoallv": [[], [0, 10, 20], [1, 2, 11, 12, 21, 22]],
    "Alltoallw": [[2, 12, 22], [1, 11, 21], [0, 10, 20]],
    "Reduce": [[-1] * 3, [20, 21, 22], [-1] * 3],
    "Allreduce": [[30, 33, 36]] * 3,
    "Reduce_scatter_block": [[30], [33], [36]],
    "Reduce_scatter": [[30, 33], [], [36]],
    "Scan": [[0, 1, 2], [10, 12, 14], [30, 33, 36]],
    "Exscan": [[-1] * 3, [0, 1, 2], [10, 12, 14]],
}


def content(arguments, which):
    if which is None:
        return None
    buffer = arguments[which]
    return (buffer[0] if isinstance(buffer, list) else buffer).tolist()


@pytest.mark.parametrize("name", CALLS)
def test_a_call_gives_the_same_in_its_blocking_non_blocking_and_persistent_form(name):
    def program(comm):
        arguments, which = CALLS[name](comm)
        getattr(comm, name)(*arguments)
        blocking = content(arguments, which)
        arguments, which = CALLS[name](comm)
        getattr(comm, f"I{name.lower()}")(*arguments).Wait()
        begun = content(arguments, which)
        arguments, which = CALLS[name](comm)
        request = getattr(comm, f"{name}_init")(*arguments)
        request.Start()
        request.Wait()
        return blocking, begun, content(arguments, which)

    assert [list(row) for row in zip(*run(program), strict=True)] == [RESULTS[name]] * 3


def test_a_persistent_call_reads_its_buffer_at_each_start():
    def program(comm):
        buffer, got = np.zeros(1, "i4"), np.zeros(3, "i4")
        request, seen = comm.Allgather_init(buffer, got), []
        for i in range(3):
            buffer[0] = 10 * i + comm.rank
            request.Start()
            request.Wait()
            seen.append(got.tolist())
        request.Free()
        return seen

    assert run(program) == [[[0, 1, 2], [10, 11, 12], [20, 21, 22]]] * 3


def test_persistent_calls_may_be_started_in_another_order_by_each_rank():
    def program(comm):
        one, two = np.full(1, comm.rank, "i4"), np.full(1, 5 + comm.rank, "i4")
        requests = [comm.Bcast_init(one, 0), comm.Bcast_init(two, 1)]
        for request in requests if comm.rank else requests[::-1]:
            request.Start()
        MPI.Request.Waitall(requests)
        return one.tolist(), two.tolist()

    assert run(program, 2) == [([0], [6])] * 2


def test_calls_that_were_begun_end_in_any_order_and_beside_messages():
    def program(comm):
        total, every = np.zeros(1, "i4"), np.zeros(comm.size, "i4")
        mine = np.full(1, comm.rank + 1, "i4")
        requests = [
            comm.Iallreduce(mine, total),
            comm.irecv(source=(comm.rank + 1) % comm.size),
            comm.Iallgather(mine, every),
        ]
        comm.send("hello", (comm.rank - 1) % comm.size)
        ended = set()
        while len(ended) < 3:
            ended.add(MPI.Request.Waitany(requests))
        return total.tolist(), every.tolist(), sorted(ended)

    assert run(program) == [([6], [1, 2, 3], [0, 1, 2])] * 3


def test_who_is_told_that_a_call_has_ended_finds_its_result_before_the_wait():
    def program(comm):
        every = zeros(comm.size)
        request = comm.Iallgather(np.full(1, comm.rank, "i4"), every)
        while not request.Get_status():
            pass
        seen = every.tolist()
        request.Wait()
        return seen

    assert run(program) == [[0, 1, 2]] * 3


@pytest.mark.parametrize(
    ("call", "times"),
    [
        (lambda c: c.Ibcast(zeros(1), 2), [2, 2, 2, 3]),
        (lambda c: c.Iscatter(zeros(4), zeros(1)), [0, 1, 2, 3]),
        (lambda c: c.Igather(zeros(1), zeros(4)), [3, 1, 2, 3]),
        (lambda c: c.Ireduce(zeros(1), zeros(1), root=3), [0, 1, 2, 3]),
        (lambda c: c.Iscan(zeros(1), zeros(1)), [0, 1, 2, 3]),
        (lambda c: c.Iallreduce(zeros(1), zeros(1)), [3, 3, 3, 3]),
    ],
)
def test_a_call_that_was_begun_waits_only_for_whom_it_needs(call, times):
    def program(comm):
        time.sleep(comm.rank)
        call(comm).Wait()
        return comm.cluster.kernel.now // 10**9

    assert run(program, 4) == times


def test_a_deadlock_of_a_call_that_was_begun_says_where_it_was_begun():
    def program(comm):
        if comm.rank == 0:
            request = comm.Igather(zeros(1), zeros(2))
            request.Wait()

    with pytest.raises(DeadlockError) as raised:
        run(program, 2)
    line = program.__code__.co_firstlineno + 2
    assert "rank 0 waits for rank 1 to call Igather(root=0) (it has not called it; rank 1 has ended)" in str(
        raised.value
    )
    assert f"begun at {__file__}:{line}" in str(raised.value)


def test_a_deadlock_of_a_persistent_call_says_who_did_not_start_it():
    def program(comm):
        request = comm.Barrier_init()
        if comm.rank == 0:
            request.Start()
            request.Wait()

    with pytest.raises(DeadlockError, match=re.escape("rank 1 to call Start() of Barrier_init() (it has not")):
        run(program, 2)


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (lambda c: c.Ibarrier(), lambda c: c.Barrier(), r"Barrier\(\) where rank 0 called Ibarrier\(\)"),
        (lambda c: c.Ibcast(zeros(1), 0), lambda c: c.Ibcast(zeros(1), 1), r"Ibcast\(root=1\) where rank 0"),
        (lambda c: c.Barrier_init(), lambda c: c.Barrier(), r"where rank 0 called Barrier_init\(\)"),
    ],
)
def test_forms_of_a_call_do_not_match_each_other(first, second, text):
    refused(lambda c: second(c) if c.rank else first(c), text, CollectiveMismatchError)


def test_barriers_match_by_either_of_their_names():
    assert run(lambda c: c.barrier() if c.rank else c.Barrier()) == [None] * 3


@pytest.mark.parametrize(
    ("call", "text", "kind"),
    [
        (lambda c: c.Bcast(zeros(4 + c.rank)), "what rank 0 broadcasts is 16 bytes, and .* receives it 20", MPIError),
        (lambda c: c.Gather(zeros(2), zeros(6)), "what rank 0 gives to Gather is 8 bytes, and .* it 12", MPIError),
        (lambda c: c.Allgather(zeros(3), zeros(4)), "what rank 0 gives to Allgather is 12 bytes, and .* 8", MPIError),
        (lambda c: c.Scatter(zeros(2), zeros(2)), "what rank 0 scatters is 4 bytes, and .* it 8", MPIError),
        (lambda c: c.Alltoall(zeros(2), zeros(4)), "what rank 0 gives to Alltoall is 4 bytes, and .* it 8", MPIError),
        (lambda c: (lambda b: c.Allreduce(b, b))(zeros(1)), "sendbuf and recvbuf are one buffer", MPIError),
        (lambda c: c.Bcast(MPI.IN_PLACE), "there is no IN_PLACE here", MPIError),
        (lambda c: c.Reduce_scatter(zeros(2), zeros(1), [1, 2]), "sendbuf has 2 items and needs 3", ValueError),
        (
            lambda c: c.Reduce_scatter(zeros(2), zeros(2), [1, 1]),
            "recvbuf has 2 items and recvcounts says 1",
            ValueError,
        ),
        (lambda c: c.Reduce_scatter(zeros(2), zeros(1), [2]), "1 recvcounts for 2 ranks", ValueError),
        (lambda c: c.Ibarrier().Free(), "Ibarrier: the request of a collective call can't be freed", MPIError),
        (lambda c: c.Ibarrier().Cancel(), "Ibarrier: a collective call can't be cancelled", MPIError),
        (lambda c: (lambda r: (r.Start(), r.Start()))(c.Barrier_init()), "is active already", MPIError),
        (lambda c: (lambda r: (r.Free(), r.Start()))(c.Barrier_init()), "that was freed", MPIError),
    ],
)
def test_what_mpi_forbids_is_refused(call, text, kind):
    refused(call, text, kind)


def test_counts_of_a_scattered_reduction_must_be_the_same_on_all_ranks():
    refused(
        lambda c: c.Reduce_scatter(zeros(3), zeros(1), [2, 1] if c.rank else [1, 2]),
        r"rank \d gives recvcounts=\[., .\], and rank \d \[., .\]: all ranks give the same",
    )


def test_an_operation_that_does_not_commute_is_applied_in_the_order_of_ranks():
    def first_of(a, b, datatype):
        x, y = np.frombuffer(a, "i4"), np.frombuffer(b, "i4")
        y[:] = 10 * x + y

    def program(comm):
        op = MPI.Op.Create(first_of, commute=False)
        mine, results = np.full(1, comm.rank + 1, "i4"), []
        for call in (comm.Allreduce, comm.Scan):
            result = zeros(1)
            call(mine, result, op)
            results.append(result[0].item())
        return results

    assert run(program) == [[123, 1], [123, 12], [123, 123]]


def test_the_root_gets_a_copy_of_what_it_broadcasts():
    def program(comm):
        given = [comm.rank]
        got = comm.bcast(given)
        return got, got is given

    assert run(program) == [([0], False)] * 3


# -- between two groups --------------------------------------------------------------------------------------


def two_groups(comm):
    """An inter-communicator: the first two ranks, and the others."""
    low = comm.rank < 2
    group = comm.Split(0 if low else 1)
    return group.Create_intercomm(0, comm, 2 if low else 0), low


def test_calls_between_two_groups_bring_to_each_what_the_other_has():
    def program(comm):
        between, low = two_groups(comm)
        others, mine = between.Get_remote_size(), np.full(2, comm.rank, "i4")
        root = (MPI.ROOT if between.rank == 1 else MPI.PROC_NULL) if low else 1
        got, every, total = mine.copy(), zeros(2 * others), zeros(2)
        between.Bcast(got, root)
        between.Allgather(mine, every)
        between.Allreduce(mine, total)
        objects = (
            between.bcast(comm.rank, root),
            between.gather(comm.rank, root),
            between.scatter([f"for {i}" for i in range(others)], root),
            between.alltoall([f"{comm.rank}-{i}" for i in range(others)]),
            between.allreduce(comm.rank),
        )
        between.Barrier()
        return got.tolist(), every.tolist(), total.tolist(), objects

    of_low = [2, 2, 3, 3, 4, 4], [9, 9]
    of_high = [0, 0, 1, 1], [1, 1]
    assert run(program, 5) == [
        ([0, 0], *of_low, (None, None, None, ["2-0", "3-0", "4-0"], 9)),
        ([1, 1], *of_low, (None, [2, 3, 4], None, ["2-1", "3-1", "4-1"], 9)),
        ([1, 1], *of_high, (1, None, "for 0", ["0-0", "1-0"], 1)),
        ([1, 1], *of_high, (1, None, "for 1", ["0-1", "1-1"], 1)),
        ([1, 1], *of_high, (1, None, "for 2", ["0-2", "1-2"], 1)),
    ]


def test_a_rank_beside_the_root_waits_for_nobody():
    def program(comm):
        between, low = two_groups(comm)
        if low and between.rank == 0:
            between.bcast(None, MPI.PROC_NULL)
            return comm.cluster.kernel.now // 10**9
        time.sleep(comm.rank)
        between.bcast("x", MPI.ROOT if low else 1)
        return comm.cluster.kernel.now // 10**9

    assert run(program, 4) == [0, 1, 2, 3]


def test_a_root_of_two_groups_that_is_none_is_refused():
    def program(comm):
        between, _ = two_groups(comm)
        between.bcast(1, root=7)

    refused(program, r"bcast\(root=7\): between two groups, the root gives MPI.ROOT", ranks=4)


def test_between_two_groups_nothing_is_in_place():
    def program(comm):
        between, _ = two_groups(comm)
        between.Allreduce(MPI.IN_PLACE, zeros(1))

    refused(program, "Allreduce: between two groups there is no IN_PLACE", ranks=4)


# -- among neighbours ------------------------------------------------------------------------------------------


def test_what_is_sent_to_the_left_on_a_grid_comes_from_the_right_even_if_one_rank_is_both():
    def program(comm):
        ring = comm.Create_cart([comm.size], [True])
        got = zeros(2)
        ring.Neighbor_alltoall(np.array([10 * comm.rank, 10 * comm.rank + 1], "i4"), got)
        return got.tolist(), ring.neighbor_alltoall([f"{comm.rank} left", f"{comm.rank} right"])

    assert run(program, 2) == [([11, 10], ["1 right", "1 left"]), ([1, 0], ["0 right", "0 left"])]
    assert run(program, 3)[0] == ([21, 10], ["2 right", "1 left"])


def test_an_edge_that_leads_nowhere_brings_nothing():
    def program(comm):
        line = comm.Create_cart([comm.size], [False])
        got = zeros(2)
        line.Neighbor_allgather(np.full(1, comm.rank, "i4"), got)
        return got.tolist(), line.neighbor_allgather(comm.rank)

    assert run(program) == [([-1, 1], [None, 1]), ([0, 2], [0, 2]), ([1, -1], [1, None])]


@pytest.mark.parametrize("form", ["now", "begun", "persistent"])
def test_of_several_edges_between_two_ranks_each_has_its_own_block(form):
    def program(comm):
        left, right = (comm.rank - 1) % comm.size, (comm.rank + 1) % comm.size
        graph = comm.Create_dist_graph_adjacent([left, comm.rank, left], [right, right, comm.rank])
        given, got = np.arange(3, dtype="i4") + 10 * comm.rank, zeros(3)
        if form == "now":
            graph.Neighbor_alltoall(given, got)
        elif form == "begun":
            graph.Ineighbor_alltoall(given, got).Wait()
        else:
            request = graph.Neighbor_alltoall_init(given, got)
            request.Start()
            request.Wait()
        return got.tolist()

    assert run(program) == [[20, 2, 21], [0, 12, 1], [10, 22, 11]]


def test_a_call_among_neighbours_waits_for_these_alone():
    def program(comm):
        line = comm.Create_cart([comm.size], [False])
        time.sleep(comm.rank)
        line.neighbor_allgather(comm.rank)
        return comm.cluster.kernel.now // 10**9

    assert run(program, 5) == [1, 2, 3, 4, 4]


def test_who_is_missing_among_neighbours_is_named():
    def program(comm):
        line = comm.Create_cart([comm.size], [False])
        if comm.rank != 1:
            line.neighbor_allgather(comm.rank)

    with pytest.raises(DeadlockError, match=r"rank 0 waits for rank 1 to call neighbor_allgather\(\)") as raised:
        run(program, 4)
    assert "rank 3" not in str(raised.value).split("\n")[1]


def early(comm, call):
    """The last rank awaits a message that rank 0 sends behind the call."""
    if comm.rank == comm.size - 1:
        comm.recv(source=0)
        return call(comm)
    found = call(comm)
    if comm.rank == 0:
        comm.send("a message", comm.size - 1)
    return found


#: Calls in which rank 0 may wait for nobody.
FOR_SOME = {
    "bcast": lambda comm: comm.bcast("a" if comm.rank == 0 else None, root=0),
    "Bcast": lambda comm: comm.Bcast(zeros(1), root=0),
    "Ibcast": lambda comm: comm.Ibcast(zeros(1), root=0).Wait(),
    "scatter": lambda comm: comm.scatter([1, 2, 3] if comm.rank == 0 else None, root=0),
    "gather": lambda comm: comm.gather(comm.rank, root=1),
    "reduce": lambda comm: comm.reduce(comm.rank, root=1),
    "scan": lambda comm: comm.scan(comm.rank),
    "Exscan": lambda comm: comm.Exscan(three(comm), zeros(3)),
}


@pytest.mark.parametrize("call", FOR_SOME)
def test_where_nothing_is_buffered_all_ranks_wait_for_all(call):
    def program(comm):
        return early(comm, FOR_SOME[call])

    if call not in ("gather", "reduce"):
        run(program)
    with pytest.raises(DeadlockError, match=rf"rank 0 waits for rank 2 to call {call}"):
        run(program, eager_limit=0)


def test_calls_have_the_same_results_where_nothing_is_buffered():
    def program(comm):
        return [str(call(comm)) for call in FOR_SOME.values()]

    assert run(program) == run(program, eager_limit=0)


@pytest.mark.parametrize("call", ["Neighbor_allgather", "Neighbor_alltoall"])
def test_an_edge_that_one_end_names_is_refused_where_data_goes_by_it(call):
    def program(comm):
        graph = comm.Create_dist_graph_adjacent([1 - comm.rank], [1 - comm.rank] if comm.rank else [])
        getattr(graph, call)(zeros(1), zeros(1))

    refused(program, "rank 1 names an edge from rank 0 that rank 0 does not name")
