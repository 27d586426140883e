"""`bsbpool record`: a program runs as it would without, and leaves a trace."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from launching import hear_ctrl_c

from bsbpool.cli.record import __file__ as COMMAND_FILE
from bsbpool.trace import read_trace
from bsbpool.trace.recorded_calls import read_calls

BSBPOOL = Path(__file__).with_name("run_bsbpool.py")


def python(folder, *arguments):
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "NO_COLOR": "1",
    }
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=300,
        preexec_fn=hear_ctrl_c,
    )  # fmt: skip


def record(folder, *arguments):
    return python(folder, BSBPOOL, "record", *arguments)


@pytest.fixture
def program(tmp_path):
    def write(text, name="program.py"):
        (tmp_path / name).write_text(text)
        return tmp_path

    return write


POOL = """
import bsbpool
def place(owner, n):
    if n == 2:
        raise ValueError("boom")
with bsbpool.job_pool(quiet=True) as pool:
    for n in range(4):
        pool.queue(place, (n,), submitter="place")
    pool.execute()
"""


def test_a_program_has_its_arguments_and_is_main(program):
    folder = program("import sys; print(sys.argv, __name__, __file__, sys.path[0], sys.modules['__main__'].__file__)")
    for arguments in (["program.py", "--output", "x", "-m", "y", "--", "--help"], ["-m", "program", "-h"]):
        ours, plain = record(folder, *arguments), python(folder, *arguments)
        assert (ours.returncode, ours.stdout) == (0, plain.stdout)
        assert ours.stderr == "bsbpool: nothing recorded, since the program opened no pool of bsbpool\n"
    assert [path.name for path in folder.iterdir() if "trace" in path.name] == []


@pytest.mark.parametrize(
    "text",
    [
        "import sys; sys.exit(7)",
        "import sys; sys.exit('bye')",
        "import sys; sys.exit()",
        "raise SystemExit(None)",
        "def f():\n    1 / 0\nf()",
        "raise KeyboardInterrupt",
        POOL + "raise KeyboardInterrupt",
        "def f(:",
        "import nosuchmodule",
        "import sys\nsys.excepthook = lambda *e: print('mine', e[0])\n1 / 0",
        "import warnings; warnings.warn('careful')",
        "import atexit; atexit.register(print, 'late'); import os; print(len(os.listdir()))",
        "import threading; threading.Thread(target=lambda: 1 / 0).start()",
        "import signal; signal.raise_signal(signal.SIGTERM)",
        POOL.replace("n == 2", "n == 9"),
    ],
)
def test_it_ends_as_it_would_without(program, text):
    folder = program(text)
    ours, plain = record(folder, "program.py"), python(folder, "program.py")
    assert ours.returncode == plain.returncode
    assert ours.stdout == plain.stdout
    said = [line for line in ours.stderr.splitlines() if not line.startswith(("bsbpool:", "  bsbpool "))]
    if "Thread" in text or "lambda" in text:
        said = [line for line in said if "0x" not in line]
    expected = [line for line in plain.stderr.splitlines() if not ("Thread" in text and "0x" in line)]
    assert said == expected


def test_an_error_of_a_pool_has_the_traceback_of_the_program_only(program):
    folder = program(POOL)
    ours, plain = record(folder, "program.py"), python(folder, "program.py")
    assert ours.returncode == plain.returncode == 1
    assert ours.stderr.startswith(plain.stderr)
    assert COMMAND_FILE not in ours.stderr and "runpy" not in ours.stderr
    assert ours.stderr[len(plain.stderr) :].splitlines() == [
        "bsbpool: recorded in run.trace",
        "  bsbpool show run.trace    what happened, and where the time went",
        "  bsbpool replay run.trace  the same again on simulated ranks, here",
    ]
    trace = read_trace(folder / "run.trace")
    assert [e["status"] for e in trace.of("status") if e["job"] == 2] == ["queued", "running", "failed"]
    assert trace.header["arguments"] == ["program.py"] and trace.header["program"] == str(folder / "program.py")


def test_a_module_that_is_missing_is_said_as_python_does(program):
    run = record(program(""), "-m", "nosuchmodule")
    assert run.returncode == 1
    assert run.stderr.splitlines()[0] == "ImportError: No module named nosuchmodule"


def test_calls_of_failed_jobs_are_kept_if_asked(program):
    folder = program(POOL)
    record(folder, "-o", "a b.trace.gz", "--capture", "failed", "program.py")
    found = read_calls(folder / "a b.trace.gz.calls", read_trace(folder / "a b.trace.gz"))
    assert [*found] == [(1, 2)]
    record(folder, "program.py")
    assert not (folder / "run.trace.calls").exists()


def test_a_second_run_gets_a_number_and_says_so(program):
    folder = program(POOL)
    (folder / "it's").mkdir()
    for _ in range(2):
        run = record(folder, "-o", "it's/run.trace", "program.py")
    assert "recorded in 'it'\"'\"'s/run-2.trace'\n" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--nonsense", "program.py"], "No such option"),
        (["-m"], "requires an argument"),
        ([], "name a script to run, or a module with -m (see: run_bsbpool.py record --help)"),
        (["nosuch.py"], "there is no script nosuch.py: give the path of a Python program, or -m MODULE"),
        (["-o", "nowhere/x", "program.py"], "nowhere: give a folder that you may write to"),
        (["-o", ".", "program.py"], ". is a folder: name a file, such as ./run.trace"),
        (["--capture", "all", "program.py"], "Invalid value for '--capture': 'all' is not 'failed'"),
    ],
)
def test_what_can_not_be_is_said_before_anything_runs(program, arguments, problem):
    run = record(program("print('ran')"), *arguments)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("bsbpool: ") and problem in run.stderr


def test_ctrl_c_ends_it_as_it_would_without(program):
    folder = program("import signal; signal.raise_signal(signal.SIGINT)")
    assert record(folder, "program.py").returncode == python(folder, "program.py").returncode == -signal.SIGINT
