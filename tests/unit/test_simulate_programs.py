"""Whole programs on simulated ranks, from the shell: `bsbpool simulate`."""

import logging
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from launching import run

from bsbpool.trace import read_trace
from bsbpool_sim.program import program_run
from bsbpool_sim.program.beginning import Program
from bsbpool_sim.program.output import RankStream, SharedStream
from bsbpool_sim.program.program_run import TooManyRanksError, run_program

COMM = "from mpi4py import MPI\ncomm = MPI.COMM_WORLD\nrank, size = comm.rank, comm.size\n"


@pytest.fixture
def simulate(tmp_path, monkeypatch):
    """Writes files, and runs `bsbpool simulate` beside them. Returns its exit status, and what was printed."""

    def call(*arguments, files=None, start=("-m", "bsbpool_sim"), **environ):
        for name, text in (files or {}).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return run(program=[*start, *arguments], cwd=tmp_path, **environ)

    return call


# -- what each rank has to itself --------------------------------------------------------------------------

LIBRARY = {
    "lib/__init__.py": "from .core import comm, Counter, rank_of\n",
    "lib/core.py": COMM + "calls = 0\n"
    "class Counter:\n    total = 0\n    def __init__(self, n):\n        Counter.total += n\n"
    "def rank_of(c=MPI.COMM_WORLD):\n    global calls\n    calls += 1\n    return c.rank\n",
}


def test_modules_variables_classes_and_default_arguments_are_each_ranks_own(simulate):
    program = (
        "import lib, lib.core, sys\nfrom lib.core import rank_of\n"
        "for _ in range(lib.comm.rank): rank_of(); lib.Counter(1); lib.comm.allgather(0) if 0 else None\n"
        "lib.comm.barrier()\n"
        "print(lib.comm.rank, rank_of(), lib.core.calls, lib.Counter.total, sys.modules['__main__'].lib is lib)\n"
    )
    status, out, err = simulate("-n", "4", "main.py", files={**LIBRARY, "main.py": program})
    assert (status, err) == (0, "")
    assert sorted(out.splitlines()) == [f"{r} {r} {r + 1} {r} True" for r in range(4)]


def test_what_is_pickled_by_name_is_the_receivers_own(simulate):
    program = COMM + (
        "import lib, lib.core\n"
        "class Mine:\n    rank = rank\n"
        "def square(x):\n    return x * x\n"
        "sent = (Mine, Mine(), square, lib.Counter, lib.rank_of)\n"
        "for got in comm.alltoall([sent] * size):\n"
        "    kind, mine, function, counter, rank_of = got\n"
        "    assert kind is type(mine) is Mine and Mine.rank == rank and function is square\n"
        "    assert counter is lib.Counter and rank_of() == rank\n"
    )
    assert simulate("-n", "3", "main.py", files={**LIBRARY, "main.py": program}) == (0, "", "")


@pytest.mark.measured
def test_the_settings_of_a_process_are_each_ranks_own(simulate):
    program = COMM + (
        "import logging, os, random, sys, warnings\n"
        "sys.argv.append(rank); sys.path.insert(0, str(rank)); os.environ['OF'] = str(rank)\n"
        "os.makedirs(f'folder{rank}'); os.chdir(f'folder{rank}')\n"
        "random.seed(rank); expected = [random.random() for _ in range(4)]; random.seed(rank)\n"
        "logging.basicConfig(level=logging.INFO if rank else logging.ERROR, stream=sys.stdout, format='%(message)s')\n"
        "warnings.simplefilter('ignore' if rank else 'error')\n"
        "for each in expected:\n"
        "    comm.barrier()\n"
        "    assert random.random() == each\n"
        "assert sys.argv == ['main.py', 'x', rank] and sys.path[0] == str(rank)\n"
        "assert os.environ['OF'] == os.getenv('OF') == str(rank)\n"
        "assert os.path.basename(os.getcwd()) == f'folder{rank}' and not os.path.exists(f'folder{rank}')\n"
        "logging.getLogger('some').info('info of %d', rank)\n"
        "logging.getLogger('some').setLevel(logging.ERROR if rank == 2 else logging.INFO); comm.barrier()\n"
        "logging.getLogger('some').info('more of %d', rank)\n"
        "try:\n    warnings.warn('odd')\nexcept UserWarning:\n    print('raised on', rank)\n"
        "comm.barrier()\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always'); comm.barrier(); warnings.warn(str(rank))\n"
        "assert [str(each.message) for each in caught] == [str(rank)]\n"
    )
    status, out, err = simulate("-n", "3", "main.py", "x", files={"main.py": program})
    assert (status, err) == (0, "")
    assert sorted(out.splitlines()) == ["info of 1", "info of 2", "more of 0", "more of 1", "raised on 0"]


