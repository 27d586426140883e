"""`bsbpool doctor`: what it finds with real MPIs, and what it makes of facts that this machine does not have."""

import dataclasses
import io
import math
import os
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from launching import MPIRUN, OPENMPI, ROOT, needs_mpich, needs_openmpi, run
from rich.console import Console

from bsbpool.cli import main
from bsbpool.cli.doctor import COULD, GOOD, MUST, BSBFacts, judge, show_diagnoses
from bsbpool.worlds.machine import MPIFacts, RankFacts, cpu_quota, examine, is_in_memory


def doctor(*launch, python=sys.executable, **environ):
    """Run the command in processes of its own. Returns the exit status, and what they print."""
    program = [Path(__file__).with_name("run_bsbpool.py"), "doctor"]
    status, said, complaints = run(*launch, program=program, python=python, **environ)
    assert "Traceback" not in complaints, complaints
    return status, said


def line(said, about):
    """The mark and the text of the one line about something."""
    found = [each.strip() for each in said.splitlines() if each[1:].strip().startswith(about + "  ")]
    assert len(found) == 1, said
    return found[0][0], found[0][1:].strip().removeprefix(about).strip()


def flat(said):
    """What was said, without line breaks: Open MPI gives each rank a terminal of 80 columns."""
    return " ".join(said.split())


# -- real ones -------------------------------------------------------------------------------------


@needs_mpich
def test_on_four_ranks_of_mpich_rank_0_says_once_what_all_found():
    status, said = doctor(MPIRUN, "-n", "4")
    assert status == 0, said
    assert line(said, "MPI")[0] == "✓" and line(said, "MPI")[1].startswith("MPICH ")
    assert "4 ranks on this host" in line(said, "launcher")[1]
    assert line(said, "threads")[1].startswith("MPI_THREAD_MULTIPLE")
    assert line(said, "lost ranks")[0] == "!" and "has no ULFM" in line(said, "lost ranks")[1]
    assert line(said, "pickles") == (
        "✓",
        "travel between main and 3 other ranks: a function and 1 MB went there and back",
    )
    cores = len(os.sched_getaffinity(0))
    assert line(said, "cores")[0] == ("✓" if cores >= 4 else "!")


@needs_mpich
def test_a_thread_level_that_keeps_jobs_from_being_sent_ahead_is_told():
    _, said = doctor(MPI4PY_RC_THREAD_LEVEL="serialized")
    assert line(said, "threads")[0] == "!" and "MPI_THREAD_SERIALIZED: jobs are sent one by one" in said


@needs_mpich
def test_a_pool_without_a_launcher_is_on_its_own():
    status, said = doctor()
    assert status == 0
    assert line(said, "launcher")[1].startswith("none")
    assert line(said, "cores")[1].startswith("1 rank on ")


@needs_openmpi
@pytest.mark.parametrize(
    ("options", "mark", "says"),
    [
        ([], "!", "not switched on"),
        (["--with-ft", "ulfm"], "!", "may hang when the program ends, in MPI_Finalize"),
        (["--with-ft", "ulfm", "-x", "MPI4PY_RC_FINALIZE=0"], "✓", "survived (ULFM is switched on)"),
    ],
)
def test_open_mpi_says_whether_it_survives_lost_ranks(options, mark, says):
    status, said = doctor(Path(OPENMPI).parent / "mpirun", "-n", "2", *options, python=OPENMPI)
    assert status == 0, said
    assert line(said, "MPI")[1].startswith("Open MPI 5")
    assert line(said, "lost ranks")[0] == mark and says in flat(said)
    assert line(said, "launcher")[1].startswith("Open MPI's mpirun")


@needs_mpich
@needs_openmpi
def test_a_launcher_of_another_mpi_is_an_error_whichever_it_is():
    of_mpich, said = doctor(MPIRUN, "-n", "2", python=OPENMPI)
    assert of_mpich == 1
    assert line(said, "launcher")[0] == "✗" and "is not the launcher of Open MPI" in said
    assert f"{Path(OPENMPI).parent / 'mpirun'} -n 2" in said
    of_openmpi, said = doctor(Path(OPENMPI).parent / "mpirun", "-n", "2")
    assert of_openmpi == 1
    assert line(said, "launcher")[0] == "✗" and "is not the launcher of MPICH" in flat(said)
    assert f"{MPIRUN} -n 2" in flat(said)


def without_mpi4py(folder):
    (folder / "mpi4py.py").write_text("raise ImportError('none here')")
    return {"PYTHONPATH": str(folder)}


def test_without_mpi4py_a_process_on_its_own_is_well(tmp_path):
    status, said = doctor(**without_mpi4py(tmp_path))
    assert status == 0, said
    assert line(said, "MPI")[0] == "✓" and "pip install bsbpool[mpi]" in said
    assert "lost ranks" not in said and "threads" not in said


