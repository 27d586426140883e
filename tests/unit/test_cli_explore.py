"""`bsbpool explore`: a program is explored from the shell, and what is found can be run again, and kept."""

import json
import shlex
import subprocess
import sys

import pytest
from launching import run

MASTER = """\
from mpi4py import MPI

comm = MPI.COMM_WORLD
if comm.rank == 0:
    first = comm.recv()
    if first == 2:
        rest = comm.recv(source=2)
    else:
        rest = comm.recv(source=2)
    print(first)
elif comm.rank < 3:
    comm.send(comm.rank, 0)
"""
HALF, TAKES = "─" * 56, "recv of rank 0 takes the message of rank {} with tag 0"
RIGHT = MASTER.replace("source=2", "source=1", 1)


@pytest.fixture
def command(tmp_path):
    """Runs `bsbpool` beside a script of this text. Returns its exit status, and what was printed."""

    def call(*arguments, text=MASTER, start=("-m", "bsbpool")):
        (tmp_path / "master.py").write_text(text, encoding="utf-8")
        return run(program=[*start, *arguments], cwd=tmp_path)

    return call


def test_what_fails_in_some_order_is_reported_with_its_choices_and_the_command_that_runs_it_again(command):
    status, out, err = command("explore", "-n", "3", "master.py")
    assert (status, err) == (1, "")
    assert out == (
        "deadlock at master.py:7\n"
        "  rank 0 waits for ever for a message from rank 2, which has ended, with any tag (recv), which has to come "
        "in every\n  order\n"
        "    rank 0 waits for a message from rank 2, which has ended, with any tag (recv), at master.py:7 in <module>\n"
        "  It takes these choices:\n"
        "    recv of rank 0 takes the message of rank 2 with tag 0 before the message of rank 1 with tag 0, at "
        "master.py:5 in\n    <module> (it decides)\n"
        "  The nearest run that passes, and this one:\n"
        "    rank 1 sends to rank 0, tag 0 (master.py:12)\n"
        "    rank 2 sends to rank 0, tag 0 (master.py:12)\n"
        f"    {HALF}─┬─{HALF}\n"
        f"    {'passes':56} │ fails\n"
        f"    {TAKES.format(1):56} │ {TAKES.format(2)}\n"
        f"    {'  (master.py:5)':56} │   (master.py:5)\n"
        f"    {'rank 0 takes the message of rank 2, tag 0 (master.py:9)':56} │\n"
        f"    {'→ all ends well':56} │ → deadlock: rank 0 waits for ever for a message from\n"
        f"    {'':56} │   rank 2, which has ended, with any tag (recv), which\n"
        f"    {'':56} │   has to come in every order\n"
        "  In time it happens if messages from rank 1 to rank 0 take 1ms longer.\n"
        "  The delays, for bsbpool simulate --script: events: [{at: 0s, delay: {from: 1, to: 0, by: 1ms}}]\n"
        "  Again: bsbpool simulate --late-matching --tape v1:0.1 -n 3 master.py\n"
        "\n"
        "complete: 2 schedules; 1 finding\n"
    )
    status, out, err = command("simulate", "--late-matching", "--tape", "v1:0.1", "-n", "3", "master.py")
    assert status == 1
    assert "rank 0 waits for a message from rank 2" in err


def test_a_program_that_is_right_ends_with_0(command):
    assert command("explore", "-n", "4", "master.py", text=RIGHT) == (0, "complete: 2 schedules; no findings\n", "")


def test_findings_go_to_the_standard_output_alone(command, tmp_path):
    status, out, err = command("explore", "-n", "3", "--json", "-", "master.py")
    assert status == 1 and json.loads(out)["findings"][0]["kind"] == "deadlock"
    assert err.startswith("deadlock at master.py:7\n")
    assert [path.name for path in tmp_path.iterdir()] == ["master.py"]


