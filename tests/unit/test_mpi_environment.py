"""What MPI says of itself on simulated ranks: versions, names, numbers, addresses; and how objects are pickled."""

from __future__ import annotations

import array
import json
import pickle

import pytest

import bsbpool
from bsbpool_sim import CannotSimulateError, RankErrors, simulate
from bsbpool_sim import mpi as MPI


def on_one_rank(what):
    """What a function returns on a simulated rank."""
    return simulate(lambda comm: what(comm), ranks=1).results[0]


def test_the_vendor_is_this_project_with_its_version():
    name, version = MPI.get_vendor()
    assert name == "bsbpool"
    assert bsbpool.__version__.startswith(".".join(map(str, version)))
    assert name in MPI.Get_library_version()
    assert MPI.Get_version() == (MPI.VERSION, MPI.SUBVERSION)


def test_an_address_is_that_of_the_memory():
    numbers = array.array("i", range(10))
    base = MPI.Get_address(numbers)
    assert base == numbers.buffer_info()[0]
    assert MPI.Get_address(memoryview(numbers)[2:]) == MPI.Aint_add(base, 8)
    assert MPI.Aint_diff(MPI.Get_address(memoryview(numbers)[2:]), base) == 8
    assert MPI.Get_address(None) == 0
    with pytest.raises(TypeError):
        MPI.Get_address(7)


def test_profiling_is_accepted_for_integers_only():
    assert MPI.Pcontrol(1) is None
    with pytest.raises(TypeError):
        MPI.Pcontrol(None)


def test_constants_have_the_numbers_of_mpich_where_that_is_installed():
    real = pytest.importorskip("mpi4py.MPI")
    if real.get_vendor()[0] != "MPICH":
        pytest.skip("numbers are those of MPICH")
    differ = {
        name: (getattr(MPI, name), value)
        for name, value in vars(real).items()
        if type(value) is int and not name.startswith("_") and hasattr(MPI, name) and getattr(MPI, name) != value
    }
    assert {name: pair for name, pair in differ.items() if name not in ADDRESSES} == {}


#: Addresses in the memory of a process; and of the standard: what this MPI follows, not what MPICH does.
ADDRESSES = ("UNWEIGHTED", "WEIGHTS_EMPTY", "VERSION", "SUBVERSION")


def test_a_program_changes_how_its_rank_pickles():
    def program(comm):
        if comm.rank == 0:
            MPI.pickle.__init__(lambda obj: json.dumps(obj).encode(), lambda data: json.loads(bytes(data)))
            comm.send({"a": [1, 2]}, 1)
            return MPI.pickle.PROTOCOL
        return comm.recv(), MPI.pickle.PROTOCOL

    def received(comm):
        if comm.rank == 0:
            return program(comm)
        MPI.pickle.__init__(loads=lambda data: json.loads(bytes(data)))
        return program(comm)

    assert simulate(received, ranks=2).results == [None, ({"a": [1, 2]}, 5)]
    with pytest.raises(RankErrors) as raised:
        simulate(program, ranks=2)
    assert isinstance(raised.value.by_rank[1], pickle.UnpicklingError)


def test_large_buffers_can_stay_out_of_a_pickle():
    def program(comm):
        MPI.pickle.THRESHOLD = 8
        small, large = bytearray(7), bytearray(range(9))
        data, buffers = MPI.pickle.dumps_oob([pickle.PickleBuffer(small), pickle.PickleBuffer(large)])
        back = MPI.pickle.loads_oob(data, buffers)
        MPI.pickle.__init__()
        return [len(buffer) for buffer in buffers], [bytes(each) for each in back], MPI.pickle.THRESHOLD

    assert on_one_rank(program) == ([9], [bytes(7), bytes(range(9))], 1 << 18)


def test_a_name_that_is_not_there_is_an_error_that_names_it():
    with pytest.raises(AttributeError, match=r"MPI\.Get_weather"):
        _ = MPI.Get_weather


def test_there_is_no_binary_interface_and_that_is_said():
    def program(comm):
        info = MPI.Get_abi_info()
        sizes = [info.Get(f"mpi_{name}_size") for name in ("aint", "count", "offset")]
        assert MPI.Get_hw_resource_info().Get_nkeys() == 0
        return MPI.Get_abi_version(), sizes, MPI.Get_abi_fortran_info() == MPI.INFO_NULL

    assert on_one_rank(program) == ((-1, -1), ["8", "8", "8"], True)


def test_what_is_for_code_in_c_is_refused_by_name():
    for name in ("_sizeof", "_addressof", "_handleof"):
        with pytest.raises(CannotSimulateError, match=f"MPI.{name} can't be simulated"):
            getattr(MPI, name)(MPI.BYTE)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("BOTTOM", MPI.BottomType),
        ("BUFFER_AUTOMATIC", MPI.BufferAutomaticType),
        ("IN_PLACE", MPI.InPlaceType),
    ],
)
def test_what_stands_for_a_buffer_has_a_class_of_its_own(name, kind):
    place = getattr(MPI, name)
    assert type(place) is kind
    assert kind() == place == int(place)
    again = pickle.loads(pickle.dumps(place))
    assert (type(again), repr(again), again) == (type(place), name, place)