@pytest.mark.measured
def test_functions_for_the_end_are_called_when_a_rank_ends_the_last_first(simulate):
    program = COMM + (
        "import atexit\n"
        "for each in 'ab': atexit.register(print, each, rank)\n"
        "atexit.register(lambda: 1 / 0)\n"
        "@atexit.register\ndef not_this(): print('no')\n"
        "atexit.unregister(not_this)\n"
        "print('end', rank); comm.barrier() if rank else None; comm.barrier() if not rank else None\n"
    )
    status, out, err = simulate("-n", "2", "main.py", files={"main.py": program})
    assert status == 0
    assert [line for line in out.splitlines() if line.endswith("1")] == ["end 1", "b 1", "a 1"]
    assert err.count("Exception ignored in atexit callback") == err.count("ZeroDivisionError") == 2


@pytest.mark.measured
def test_numpys_global_generator_is_each_ranks_own(simulate):
    pytest.importorskip("numpy")
    program = COMM + (
        "import numpy as np\n"
        "np.random.seed(rank); drawn = []\n"
        "for _ in range(3):\n    drawn.append(np.random.randn(3).tolist()); comm.barrier()\n"
        "np.random.seed(rank); assert drawn == [np.random.randn(3).tolist() for _ in range(3)]\n"
    )
    assert simulate("-n", "3", "main.py", files={"main.py": program}) == (0, "", "")


def test_numpys_global_generator_as_an_object_is_each_ranks_own(simulate):
    pytest.importorskip("numpy")
    program = COMM + (
        "import numpy as np\n"
        "np.random.seed(rank); comm.barrier()\n"
        "taken, right = np.random.mtrand._rand, np.random.RandomState(rank)\n"
        "assert isinstance(taken, np.random.RandomState)\n"
        "for _ in range(3):\n    assert taken.normal() == right.normal(); comm.barrier()\n"
        "assert taken.randint(1000) == right.randint(1000); comm.barrier()\n"
        "assert np.random.randn() == right.randn()\n"
    )
    assert simulate("-n", "3", "main.py", files={"main.py": program}) == (0, "", "")


def test_what_shared_modules_draw_is_drawn_from_the_ranks_own_generator(simulate):
    import random

    right = random.Random(5)
    first, second = right.random(), right.random()
    # `shared` is loaded by one rank, `statistics` before all of them.
    shared = "import random\ndef draw(): return random.random()\n"
    program = COMM + (
        "import pickle, random, shared, statistics\n"
        "random.seed(5); comm.barrier()\n"
        f"assert shared.draw() == {first!r}; comm.barrier()\n"
        f"state = random.getstate(); assert random.random() == {second!r}; comm.barrier()\n"
        f"random.setstate(state); comm.barrier(); assert shared.draw() == {second!r}\n"
        "random.seed(7); comm.barrier(); one = statistics.NormalDist().samples(1)\n"
        "assert one == statistics.NormalDist().samples(1, seed=7)\n"
        "assert pickle.loads(pickle.dumps(random.shuffle)) is random.shuffle\n"
    )
    files = {"main.py": program, "shared.py": shared}
    assert simulate("-n", "3", "--share", "shared", "main.py", files=files) == (0, "", "")
    assert not isinstance(random.random, type(simulate))  # it is Python's own again


def test_main_may_be_redefined(simulate):
    program = COMM + (
        "import sys, types\n"
        "class A: tag = rank\n"
        "made = types.ModuleType('__main__'); made.A, made.tag = A, rank\n"
        "sys.modules['__main__'] = made\n"
        "got = comm.sendrecv(A(), (rank + 1) % size, source=(rank - 1) % size)\n"
        "import __main__\n"
        "assert type(got) is A and got.tag == rank and __main__ is made and __main__.tag == rank\n"
    )
    assert simulate("-n", "3", "main.py", files={"main.py": program}) == (0, "", "")


