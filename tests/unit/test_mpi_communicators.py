"""Communicators on simulated ranks: what reports say of them, what is refused, and what only a simulation shows.

That results are those of a real MPI is the business of tests/mpi/test_same_communicators.py.
"""

import pickle

import pytest

from bsbpool_sim import AbortError, CannotSimulateError, DeadlockError, MPIError, RankErrors, Script, simulate
from bsbpool_sim import mpi as MPI


def run(program, ranks=2, **options):
    return simulate(program, ranks, **options).results


def refused(program, text, kind=MPIError, ranks=2):
    with pytest.raises(RankErrors, match=text) as caught:
        run(program, ranks)
    assert isinstance(next(iter(caught.value.by_rank.values())), kind)


def stuck(program, *texts, ranks=2):
    with pytest.raises(DeadlockError) as caught:
        run(program, ranks)
    for text in texts:
        assert text in str(caught.value)


def pair(comm):
    """An inter-communicator of rank 0 and all others."""
    return comm.Split(min(comm.rank, 1)).Create_intercomm(0, comm, 0 if comm.rank else 1)


# -- deadlocks -------------------------------------------------------------------------------------------


def test_a_deadlock_names_the_rank_that_has_not_created_a_group_and_the_line():
    def program(comm):
        if comm.rank != 1:
            comm.Create_group(comm.Get_group())
        else:
            comm.recv(source=0)

    stuck(program, "rank 0 waits for rank 1 to call Create_group()", "test_mpi_communicators.py:", ranks=3)


def test_a_deadlock_of_leaders_names_the_one_that_has_not_come():
    def program(comm):
        if comm.rank == 0:
            comm.Split(MPI.UNDEFINED)
            MPI.COMM_SELF.Create_intercomm(0, comm, 1)
        else:
            comm.Split(MPI.UNDEFINED)
            comm.recv(source=0)

    stuck(program, "rank 0 waits for rank 1 to call Create_intercomm()")


def test_a_deadlock_of_a_group_names_the_leader_that_it_waits_for():
    def program(comm):
        comm.recv(source=1) if comm.rank == 0 else comm.Create_intercomm(0, comm, 0)

    stuck(program, "rank 1 waits for rank 0 to call Create_intercomm(root=0)")


def test_a_receive_between_two_groups_names_the_rank_in_the_simulation():
    def program(comm):
        inter = pair(comm)
        if comm.rank == 0:
            inter.recv(source=1, tag=4)

    stuck(program, "rank 0 waits for a message from rank 2, which has ended, with tag 4 (recv)", ranks=3)


def test_a_name_is_in_the_report_of_a_deadlock():
    def program(comm):
        copy = comm.Dup()
        copy.Set_name("lattice")
        copy.recv(source=1 - comm.rank)

    stuck(program, "on lattice of ranks 0, 1")


def test_of_a_name_127_characters_are_kept():
    def program(comm):
        comm.name = "x" * 200
        return comm.Get_name()

    assert run(program, 1) == ["x" * 127]


# -- two groups ------------------------------------------------------------------------------------------


def test_groups_that_have_a_rank_in_common_make_no_inter_communicator():
    def program(comm):
        comm.Create_intercomm(comm.rank, comm, 1 - comm.rank)

    refused(program, "the two groups have ranks in common")


def test_nobody_can_lead_two_groups():
    refused(lambda c: MPI.COMM_SELF.Create_intercomm(0, c, c.rank), "can't be the leader of both groups")


def test_the_ranks_of_a_group_must_agree_on_how_it_is_merged():
    def program(comm):
        pair(comm).Merge(comm.rank == 2)

    refused(program, "must say the same for high", ranks=3)


def test_groups_that_say_the_same_are_merged_with_the_lower_rank_first():
    def program(comm):
        inter = comm.Split(comm.rank < 1).Create_intercomm(0, comm, 1 if comm.rank == 0 else 0)
        return inter.Merge().rank

    assert run(program, 3) == [0, 1, 2]