@needs_mpich
def test_without_mpi4py_the_first_process_of_a_launcher_says_what_is_missing(tmp_path):
    status, said = doctor(MPIRUN, "-n", "2", **without_mpi4py(tmp_path))
    assert status == 1
    assert line(said, "launcher")[0] == "✗" and "it started 2 processes" in said
    status, said = doctor(MPIRUN, "-n", "2", BSB_IGNORE_PARALLEL="1", **without_mpi4py(tmp_path))
    assert status == 0
    assert line(said, "launcher")[0] == "!"


@needs_mpich
def test_an_mpi4py_without_its_library_is_an_error():
    status, said = doctor(MPI4PY_LIBMPI="/not/there/libmpi.so")
    assert status == 1
    assert line(said, "MPI")[0] == "✗" and "/not/there/libmpi.so" in said


def test_a_folder_that_tmpdir_names_and_nobody_can_use_is_told(tmp_path):
    _, said = doctor(TMPDIR=str(tmp_path / "missing"))
    assert line(said, "folder")[0] == "!" and f"TMPDIR is {tmp_path / 'missing'}, which can't be used" in said


def test_no_folder_at_all_is_an_error(monkeypatch):
    def nowhere():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    facts = examine({})
    assert facts.folder_problem == "FileNotFoundError: No usable temporary directory found"
    assert grade([facts], "folder") == MUST


def test_its_help_says_how_to_start_it_and_what_its_marks_mean():
    said = CliRunner().invoke(main, ["doctor", "--help"]).output
    for part in ("mpirun -n 4 bsbpool doctor", "✗  must be fixed", "Exit status"):
        assert part in said


# -- facts that this machine does not have -----------------------------------------------------------


RANK = RankFacts(
    host="a", cores=frozenset(range(4)), quota=math.inf, versions={"Python": "3.11.7", "bsbpool": "1"}, folder="/tmp",
    refused=None, room=10**11, in_memory=False, folder_problem=None,
)  # fmt: skip
MPI = MPIFacts(
    mpi4py="4.1", library="MPICH 5.0", standard="5.0", threads="MPI_THREAD_MULTIPLE", survives=True, comm=object()
)


def rank(**facts):
    return dataclasses.replace(RANK, **facts)


def finding(ranks, about, mpi=MPI, travels=None):
    (found,) = [each for each in judge(mpi, ranks, travels) if each.about == about]
    return found


def grade(ranks, about, **more):
    return finding(ranks, about, **more).grade


@pytest.mark.parametrize(
    ("ranks", "expected", "says"),
    [
        ([RANK] * 4, GOOD, "4 ranks on 4 cores"),
        ([RANK] * 5, COULD, "5 ranks share 4 cores on a"),
        ([rank(cores=frozenset({n})) for n in range(4)], GOOD, "4 ranks on 4 cores"),
        ([rank(cores=frozenset({0}))] * 2, COULD, "2 ranks share 1 core on a"),
        ([rank(quota=1.5)] * 2, COULD, "2 ranks share 1.5 cores on a"),
        ([RANK, rank(host="b")] * 4, GOOD, "8 ranks on 2 hosts, with a core or more for each"),
        ([RANK, *[rank(host="b")] * 5], COULD, "5 ranks share 4 cores on b:"),
        ([rank(host=h) for h in "abc" for _ in range(5)], COULD, "on a (so it is on 2 other hosts)"),
    ],
)
def test_ranks_are_counted_against_the_cores_of_their_host(ranks, expected, says):
    found = finding(ranks, "cores")
    assert found.grade == expected
    assert says in found.says


def test_the_advice_on_cores_is_one_rank_more_than_there_are():
    assert "`mpirun -n 5 …`" in finding([RANK] * 8, "cores").advice


@pytest.mark.parametrize(
    ("facts", "expected", "says"),
    [
        ({}, GOOD, "/tmp, 100 GB free on main"),
        ({"room": 5 * 10**8}, COULD, "500 MB free"),
        ({"room": 12_000}, COULD, "12 kB free"),
        ({"room": 2 * 10**12, "in_memory": True}, COULD, "2 TB free on main, in memory"),
        ({"folder_problem": "OSError: disk full"}, MUST, "rank 1 on a: OSError: disk full"),
    ],
)
def test_the_folder_is_judged_by_room_and_by_whether_it_can_be_written_to(facts, expected, says):
    first = RANK if "folder_problem" in facts else rank(**facts)
    found = finding([first, rank(**facts)], "folder")
    assert found.grade == expected
    assert says in found.says
    assert (found.advice != "") == (expected != GOOD)


