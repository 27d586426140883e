"""`pytest --explore`: tests on simulated ranks, and scenarios, run in all orders; what fails can be run again."""

import pytest
from tests_of_both_worlds import ENVIRONMENT, LOGGING, SETTINGS
from unused_plugins import WITHOUT_OPTIONS

pytest_plugins = ["pytester"]

ORDER = """
import pytest

@pytest.mark.ranks(3)
def test_order(comm):
    if comm.rank:
        comm.send(comm.rank, 0)
    else:
        got = [comm.recv() for _ in range(2)]
        assert got == [1, 2]
"""
RIGHT = ORDER.replace("[comm.recv() for _ in range(2)]", "sorted(comm.recv() for _ in range(2))")


@pytest.fixture
def explored(pytester):
    """Runs pytest on a file of this text. Returns pytest's result."""

    def run(text, *options):
        pytester.makepyfile(test_it=text)
        others = [f"-pno:{name}" for name in WITHOUT_OPTIONS]
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *others, *options)

    return run


def test_a_test_that_fails_in_another_order_says_which_and_how_to_run_it_again(explored):
    explored(ORDER).assert_outcomes(passed=1)
    result = explored(ORDER, "--explore")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "in another order: failure: rank 0 raised AssertionError: assert [[]2, 1] == [[]1, 2]*",
            "failure at test_it.py:9",
            "    recv of rank 0 takes the message of rank 2 with tag 0 before the message of rank 1 with tag 0, *",
            "  Again: pytest 'test_it.py::test_order[[]3-ranks]' --explore-tape=v1:0.1",
            "complete: 2 schedules; 1 finding",
        ]
    )
    again = explored(ORDER, "test_it.py::test_order[3-ranks]", "--explore-tape=v1:0.1")
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines([">           assert got == [[]1, 2]*", "*assert [[]2, 1] == [[]1, 2]*"])
    explored(ORDER, "--explore-tape=v1:").assert_outcomes(passed=1)


def test_a_test_that_is_right_passes_within_any_budget(explored):
    explored(RIGHT, "--explore").assert_outcomes(passed=1)
    explored(RIGHT, "--explore=1").assert_outcomes(passed=1)


def test_what_a_rank_sets_in_python_is_its_own_in_each_order(explored):
    result = explored("import pytest\n" + SETTINGS, "--explore=20", "-W", "default")
    result.assert_outcomes(passed=7, warnings=result.parseoutcomes().get("warnings", 0))
    explored("import pytest\n" + LOGGING, "--explore=20").assert_outcomes(passed=8)
    result = explored("import pytest\n" + ENVIRONMENT, "--explore=20", "-k", "not leaves")
    result.assert_outcomes(passed=4, deselected=1)


REQUEST = """
import pytest

state = []

@pytest.mark.ranks(3)
def test_state(comm, request):
    mine = comm.Dup()
    request.addfinalizer(mine.Free)
    request.addfinalizer(state.clear)
    if comm.rank == 0:
        mine.recv(), mine.recv()
    else:
        mine.send(comm.rank, dest=0)
    state.append(mine.allreduce(1))
    assert state == [3]
"""


def test_what_a_test_asks_to_be_called_at_its_end_is_called_in_each_order(explored):
    result = explored(REQUEST, "--explore", "-rA")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*complete: 2 schedules; no findings"])


PATCHED = """
class Thing:
    def size(self):
        return 1

def test_patched(comm, monkeypatch):
    assert Thing().size() == 1
    monkeypatch.delattr(Thing, "size")
    assert not hasattr(Thing(), "size") and comm.allreduce(1) == 2
"""


def test_what_a_test_patches_is_as_before_in_each_order(explored):
    explored(PATCHED, "--explore=20").assert_outcomes(passed=1)


def test_a_test_that_ends_itself_in_another_order_fails(explored):
    text = "import sys\n" + ORDER.replace("assert got == [1, 2]", "got == [1, 2] or sys.exit(0)")
    explored(text).assert_outcomes(passed=1)
    result = explored(text, "--explore")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the test ended itself, with exit status 0*"])


def test_what_no_tape_shows_is_explored_again(explored):
    text = """
import pytest

@pytest.mark.ranks(2)
def test_grid(comm):
    grid = comm.Create_cart([2], reorder=True)
    assert grid.rank == comm.rank
    grid.Free()
"""
    result = explored(text, "--explore")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  Again: pytest 'test_it.py::test_grid[[]2-ranks]' --explore"])


def test_a_tape_of_another_test_is_refused(explored):
    result = explored(RIGHT, "--explore-tape=v1:7.1")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*TapeError: the tape 'v1:7.1' does not fit*"])