def test_a_module_that_is_loaded_again_or_removed_is_so_on_its_rank_only(simulate):
    program = COMM + (
        "import importlib, sys, state\n"
        "state.value = rank; comm.barrier()\n"
        "if rank == 0: importlib.reload(state)\n"
        "if rank == 1: del sys.modules['state']\n"
        "comm.barrier()\n"
        "there = 'state' in sys.modules\n"
        "import state as again\n"
        "print(rank, state.value, there, again is state)\n"
    )
    status, out, err = simulate("-n", "3", "main.py", files={"main.py": program, "state.py": "value = 'new'\n"})
    assert (status, err) == (0, "")
    assert sorted(out.splitlines()) == ["0 new True True", "1 1 False False", "2 2 True True"]


def test_modules_that_a_rank_makes_or_imports_late_are_its_own(simulate):
    program = COMM + (
        "import sys, types\n"
        "if rank == 0:\n"
        "    import state\n    sys.modules['made'] = types.ModuleType('made')\n"
        "comm.barrier()\n"
        "assert ('state' in sys.modules) == ('made' in sys.modules) == (rank == 0)\n"
        "import json.tool\n"
        "comm.barrier()\n"
        "import state\n"
        "assert state.RANK == rank\n"
    )
    files = {"main.py": program, "state.py": "from mpi4py.MPI import COMM_WORLD\nRANK = COMM_WORLD.rank\n"}
    assert simulate("-n", "3", "main.py", files=files) == (0, "", "")


def test_a_programs_own_module_stands_before_one_that_is_loaded(simulate):
    files = {"main.py": COMM + "import click\nprint(click.mine)\n", "click.py": "mine = 'yes'\n"}
    start = (Path(sys.executable).with_name("bsbpool"), "simulate")
    assert simulate("-n", "2", "main.py", files=files, start=start) == (0, "yes\nyes\n", "")


def test_a_pool_runs_functions_of_the_script(simulate):
    program = COMM + (
        "import bsbpool\n"
        "def square(owner, x):\n    return x * x\n"
        "with bsbpool.job_pool() as pool:\n"
        "    jobs = [pool.queue(square, (x,)) for x in range(5)]\n"
        "    pool.execute()\n"
        "    if rank == 0: print([job.result for job in jobs])\n"
    )
    status, out, err = simulate("-n", "3", "--trace", "t.trace", "main.py", files={"main.py": program})
    assert (status, out, err) == (0, "[0, 1, 4, 9, 16]\n", "")


@pytest.mark.measured
def test_a_trace_has_what_happened(simulate, tmp_path):
    simulate("-n", "2", "--trace", "t.trace", "-c", COMM + "comm.sendrecv(1, 1 - rank, source=1 - rank)")
    assert len(read_trace(tmp_path / "t.trace").of("receive")) == 2


# -- how a program is started ------------------------------------------------------------------------------

SHOWS_ITSELF = (
    "import sys\nprint(__name__, sys.argv[1:], sys.argv[0].endswith(%r), __package__, __spec__ is not None)\n"
)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["pack/mod.py", "-n", "9"], "__main__ ['-n', '9'] True None False"),
        (["-m", "pack.mod", "-n", "9"], "__main__ ['-n', '9'] True pack True"),
        (["-m", "pack", "x"], "__main__ ['x'] True pack True"),
        (["folder", "x"], "__main__ ['x'] True  True"),
        (["-c", SHOWS_ITSELF % "-c", "-m"], "__main__ ['-m'] True None False"),
    ],
)
def test_a_program_is_started_as_python_does(simulate, arguments, shown):
    files = {
        "pack/__init__.py": "",
        "pack/mod.py": SHOWS_ITSELF % "mod.py",
        "pack/__main__.py": SHOWS_ITSELF % "__main__.py",
        "folder/__main__.py": SHOWS_ITSELF % "folder",
    }
    status, out, err = simulate("-n", "2", *arguments, files=files)
    assert (status, err) == (0, "")
    assert out.splitlines() == [shown] * 2


VARIABLES = """
import sys, importlib.machinery as kinds
known = kinds.BuiltinImporter, kinds.SourceFileLoader
loads = [k.__name__ for k in known if k is __loader__ or isinstance(__loader__, k)]
own = {n: v for n, v in globals().items() if n not in ("sys", "kinds", "known", "loads", "__builtins__", "__loader__")}
print(loads, [(n, v if isinstance(v, (str, dict)) else type(v).__name__) for n, v in sorted(own.items())])
"""
WAYS = [["-c", VARIABLES], ["folder/../main.py"], ["./main.py"], ["-m", "main"], ["archive"]]