def test_a_part_without_a_rank_of_the_other_group_is_null():
    def program(comm):
        part = pair(comm).Split(5 if comm.rank < 2 else 6)
        return type(part).__name__, part == MPI.COMM_NULL

    assert run(program, 3) == [("Intercomm", False), ("Intercomm", False), ("Intercomm", True)]


def test_messages_between_two_groups_come_late_too():
    def program(comm):
        inter = pair(comm)
        if comm.rank:
            return inter.send(comm.rank, 0)
        return sorted(inter.recv() for _ in range(inter.remote_size))

    assert run(program, 4, late_matching=True)[0] == [1, 2, 3]


def test_a_communicator_is_no_inter_communicator():
    refused(lambda comm: MPI.Intercomm(comm), "takes an inter-communicator", TypeError)
    refused(lambda comm: MPI.Intracomm(pair(comm)), "takes a communicator of one group", TypeError)


def test_what_stands_ready_for_calls_of_mpi4py_itself_is_the_same_for_all_ranks():
    def program(comm):
        copy, first = MPI._commctx_intra(comm)
        again, second = MPI._commctx_intra(comm)
        copy.send(comm.rank, 1 - comm.rank if comm.rank < 2 else 2, tag=first)
        _, _, local, lower = MPI._commctx_inter(pair(comm))
        with MPI._comm_lock(comm, "turn"):
            held = [*MPI._comm_lock_table(comm)]
        return copy == again, (first, second), copy.recv(tag=first), local.size, lower, held

    held = ["@commctx_intra", "turn"]
    assert run(program, 3) == [
        (True, (0, 1), 1, 1, True, held),
        (True, (0, 1), 0, 2, False, held),
        (True, (0, 1), 2, 2, False, held),
    ]


def test_what_makes_communicators_by_the_way_leaves_none_behind():
    def program(comm):
        group = comm.Get_group()
        for made in (comm.Create_group(group), MPI.Intracomm.Create_from_group(group), comm.Shrink()):
            made.Free()
        comm.Agree(1)
        half = comm.Split(comm.rank)
        inter = half.Create_intercomm(0, comm, 1 - comm.rank)
        inter.Free()
        half.Free()

    assert simulate(program, 2, checks=["leaked-handle"]).violations == []


# -- handles ---------------------------------------------------------------------------------------------


class Mine(MPI.Intracomm):
    def __new__(cls, comm=None, label=None):
        return super().__new__(cls, comm)

    def __init__(self, comm=None, label=None):
        self.label = label


def test_a_class_of_the_users_is_a_communicator_with_what_it_adds():
    def program(comm):
        mine = Mine(comm, "x")
        copy = mine.Dup()
        copy.send(comm.rank, 1 - comm.rank)
        return mine.label, type(copy) is Mine, copy.recv(), isinstance(mine.Split(0), Mine)

    assert run(program) == [("x", True, 1, False), ("x", True, 0, False)]


def test_a_number_leads_to_the_communicator_and_its_class():
    def program(comm):
        cart = comm.Create_cart([comm.size])
        found = MPI.Comm.fromhandle(cart.handle)
        world = MPI.Comm.f2py(MPI.COMM_WORLD.py2f())
        return (
            found == cart,
            type(found) is MPI.Cartcomm,
            world == MPI.COMM_WORLD,
            MPI.Comm.fromint(MPI.COMM_NULL.toint()),
        )

    assert run(program, 1) == [(True, True, True, MPI.COMM_NULL)]


def test_a_number_of_nothing_is_refused():
    refused(lambda comm: MPI.Info.fromhandle(12345), "12345 is the number of no MPI.Info of this rank")


def test_names_of_mpi_are_not_freed_and_copies_of_their_handles_are_null_then():
    def program(comm):
        copy = MPI.Intracomm(MPI.COMM_WORLD)
        copy.free()
        MPI.COMM_WORLD.free()
        return bool(copy), bool(MPI.COMM_WORLD)

    assert run(program, 1) == [(False, True)]
    refused(lambda comm: comm.Free(), "Free of MPI.COMM_WORLD, which is MPI's own")


