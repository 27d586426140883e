"""What compares mpi4py's own tests in both worlds: no test is lost, whatever another does; nothing differs unseen."""

from __future__ import annotations

import pytest
import suite_findings
from suite import problems
from suite_data import CHECKED, FINDINGS, NOT_PASSING, SIZES, SLOW, UNEXPLAINED, read, read_passed, read_slow, write
from suite_table import PAGE, page
from suite_worlds import Outcomes, on_simulated_ranks

#: A file of tests as mpi4py's, in which much goes wrong.
TESTS = """
import ctypes, os, unittest
from mpi4py import MPI
comm = MPI.COMM_WORLD

class Test(unittest.TestCase):
    def test_1_passes(self):
        self.assertEqual(comm.allreduce(1), comm.size)
    def test_2_waits_for_ever(self):
        comm.recv()
    def test_3_passes_behind_that(self):
        comm.barrier()
    def test_4_aborts(self):
        if comm.rank == 1:
            comm.Abort(3)
        comm.barrier()
    def test_5_fails_on_one_rank(self):
        self.assertEqual(comm.rank, 0)
    @unittest.skip("not here")
    def test_6_is_skipped(self):
        pass
    def test_7_ends_the_process(self):
        if comm.rank == 1:
            ctypes.string_at(0)
    def test_7_ends_the_rank(self):
        if comm.rank == 1:
            os._exit(5)
    def test_8_fails_in_a_part(self):
        for rank in range(2):
            with self.subTest(rank=rank):
                self.assertEqual(rank, 0)
    def test_9_passes_behind_all(self):
        comm.barrier()
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "test_bad.py").write_text(TESTS)
    (tmp_path / "test" / "test_broken.py").write_text("import nothing_of_this_name")
    (tmp_path / "test" / "test_good.py").write_text(
        "import unittest\nclass Test(unittest.TestCase):\n    def test(self): pass\n"
    )
    return tmp_path


@pytest.mark.unmeasured  # a process that ends at once writes no measurement
def test_no_test_is_lost_whatever_another_one_does(folder):
    found = on_simulated_ranks(folder, 2, ["test_bad", "test_broken", "test_good"])
    named = {test.rpartition("Test.")[2] for test in found.passed}
    assert named == {"test_1_passes", "test_3_passes_behind_that", "test_9_passes_behind_all", "test"}
    assert {test.rpartition(".")[2] for test in found.skipped} == {"test_6_is_skipped"}
    why = {test.rpartition(".")[2]: reason for test, reason in found.failed.items()}
    assert why["test_2_waits_for_ever"].startswith("DeadlockError")
    assert "rank 1 called Abort(3)" in why["test_4_aborts"]
    assert "1 != 0" in why["test_5_fails_on_one_rank"]
    assert why["test_7_ends_the_process"] == "the process ended with status -11"
    assert "rank 1 died" in why["test_7_ends_the_rank"]
    assert "1 != 0" in why["test_8_fails_in_a_part"]
    assert "nothing_of_this_name" in found.files["test_broken"]


def test_what_is_known_to_take_too_long_is_not_run(folder):
    known = [f"test_bad.Test.test_{name}" for name in ("2_waits_for_ever", "4_aborts", "7_ends_the_process")]
    found = on_simulated_ranks(folder, 2, ["test_bad"], [*known, "test_bad.Test.test_7_ends_the_rank"])
    assert not {*known} & (found.passed | found.skipped | found.failed.keys())
    assert "test_bad.Test.test_9_passes_behind_all" in found.passed


def test_those_under_the_reason_that_they_are_slow_are_known_to_take_too_long():
    slow = [tests for reason, tests in read(NOT_PASSING).items() if reason.startswith(SLOW)]
    assert read_slow(2) == {test for tests in slow for test, sizes in tests.items() if 2 in sizes}


def test_lists_are_read_as_they_were_written(tmp_path):
    of = {
        "refused: a process": {"test_a.T.test_x": {1, 2, 3, 5}, "test_a.T.test_y": {1, 2, 3, 5}, "test_b.T.z": {4}},
        "none": {f"test_long.Name.test_number_{i}": {1, 3} for i in range(40)},
    }
    write(tmp_path / "list.txt", "A comment. " * 20, of)
    assert read(tmp_path / "list.txt") == of
    assert max(map(len, (tmp_path / "list.txt").read_text().splitlines())) <= 120


def test_what_is_not_as_it_should_be_is_said_of_each_test():
    found = Outcomes(passed={"a.1", "a.2"}, failed={"a.3": "it is late"})
    assert problems(2, {"a.1", "a.2", "a.3"}, {"a.2", "a.9"}, found) == [
        "2 ranks: a.3 fails and is not in the list: it is late",
        "2 ranks: a.2 is in the list, and passes",
        "2 ranks: a.9 is in the list, and does not pass under MPICH either",
        "2 ranks: 2 of 3  66.7% pass, and 90 % must",
    ]


def test_what_is_in_the_list_passes_under_mpich():
    _, passed = read_passed()
    for reason, tests in read(NOT_PASSING).items():
        for test, sizes in tests.items():
            assert sizes <= {*SIZES}, test
            assert sizes <= passed[test], (test, reason)


#: A file of tests as mpi4py's: what checks find there rightly, and where nothing is wrong.
CHECKED_TESTS = """
import unittest
from mpi4py import MPI
comm = MPI.COMM_WORLD

