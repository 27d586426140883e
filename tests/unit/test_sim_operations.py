"""Operations of simulated ranks, as programs hold them: handles, calls, and reductions within one rank."""

import pickle
from typing import Any

import pytest

from bsbpool_sim import MPIError, simulate
from bsbpool_sim import mpi as MPI

np = pytest.importorskip("numpy")

NO_FUNCTION: Any = "max"


def on_a_rank(function):
    return simulate(lambda comm: function(), 1).results[0]


def added(a, b, datatype):
    if datatype is None:
        return a + b
    x, y = np.frombuffer(a, "i4"), np.frombuffer(b, "i4")
    y += x
    return None


def test_two_buffers_of_a_rank_are_reduced_into_the_second():
    a, b = np.array([1, 5], "i4"), np.array([3, 2], "i4")
    MPI.MAX.Reduce_local(a, b)
    assert (a.tolist(), b.tolist()) == ([1, 5], [3, 5])
    on_a_rank(lambda: MPI.Op.Create(added).Reduce_local(a, b))
    assert b.tolist() == [4, 10]


@pytest.mark.parametrize(
    ("inbuf", "text"),
    [
        (np.zeros(3, "i4"), "sendbuf has 3 items and recvbuf 2"),
        (np.zeros(2, "f4"), "sendbuf is of FLOAT and recvbuf of INT"),
    ],
)
def test_buffers_that_differ_are_not_reduced(inbuf, text):
    with pytest.raises(ValueError, match=text):
        MPI.SUM.Reduce_local(inbuf, np.zeros(2, "i4"))


def test_an_operation_that_was_freed_is_null():
    def program():
        op = MPI.Op.Create(added, commute=True)
        other = MPI.Op(op)
        told = op.Is_commutative(), op.is_predefined, bool(op), op == other
        op.Free()
        return told, bool(op), op == MPI.OP_NULL, other(1, 2)

    assert on_a_rank(program) == ((True, False, True, True), False, True, 3)


@pytest.mark.parametrize(
    ("misuse", "kind", "text"),
    [
        (lambda: MPI.SUM.Free(), MPIError, "Free of MPI.SUM, which is MPI's own"),
        (lambda: MPI.OP_NULL.Free(), MPIError, "Free of OP_NULL"),
        (lambda: MPI.OP_NULL.Is_commutative(), MPIError, "Is_commutative of OP_NULL"),
        (lambda: MPI.OP_NULL(1, 2), ValueError, "cannot call OP_NULL"),
        (lambda: MPI.Op.Create(NO_FUNCTION), TypeError, "made of a function, not of .max"),
        (lambda: MPI.COMM_WORLD.allreduce(1, MPI.OP_NULL), MPIError, "the operation is OP_NULL"),
        (lambda: MPI.SUM.Reduce_local(np.zeros(1, "c8"), np.zeros(1, "i4")), ValueError, "give the same type"),
    ],
)
def test_misuse_of_operations_is_refused(misuse, kind, text):
    def program():
        with pytest.raises(kind, match=text):
            misuse()

    on_a_rank(program)


def test_a_rank_has_room_for_32_operations_of_its_own():
    def program():
        made = [MPI.Op.Create(added) for _ in range(32)]
        with pytest.raises(RuntimeError, match="more than 32 operations"):
            MPI.Op.Create(added)
        made[0].Free()
        return MPI.Op.Create(added).is_predefined

    assert on_a_rank(program) is False


def test_a_handle_made_of_a_number_does_not_know_the_function():
    def program():
        op = MPI.Op.Create(added)
        found = MPI.Op.fromint(op.toint())
        with pytest.raises(ValueError, match="made of a number"):
            found(1, 2)
        return found == op, MPI.Op.fromint(MPI.SUM.toint())(1, 2)

    assert on_a_rank(program) == (True, 3)


def test_operations_survive_pickling():
    assert pickle.loads(pickle.dumps(MPI.SUM)) is MPI.SUM
    copy = on_a_rank(lambda: pickle.loads(pickle.dumps(MPI.Op.Create(added, commute=True))))
    assert (copy.Is_commutative(), copy([1], [2])) == (True, [1, 2])


def test_of_equal_values_the_one_with_the_lower_place_is_located():
    assert MPI.MAXLOC(("a", 2), ("a", 1)) == ("a", 1)
    assert MPI.MINLOC(("b", 1), ("a", 2)) == ("a", 2)