def test_only_what_mpi_predefines_is_pickled():
    def program(comm):
        for name in ("COMM_NULL", "COMM_SELF", "GROUP_EMPTY", "INFO_ENV", "ERRORS_RETURN", "SESSION_NULL"):
            assert pickle.loads(pickle.dumps(getattr(MPI, name))) is getattr(MPI, name)
        info = pickle.loads(pickle.dumps(MPI.Info.Create({"a": "b"})))
        with pytest.raises(ValueError, match="cannot serialize"):
            pickle.dumps(comm.Get_group())
        return info.items()

    assert run(program, 1) == [[("a", "b")]]


# -- error handlers --------------------------------------------------------------------------------------


def test_a_fatal_error_ends_the_simulation_and_says_where():
    def program(comm):
        comm.Set_errhandler(MPI.ERRORS_ARE_FATAL)
        comm.send(1, 7)

    with pytest.raises(AbortError, match=r"rank 0 was aborted by ERRORS_ARE_FATAL \(dest=7 is no rank.*test_mpi_comm"):
        run(program)


def test_a_handler_hears_of_errors_by_all_handles_of_its_communicator():
    def program(comm):
        told = []
        own = comm.Dup()
        before = MPI.Intracomm(own)
        own.Set_errhandler(MPI.Comm.Create_errhandler(lambda _, code: told.append(code)))
        for each in (before, MPI.Intracomm(own)):
            each.send(1, 99)
        return told == [MPI.ERR_RANK] * 2

    assert run(program, 1) == [True]


def test_a_handler_for_other_objects_and_the_null_one_are_refused():
    def wrong(comm):
        comm.Set_errhandler(MPI.Session.Create_errhandler(print))

    refused(wrong, "this handler is for an MPI.Session")
    refused(lambda comm: comm.Set_errhandler(MPI.ERRHANDLER_NULL), "give one like MPI.ERRORS_RETURN")


def test_a_rank_has_32_handlers_at_most():
    def program(comm):
        made = [MPI.Comm.Create_errhandler(print) for _ in range(32)]
        made.pop().Free()
        MPI.Comm.Create_errhandler(print)
        with pytest.raises(RuntimeError, match="more than 32 error handlers"):
            MPI.Comm.Create_errhandler(print)

    run(program, 1)


# -- attributes ------------------------------------------------------------------------------------------


def test_a_key_is_of_the_rank_that_made_it_and_one_kind():
    def program(comm):
        if comm.rank == 0:
            MPI.Comm.Create_keyval()
            return None
        return comm.Get_attr(0x10000000)

    refused(program, "is no key of attributes of an MPI.Comm")


def test_a_function_of_a_key_that_raises_fails_the_call(capsys):
    def wrong(*_):
        raise ValueError("not this one")

    def program(comm):
        key = MPI.Comm.Create_keyval(wrong)
        own = comm.Dup()
        own.Set_attr(key, 1)
        own.Dup()

    refused(program, "the copy_fn of a key of attributes raised ValueError: not this one", ranks=1)
    assert "ValueError: not this one" in capsys.readouterr().err


def test_an_attribute_goes_even_if_the_function_that_is_told_raises():
    def program(comm):
        key = MPI.Comm.Create_keyval(delete_fn=lambda *_: 1 / 0)
        comm.Set_attr(key, 1)
        with pytest.raises(MPIError, match="the delete_fn of a key of attributes raised ZeroDivisionError"):
            comm.Delete_attr(key)
        return comm.Get_attr(key)

    assert run(program, 1) == [None]


def test_what_a_rank_attaches_to_a_datatype_of_mpi_is_its_own():
    def program(comm):
        key = MPI.Datatype.Create_keyval()
        if comm.rank == 0:
            MPI.INT.Set_attr(key, "mine")
        comm.Barrier()
        return MPI.INT.Get_attr(key)

    assert run(program) == ["mine", None]


def test_attributes_of_other_languages_are_integers():
    def program(comm):
        key = MPI.Comm.Create_keyval(nopython=True)
        comm.Set_attr(key, "text")

    refused(program, "integer", TypeError, ranks=1)