class Test(unittest.TestCase):
    def test_leaks(self):
        comm.Dup()
    def test_mixes_types(self):
        other, buffer = 1 - comm.rank, bytearray(4)
        comm.Sendrecv([b"abcd", MPI.CHAR], other, recvbuf=[buffer, MPI.INT], source=other)
    def test_is_right(self):
        comm.Dup().Free()
    def test_leaks_and_fails(self):
        comm.Dup()
        self.fail()
"""


def test_findings_are_those_of_tests_that_pass(tmp_path, monkeypatch):
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "test_checked.py").write_text(CHECKED_TESTS)
    assert not on_simulated_ranks(tmp_path, 2, ["test_checked"]).findings
    outcomes = on_simulated_ranks(tmp_path, 2, ["test_checked"], checked=True)
    assert "test_checked.leaked-handle.test_leaks_and_fails" in outcomes.findings
    found = suite_findings.counted(outcomes)
    assert {*found} == {"test_checked.leaked-handle.test_leaks", "test_checked.type-mismatch.test_mixes_types"}

    monkeypatch.setattr(suite_findings, "FINDINGS", tmp_path / "findings.txt")
    suite_findings.update({2: found}, [])
    assert suite_findings.differences(2, found, []) == []
    assert len(suite_findings.unexplained([])) == 2
    said = suite_findings.differences(2, {"test_checked.rma-race.test_new": "a race"}, [])
    assert said[0] == "2 ranks: test_checked.rma-race.test_new is found, and not in the list: a race"
    assert [line.partition(" is ")[2] for line in said[1:]] == ["in the list, and not found"] * 2
    suite_findings.update({2: {}}, ["test_other"])
    assert suite_findings.differences(2, found, []) == []
    suite_findings.update({2: {}}, ["test_checked"])
    assert suite_findings.listed(2, []) == set()


def test_what_checks_find_is_explained():
    for reason, findings in read(FINDINGS).items():
        assert not reason.startswith(UNEXPLAINED)
        assert {size for sizes in findings.values() for size in sizes} <= {*CHECKED}


def test_the_page_has_the_tables_that_the_comparison_gives():
    real = pytest.importorskip("mpi4py.MPI")
    if real.get_vendor()[0] != "MPICH":
        pytest.skip("the record is of MPICH")
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run python tests/mpi4py_suite/suite_table.py"