@pytest.mark.measured
@pytest.mark.parametrize("arguments", WAYS, ids=["code", "path", "here", "module", "archive"])
def test_main_begins_with_the_variables_that_python_gives_it(simulate, arguments, tmp_path):
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:  # without an ending, as `zipapp` makes them for Unix
        archive.writestr("__main__.py", VARIABLES)
    files = {"main.py": VARIABLES, "folder/x.py": ""}
    _, alone, _ = simulate(*arguments, files=files, start=[])
    status, out, err = simulate("-n", "2", *arguments, files=files)
    assert (status, err) == (0, "")
    assert alone
    assert out == alone * 2


def test_the_command_and_the_module_are_the_same(simulate):
    both = [simulate("-n", "2", "-c", "print(1)", start=start) for start in
            (["-m", "bsbpool", "simulate"], ["-m", "bsbpool_sim"])]  # fmt: skip
    assert both == [(0, "1\n1\n", "")] * 2


@pytest.mark.measured
def test_pytest_runs_on_the_ranks(simulate):
    tests = COMM + (
        "import helper\n"
        "def test_sum(tmp_path, capsys):\n"
        "    print(rank)\n"
        "    assert comm.allreduce(helper.one()) == size and capsys.readouterr().out == f'{rank}\\n'\n"
        "def test_rank():\n    comm.barrier()\n    assert rank != 1\n"
    )
    files = {"t/test_it.py": tests, "t/helper.py": "def one():\n    return 1\n"}
    status, out, err = simulate("-n", "2", "--label", "-m", "pytest", "-q", "-p", "no:cacheprovider", "t", files=files)
    assert status == 1
    assert re.search(r"^\[0\] 2 passed", out, re.MULTILINE)
    assert re.search(r"^\[1\] E +assert 1 != 1$", out, re.MULTILINE)
    assert "bsbpool: rank 1 ended with exit status 1" in err


# -- what is printed ---------------------------------------------------------------------------------------


def test_output_comes_in_whole_lines(simulate):
    program = COMM + (
        "import os, sys\n"
        "for part in 'one', 'line':\n    print(part, end=' '); comm.barrier()\n"
        "print(); sys.stdout.buffer.write(b'bytes\\n'); print('no end', end='')\n"
    )
    status, out, err = simulate("-n", "2", "--label", "main.py", files={"main.py": program})
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert sorted(lines) == sorted(f"[{r}] {text}" for r in (0, 1) for text in ("one line ", "bytes", "no end"))


@pytest.mark.measured
@pytest.mark.parametrize(
    "gives_up",
    [
        "sys.stdout.close()",
        "out = io.TextIOWrapper(sys.stdout.buffer); del out",
        "sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding='ascii')",
        "sys.stderr.close()",
        "sys.stderr.close(); 1/0",
        "sys.stderr = None; sys.exit('why')",
        "sys.stdout = None; print('nowhere', flush=True)",
        "print(sys.stdout.mode, end='')",
    ],
)
def test_a_rank_may_close_its_streams_as_in_python(simulate, gives_up):
    code = f"import io, sys\nprint('before')\nprint('part', end='')\n{gives_up}\nsys.exit(4)"
    alone, (status, out, err) = simulate("-c", code, start=[]), simulate("-n", "2", "-c", code)
    assert (status, out) == (alone[0], alone[1] + "\n" + alone[1])
    assert "Traceback" not in err


def test_what_functions_for_the_end_raise_is_told_as_python_tells_it(simulate):
    code = "import atexit, sys\natexit.register(sys.exit, 9)\natexit.register(int, 'x')\nprint('end')"
    alone, (status, out, err) = simulate("-c", code, start=[]), simulate("-n", "1", "-c", code)
    assert (status, out, err) == alone
    assert "SystemExit: 9" in err


def test_a_rank_may_print_elsewhere(simulate, tmp_path):
    program = (
        COMM + "import sys\nsys.stdout = open(f'out{rank}', 'w')\nprint('of', rank); comm.barrier(); print('more')\n"
    )
    assert simulate("-n", "2", "main.py", files={"main.py": program}) == (0, "", "")
    assert [(tmp_path / f"out{r}").read_text() for r in (0, 1)] == ["of 0\nmore\n", "of 1\nmore\n"]