def test_what_mpi_itself_attaches_can_only_be_read():
    def program(comm):
        assert [comm.Get_attr(each) for each in (MPI.APPNUM, MPI.WTIME_IS_GLOBAL, MPI.UNIVERSE_SIZE)] == [0, 1, None]
        comm.Set_attr(MPI.TAG_UB, 3)

    refused(program, "whose attributes can only be read", ranks=1)


# -- what is refused, and faults -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda comm: comm.Spawn("program"), "Spawn"),
        (lambda comm: comm.Spawn_multiple(["program"]), "Spawn_multiple"),
        (lambda comm: comm.Accept("port"), "Accept"),
        (lambda comm: comm.Connect("port"), "Connect"),
        (lambda comm: MPI.Comm.Join(3), "Join"),
        (lambda comm: MPI.Open_port(), "Open_port"),
        (lambda comm: MPI.Close_port("port"), "Close_port"),
        (lambda comm: MPI.Publish_name("service", "port"), "Publish_name"),
        (lambda comm: MPI.Unpublish_name("service", "port"), "Unpublish_name"),
        (lambda comm: MPI.Lookup_name("service"), "Lookup_name"),
        (lambda comm: comm.Revoke(), "Revoke"),
    ],
)
def test_processes_that_are_not_there_are_refused_by_name(call, name):
    refused(call, f"{name} can't be simulated", CannotSimulateError)
    refused(call, f"{name} can't be simulated", NotImplementedError)


def test_nobody_has_started_a_simulated_rank():
    assert run(lambda comm: MPI.Comm.Get_parent() == MPI.COMM_NULL, 1) == [True]


def test_the_living_agree_and_go_on_without_the_dead():
    script = Script()
    script.rank(2, dies=1.0)

    def program(comm):
        import time

        time.sleep(2)
        failed = comm.Get_failed()
        left = comm.Shrink()
        return failed.size, comm.Ack_failed(), comm.Agree(6 + comm.rank), left.size, left.allgather(comm.rank)

    results = simulate(program, 4, script=script).results
    assert results[0] == (1, 1, 0, 3, [0, 1, 3])
    assert results[0] == results[1] == results[3]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda c: MPI.COMM_SELF.Create(c.Get_group()), "a rank of the group is not in this communicator"),
        (lambda c: MPI.COMM_SELF.Create_group(c.Get_group()), "a rank of the group is not in this communicator"),
        (lambda c: c.Get_group().Incl([0, 0]), "rank 0 is named twice"),
        (lambda c: c.Get_group().Range_incl([(0, 1, 0)]), "with a step of 0"),
        (lambda c: c.Get_group().Range_incl([(1, 0, 1)]), "no step of 1 leads from rank 1 to rank 0"),
        (lambda c: MPI.GROUP_NULL.Free(), "Free of GROUP_NULL"),
        (lambda c: MPI.Info.Create().Set("", "x"), "a key has 1 to 255 characters"),
        (lambda c: MPI.Info.Create().Set("x", "y" * 1025), "a value has at most 1024 characters"),
        (lambda c: MPI.INFO_ENV.Set("x", "y"), "INFO_ENV, which can only be read"),
        (lambda c: MPI.INFO_ENV.Free(), "INFO_ENV, which is MPI's own"),
        (lambda c: c.Create_cart([-1]), "a length is 1 or more"),
        (lambda c: c.Create_graph([2, 1], [0, 1]), "does not say where the neighbours of each node end"),
        (lambda c: c.Create_graph([1, 2], [0, 5]), "the edge to 5 leads out of a graph of 2 nodes"),
        (lambda c: c.Create_graph([1, 2, 3], [0, 1, 0]), "a graph of 3 nodes for 2 ranks"),
        (lambda c: c.Create_cart([1 + c.rank]), r"rank 0 gives dims=\[1\], .* and rank 1 dims=\[2\]"),
        (lambda c: c.Create_dist_graph_adjacent([7], []), "sources: 7 is no rank"),
        (lambda c: c.Create_dist_graph([0], [-1], []), "a degree is 0 or more"),
        (lambda c: MPI.Compute_dims(0, 2), "there is at least one node"),
        (lambda c: MPI.Compute_dims(6, [-1]), "negative length"),
        (lambda c: c.Create_cart([2]).Get_coords(2), "there are the ranks 0 to 1"),
        (lambda c: c.Create_graph([1, 2], [1, 0]).Get_neighbors(9), "there are the ranks 0 to 1"),
        (lambda c: MPI.Session.Init().Get_nth_pset(2), "there are 2 sets of processes"),
        (lambda c: MPI.SESSION_NULL.Finalize(), "Finalize of SESSION_NULL"),
        (lambda c: MPI.ERRHANDLER_NULL.Free(), "Free of ERRHANDLER_NULL"),
        (lambda c: MPI.Remove_error_class(3), "no error class or code that this program has added"),
    ],
)
def test_what_mpi_forbids_says_what_is_wrong(call, text):
    refused(call, text)


