"""Real ranks whose program does not catch what the pool raises: every process exits, and each has the right error."""

import re
from pathlib import Path

import pytest
from launching import MPIRUN, OPENMPI, needs_mpich, needs_openmpi, run

PROGRAM = Path(__file__).with_name("failing_program.py")
SEE_MAIN = "WorkflowError with JobPoolError: See main node logs for details."

#: By case: what rank 0 says last, and what the others say; None: not looked at.
CASES = {
    "listener": ("ValueError with ValueError: a listener", SEE_MAIN),
    "interrupt on main": ("KeyboardInterrupt with KeyboardInterrupt: ", SEE_MAIN),
    "exit on main": ("SystemExit with SystemExit: 3", SEE_MAIN),
    "before": ("ValueError with ValueError: before execute()", SEE_MAIN),
    "after": ("ValueError with ValueError: after execute()", "fine"),
    "memory": (
        "WorkflowError with JobErroredError: <FunctionJob 7 hungry> failed: MemoryError('no room for the network')",
        SEE_MAIN,
    ),
    "machinery": ("WorkflowError with JobErroredError", None),
    "interrupt on a worker": ("WorkflowError with JobErroredError", None),
}


def last_words(said):
    """What each rank said last."""
    return {int(rank): words for rank, words in re.findall(r"^rank (\d): (.*?)\r?$", said, re.MULTILINE)}


def check(mpirun, case, python):
    status, said, complaints = run(mpirun, "-n", "3", program=[PROGRAM, case], python=python)
    words = last_words(said)
    main, others = CASES[case]
    assert status != 0, said
    assert sorted(words) == [0, 1, 2], f"{said}\n{complaints}"
    assert words[0].startswith(main)
    if others is not None:
        assert words[1] == words[2] == others
    else:
        assert words[1].startswith(("MemoryError", "KeyboardInterrupt"))
        assert words[2] == SEE_MAIN
        assert "aborted: Rank 1 left the pool" in words[0]


@needs_mpich
@pytest.mark.parametrize("case", CASES)
def test_every_process_of_mpich_exits_with_the_right_error(case):
    check(MPIRUN, case, MPIRUN.with_name("python"))


@needs_openmpi
@pytest.mark.parametrize("case", ["before", "interrupt on main", "machinery"])
def test_every_process_of_open_mpi_exits_with_the_right_error(case):
    check(Path(OPENMPI).with_name("mpirun"), case, OPENMPI)


@needs_mpich
def test_a_job_that_waits_for_all_ranks_is_given_up_at_its_limit_and_the_others_keep_their_results(tmp_path):
    status, *_ = run(MPIRUN, "-n", "3", program=[PROGRAM, "barrier", tmp_path / "said"])
    said = (tmp_path / "said").read_text()
    assert status == 7  # what main gave to Abort
    assert "rank 0: 7 of 8 succeeded" in said
    assert "It ran for longer than its limit of 0.5 s on rank" in said
    assert "wait_for_all" in said


@needs_mpich
def test_a_job_that_prints_a_lot_prints_it_all_and_the_pool_goes_on():
    megabytes = 30
    status, said, complaints = run(MPIRUN, "-n", "3", program=[PROGRAM, "talk", str(megabytes)])
    assert status == 0, complaints
    assert said.count(".") - said.count("details.") >= megabytes * 999_999
    assert "rank 0: 8 of 8 succeeded" in said


@needs_mpich
def test_a_rank_that_only_knows_that_main_raises_says_so_in_one_line():
    status, _, complaints = run(MPIRUN, "-n", "3", program=[PROGRAM, "memory"])
    assert status == 1
    lines = complaints.splitlines()
    for rank in (1, 2):
        line = f"rank {rank}: bsbpool.exceptions.WorkflowError: main, rank 0, raises what failed"
        assert lines.count(line) == 1
        lines.remove(line)
    # What is left is one traceback, from its first line to its last.
    assert lines[0] == "  + Exception Group Traceback (most recent call last):"
    assert lines[-1] == "    +------------------------------------"
    assert sum("Traceback" in line for line in lines) == 2  # of the error, and of the job's
    assert all(line.startswith(("  | ", "  +", "    | ", "    +")) for line in lines)


@needs_mpich
@pytest.mark.parametrize("how", [[], ["-m", "bsbpool", "record", "-o"]], ids=["plain", "recorded"])
def test_tracebacks_of_ranks_are_not_mixed(how, tmp_path):
    recorded = [*how, tmp_path / "run.trace"] if how else []
    _, _, complaints = run(MPIRUN, "-n", "4", program=[*recorded, PROGRAM, "everywhere"])
    blocks = re.split(r"^(?=Traceback \(most recent call last\):$)", complaints, flags=re.MULTILINE)[1:]
    tracebacks = {int(re.search(r"^ValueError: rank (\d) went deep$", each, re.MULTILINE)[1]): each for each in blocks}
    assert sorted(tracebacks) == [0, 1, 2, 3]
    for rank, traceback in tracebacks.items():
        whole = traceback[: traceback.index(f"rank {rank} went deep")]
        assert whole.count("in shallow") == 20 and whole.count("in deep") == 41, traceback