def test_a_reader_that_goes_early_is_no_error(command, tmp_path):
    command("explore", "-n", "3", "master.py")  # writes the file
    code = f"{shlex.quote(sys.executable)} -m bsbpool explore -n 3 --json found.json master.py | true"
    said = subprocess.run(["sh", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (said.stdout, said.stderr) == ("", "")
    assert json.loads((tmp_path / "found.json").read_text())["schedules"] == 2


def test_findings_are_written_as_json(command, tmp_path):
    status, _, err = command("explore", "-n", "3", "--json", "found.json", "--seed", "2", "master.py", "--its", "own")
    assert (status, err) == (1, "")
    data = json.loads((tmp_path / "found.json").read_text())
    (finding,) = data["findings"]
    assert {name: finding[name] for name in ("kind", "line", "tape")} == {
        "kind": "deadlock",
        "line": 7,
        "tape": "v1:0.1",
    }
    assert finding["file"] == str(tmp_path / "master.py")
    assert finding["ranks"][0]["rank"] == 0
    assert finding["again"] == (
        "bsbpool simulate --late-matching --tape v1:0.1 -n 3 --seed 2 master.py --its own"
    )  # fmt: skip
    assert (data["schedules"], data["complete"], data["left"]) == (2, True, 0)


def test_a_test_is_written_that_fails_until_the_program_is_mended(command, tmp_path):
    assert command("explore", "-n", "3", "--to-test", "test_order.py", "master.py")[0] == 1
    arguments = ("-q", "-p", "no:cacheprovider", "test_order.py")
    status, out, _ = command(*arguments, start=("-m", "pytest"))
    assert status == 1
    assert "deadlock at master.py:7" in out
    assert command(*arguments, text=RIGHT, start=("-m", "pytest"))[0] == 0


def test_a_test_in_another_folder_finds_the_program_from_wherever_it_is_run(command, tmp_path):
    (tmp_path / "tests").mkdir()
    assert command("explore", "-n", "3", "--to-test", "tests/test_order.py", "master.py")[0] == 1
    for folder, name in ((tmp_path, "tests/test_order.py"), (tmp_path / "tests", "test_order.py")):
        status, out, _ = run(program=["-m", "pytest", "-q", "-p", "no:cacheprovider", name], cwd=folder)
        assert (status, "deadlock at master.py:7" in out) == (1, True)


def test_exit_statuses_and_exceptions_are_failures(command):
    text = MASTER.replace("rest = comm.recv(source=2)", "raise SystemExit(5)", 1)
    status, out, _ = command("explore", "-n", "3", "master.py", text=text)
    assert status == 1
    assert "rank 0 ended with exit status 5" in out
    text = MASTER.replace("rest = comm.recv(source=2)", "raise ValueError(first)", 1)
    status, out, _ = command("explore", "-n", "3", "master.py", text=text)
    assert status == 1
    assert out.startswith("failure at master.py:7\n  rank 0 raised ValueError: 2, at master.py:7 in <module>\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "import subprocess\nsubprocess.run(['true'])\n",
            "can't be explored: simulated rank 0 tried to start a real process",
        ),
        ("this is no Python\n", "can't be explored: this is no Python"),
    ],
)
def test_what_can_not_be_explored_ends_with_2(command, text, said):
    status, out, err = command("explore", "-n", "2", "master.py", text=text)
    assert (status, out) == (2, "")
    assert said in err


def test_a_program_that_counts_its_runs_in_a_file_is_not_repeated(command):
    text = (
        "import os\nfrom mpi4py import MPI\n"
        "n = os.path.getsize('runs') if os.path.exists('runs') else 0\n"
        "open('runs', 'a').write('x')\nMPI.COMM_WORLD.sendrecv('x' * n, 0)\n"
    )
    status, _, err = command("explore", "-n", "1", "master.py", text=text)
    assert status == 2
    assert "is not repeated, though the same was chosen" in err


