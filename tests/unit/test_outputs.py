"""Outputs of commands: what is read, or was not written by bsbpool, is not replaced; each is whole or not there."""

import errno
import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bsbpool.cli import main
from bsbpool.cli.outputs import OutputFile
from bsbpool.trace import read_trace
from bsbpool.worlds.trace_files import open_recorder

ROOT = Path(__file__).parents[2]
NIGHT = ROOT / "docs" / "night" / "night.trace"
RECORDING = ROOT / "scenarios" / "recordings" / "bsb_reconstruction_4_ranks.json"
#: Each command with an output option: what is before the input, and what is before the output.
COMMANDS = {
    "page": (["show"], ["--html"]),
    "picture": (["show"], ["--svg"]),
    "perfetto": (["show"], ["--perfetto"]),
    "scenario": (["replay"], ["--minimal", "--to-scenario"]),
    "trace": (["run"], ["--trace"]),
}
each_kind = pytest.mark.parametrize("kind", COMMANDS)


def command(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args], prog_name="bsbpool")


@pytest.fixture
def inputs(tmp_path):
    """What each kind of output is made from, in a folder of its own."""
    there = {}
    for kind in COMMANDS:
        source = RECORDING if kind == "trace" else NIGHT
        there[kind] = tmp_path / f"input-{kind}{source.suffix}"
        shutil.copy(source, there[kind])
    return there


def write(kind, source, target, *more):
    before, option = COMMANDS[kind]
    return command(*before, source, *option, target, *more)


def left_over(folder):
    return [path.name for path in folder.rglob("*") if path.name.endswith(".part")]


@each_kind
@pytest.mark.parametrize("spelled", ["same", "relative", "dots", "hard link", "symlink", "link to link"])
@pytest.mark.parametrize("force", [(), ("--force",)], ids=["", "forced"])
def test_what_is_read_is_never_written_to(kind, spelled, force, inputs, tmp_path, monkeypatch):
    source = inputs[kind]
    monkeypatch.chdir(tmp_path)
    target = tmp_path / "link"
    if spelled == "hard link":
        target.hardlink_to(source)
    elif spelled == "symlink":
        target.symlink_to(source)
    elif spelled == "link to link":
        (tmp_path / "other").symlink_to(source.name)
        target.symlink_to("other")
    else:
        (tmp_path / "folder").mkdir()
        dots = os.path.join("folder", "..", source.name)
        target = {"same": source, "relative": source.name, "dots": dots}[spelled]
    was = source.read_bytes()
    run = write(kind, source, target, *force)
    assert run.exit_code == 2
    assert "which this command reads" in run.stderr
    assert source.read_bytes() == was
    assert not left_over(tmp_path)


def test_an_input_that_is_a_link_is_known_by_its_file(inputs, tmp_path):
    (tmp_path / "link.trace").symlink_to(inputs["page"])
    was = inputs["page"].read_bytes()
    assert write("page", tmp_path / "link.trace", inputs["page"]).exit_code == 2
    assert inputs["page"].read_bytes() == was


def test_another_spelling_in_a_file_system_that_ignores_case_is_the_same_file(inputs, tmp_path, monkeypatch):
    source, real = inputs["page"], os.stat
    monkeypatch.setattr(os, "stat", lambda path, **kwargs: real(str(path).lower() if str(path).isupper() else path))
    monkeypatch.chdir(tmp_path)
    shutil.copy(source, "lower.trace")
    run = command("show", "lower.trace", "--html", "LOWER.TRACE")
    assert run.exit_code == 2
    assert "which this command reads" in run.stderr


@each_kind
def test_a_file_of_somebody_else_is_replaced_only_if_asked(kind, inputs, tmp_path):
    target = tmp_path / "notes.txt"
    target.write_text("my notes\n")
    run = write(kind, inputs[kind], target)
    assert run.exit_code == 2
    assert "--force" in run.stderr
    assert target.read_text() == "my notes\n"
    assert write(kind, inputs[kind], target, "--force").exit_code == 0
    assert target.read_text() != "my notes\n"


@each_kind
def test_what_was_written_here_is_written_again_and_again(kind, inputs, tmp_path):
    target = tmp_path / "out"
    for _ in range(3):
        run = write(kind, inputs[kind], target)
        assert run.exit_code == 0, run.stderr
    assert not left_over(tmp_path)