def test_only_rank_0_has_the_input(simulate):
    status, out, _ = simulate("-n", "2", "-c", COMM + "import sys\nprint(repr(sys.stdin.read()))")
    assert (status, out) == (0, "''\n''\n")


class Sink:
    """A real stream that counts what it is given."""

    encoding, errors = "utf-8", "strict"

    def __init__(self):
        self.buffer, self.sizes = self, []

    def write(self, data):
        self.sizes.append(len(data))

    def flush(self):
        """Nothing is held."""


def test_a_long_piece_of_a_line_is_passed_on():
    sink = Sink()
    stream = RankStream(SharedStream(sink, False, []), "", 0)
    for _ in range(300):
        stream.write("x" * 1000)
    assert sum(sink.sizes) > 200_000
    assert max(sink.sizes) < 70_000


@pytest.mark.measured
@pytest.mark.skipif(sys.platform == "win32", reason="pipes of a shell")
def test_who_reads_the_output_may_leave(tmp_path):
    command = f"{sys.executable} -m bsbpool_sim -n 2 -c 'while True: print(1)' | head -1; echo ${{PIPESTATUS[0]}}"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (run.stdout, run.stderr) == ("1\n141\n", "")


# -- how it ends -------------------------------------------------------------------------------------------


def test_a_deadlock_says_which_ranks_where_and_how_to_see_it_again(simulate):
    program = COMM + "def work():\n    if rank: comm.recv(source=0)\nwork()\n"
    status, out, err = simulate("-n", "2", "--label", "main.py", "a b", files={"main.py": program})
    assert (status, out) == (1, "")
    assert re.search(
        r"^  rank 1 waits for a message from rank 0, which has ended, .* main\.py:5 in work$", err, re.MULTILINE
    )
    assert err.endswith("bsbpool: again: bsbpool simulate -n 2 --label main.py 'a b'\n")


@pytest.mark.parametrize("trace", [("--trace", "run.trace"), ("--trace=run.trace",)])
def test_to_see_it_again_no_trace_is_written_and_the_program_gets_all_that_is_its_own(simulate, trace):
    own = ("--trace", "its own", "--force")
    status, _, err = simulate("-n", "2", *trace, "--force", "main.py", *own, files={"main.py": "raise SystemExit(3)"})
    assert status == 3
    assert err.endswith("bsbpool: again: bsbpool simulate -n 2 main.py --trace 'its own' --force\n")
    status, _, err = simulate("-n", "2", *trace, "--force", "-c", "raise SystemExit(3)", *own)
    assert err.endswith("again: bsbpool simulate -n 2 -c 'raise SystemExit(3)' --trace 'its own' --force\n")


@pytest.mark.measured
def test_a_trace_that_can_not_be_written_in_the_end_is_an_error_in_words(simulate, tmp_path):
    program = "open('run.trace', 'w').write('mine')\n"
    status, _, err = simulate("-n", "2", "--trace", "run.trace", "main.py", files={"main.py": program})
    assert status == 2
    assert err.startswith("bsbpool: run.trace is there already, and it is no trace: ")
    assert len(err.splitlines()) == 1
    assert (tmp_path / "run.trace").read_text() == "mine"


@pytest.mark.measured
def test_a_deadlocked_rank_prints_nothing_more(simulate):
    program = COMM + "try:\n    comm.recv()\nexcept BaseException:\n    pass\nfinally:\n    print('no')\nprint('no')\n"
    status, out, err = simulate("-n", "2", "main.py", files={"main.py": program})
    assert (status, out) == (1, "")
    assert "somebody waits" in err


def test_an_abort_says_where_and_gives_its_code(simulate):
    program = COMM + "import time\ntime.sleep(rank)\nif rank == 1: comm.Abort(7)\ncomm.barrier()\n"
    status, _, err = simulate("-n", "3", "main.py", files={"main.py": program})
    assert status == 7
    assert re.search(r"^bsbpool: rank 1 called Abort\(7\) at 1 s, at .*main.py:6 in <module>$", err, re.MULTILINE)