def test_other_versions_on_another_rank_are_an_error_that_names_it():
    other = rank(host="b", versions={"Python": "3.13.1", "bsbpool": "1"})
    found = finding([RANK, RANK, other], "pickles")
    assert found.grade == MUST
    assert "Python is 3.13.1 on rank 2 on b, and 3.11.7 on main" in found.says


def test_a_call_that_does_not_come_back_is_an_error():
    found = finding([RANK, RANK], "pickles", travels="rank 1: EOFError: Ran out of input")
    assert found.grade == MUST
    assert "rank 1: EOFError" in found.says


def test_a_bsb_that_only_some_ranks_have_is_an_error_that_names_them():
    has = rank(versions={**RANK.versions, "bsb-core": "8.0.2"})
    for ranks, says in (
        ([has, RANK], "bsb-core is missing on rank 1 on a, and 8.0.2 on main"),
        ([RANK, has], "bsb-core is 8.0.2 on rank 1 on a, and missing on main"),
    ):
        found = finding(ranks, "pickles")
        assert found.grade == MUST and says in found.says


@pytest.mark.parametrize(
    ("facts", "ranks", "expected", "says"),
    [
        (BSBFacts(), 1, GOOD, "not installed"),
        (BSBFacts("8.0.2"), 1, GOOD, "bsb-core 8.0.2, which is tested; it uses its own pool, unless"),
        (BSBFacts("8.0.2", used=True), 4, GOOD, "bsb-core 8.0.2, which is tested; it uses this pool"),
        (BSBFacts("8.9.0"), 1, COULD, "bsb-core 8.9.0, which is not tested (tested: "),
        (BSBFacts("4.0.0", problem="it has no Job"), 1, COULD, "whose pool this project does not know: it has no Job"),
        (BSBFacts("8.0.2", locks=False), 2, COULD, "without mpilock its ranks write to one file"),
        (BSBFacts("8.0.2", locks=False), 1, GOOD, "it uses its own pool"),
    ],
)
def test_bsb_is_judged_by_its_version_and_by_which_pool_it_uses(facts, ranks, expected, says):
    (found,) = [each for each in judge(MPI, [RANK] * ranks, None, facts) if each.about == "BSB"]
    assert found.grade == expected and says in found.says
    assert found.advice or expected == GOOD


def test_every_finding_that_is_not_good_says_what_to_do():
    bare = MPIFacts(launcher="Slurm's srun (SLURM_STEP_NUM_TASKS is set)", told=(0, 4))
    worst = [rank(room=1, cores=frozenset({0}))] * 3
    funneled = dataclasses.replace(MPI, threads="MPI_THREAD_FUNNELED", survives=None)
    for mpi in (bare, dataclasses.replace(bare, ignored=True), funneled, dataclasses.replace(MPI, survives=False)):
        for found in judge(mpi, worst, "rank 1: no"):
            assert found.grade == GOOD or found.advice, found


def test_the_page_on_failures_shows_what_it_says():
    """The block on the page is that of four ranks on a host with two cores, which is not that of every machine."""
    four = [rank(host="node7", cores=frozenset({0, 1}), versions={"Python": "3.11.7", "bsbpool": "0.1.0"})] * 4
    mpi = MPIFacts(
        mpi4py="4.1.2", library="Open MPI 5.0.11", standard="3.1", threads="MPI_THREAD_MULTIPLE", survives=False,
        launcher="Open MPI's mpirun (OMPI_COMM_WORLD_SIZE is set)", told=(0, 4), comm=object(),
    )  # fmt: skip
    out = Console(width=100, record=True, file=io.StringIO())
    show_diagnoses(out, four[0], judge(mpi, four))
    said = "".join(f"{each.rstrip()}\n" for each in out.export_text().splitlines())
    assert f"```text\n{said}```\n" in (ROOT / "docs/failures.md").read_text(encoding="utf-8"), said


def test_the_quota_of_a_container_counts(tmp_path):
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert cpu_quota(str(tmp_path / "cpu.max")) == 1.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert cpu_quota(str(tmp_path / "cpu.max")) == math.inf
    assert cpu_quota(str(tmp_path / "none")) == math.inf


def test_a_folder_in_memory_is_known_by_its_mount(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda / ext4 rw 0 0\ntmpfs /scratch tmpfs rw 0 0\n/dev/sdb /scratch/disk xfs rw 0 0\n")
    assert is_in_memory("/scratch/mine", str(mounts))
    assert not is_in_memory("/scratch/disk/mine", str(mounts))
    assert not is_in_memory("/tmp", str(mounts))
    assert not is_in_memory("/tmp", str(tmp_path / "none"))


def test_nothing_is_left_behind_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert examine({}).folder_problem is None
    assert [*tmp_path.iterdir()] == []
    shutil.rmtree(tmp_path)
    assert "FileNotFoundError" in examine({}).folder_problem