@pytest.mark.parametrize("kind", ["perfetto", "trace"])
def test_a_compressed_file_that_was_written_here_is_written_again(kind, inputs, tmp_path):
    target = tmp_path / "out.gz"
    for _ in range(2):
        assert write(kind, inputs[kind], target).exit_code == 0
    assert gzip.decompress(target.read_bytes())


@pytest.mark.parametrize("kind", ["page", "picture", "scenario"])
def test_what_was_changed_since_is_not_replaced(kind, inputs, tmp_path):
    target = tmp_path / "out"
    assert write(kind, inputs[kind], target).exit_code == 0
    edited = target.read_bytes().replace(b"granule", b"my granule", 1)
    edited = edited if edited != target.read_bytes() else b"\n" + edited
    target.write_bytes(edited)
    run = write(kind, inputs[kind], target)
    assert run.exit_code == 2
    assert "changed since" in run.stderr
    assert target.read_bytes() == edited


def test_a_page_does_not_replace_a_scenario(inputs, tmp_path):
    target = tmp_path / "out"
    assert write("scenario", inputs["scenario"], target).exit_code == 0
    run = write("page", inputs["page"], target)
    assert run.exit_code == 2
    assert "it is a scenario, not a page" in run.stderr


def test_a_trace_of_a_real_run_is_not_replaced(inputs, tmp_path):
    real = tmp_path / "real.trace"
    shutil.copy(NIGHT, real)
    run = write("trace", inputs["trace"], real)
    assert run.exit_code == 2
    assert "which can't be run again" in run.stderr
    assert real.read_bytes() == NIGHT.read_bytes()