def test_an_exception_is_printed_as_python_does_and_others_go_on(simulate):
    program = COMM + "def fail():\n    raise ValueError('odd')\nif rank == 1: fail()\nprint('end', rank)\n"
    status, out, err = simulate("-n", "2", "main.py", files={"main.py": program})
    assert (status, out) == (1, "end 0\n")
    shown, _, said = err.partition("bsbpool: ")
    assert [line for line in shown.splitlines() if "File" not in line and "^" not in line] == [
        "Traceback (most recent call last):", "    if rank == 1: fail()", "    raise ValueError('odd')",
        "ValueError: odd",
    ]  # fmt: skip
    assert re.match(r"rank 1 raised ValueError: odd, at .*main.py:5 in fail\n", said)


@pytest.mark.measured
def test_a_hook_for_exceptions_may_abort(simulate):
    program = COMM + (
        "import sys\n"
        "def hook(kind, error, trace):\n    print('hooked', kind.__name__, file=sys.stderr); comm.Abort(5)\n"
        "sys.excepthook = hook\n"
        "if rank == 1: raise KeyError('x')\ncomm.barrier()\n"
    )
    status, _, err = simulate("-n", "2", "main.py", files={"main.py": program})
    assert status == 5
    assert err.startswith("hooked KeyError\nbsbpool: rank 1 raised KeyError: 'x'")


@pytest.mark.measured
@pytest.mark.parametrize(
    ("code", "status"), [("3", 3), ("259", 3), ("None", 0), ("'why'", 1), ("-1", 255), ("1 << 70", 255)]
)
def test_the_exit_status_is_the_programs(simulate, code, status):
    program = COMM + f"import sys\nif rank == 1: sys.exit({code})\nprint('end')\n"
    got, out, err = simulate("-n", "2", "-c", program)
    assert (got, out) == (status, "end\n")
    assert (f"rank 1 ended with exit status {status}" in err) == (status != 0)
    assert ("why" in err.splitlines()) == (code == "'why'")


def test_faults_befall_ranks_as_a_file_says(simulate):
    faults = (
        "slow: {1: 2}\nevents:\n  - {at: 3s, kill: 2}\n  - {at: 1s, pause: {rank: 0, for: 500ms}}\n"
        "  - {at: 0s, delay: {from: 1, to: 0, by: 10ms}}\n  - {at: 2500ms, slow: {rank: 0, by: 3}}\n"
    )
    program = COMM + (
        "import time\ntime.sleep(2)\nprint(rank, time.monotonic())\n"
        "if rank == 1: comm.send(1, 0)\n"
        "if rank == 0:\n    comm.recv(); print(time.monotonic()); time.sleep(1); print(time.monotonic())\n"
        "if rank == 2:\n    time.sleep(9); print('no')\n"
    )
    status, out, err = simulate(
        "-n", "3", "--script", "f.yaml", "main.py", files={"f.yaml": faults, "main.py": program}
    )
    assert status == 0
    assert out == "2 2.0\n0 2.5\n1 4.0\n4.01\n7.01\n"
    assert "bsbpool: rank 2 died at 3 s\n" in err


def test_a_seed_changes_the_order_of_what_happens_at_one_instant(simulate):
    program = COMM + "if rank: comm.send(rank, 0)\nelse: print([comm.recv() for _ in range(1, size)])\n"
    outs = {simulate("-n", "5", *seed, "-c", program)[1] for seed in ([], ["--seed", "1"], ["--seed", "2"])}
    assert "[1, 2, 3, 4]\n" in outs
    assert len(outs) > 1


def test_latency_and_bandwidth_take_time(simulate):
    program = COMM + (
        "import time\nif rank: comm.Send(bytearray(1000), 0)\nelse: comm.Recv(bytearray(1000)); print(time.time() % 60)"
    )
    status, out, _ = simulate("-n", "2", "--latency", "2s", "--bandwidth", "1kB/s", "-c", program)
    assert (status, out) == (0, "3.0\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--horizon", "1min"], "virtual time went past the horizon of 60 s: give --horizon more"),
        (["--max-events", "100"], "more than 100 events by .*: give --max-events more"),
    ],
)
def test_a_program_that_goes_on_for_ever_is_given_up(simulate, options, said):
    status, _, err = simulate("-n", "2", *options, "-c", "import time\nwhile True: time.sleep(1)")
    assert status == 1
    assert re.search(said, err), err


