"""What the programs share: they start the command, pytest and ranks as a user does, and say what they see.

Where they sleep on simulated ranks, time is virtual. Who sleeps in real time says why.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

#: Where the version that runs has its tests, scenarios and pages; its packages are installed.
CHECKOUT = Path(os.environ.get("CHECKOUT", Path(__file__).parents[3]))
#: Traces that pools of 0.1 have written, and what became of them.
TRACES = Path(__file__).parents[2] / "property" / "traces"
BESIDE = Path(sys.executable).parent
RECORDED = CHECKOUT / "scenarios" / "recordings" / "bsb_reconstruction_4_ranks.json"


class Done(NamedTuple):
    """What came of a process; status: None if it had to be ended."""

    status: int | None
    said: str


def verdict(right: bool, said: object) -> None:
    """Say what was seen, and end: with 0 if it is right, else with 1."""
    print(" ".join(str(said).split()))
    sys.exit(0 if right else 1)


def started(*command: object, limit: float = 60, typed: str = "", **environ: str) -> Done:
    """Run a command, with all that it prints, and end all that it leaves."""
    environment = os.environ | {"COLUMNS": "200", "TERM": "dumb", "UCX_LOG_LEVEL": "error"} | environ
    process = subprocess.Popen(
        [str(part) for part in command], env=environment, text=True, errors="backslashreplace", start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = process.communicate(typed, timeout=limit)
        status: int | None = process.returncode
    except subprocess.TimeoutExpired:
        said, status = f"not ended after {limit} s", None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return Done(status, said)


def bsbpool(*arguments: object, **options) -> Done:
    """Run the command `bsbpool` that this Python has."""
    return started(BESIDE / "bsbpool", *arguments, **options)


def on_ranks(ranks: int) -> list[object]:
    """What stands before a command that runs on ranks of MPICH."""
    return [] if ranks == 1 else [BESIDE / "mpirun", "-n", ranks]


def program(text: str, ranks: int = 1, **options) -> Done:
    """Run the text of a program, on ranks."""
    Path("its_program.py").write_text(text)
    return started(*on_ranks(ranks), sys.executable, "its_program.py", **options)


def run_tests(text: str, *arguments: object, ranks: int = 1, **options) -> Done:
    """Run the text of a file of tests, on simulated ranks or on real ones."""
    Path("test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, "test_it.py"]
    return started(*on_ranks(ranks), *command, **options)


def scenario(text: str, *arguments: object, **options) -> Done:
    """Run the text of a scenario."""
    Path("its.yaml").write_text(text)
    return bsbpool("run", *arguments, "its.yaml", **options)


def recorded(text: str, ranks: int = 2) -> Path:
    """The trace of a program that has `fill(pool)`, on simulated ranks."""
    source = f"""
import sys, time, bsbpool
from bsbpool_sim import simulate, Script
{text}
def program(comm):
    with bsbpool.job_pool(comm, quiet=True) as pool:
        if pool.is_main():
            fill(pool)
        try:
            pool.execute()
        except bsbpool.WorkflowError:
            pass
trace = simulate(program, {ranks}, script=globals().get("SCRIPT")).trace
open("its.trace", "w").write("".join(line + "\\n" for line in trace.lines()))
"""
    done = program(source)
    assert done.status == 0, done.said
    return Path("its.trace")


def last(said: str, part: str = "") -> str:
    """The last line that has that in it."""
    return next((line.strip() for line in reversed(said.splitlines()) if line.strip() and part in line), "")
