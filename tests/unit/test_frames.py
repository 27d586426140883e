"""Reports name the user's line, wherever this project and the program are installed."""

import compileall
import contextlib
import dataclasses
import functools
import json
import os
import shutil
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from launching import unmeasured

import bsbpool
import bsbpool_sim
from bsbpool.frames import Whose, from_users, is_own, outward, users_frame, warn, whose, without_own

PACKAGES = [Path(module.__file__).parent for module in (bsbpool, bsbpool_sim)]

#: What reports say of lines that end in ``# here``, as JSON.
PROGRAM = """
import contextlib, functools, json, time, traceback, warnings
import bsbpool
from bsbpool_sim import DeadlockError, HorizonError, simulate

@contextlib.contextmanager
def within(comm):
    comm.barrier()  # here
    yield

@functools.lru_cache
def waits(receive):
    receive(source=0)  # here

def job(owner):
    time.sleep(1e9)  # here

def fails(owner):
    raise ValueError("x")  # here

def hangs(comm):
    with bsbpool.job_pool(comm) as pool:
        if pool.is_main():
            pool.queue(lambda owner: time.sleep(5), timeout=1)  # here
            pool.queue(fails)
            pool.queue(lambda owner: time.sleep(5), submitter="late").cancel()
        try:
            pool.execute()
        except bsbpool.WorkflowError:
            pass
        if pool.is_main():
            pool.jobs[2].cancel()  # here
            return [str(pool.jobs[0].error), traceback.format_exception(pool.jobs[1].error)]

def deadlock(comm):
    if comm.rank == 0:
        waits(comm.recv)
    elif comm.rank == 1:
        with within(comm):
            pass
    elif comm.rank == 2:
        return

def for_ever(comm):
    with bsbpool.job_pool(comm) as pool:
        if pool.is_main():
            pool.queue(job)
        pool.execute()

def main():
    said = {"file": bsbpool.__file__}
    for program, kind in ((deadlock, DeadlockError), (for_ever, HorizonError)):
        try:
            simulate(program, 3, horizon=100.0)
        except kind as error:
            said[program.__name__] = str(error)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        said["hangs"] = simulate(hangs, 2).results[0]
    said["warned"] = [f"{each.filename}:{each.lineno}" for each in caught]
    print(json.dumps(said))

if __name__ == "__main__":
    main()
"""
HERE = [number for number, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# here")]


def folder(base):
    """As an editable install has them."""
    for package in PACKAGES:
        shutil.copytree(package, base / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    return base


def zipped(base):
    return Path(shutil.make_archive(base / "all", "zip", folder(base / "files")))


def linked(base):
    folder(base / "there")
    (base / "here").symlink_to("there")
    return base / "here"


def without_sources(base):
    """Compiled elsewhere, so that code has names of files that are nowhere."""
    compileall.compile_dir(folder(base), quiet=2, legacy=True, stripdir=str(base), prependdir="/nowhere")
    for file in base.rglob("*.py"):
        file.unlink()
    return base


def installed(base):
    return folder(base / "lib" / "python3" / "site-packages")


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("install", "place"),
    [
        (folder, "program.py"),
        (folder, "../packages_too/bsbpool/program.py"),
        (zipped, "../bsbpool/program.py"),
        (linked, "bsbpool_programs/program.py"),
        (without_sources, "theirs/program.py"),
        (installed, "theirs/program.py"),
    ],
)
def test_reports_name_the_users_line(tmp_path, install, place):
    packages = install(tmp_path / "packages")
    program = Path(os.path.normpath(packages / place))
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-B", program], cwd=tmp_path, env={**unmeasured(), "PYTHONPATH": str(packages)},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["file"].startswith(str(packages))
    within, waits, job, fails, slow, cancel = (f"{program}:{line}" for line in HERE)
    first, second, *_ = said["deadlock"].splitlines()[1:]
    assert first.endswith(f"at {waits} in waits"), first
    assert second.endswith(f"at {within} in within"), second
    assert f"at {job} in job" in said["for_ever"]
    timed_out, failed = said["hangs"]
    assert f"line {slow.rpartition(':')[2]} of program.py" in timed_out
    assert f'File "{program}", line {fails.rpartition(":")[2]}, in fails' in "".join(failed)
    assert said["warned"] == [cancel]


# -- the rule --------------------------------------------------------------------------------------------


def frame_in(file, name="module", source="import sys\nframe = sys._getframe()", **more):
    """The frame of code that says to come from this file, and from a module of this name."""
    module = {"__name__": name, **more}
    exec(compile(source, str(file), "exec"), module)
    return module["frame"]


LIBRARY = Path(os.__file__).parent


@pytest.mark.parametrize(
    ("file", "owner"),
    [
        (PACKAGES[0] / "pool.py", Whose.OWN),
        (PACKAGES[1] / "scenario" / "running.py", Whose.OWN),
        (f"{PACKAGES[0]}_more/program.py", Whose.USER),
        (f"{PACKAGES[0]}.py", Whose.USER),
        ("bsbpool/pool/job_pool.py", Whose.USER),
        (Path(__file__), Whose.USER),
        (LIBRARY / "threading.py", Whose.PYTHON),
        (LIBRARY / "concurrent" / "futures" / "thread.py", Whose.PYTHON),
        (LIBRARY / "site-packages" / "theirs.py", Whose.USER),
        (LIBRARY / "dist-packages" / "theirs" / "threading.py", Whose.USER),
        (f"{LIBRARY}-more/threading.py", Whose.USER),
        ("<frozen runpy>", Whose.PYTHON),
        ("<string>", Whose.USER),
        ("<ipython-input-1-2>", Whose.USER),
        (Path(pytest.__file__), Whose.TOOL),
        (Path(pytest.__file__).parent.parent / "theirs.py", Whose.USER),
    ],
)
def test_a_frame_belongs_to_the_folder_of_its_file(file, owner):
    assert whose(frame_in(file)) is owner


@pytest.mark.parametrize("name", ["bsbpool", "bsbpool.tests.test_x", "pytest", "threading", None, 3])
def test_names_of_modules_say_nothing(name):
    assert whose(frame_in("program.py", name)) is Whose.USER


def test_code_without_a_file_belongs_to_its_module():
    own = str(PACKAGES[0] / "jobs.py")
    assert is_own(frame_in("<string>", __file__=own))
    assert whose(frame_in("<string>", __file__=str(Path("/home/program.py")))) is Whose.USER
    assert whose(frame_in("<string>", __file__=None)) is Whose.USER


@pytest.mark.parametrize(
    ("file", "name", "owner"),
    [
        (Path(sys.executable).parent / "bsbpool", "__main__", Whose.TOOL),
        (Path(sys.executable).parent / "program.py", "__main__", Whose.USER),
        (Path("/home/bin/program"), "__main__", Whose.USER),
    ],
)
def test_a_command_beside_python_is_a_tool(file, name, owner):
    assert whose(frame_in(file, name)) is owner


def frames_of(*files):
    """A stack, the innermost first, as the files of its frames."""
    return [frame_in(file) for file in files]


@pytest.mark.parametrize(
    ("files", "number"),
    [
        ((PACKAGES[1] / "kernel.py", LIBRARY / "contextlib.py", "mine.py", "outer.py"), 2),
        ((PACKAGES[1] / "kernel.py", LIBRARY / "contextlib.py", PACKAGES[0] / "pool.py"), 1),
        ((PACKAGES[1] / "kernel.py", PACKAGES[0] / "pool.py"), 0),
    ],
)
def test_a_report_names_the_innermost_frame_of_the_users_else_of_others_else_of_all(files, number):
    frames = frames_of(*files)
    assert users_frame(frames) is frames[number]


def test_no_frames_have_none_to_name():
    assert users_frame([]) is None
    assert [*outward(None)] == []


def test_a_shown_stack_begins_with_the_user_and_leaves_out_tools():
    """pytest's frames are further out, functools' between two of this test's. A worker of xdist is a string's code."""

    @functools.singledispatch
    def inner(_):
        return from_users(sys._getframe())

    shown = inner(1)
    names = [frame.f_code.co_name for frame in shown]
    assert Whose.TOOL not in map(whose, shown)
    assert names[0] in ("<module>", sys._getframe().f_code.co_name)
    assert names[-3:] == ["test_a_shown_stack_begins_with_the_user_and_leaves_out_tools", "wrapper", "inner"]


def run_in_thread(source, **names):
    """Run code that says to be this project's, with nobody further out but Python."""
    code = compile(source, str(PACKAGES[0] / "late.py"), "exec")
    thread = threading.Thread(target=exec, args=(code, names))
    thread.start()
    thread.join()
    return names


def test_a_stack_without_the_user_is_shown_but_for_tools():
    source = "import sys\nnames = [frame.f_code.co_name for frame in show(sys._getframe())]"
    assert run_in_thread(source, show=from_users)["names"][-2:] == ["run", "<module>"]


def test_a_traceback_loses_the_frames_of_this_project_that_it_begins_with_but_for_the_innermost():
    def raising(file):
        with contextlib.suppress(NameError):
            raise NameError
        module = {"call": lambda: 1 / 0}
        try:
            exec(compile("call()", str(file), "exec"), module)
        except ZeroDivisionError as error:
            return error.__traceback__.tb_next

    assert without_own(raising(PACKAGES[0] / "worker.py")).tb_frame.f_code.co_name == "<lambda>"
    assert without_own(raising("mine.py")).tb_frame.f_code.co_filename == "mine.py"
    nested = raising(PACKAGES[0] / "worker.py")
    nested.tb_next = raising(PACKAGES[0] / "calls.py")
    nested.tb_next.tb_next = None
    assert without_own(nested) is nested.tb_next
    alone = raising(PACKAGES[0] / "worker.py")
    alone.tb_next = None
    assert without_own(alone) is alone
    assert without_own(None) is None


def test_a_warning_is_about_the_users_line():
    source = "from bsbpool.frames import warn\ndef late():\n    warn('text')"
    module: dict = {"__name__": "bsbpool.late"}
    exec(compile(source, str(PACKAGES[0] / "late.py"), "exec"), module)
    with pytest.warns(UserWarning, match="text") as caught:
        module["late"]()
    assert caught[0].filename == __file__


def test_a_warning_without_a_user_is_about_what_calls():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run_in_thread("warn('text')", warn=warn)
    assert caught[0].filename == str(PACKAGES[0] / "late.py")


def test_what_dataclasses_generate_belongs_to_who_wrote_them():
    seen = []

    @dataclasses.dataclass
    class Theirs:
        value: int = dataclasses.field(default_factory=lambda: seen.append(whose(sys._getframe(1))))

    Theirs()
    assert seen == [Whose.USER]


def test_frames_are_told_apart_whatever_stands_for_a_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(__file__=None))  # which is not hashable
    assert whose(sys._getframe()) is Whose.USER