# -- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.measured
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["nothing.py"], 2, "there is no script nothing.py: give the path of a Python program, or -m MODULE"),
        (["-"], 2, "there is no script -: give /dev/stdin for a program from a pipe, or -m MODULE"),
        (["-m", "nothing"], 2, "there is no module nothing, neither here nor installed"),
        (["."], 2, r"\. is a folder without a __main__.py"),
        ([], 2, "name a script to run, a module with -m, or code with -c"),
        (["-n", "20000", "x.py"], 2, "20000 is not in the range"),
        (["--latency", "3", "x.py"], 2, "'3' is no duration: write a number with a unit, such as 500ms"),
        (["--bandwidth", "3", "x.py"], 2, "'3' is no bandwidth: write a number above 0 with a unit, such as 100MB/s"),
        (["--tape", "3.1", "x.py"], 2, "'3.1' is no tape: one is v1: and then"),
        (["--tape", "v1:999.1", "good.py"], 1, "the tape 'v1:999.1' does not fit"),
        (["bad.py"], 2, r"this is no Python that can be run:\n  File .*bad.py\", line 1\n"),
        (["--script", "no.yaml", "bad.py"], 2, "no.yaml:1:1: can't be read"),
        (["--script", "bad.yaml", "bad.py"], 2, r"bad.yaml:2:20: rank 7 is not there: there are ranks 0 to 1"),
        (["-c", "import os; os.fork()"], 1, r"CannotSimulateError: .*rank 0 tried to start a real process"),
        (["twice.py"], 1, r"if it can't be loaded twice in one process, let all ranks share it: .* --share once"),
        (["--share", "once", "twice.py"], 0, ""),
    ],
)
def test_what_cannot_be_run_is_told_with_what_to_do(simulate, arguments, status, said):
    files = {
        "bad.py": "def\n",
        "good.py": COMM,
        "bad.yaml": "events:\n  - {at: 2s, kill: 7}\n",
        "twice.py": "import once\n",
        "once.py": "import builtins\nif hasattr(builtins, 'once'): raise RuntimeError('there')\nbuiltins.once = 1",
    }
    got, _, err = simulate("-n", "2", *arguments, files=files)
    assert got == status, err
    assert re.search(said, err), err


@pytest.mark.measured
def test_all_mistakes_of_a_file_of_faults_are_told(simulate):
    faults = "events:\n  - {at: 2, kill: 0}\n  - {kill: 1}\n  - {at: 1s}\n  - {at: 1s, kil: 2}\nspeed: 3\n"
    status, _, err = simulate("-n", "2", "--script", "f.yaml", "-c", "", files={"f.yaml": faults})
    assert status == 2
    assert [line.split(":")[2] for line in err.splitlines() if "f.yaml:" in line] == ["2", "3", "4", "5", "6"]
    assert "did you mean 'kill'?" in err


def test_more_ranks_than_memory_allows_are_refused(monkeypatch, tmp_path):
    taken = iter(range(0, 10**12, 10**9))
    monkeypatch.setattr(program_run, "memory_taken", lambda: next(taken))
    monkeypatch.setattr(program_run, "memory_available", lambda: 10**9)
    ended = run_program(Program("", "code"), 100)
    assert isinstance(ended.stopped, TooManyRanksError)
    assert re.fullmatch(
        r"100 ranks of this program take about 6\.2 GB \(62\.5 MB each\), and 1\.0 GB are free: give -n 28 or fewer, "
        r"or let ranks share modules with --share", str(ended.stopped),
    )  # fmt: skip


def test_what_was_replaced_is_put_back():
    import os
    import warnings

    before = type(sys), type(os.environ), type(warnings), type(logging.root), sys.stdout, {**sys.modules}
    run_program(Program("import os, random; os.environ['X_OF_RANK'] = '1'; os.chdir('/')", "code"), 3)
    after = type(sys), type(os.environ), type(warnings), type(logging.root), sys.stdout, {**sys.modules}
    assert before[:-1] == after[:-1]
    assert {name: module for name, module in after[-1].items() if name in before[-1]} == before[-1]
    assert "X_OF_RANK" not in os.environ
    assert os.getcwd() != "/"


# -- what ranks must not take from each other ---------------------------------------------------------------