def test_two_options_that_name_one_file_are_refused(inputs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = command("show", inputs["page"], "--html", "out", "--svg", "./out")
    assert run.exit_code == 2
    assert "--html and --svg name the same file" in run.stderr
    assert not (tmp_path / "out").exists()


def test_the_target_of_a_link_is_replaced_and_the_link_stays(inputs, tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.html"
    link.symlink_to("there/page.html")
    for _ in range(2):
        assert write("page", inputs["page"], link).exit_code == 0
    assert link.is_symlink()
    assert (tmp_path / "there" / "page.html").is_file()


def test_a_file_that_is_replaced_keeps_its_permissions(inputs, tmp_path):
    target = tmp_path / "page.html"
    assert write("page", inputs["page"], target).exit_code == 0
    target.chmod(0o640)
    assert write("page", inputs["page"], target).exit_code == 0
    assert target.stat().st_mode & 0o777 == 0o640


@each_kind
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(kind, inputs, tmp_path, monkeypatch):
    target = tmp_path / "out"
    assert write(kind, inputs[kind], target).exit_code == 0
    was, there = target.read_bytes(), sorted(tmp_path.iterdir())

    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    run = write(kind, inputs[kind], target)
    assert run.exit_code == 2
    assert "No space left on device" in run.stderr
    assert target.read_bytes() == was
    assert sorted(tmp_path.iterdir()) == there


def test_an_interrupted_write_leaves_nothing_behind(tmp_path):
    output = OutputFile(str(tmp_path / "out"), "page", "--html")

    def interrupted():
        with output.opened() as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    output = OutputFile(str(tmp_path / "out"), "page", "--html")
    output.check()
    (tmp_path / "out").write_text("mine")
    with pytest.raises(Exception, match="is there already"):
        output.write(b"<p>")
    assert (tmp_path / "out").read_text() == "mine"


@each_kind
def test_a_folder_is_no_file(kind, inputs, tmp_path):
    run = write(kind, inputs[kind], tmp_path, "--force")
    assert run.exit_code == 2
    assert "is a folder: name a file" in run.stderr


@each_kind
@pytest.mark.parametrize("name", ["no/such/out", "input-page.trace/out", "x" * 300, "new/"])
def test_a_place_where_no_file_can_be_is_told(kind, name, inputs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = write(kind, inputs[kind], name)
    assert run.exit_code == 2
    assert run.stderr.startswith("bsbpool: ")
    assert "Traceback" not in run.stderr
    assert run.stderr.count("\n") == 1
    assert not left_over(tmp_path)


def test_a_folder_that_can_not_be_written_to_is_told(inputs, tmp_path, monkeypatch):
    opens = os.open

    def refused(path, flags, *args):
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opens(path, flags, *args)

    monkeypatch.setattr(os, "open", refused)
    run = write("page", inputs["page"], tmp_path / "out")
    assert run.exit_code == 2
    assert "give a folder that you may write to" in run.stderr


def test_standard_output_gets_the_picture_alone(inputs):
    run = subprocess.run(
        [sys.executable, "-m", "bsbpool", "show", inputs["picture"], "--svg", "/dev/stdout"],
        capture_output=True, check=True,
    )  # fmt: skip
    assert run.stdout.startswith(b"<svg")
    assert run.stdout.endswith(b"</svg>\n")
    assert b"MB" in run.stderr


def test_standard_output_into_a_file_leaves_that_file_whole(inputs, tmp_path):
    out = tmp_path / "out.svg"
    with out.open("w") as file:
        subprocess.run(
            [sys.executable, "-m", "bsbpool", "show", inputs["picture"], "--svg", "/dev/fd/1"], stdout=file, check=True
        )
    assert out.read_text().endswith("</svg>\n")
    assert not left_over(tmp_path)


def test_what_is_read_is_no_output_through_a_descriptor_either(inputs):
    source = inputs["picture"]
    was = source.read_bytes()
    with source.open("a") as file:
        run = subprocess.run(
            [sys.executable, "-m", "bsbpool", "show", source, "--svg", "/dev/stdout"],
            stdout=file, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert run.returncode == 2
    assert b"which this command reads" in run.stderr
    assert source.read_bytes() == was


def test_a_device_is_written_to(inputs):
    assert command("show", inputs["page"], "--html", os.devnull).exit_code == 0
    assert not Path(os.devnull).is_file()


def test_a_scenario_is_checked_as_it_stands_in_the_file(inputs, tmp_path):
    assert write("scenario", inputs["scenario"], tmp_path / "made.yaml").exit_code == 0
    assert command("run", tmp_path / "made.yaml").exit_code == 0


def test_perfetto_reads_what_is_marked(inputs, tmp_path):
    assert write("perfetto", inputs["perfetto"], tmp_path / "out.json").exit_code == 0
    assert json.loads((tmp_path / "out.json").read_text())["otherData"]["generator"] == "bsbpool"


# -- bsbpool record ------------------------------------------------------------------------------------


def test_a_recording_replaces_nothing_with_its_calls(tmp_path):
    (tmp_path / "run.trace.calls").write_text("mine")
    recorder = open_recorder(str(tmp_path / "run.trace"), True, 1, [])
    recorder.close()
    assert (tmp_path / "run.trace.calls").read_text() == "mine"
    assert recorder.path == str(tmp_path / "run-2.trace")
    assert (tmp_path / "run-2.trace.calls").exists()
    assert read_trace(recorder.path).header["simulated"] is False
    assert not (tmp_path / "run.trace").exists()


@pytest.mark.parametrize("name", [os.devnull, "/dev/stdout"])
def test_a_device_is_no_place_for_a_recording(name, tmp_path):
    (tmp_path / "program.py").write_text("")
    run = command("record", "-o", name, tmp_path / "program.py")
    assert run.exit_code == 2
    assert "is no file" in run.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--version"], {2}, ["bsbpool: can't write the output: No space left on device"]),
        (["simulate", "-n", "2", "-c", "print(5)"], {1, 120}, ["bsbpool: rank 0 raised OSError: [Errno 28]"]),
    ],
)
def test_a_device_that_is_full_is_told_of_in_a_line_and_by_the_status(arguments, status, said):
    with open("/dev/full", "w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "bsbpool", *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert run.returncode in status
    assert [text for text in said if text not in run.stderr] == []
    assert "bsbpool/" not in run.stderr and "click" not in run.stderr  # no frames of the command's own


def test_a_process_without_stdout_runs_a_program():
    command = f"{sys.executable} -m bsbpool simulate -n 2 -c 'print(5)' >&-"
    run = subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