def test_a_program_that_leaves_a_file_behind_is_told_which(command):
    text = (
        "import os\nfrom mpi4py import MPI\n"
        "MPI.COMM_WORLD.sendrecv('x' * os.path.exists('network'), 0)\nopen('network', 'w').close()\n"
    )
    status, _, err = command("explore", "-n", "1", "master.py", text=text)
    assert status == 2
    assert "Only its first run is another one, and what this leaves behind is there from then on: network." in err
    assert command("explore", "-n", "1", "master.py", text=text)[0] == 0


def test_a_module_that_ranks_share_reads_the_clock_as_it_is_loaded_in_the_first_run_only(command, tmp_path):
    (tmp_path / "loaded_once.py").write_text("import time\nBEGAN = time.time()\n")
    text = (
        "import time\nimport loaded_once\nfrom mpi4py import MPI\n"
        "MPI.COMM_WORLD.sendrecv('x' * round(1e6 * (time.time() - int(time.time()))), 0)\n"
    )
    status, out, err = command("explore", "--share", "loaded_once", "-n", "1", "master.py", text=text)
    assert (status, err) == (0, "")
    assert out.endswith("complete: 1 schedule; no findings\n")


def test_what_to_explore_has_to_be_named(command):
    status, _, err = command("explore", "-n", "2")
    assert status == 2
    assert "name a script to explore" in err


ENDS = """\
import os, signal
from mpi4py import MPI

if MPI.COMM_WORLD.rank == 1:
    {}
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [("os._exit(5)", 5), ("os._exit(-1)", 255), ("os.abort()", 134), ("os.kill(os.getpid(), signal.SIGKILL)", 137)],
)
def test_a_rank_that_ends_itself_has_an_exit_status_and_that_is_a_finding(command, end, status):
    simulated, _, err = command("simulate", "-n", "2", "master.py", text=ENDS.format(end))
    assert simulated == status
    assert f"rank 1 ended with exit status {status}" in err
    explored, out, _ = command("explore", "-n", "2", "master.py", text=ENDS.format(end))
    assert explored == 1
    assert out.startswith(f"failure at master.py:5\n  rank 1 ended with exit status {status}; ")


def test_a_rank_that_ends_itself_well_is_none(command):
    assert command("explore", "-n", "2", "master.py", text=ENDS.format("os._exit(0)"))[0] == 0


STOPS = """\
from mpi4py import MPI

comm = MPI.COMM_WORLD
if comm.rank:
    comm.send(comm.rank, 0)
elif [comm.recv(), comm.recv()] == [2, 1]:
    raise KeyboardInterrupt
"""


def test_a_program_that_raises_keyboard_interrupt_is_not_taken_for_ctrl_c(command):
    status, out, _ = command("explore", "-n", "3", "master.py", text=STOPS)
    assert status == 1
    assert "rank 0 raised KeyboardInterrupt" in out and "complete: 2 schedules; 1 finding" in out
    tape = ("--late-matching", "--tape", "v1:0.1")
    status, _, err = command("simulate", "-n", "3", *tape, "master.py", text=STOPS)
    assert status == 130
    assert "rank 0 raised KeyboardInterrupt, at " in err


def test_python_without_assertions_is_said(command):
    start = ("-O", "-m", "bsbpool")
    _, out, _ = command("explore", "-n", "2", "master.py", text="assert False\n", start=start)
    assert out.endswith("\n  not checked: assert statements, since Python runs with -O or PYTHONOPTIMIZE\n")
    assert "not checked" not in command("explore", "-n", "2", "master.py", text="pass\n")[1]


@pytest.mark.parametrize("errors", ["backslashreplace", "strict"])
def test_what_a_program_prints_is_encoded_as_if_it_were_shown(tmp_path, errors):
    (tmp_path / "prints.py").write_text("print(chr(0xDC80))\n", encoding="utf-8")
    printing = {"cwd": tmp_path, "PYTHONIOENCODING": f"utf-8:{errors}"}
    status = [
        run(program=["-m", "bsbpool", each, "-n", "1", "prints.py"], **printing)[0] for each in ("explore", "simulate")
    ]
    assert status == ([0, 0] if errors == "backslashreplace" else [1, 1])
