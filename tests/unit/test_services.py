"""The services: MPI and locks, with and without MPI, and what stands in for missing modules."""

import array
import sys
import time

import pytest

import bsbpool
from bsbpool._util import ErrorModule, MockModule
from bsbpool.exceptions import DependencyError, JobPoolError
from bsbpool.mpi import MPIModule, MPIService
from bsbpool.mpilock import MPILockModule
from bsbpool.worlds.launcher import LAUNCHERS
from bsbpool_sim import AbortError, RankErrors, simulate


@pytest.fixture
def without_mpi(monkeypatch):
    """This process as if it had no MPI, and no launcher had started it."""
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", None)
    for variable in LAUNCHERS:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def alone(without_mpi):
    return MPIService()


def outcomes(program, ranks=3):
    """What each rank's service gave: a result, or the error that it raised."""

    def caught(comm):
        try:
            return program(MPIService(comm))
        except Exception as error:
            return error

    return simulate(caught, ranks).results


# -- stand-ins ---------------------------------------------------------------------------------------


def test_a_module_that_is_there_is_given():
    assert MockModule("array") is array  # type: ignore[comparison-overlap]


def test_a_module_that_is_missing_is_stood_in_for():
    class Stand(MockModule):
        def answer(self):
            return 42

    stand = Stand("no_such_module_here")
    assert (type(stand), stand._mocked, stand.answer()) == (Stand, True, 42)


def test_any_attribute_of_an_error_module_raises_its_message():
    module = ErrorModule("install it")
    with pytest.raises(DependencyError, match=r"^install it$"):
        module.anything  # noqa: B018


def test_the_stand_in_for_mpi_has_no_communicator(without_mpi):
    module = MPIModule("mpi4py.MPI")
    assert (module._mocked, module.COMM_WORLD) == (True, None)


# -- MPI, alone --------------------------------------------------------------------------------------


def test_without_mpi_there_is_one_rank(alone):
    assert (alone.get_communicator(), alone.get_rank(), alone.get_size()) == (None, 0, 1)


def test_without_mpi_collectives_give_what_one_rank_gives(alone):
    thing = object()
    assert alone.bcast(thing) is thing
    assert alone.gather(thing) == alone.allgather(thing) == [thing]
    assert alone.barrier() is None


@pytest.mark.parametrize(("arguments", "status"), [((), 1), ((7,), 7)])
def test_without_mpi_aborting_exits(alone, arguments, status):
    with pytest.raises(SystemExit) as caught:
        alone.abort(*arguments)
    assert caught.value.code == status


@pytest.mark.parametrize("context", ["try_all", "try_main"])
@pytest.mark.parametrize("error", [ValueError("bad"), TypeError()])
def test_without_mpi_an_error_is_raised_as_it_is(alone, context, error):
    with pytest.raises(type(error)) as caught, getattr(alone, context)():
        raise error
    assert caught.value is error


@pytest.mark.parametrize("context", ["try_all", "try_main"])
def test_without_mpi_what_went_well_is_no_error(alone, context):
    with getattr(alone, context)():
        pass


def test_without_mpi_the_own_error_goes_before_the_default(alone):
    with pytest.raises(ValueError), alone.try_all(KeyError("default")):
        raise ValueError


@pytest.mark.parametrize("specify", [lambda b: b, lambda b: [b, 3, None], lambda b: (b, None), lambda b: [[b, 3]]])
def test_without_mpi_a_window_shows_the_own_buffer(alone, specify):
    buffer, target = array.array("d", [1, 2, 3]), array.array("d", [0] * 3)
    window = alone.window(buffer)
    window.Lock(0)
    window.Get(specify(target), 0)
    window.Unlock(0)
    assert target == buffer


# -- MPI, on several ranks ---------------------------------------------------------------------------


def test_a_service_knows_its_rank_and_size():
    assert outcomes(lambda mpi: (mpi.get_rank(), mpi.get_size())) == [(0, 3), (1, 3), (2, 3)]


def test_on_a_simulated_rank_the_service_of_the_package_is_that_ranks():
    assert simulate(lambda comm: (bsbpool.MPI.get_rank(), bsbpool.MPI.get_size()), 2).results == [(0, 2), (1, 2)]


@pytest.mark.parametrize("root", [0, 2])
def test_objects_go_between_ranks(root):
    def program(mpi):
        me = mpi.get_rank()
        return mpi.bcast({"from": me}, root=root)["from"], mpi.gather(me, root=root), mpi.allgather(me)

    gathered = [[0, 1, 2] if rank == root else None for rank in range(3)]
    assert outcomes(program) == [(root, g, [0, 1, 2]) for g in gathered]


def test_a_barrier_waits_for_all():
    def program(comm):
        time.sleep(comm.rank)
        MPIService(comm).barrier()
        return time.monotonic()

    assert simulate(program, 3).results == [2.0] * 3


