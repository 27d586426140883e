"""What the command says of itself: help, completion, `python -m bsbpool`, and help() of what is public."""

import inspect
import os
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import bsbpool
from bsbpool.cli import COMMANDS, main
from bsbpool.pool.checks import INHERIT

ROOT = Path(__file__).parents[2]
NIGHT = ROOT / "docs" / "night" / "night.trace"


#: A command with arguments.
EXAMPLE = re.compile(rf"(^|\s)(mpirun -n \d+ )?bsbpool ({'|'.join(COMMANDS)}) \S")


def command(*args, columns=80):
    return CliRunner().invoke(main, [str(arg) for arg in args], prog_name="bsbpool", env={"COLUMNS": str(columns)})


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_each_example_of_a_help_has_a_line_of_its_own(name, columns):
    text = command(*filter(None, [name]), "--help", columns=columns).stdout
    options = text.index("\nOptions:")
    examples = [line for line in text[:options].splitlines() if re.search(EXAMPLE, line)]
    assert all(re.match(r"    (mpirun -n \d+ )?bsbpool ", line) for line in examples if "Usage:" not in line)


def test_the_last_example_of_run_is_not_part_of_a_sentence():
    assert "\n    bsbpool run scenarios\n" in command("run", "--help").stdout


def test_a_name_that_no_job_has_is_answered_with_those_that_there_are():
    run = command("replay", NIGHT, "--fail", "granul")
    assert run.exit_code == 2
    assert "There are 'granule', " in run.stderr
    assert "'golgi_granule'" in run.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["run", "--help"], ["no-such-command"]])
def test_python_m_bsbpool_is_the_command(arguments):
    runs = [
        subprocess.run([sys.executable, *start, *arguments], capture_output=True, text=True, cwd=ROOT, check=False)
        for start in (["-m", "bsbpool"], [str(Path(__file__).with_name("run_bsbpool.py"))])
    ]
    module, _ = runs
    assert module.returncode in (0, 2)
    assert "__main__" not in module.stdout + module.stderr
    assert "bsbpool" in module.stdout + module.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_as_the_documentation_says(shell):
    said = f"_BSBPOOL_COMPLETE={shell}_source bsbpool"
    assert said in (ROOT / "docs" / "command.md").read_text(encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "bsbpool"], env={**os.environ, "_BSBPOOL_COMPLETE": f"{shell}_source"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if shell == "bash" and "BASH" not in run.stdout.upper():
        assert "Bash" in run.stderr  # click says which version it needs
    else:
        assert "bsbpool" in run.stdout


@pytest.mark.parametrize(
    ("words", "offered"), [("bsbpool re", {"record", "replay"}), ("bsbpool show --", {"--html", "--svg", "--force"})]
)
def test_completion_offers_commands_and_options(words, offered):
    run = subprocess.run(
        [sys.executable, "-m", "bsbpool"], capture_output=True, text=True, check=False,
        env={
            **os.environ, "_BSBPOOL_COMPLETE": "bash_complete", "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
    )  # fmt: skip
    assert offered <= {line.partition(",")[2] for line in run.stdout.splitlines()}


@pytest.mark.parametrize("name", bsbpool.__all__)
def test_help_shows_no_address(name):
    shown = getattr(bsbpool, name)
    if inspect.isclass(shown) or inspect.isroutine(shown):
        assert " object at 0x" not in pydoc.plain(pydoc.render_doc(shown))


def test_help_of_the_pool_names_what_a_limit_is_by_default():
    assert "timeout: 'float | Inherit | None' = INHERIT" in pydoc.plain(pydoc.render_doc(bsbpool.JobPool))
    assert repr(INHERIT) == "INHERIT"
