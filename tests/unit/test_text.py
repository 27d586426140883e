"""Names, errors and paths may hold anything: every command copes, in every encoding, and scenarios keep them."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

import bsbpool
from bsbpool.cli import main
from bsbpool.listeners import LogProgress, TerminalProgress
from bsbpool.text import LONGEST, harmless, label, visible
from bsbpool.trace import read_trace
from bsbpool_sim import RankErrors, simulate
from bsbpool_sim.replay.export_text import dump
from bsbpool_sim.scenario.document import read

#: What YAML takes for something else, what terminals and markup act on, and what is no text at all.
AWKWARD = [
    "\udc80x",
    "\ud800",
    "a\x00b",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "a\nb",
    "a\r\nb",
    "a\tb",
    "x" * 3000,
    "\u202eabc",
    "\u2066x\u2069",
    "[bold]x[/bold]",
    "[/]",
    "<script>alert(1)</script>",
    "<!--",
    "]]>",
    "&amp;",
    "1e3",
    "0E0",
    "1_000",
    "0x1f",
    "0o7",
    ".5",
    ".inf",
    "no",
    "No",
    "null",
    "~",
    "true",
    "3:20",
    "2020-01-01",
    "=",
    "<<",
    " lead",
    "trail ",
    " ",
    "",
    "- a",
    "-",
    "--help",
    "? a",
    "a: b",
    "a:",
    ": a",
    "a #b",
    "#a",
    "'",
    '"',
    "\\",
    "\\x1b",
    "@",
    "`",
    "%a",
    "!a",
    "&a",
    "*",
    "*a",
    "a*b?",
    "|",
    ">",
    "{i}",
    "{",
    "}",
    "[",
    "]",
    ",",
    "a\u2028b",
    "a\u2029b",
    "a\u0085b",
    "\ufeffa",
    "\uffff",
    "\x7f",
    "\u200b",
    "\u00a0",
    "é",
    "日本",
    "🎉",
    "e\u0301",
    "ping",
    "pool",
    "rank 2 is lost",
    "a starts",
    "{root}.a",
]
TEXTS = st.one_of(
    st.text(st.characters(codec=None)),
    st.sampled_from(AWKWARD),
    st.text(st.sampled_from("-:#'\"\\{}[],&*!|>%@` \t~=.0123456789eExobyn_\n<?\x1b\ud800\u2028")),
)
ENVIRONMENTS = [
    {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "utf-8:strict"},
]  # fmt: skip


def command(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args], prog_name="bsbpool")


def work(owner, error=None):
    if error is not None:
        raise ValueError(error)


def run(path, names, ranks=3):
    """Write the trace of a pool whose jobs, contexts and errors have these names."""

    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                for name in names:
                    first = pool.queue(work, submitter=name, about=name)
                    pool.queue(work, (name,), deps=[first], submitter="fails", about={name: name})
            pool.execute()

    try:
        trace = simulate(program, ranks).trace
    except RankErrors as errors:
        trace = errors.simulation.trace
    trace.write(path)
    return path


@pytest.fixture(scope="module")
def awkward(tmp_path_factory):
    return run(tmp_path_factory.mktemp("awkward") / "run.trace", AWKWARD)


@pytest.fixture(scope="module")
def made(awkward, tmp_path_factory):
    """A scenario that was made of it."""
    path = tmp_path_factory.mktemp("made") / "made.yaml"
    assert command("replay", awkward, "--to-scenario", path).exit_code == 0
    return path


@given(TEXTS)
def test_what_is_kept_or_shown_is_one_line_that_all_can_hold(text):
    for made in (visible(text), harmless(text), label(text)):
        made.encode("utf-8")
        assert made.splitlines() in ([], [made])
        assert not any(c in made for c in "\x1b\x00\x07\x7f\x9b\u202e\u2066\ufeff")
    assert len(harmless(text)) <= LONGEST
    assert len(label(text)) <= LONGEST


@settings(max_examples=300)
@given(TEXTS.map(harmless), TEXTS.map(harmless))
def test_texts_survive_a_scenario_file(one, other):
    data = {
        "scenario": one,
        "ranks": 1,
        "jobs": [{"name": one, "after": [other], "context": {"k": one, other: 1}, "returns": other}],
        "expect": {"errors": {one: other}, "statuses": {one: "success"}, "results": {other: one}},
    }
    assert read(dump(data), "made.yaml").data == data


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_a_run_with_any_names_becomes_a_scenario_that_comes_out(tmp_path, names):
    path = run(tmp_path / "run.trace", names)
    made = command("replay", path, "--to-scenario", tmp_path / "made.yaml", "--force")
    assert made.exit_code == 0, made.output
    again = command("run", tmp_path / "made.yaml")
    assert again.exit_code == 0, again.output


def test_a_trace_that_was_written_with_awkward_texts_reads_without_a_warning(awkward):
    assert read_trace(awkward).warnings == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "TRACE"], ["show", "TRACE", "--html", "OUT"], ["show", "TRACE", "--svg", "OUT"],
        ["show", "TRACE", "--perfetto", "OUT"], ["diff", "TRACE", "TRACE"], ["replay", "TRACE"],
        ["replay", "TRACE", "--ranks", "2"], ["replay", "TRACE", "--to-scenario", "OUT"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_each_command_copes_and_writes_no_control_characters(arguments, awkward, tmp_path):
    out = tmp_path / "out"
    given = {"TRACE": awkward, "OUT": out}
    came = command(*(given.get(each, each) for each in arguments))
    assert came.exit_code in (0, 1), came.output
    assert came.exception is None or isinstance(came.exception, SystemExit)
    written = came.output + (out.read_text(encoding="utf-8") if out.exists() else "")
    assert not any(c in written for c in "\x1b\x00\x07\x7f\u202e")
    if "--svg" in arguments:
        ElementTree.parse(out)


#: Runs commands one after the other in one process, as if each were alone in it: "//" ends the arguments of each.
SEVERAL = """
import sys
from bsbpool.cli import main