def test_aborting_ends_all_ranks():
    with pytest.raises(AbortError) as caught:
        simulate(lambda comm: MPIService(comm).abort(5) if comm.rank else comm.barrier(), 3)
    assert caught.value.errorcode == 5


def test_a_window_reads_the_buffer_of_another_rank():
    def program(mpi):
        me = mpi.get_rank()
        window = mpi.window(array.array("i", [me, 10 * me]))
        target = array.array("i", [0, 0])
        window.Lock((me + 1) % 3)
        window.Get([target, 2], (me + 1) % 3)
        window.Unlock((me + 1) % 3)
        mpi.barrier()
        return list(target)

    assert outcomes(program) == [[1, 10], [2, 20], [0, 0]]


def fails_on(ranks, context, *arguments):
    def program(mpi):
        with getattr(mpi, context)(*arguments):
            if mpi.get_rank() in ranks:
                raise ValueError(f"bad {mpi.get_rank()}")
        return "fine"

    return program


def test_where_nothing_fails_nothing_is_raised():
    assert outcomes(fails_on([], "try_all")) == outcomes(fails_on([], "try_main")) == ["fine"] * 3


@pytest.mark.parametrize(
    ("ranks", "text"),
    [
        ([1], "An error on rank 1 is an error on all: ValueError: bad 1"),
        ([0, 2], "An error on ranks 0, 2 is an error on all: ValueError: bad 0"),
    ],
)
def test_an_error_on_one_rank_is_an_error_on_all(ranks, text):
    for rank, outcome in enumerate(outcomes(fails_on(ranks, "try_all"))):
        assert type(outcome) is (ValueError if rank in ranks else JobPoolError)
        assert str(outcome) == (f"bad {rank}" if rank in ranks else text)


def test_the_ranks_without_an_error_raise_the_default():
    first, second, third = outcomes(fails_on([1], "try_all", KeyError("default")))
    assert isinstance(second, ValueError)
    assert first.args == third.args == ("default",)


def test_an_error_on_main_is_that_error_on_all():
    found = outcomes(fails_on([0], "try_main"))
    assert [(type(error), str(error)) for error in found] == [(ValueError, "bad 0")] * 3
    assert all("On main:" in error.__notes__[0] for error in found)


def test_an_error_beside_main_stays_where_it_is():
    found = outcomes(fails_on([2], "try_main"))
    assert found[:2] == ["fine", "fine"]
    assert isinstance(found[2], ValueError)


def test_an_interrupt_is_no_error_to_share():
    def program(comm):
        with MPIService(comm).try_all():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(program, 2)


# -- locks -------------------------------------------------------------------------------------------


@pytest.fixture
def locks(without_mpi, monkeypatch):
    monkeypatch.setitem(sys.modules, "mpilock", None)
    return MPILockModule("mpilock")


def test_the_lock_module_stands_in_where_there_is_none(locks):
    assert locks._mocked


def test_a_controller_says_who_is_master_and_who_it_is(locks):
    controller = locks.sync()
    assert (controller.master, controller.rank, controller.closed) == (0, 0, False)
    assert locks.sync(master=3).master == 3


def test_a_controller_can_be_closed(locks):
    controller = locks.sync()
    controller.close()
    assert controller.closed


def test_every_lock_is_granted(locks):
    controller = locks.sync()
    with controller.read(), controller.read(), controller.write(), controller.write():
        pass


@pytest.mark.parametrize("kind", ["read", "write", "single_write"])
def test_an_error_under_a_lock_is_raised(locks, kind):
    with pytest.raises(ValueError), getattr(locks.sync(), kind)():
        raise ValueError


def test_a_fence_gives_its_handle(locks):
    handle = object()
    with locks.sync().single_write(handle) as given:
        assert given is handle


@pytest.mark.parametrize(("rank", "passes"), [(None, True), (0, True), (1, False)])
def test_a_fence_lets_one_rank_through(locks, rank, passes):
    passed = []
    with locks.sync().single_write(rank=rank) as fence:
        fence.guard()
        passed.append(True)
    assert passed == [True] * passes


def test_a_fence_hands_on_what_was_shared(locks):
    thing = object()
    with locks.sync().single_write() as fence:
        fence.guard()
        fence.share(thing)
    assert fence.collect() is thing


def test_on_several_ranks_the_master_alone_passes_the_fence(locks):
    def program(comm):
        with locks.sync(comm, master=1).single_write() as fence:
            fence.guard()
            return "passed"

    assert simulate(program, 3).results == [None, "passed", None]


def test_errors_of_services_carry_the_rank():
    with pytest.raises(RankErrors, match="rank 1 raised ValueError"):
        simulate(lambda comm: fails_on([1], "try_main")(MPIService(comm)), 2)
