"""What compares public programs in both worlds sees each kind of difference, and nothing else."""

from __future__ import annotations

import tomllib

import pytest
from launching import needs_mpich
from listed import PROGRAMS, ROOT, write_tutorials
from two_worlds import Program, Run, differences, on_simulated_ranks, under_mpich
from variables import shown

GOOD = """
import sys
from mpi4py import MPI
comm = MPI.COMM_WORLD
word = input() if comm.rank == 0 else None
print("rank", comm.rank, "of", comm.size, comm.bcast(word))
print("took", MPI.Wtime(), "s")
with open(f"left.{comm.rank}", "w") as file:
    file.write(str(comm.allreduce(comm.rank)))
sys.exit(int(sys.argv[1]))
"""


def program(folder, **options):
    return Program("a program", folder, ("good.py", "3"), stdin="hello\n", **options)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "good.py").write_text(GOOD)
    return tmp_path


@needs_mpich
def test_a_program_that_does_the_same_is_found_to_do_the_same(folder):
    same = program(folder, varies=(r"[0-9.]+ s",))
    real, simulated = under_mpich(same, 2), on_simulated_ranks(same, 2)
    assert real.lines[1][0] == "rank 1 of 2 hello"
    assert real.files == {"left.0": b"1", "left.1": b"1"}
    assert real.status == 3
    assert differences(same, real, simulated) == []
    assert sorted(path.name for path in folder.iterdir()) == ["good.py"]  # it ran in a copy


def runs():
    return [Run(0, {0: ["a", "b"], 1: ["c"]}, {0: ["ok"], 1: []}, {"x.txt": b"5"}) for _ in range(2)]


def test_each_difference_is_said(folder):
    real, simulated = runs()
    assert differences(program(folder, errors=True), real, simulated) == []
    simulated.lines[0] = ["b", "a"]
    assert differences(program(folder), real, simulated)[0] == "rank 0 prints:"
    assert differences(program(folder, any_order=True), real, simulated) == []
    real, simulated = runs()
    simulated.lines = {0: ["c"], 1: ["a", "b"]}
    assert differences(program(folder, any_rank=True), real, simulated) == []
    simulated.lines = {0: ["c"], 1: ["a"]}
    assert differences(program(folder, any_rank=True), real, simulated)[0] == "one of the ranks prints:"
    real, simulated = runs()
    simulated.said[1] = ["what?"]
    assert differences(program(folder), real, simulated) == []
    assert differences(program(folder, errors=True), real, simulated)[0] == "rank 1 says:"
    real, simulated = runs()
    simulated.status, simulated.about = 1, ["nothing can run any more"]
    assert differences(program(folder), real, simulated) == [
        "status 0 under MPICH, 1 on simulated ranks",
        "ok",
        "nothing can run any more",
    ]
    real, simulated = runs()
    simulated.files = {"x.txt": b"6", "y.txt": b""}
    assert differences(program(folder), real, simulated) == [
        "y.txt is left behind on simulated ranks only",
        "x.txt has other content",
    ]
    del simulated.files["y.txt"]
    assert differences(program(folder, varies=(r"\d",)), real, simulated) == []


def test_examples_of_a_tutorial_are_found_by_their_titles(tmp_path):
    (tmp_path / "tutorial.rst").write_text(
        "* Sending::\n\n   from mpi4py import MPI\n   print(1)\n\n"
        "* Sending::\n\n   from mpi4py import MPI\n   print(2)\n\n"
        "* In the shell::\n\n   $ python\n\n* A long (title), of\n  two lines::\n\n    from mpi4py import MPI\n"
    )
    assert write_tutorials(tmp_path / "tutorial.rst", tmp_path / "programs") == [
        "tutorial-sending.py",
        "tutorial-sending-again.py",
        "tutorial-a-long.py",
    ]
    assert (tmp_path / "programs" / "tutorial-sending-again.py").read_text() == "from mpi4py import MPI\nprint(2)\n"


def test_variables_are_shown_that_are_data_all_through():
    import array

    assert shown([1, (2.5, "a"), {"b": None}]) == "[1, (2.5, 'a'), {'b': None}]"
    assert shown(array.array("i", [1])) == "array('i', [1])"
    assert shown([1, object()]) is None
    assert shown(test_variables_are_shown_that_are_data_all_through) is None


def test_the_page_has_each_program_of_the_list_with_what_exploring_finds():
    page = (ROOT / "docs" / "public-programs.md").read_text(encoding="utf-8")
    listed = tomllib.loads(PROGRAMS.read_text(encoding="utf-8"))["program"]
    table = page.split("### Explored\n")[1].split("### ")[0]
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines() if line[:1] == "|"][
        2:
    ]
    expected = []
    for each in listed:
        found = ", ".join(f"`{kind}`" for kind in sorted(each.get("found", ()))) or "none"
        expected.append((each["name"], str(each["ranks"][-1]), found))
    assert [(name, ranks, found) for name, _, ranks, _, found in rows] == expected
    assert all(each.get("explore") for each in listed)
    public = sum("repository" in each for each in listed)
    text = " ".join(page.split())  # wherever lines end
    assert f"lists {len(listed)} programs" in text
    assert f"{public} from public repositories, and {len(listed) - public} with public packages" in text
    assert f"All {len(listed)} are also explored" in text
    alone = sum(schedules == "1, complete" for *_, schedules, _ in rows)
    complete = sum(schedules.endswith("complete") for *_, schedules, _ in rows)
    assert f"{complete} were explored completely, {alone} of them with a single schedule." in text