@pytest.mark.parametrize(
    ("call", "text", "kind"),
    [
        (lambda c: c.Create("ranks"), "group must be an MPI.Group, not str", TypeError),
        (lambda c: c.Dup("hints"), "info must be an MPI.Info, not str", TypeError),
        (lambda c: c.Set_name(3), "the name of a communicator is a str, not int", TypeError),
        (lambda c: MPI.Info.Create({"a": 1}), "the value of an info object is a str, not int", TypeError),
        (lambda c: MPI.Group(c), "Group takes an MPI.Group, not Intracomm", TypeError),
        (lambda c: MPI.Cartcomm(c), "takes a Cartesian communicator", TypeError),
        (lambda c: MPI.Graphcomm(c), "takes a communicator with a graph", TypeError),
        (lambda c: MPI.Distgraphcomm(c), "takes a communicator with a distributed graph", TypeError),
        (lambda c: MPI.Topocomm(c), "takes a communicator with a topology", TypeError),
        (lambda c: MPI.COMM_SELF.Create_intercomm(0, "world", 1), "peer_comm must be a communicator", TypeError),
        (lambda c: c.Create_cart("grid"), "dims must be a sequence of integers", TypeError),
        (lambda c: c.Create_cart([2], [0, 0]), "2 periods for 1 dims", ValueError),
        (lambda c: c.Create_cart([2]).Sub([1, 1]), "2 remain_dims for 1 dimensions", ValueError),
        (lambda c: c.Create_cart([2]).Get_cart_rank([0, 1]), "2 coords in 1 dimensions", ValueError),
        (lambda c: c.Create_dist_graph([0], [], []), "0 degrees for 1 sources", ValueError),
        (lambda c: c.Create_dist_graph([0], [2], [1]), "1 destinations for 2 edges", ValueError),
        (lambda c: c.Create_dist_graph_adjacent([0], [], [1, 2]), "2 sourceweights for 1 edges", ValueError),
        (lambda c: c.Iagree(bytearray(8)), "a buffer of one int", ValueError),
    ],
)
def test_what_python_forbids_says_what_is_wrong(call, text, kind):
    refused(call, text, kind)


def test_a_new_communicator_has_no_name_although_another_rank_has_named_it_already():
    def program(comm):
        mine = comm.Dup()
        first, mine.name = mine.name, f"of {comm.rank}"
        comm.barrier()
        return first, mine.name, mine.Dup().name

    assert simulate(program, 2).results == [("", "of 0", ""), ("", "of 1", "")]


def test_a_communicator_its_duplicates_and_windows_have_the_same_group():
    def program(comm):
        group, duplicate, window = comm.group, comm.Dup(), MPI.Win.Create(None, comm=comm)
        same = [comm.Get_group(), duplicate.group, window.group, duplicate.Dup().group]
        others = [group.Incl(range(2)), group.Dup(), MPI.COMM_SELF.group, comm.Split(0, comm.rank).group]
        same[0].Free()
        return [each == group for each in same], [each == group for each in others], [group].count(comm.group)

    # As in MPICH, though handles of groups of the same ranks need not be equal.
    assert simulate(program, 2).results == [([False, True, True, True], [False] * 4, 1)] * 2