errors, arguments = sys.stdout.errors, []
for each in sys.argv[1:]:
    if each != "//":
        arguments.append(each)
        continue
    sys.stdout.reconfigure(errors=errors)
    try:
        main(arguments, prog_name="bsbpool")
    except SystemExit as end:
        print("ended with", end.code, file=sys.stderr)
    arguments = []
"""


def statuses(environment, commands):
    """Run commands in an environment: none ends in a traceback or writes control characters. Returns their statuses."""
    arguments = [each for one in commands for each in (*one, "//")]
    came = subprocess.run(
        [sys.executable, "-c", SEVERAL, *arguments], env={**os.environ, **environment}, capture_output=True, check=False
    )
    assert came.returncode == 0, came.stderr
    assert b"Traceback" not in came.stderr
    assert b"\x1b" not in came.stdout + came.stderr
    return [int(line.split()[-1]) for line in came.stderr.splitlines() if line.startswith(b"ended with ")]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_pipes_of_any_encoding_take_what_is_shown(environment, awkward, made):
    assert statuses(environment, [["show", awkward], ["replay", awkward], ["run", made]]) == [0, 0, 0]


@pytest.mark.parametrize("stem", ["\udc80\udcff", "a\x1b[31mb\nc", "é", "[bold] --html"])
@pytest.mark.parametrize("environment", ENVIRONMENTS[1:2], ids=str)
def test_files_may_be_called_anything(stem, environment, awkward, tmp_path):
    trace, page, yaml = (tmp_path / os.fsdecode(os.fsencode(f"{stem}{end}")) for end in (".trace", ".html", ".yaml"))
    trace.write_bytes(awkward.read_bytes())
    commands = (
        ["show", "--", trace], ["show", "--html", page, "--", trace], ["replay", "--to-scenario", yaml, "--", trace],
        ["run", "--", yaml], ["diff", "--", trace, trace], ["show", "--", tmp_path / f"{stem}.missing"],
    )  # fmt: skip
    assert statuses(environment, commands) == [0, 0, 0, 0, 0, 2]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_the_live_view_takes_any_names(encoding, tmp_path):
    with (tmp_path / "terminal").open("w", encoding=encoding, errors="backslashreplace") as file:
        console = Console(file=file, force_terminal=True, width=100, height=50)
        with bsbpool.job_pool(quiet=True) as pool:
            for name in AWKWARD:
                pool.queue(work, (name,), submitter=name, about=name)
            pool.add_listener(TerminalProgress(console))
            with pytest.raises(bsbpool.pool.WorkflowError):
                pool.execute()
    shown = (tmp_path / "terminal").read_text(encoding=encoding)
    assert " in " in shown.splitlines()[-2]
    assert "\x1b]0;" not in shown
    assert "\u202e" not in shown
    assert "red" in shown


def test_lines_of_the_log_stay_lines(caplog):
    with caplog.at_level(logging.INFO, "bsbpool"), bsbpool.job_pool(quiet=True) as pool:
        for name in AWKWARD[:15]:
            pool.queue(work, (name,), submitter=name, about=name)
        pool.add_listener(LogProgress())
        with pytest.raises(bsbpool.pool.WorkflowError):
            pool.execute()
    for message in caplog.messages:
        assert message.splitlines() == [message]
        assert "\x1b" not in message
        message.encode("utf-8")


def test_the_room_for_it_is_one():
    root = Path(bsbpool.__file__).parent.parent
    others = [
        path.name
        for package in (root / "bsbpool", root / "sim")
        for path in package.rglob("*.py")
        if path.name != "text.py" and ".isprintable()" in path.read_text(encoding="utf-8")
    ]
    assert others == []
