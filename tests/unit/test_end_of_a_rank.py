"""What Python does with objects at the end of a process, a rank's program gets at its end, while MPI is still there."""

from launching import run

COMM = "from mpi4py import MPI\ncomm = MPI.COMM_WORLD\n"
TELLS = "class Tells:\n    def __del__(self):\n        print('freed', comm.rank, comm.allreduce(1))\n"


def simulated(path, code, *, ranks=2, **files):
    for name, text in files.items():
        (path / f"{name}.py").write_text(text)
    return run(program=["-m", "bsbpool_sim", "-n", str(ranks), "-c", code], cwd=path)


def test_what_a_variable_holds_is_freed_before_mpi_ends(tmp_path):
    status, out, err = simulated(tmp_path, COMM + TELLS + "held = Tells()\nlisted = {'a': [Tells()]}\n")
    assert (status, sorted(out.splitlines()), err) == (0, ["freed 0 2"] * 2 + ["freed 1 2"] * 2, "")


def test_what_a_module_of_the_program_holds_is_freed_too(tmp_path):
    status, out, err = simulated(tmp_path, "import lib\n", lib=COMM + TELLS + "held = Tells()\n")
    assert (status, sorted(out.splitlines()), err) == (0, ["freed 0 2", "freed 1 2"], "")


def test_it_is_freed_after_an_exception_and_after_functions_of_atexit(tmp_path):
    code = COMM + TELLS + "import atexit\natexit.register(print, 'atexit')\nheld = Tells()\nraise SystemExit(3)\n"
    status, out, err = simulated(tmp_path, code, ranks=1)
    assert (status, out.splitlines()) == (3, ["atexit", "freed 0 1"])
    assert "ignored" not in err


def test_threads_that_are_daemons_see_none_of_it(tmp_path):
    """Both sleep in virtual time."""
    code = (
        COMM + "import threading, time\n" + TELLS + "held = Tells()\n"
        "def look():\n    while True:\n        time.sleep(1)\n        held.__class__.__name__.index('Tells')\n"
        "threading.Thread(target=look, daemon=True).start()\ntime.sleep(5)\n"
    )
    status, out, err = simulated(tmp_path, code)
    assert (status, sorted(out.splitlines()), err) == (0, ["freed 0 2", "freed 1 2"], "")


def test_functions_of_weakref_finalize_are_called_at_the_end_of_their_rank_the_last_first(tmp_path):
    code = (
        COMM + "import weakref\n"
        "class Held: pass\n"
        "held, gone, silent = Held(), Held(), Held()\n"
        "for n in range(2): weakref.finalize(held, lambda n=n: print('end', comm.rank, n, comm.allreduce(n)))\n"
        "weakref.finalize(silent, print, 'never').atexit = False\n"
        "weakref.finalize(gone, print, 'at once', comm.rank)\n"
        "del gone\n"
        "print('over')\n"
    )
    status, out, err = simulated(tmp_path, code, ranks=1)
    assert (status, err) == (0, "")
    assert out.splitlines() == ["at once 0", "over", "end 0 1 1", "end 0 0 0"]
    assert sorted(simulated(tmp_path, code)[1].splitlines())[2:6] == [
        "end 0 0 0",
        "end 0 1 2",
        "end 1 0 0",
        "end 1 1 2",
    ]


def test_what_a_function_of_weakref_finalize_raises_is_told_and_the_others_are_called(tmp_path):
    code = (
        "import weakref\nheld = set()\nweakref.finalize(held, print, 'called')\nweakref.finalize(held, lambda: 1 / 0)\n"
    )
    status, out, err = simulated(tmp_path, code, ranks=1)
    assert (status, out) == (0, "called\n")
    assert err.splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_what_ranks_that_wait_for_ever_wanted_finalized_is_forgotten(tmp_path):
    (tmp_path / "stuck.py").write_text(
        COMM + "import weakref\nclass Held: pass\nheld = Held()\n"
        "weakref.finalize(held, print, 'of a rank')\ncomm.recv(source=0, tag=1)\n"
    )
    (tmp_path / "outside.py").write_text(
        "import weakref\n"
        "from bsbpool_sim.program.beginning import Program\n"
        "from bsbpool_sim.program.program_run import run_program\n"
        "class Held: pass\n"
        "before, after, gone = Held(), Held(), Held()\n"
        "weakref.finalize(before, print, 'before')\n"
        "weakref.finalize(gone, print, 'gone')\n"
        "assert run_program(Program('stuck.py'), 2).stopped is not None\n"
        "weakref.finalize(after, print, 'after')\n"
        "del gone\n"
    )
    status, out, err = run(program=["outside.py"], cwd=tmp_path)
    assert (status, out.split(), err) == (0, ["gone", "after", "before"], "")
