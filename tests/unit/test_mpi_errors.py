"""Errors of MPI: each has a class, which programs ask it for."""

import pickle

import pytest

from bsbpool_sim import MPIError, RankErrors, simulate
from bsbpool_sim import mpi as MPI


def test_an_error_is_made_of_the_number_of_its_class():
    error = MPI.Exception(MPI.ERR_ARG)
    assert isinstance(error, RuntimeError)
    assert error.Get_error_class() == error.Get_error_code() == int(error) == MPI.ERR_ARG == error
    assert error.error_class == error.error_code == MPI.ERR_ARG
    assert str(error) == error.Get_error_string() == error.error_string == "an argument that is not allowed"
    assert error and not MPI.Exception()


def test_an_error_that_names_no_class_is_another_one():
    assert MPIError("wrong").error_class == MPI.ERR_OTHER


def test_errors_of_one_class_are_equal_if_they_say_the_same():
    assert MPIError("wrong", "ERR_ARG") == MPIError("wrong", "ERR_ARG") != MPIError("otherwise wrong", "ERR_ARG")
    assert len({MPIError("wrong", "ERR_ARG"), MPIError("wrong", "ERR_ARG")}) == 1
    assert MPIError("wrong", "ERR_ARG") != "wrong"


def test_a_pickled_error_keeps_its_class():
    again = pickle.loads(pickle.dumps(MPIError("wrong", "ERR_TAG")))
    assert (str(again), again.error_class) == ("wrong", MPI.ERR_TAG)


def test_a_number_without_a_class_is_told_as_it_is():
    assert str(MPI.Exception(12345)) == "error 12345"


def test_a_truncated_message_is_of_the_class_for_it():
    def program(comm):
        comm.Send(bytearray(8), 0)
        comm.Recv(bytearray(4), 0)

    with pytest.raises(RankErrors) as caught:
        simulate(program, 1)
    assert caught.value.by_rank[0] == MPI.ERR_TRUNCATE