def test_what_is_no_budget_is_refused(explored):
    result = explored(RIGHT, "--explore=often")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*'often' is no budget: give a time, as --explore=60s, or a number of schedules*"])


def test_a_test_whose_fixtures_run_on_its_ranks_is_not_explored_and_says_so(explored):
    text = ORDER.replace("def test_order(comm)", "def test_order(comm, there)")
    text += "\n@pytest.fixture\ndef there(comm):\n    return comm.allreduce(1)\n"
    result = explored(text, "--explore", "-rP")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["not explored: fixtures of this test run on its ranks"])


def test_the_summary_names_tests_that_were_not_explored(explored):
    """Each of them counts as passed."""
    text = """
import pytest

@pytest.fixture
def there(comm):
    return comm.allreduce(1)

@pytest.mark.ranks(1, 2, 3, 4, 5, 6)
def test_order(comm, there):
    assert there == comm.size
"""
    result = explored(text, "--explore")
    result.assert_outcomes(passed=6)
    named = ", ".join(f"test_it.py::test_order[[]{n}-rank{'s'[: n != 1]}]" for n in range(1, 6))
    result.stdout.fnmatch_lines([f"6 tests not explored, because fixtures run on their ranks: {named} and 1 more"])
    assert "not explored" not in explored(RIGHT, "--explore").stdout.str()


def test_each_schedule_finds_the_folder_and_output_of_the_test_as_the_test_found_it(explored):
    text = """
import os
import pytest

@pytest.fixture
def data(tmp_path, capsys):
    print("set up")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/in").write_text("as it was")

@pytest.mark.ranks(3)
def test_empty(comm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / str(comm.rank)).mkdir()
    if comm.rank:
        comm.send(comm.rank, 0)
    else:
        comm.recv(), comm.recv()
        assert sorted(os.listdir()) == ["0", "1", "2"]

@pytest.mark.ranks(3)
def test_printed(comm, data, capsys):
    print("from", comm.rank)
    if comm.rank:
        comm.send(comm.rank, 0)
    else:
        comm.recv(), comm.recv()
    assert capsys.readouterr().out == f"set up\\nfrom {comm.rank}\\n"

@pytest.mark.ranks(3)
def test_full(comm, tmp_path, data):
    if comm.rank:
        comm.send(comm.rank, 0)
    else:
        assert [each.name for each in tmp_path.rglob("*")] == ["data", "in"]
        assert (tmp_path / "data/in").read_text() == "as it was"
        (tmp_path / "data/in").write_text(f"changed after {comm.recv()}, {comm.recv()}")
        (tmp_path / "link").symlink_to("data")
"""
    explored(text, "--explore").assert_outcomes(passed=3)
    explored(text, "--explore-tape=v1:").assert_outcomes(passed=3)


def test_a_test_that_changes_a_parameter_cannot_be_explored_and_says_why(explored):
    text = """
import pytest

@pytest.mark.parametrize("steps", [[1]])
def test_steps(comm, steps):
    for _ in steps:
        comm.send(1, 0) if comm.rank else comm.recv()
    comm.barrier()
    if comm.rank == 0:
        steps.append(1)
"""
    result = explored(text, "--explore")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["can't be explored: the program is not repeated, *", "Parameters, fixtures without `comm` and variables of *"]
    )
    assert "exploration.py" not in result.stdout.str()


def test_what_is_no_tape_is_refused_at_once(explored):
    result = explored(RIGHT, "--explore-tape=zzz")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*argument --explore-tape: 'zzz' is no tape: one is v1: and then *"])


def test_a_deadlock_and_what_needs_buffers_are_found_too(explored):
    text = """
import pytest

@pytest.mark.ranks(2)
def test_both_send(comm):
    comm.send(comm.rank, 1 - comm.rank)
    comm.recv()
"""
    result = explored(text, "--explore")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["buffering at test_it.py:5", "  Again: pytest 'test_it.py::test_both_send[[]2-ranks]' --explore"]
    )


SCENARIO = """\
scenario: Two jobs end in the order of their names
ranks: 3
seeds: [1, 3]
jobs: [{name: a, takes: 1s}, {name: b, takes: 1s}]
expect:
  statuses: {"*": success}
  order: [a ends, b ends]
"""


def test_a_scenario_is_explored(pytester):
    pytester.makefile(".yaml", names=SCENARIO)
    pytester.runpytest_subprocess("names.yaml", "-p", "no:cacheprovider").assert_outcomes(passed=1)
    result = pytester.runpytest_subprocess("names.yaml", "-p", "no:cacheprovider", "--explore")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["expectation at names.yaml:7", "  Again: bsbpool run names.yaml --seed 1 --faults 1 --tape v1:*"]
    )