@pytest.mark.measured
def test_a_rank_has_its_own_factory_of_log_records_and_closes_only_its_own_handlers(simulate):
    program = COMM + (
        "import logging, logging.config\n"
        "make = logging.getLogRecordFactory()\n"
        "def factory(*args, **kwargs):\n"
        "    record = make(*args, **kwargs)\n    record.rank = rank\n    return record\n"
        "logging.setLogRecordFactory(factory)\n"
        "logging.config.dictConfig({'version': 1, 'formatters': {'f': {'format': '%(rank)s %(message)s'}},\n"
        "    'handlers': {'h': {'class': 'logging.FileHandler', 'filename': f'{rank}.log', 'mode': 'w',\n"
        "                       'formatter': 'f'}},\n"
        "    'root': {'handlers': ['h'], 'level': 'INFO'}})\n"
        "logging.info('one')\ncomm.barrier()\nlogging.info('two')\ncomm.barrier()\n"
        "print(rank, logging.getLogRecordFactory() is factory, repr(open(f'{rank}.log').read()))\n"
    )
    status, out, err = simulate("-n", "3", "main.py", files={"main.py": program})
    assert (status, err) == (0, "")
    assert sorted(out.splitlines()) == [f"{r} True '{r} one\\n{r} two\\n'" for r in range(3)]


@pytest.mark.measured
def test_a_rank_has_its_own_names_of_levels_of_logging(simulate):
    program = COMM + (
        "from logging import INFO, addLevelName, getLevelName, getLevelNamesMapping\n"
        "addLevelName(INFO, f'INFO OF {rank}')\naddLevelName(5 + rank, 'MORE')\n"
        "comm.barrier()\n"
        "mapping = getLevelNamesMapping()\n"
        "print(rank, getLevelName(INFO), getLevelName('MORE'), getLevelName(6 - rank), mapping['MORE'])\n"
    )
    status, out, err = simulate("-n", "2", "main.py", files={"main.py": program})
    assert (status, err) == (0, "")
    assert sorted(out.splitlines()) == ["0 INFO OF 0 5 Level 6 5", "1 INFO OF 1 6 Level 5 6"]
    assert logging.getLevelName(logging.INFO) == "INFO"


def test_a_module_that_a_rank_puts_in_place_of_its_own_stays_there(simulate):
    program = COMM + (
        "import sys, beside\ncomm.barrier()\nsys.modules['beside'] = rank\ncomm.barrier()\n"
        "import beside\nprint(beside, rank)\n"
    )
    status, out, err = simulate("-n", "3", "main.py", files={"main.py": program, "beside.py": ""})
    assert (status, err) == (0, "")
    assert sorted(out.splitlines()) == ["0 0", "1 1", "2 2"]


@pytest.mark.measured
def test_what_is_no_ordinary_exception_ends_its_rank_only(simulate):
    program = COMM + (
        "class Stop(BaseException): pass\nif rank == 1: raise Stop('enough')\nprint(rank, 'ends', sys.stdout.name)\n"
    )
    status, out, err = simulate("-n", "3", "main.py", files={"main.py": "import sys\n" + program})
    assert status == 1
    assert sorted(out.splitlines()) == ["0 ends <stdout>", "2 ends <stdout>"]
    assert "Stop: enough" in err
    assert "rank 1 raised Stop: enough" in err
    assert "click" not in err


@pytest.mark.measured
def test_what_a_rank_puts_into_a_logger_is_its_own(simulate):
    program = COMM + (
        "import logging\nlog = logging.getLogger('app')\nlog.rank = rank\ncomm.barrier()\n"
        "print(rank, log.rank, hasattr(log, 'other'), log.parent is logging.getLogger())\n"
    )
    status, out, err = simulate("-n", "3", "main.py", files={"main.py": program})
    assert (status, err) == (0, "")
    assert sorted(out.splitlines()) == [f"{r} {r} False True" for r in range(3)]


@pytest.mark.measured
def test_what_a_thread_has_raised_is_for_the_hook_of_its_rank(simulate):
    code = (
        f"import threading\n{COMM}"
        "if rank == 0:\n    threading.excepthook = lambda raised: print('mine', raised.exc_value)\n"
        "comm.barrier()\nthread = threading.Thread(target=lambda: 1 / 0)\nthread.start()\nthread.join()\n"
        "print(rank, threading.excepthook is threading.__excepthook__)\n"
    )
    status, out, err = simulate("-n", "2", "-c", code)
    assert status == 0 and sorted(out.splitlines()) == ["0 False", "1 True", "mine division by zero"]
    assert err.count("ZeroDivisionError") == 1 and "Exception in thread Thread-1" in err
