"""Wrong values are refused by simulated ranks as by MPICH: every public method, from tables."""

from __future__ import annotations

import pytest

pytest.importorskip("mpi4py")
pytest.importorskip("numpy")

from cases import NOT_CALLED, cases
from lists import installed, read_differing, read_outcomes, recorded, write_differing, write_outcomes
from signatures import methods
from worlds import simulated
from wrong import named, problems


def test_every_public_method_refuses_what_mpich_refuses_and_takes_what_it_takes():
    if recorded() != installed():
        pytest.skip(f"the record is of {recorded()}, and here is {installed()}: `wrong.py record` makes another one")
    assert problems(read_outcomes(), named(simulated([*cases()])), read_differing()) == []


def test_every_public_method_is_called_or_is_left_out_with_a_reason():
    called = {case.method.full for case in cases()}
    left_out = {name for names in NOT_CALLED.values() for name in names}
    assert called | left_out == {method.full for method in methods()}
    assert not called & left_out


def test_what_is_not_as_it_should_be_is_said_of_each_call():
    real = {("F", "a"): "ERR_ARG", ("F", "b"): "= None", ("F", "c"): "= None", ("F", "d"): "= 1", ("F", "e"): "= 1"}
    ours = {**dict.fromkeys(real, "= None"), ("F", "e"): "TypeError", ("F", "f"): "= None"}
    listed = {("F", "c"): "stricter: it is", ("F", "d"): "stricter: it is", ("F", "e"): "stricter: it is"}
    assert problems(real, ours, listed | {("F", "g"): "laxer: it is"}) == [
        "F a: under MPICH ERR_ARG, on a simulated rank = None",
        "F c is in the list, and does the same: = None",
        "F d is no case of 'stricter: it is': under MPICH = 1, on a simulated rank = None",
        "F f: not recorded under MPICH",
        "F g is in the list, and no case",
    ]


def test_lists_are_read_as_they_were_written(tmp_path):
    outcomes = {("F", "right"): "= [1,2]", ("F", "a=[x]"): "ERR_ARG", ("G", "right"): "= [1,2]", ("G", "a"): "= [1,2]"}
    write_outcomes(outcomes, "What it is.", tmp_path / "a.txt")
    assert (read_outcomes(tmp_path / "a.txt"), recorded(tmp_path / "a.txt")) == (outcomes, installed())
    differing = {("F", "a=[x]"): "stricter: so", ("G", "a"): "laxer: so"}
    write_differing(differing, "What it is.", tmp_path / "b.txt")
    assert read_differing(tmp_path / "b.txt") == differing
