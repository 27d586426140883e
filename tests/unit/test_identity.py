"""What is told apart by `id()` or `hash()`, what is kept as long as the process, and where tests measure time: each
place was looked at.

An id is an object's only as long as the object lives: who keeps an id keeps the object, too, or is done with it before
anything can go. What modules keep for ever must not grow with what a program does.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: By file: the functions that call `id()` or `hash()`, and why that is right.
CALLS = {
    "sim/bsbpool_sim/mpi/giving_memory.py": (["gives_memory"], "the address of a type, of which C code is told"),
    "bsbpool/bsb/counterparts.py": (
        ["give_back", "names_of_ours"],
        "within one call that replaces names, and holds what it asks meanwhile",
    ),
    "bsbpool/bsb/replacing.py": (
        ["_parts_of", "_replace_in", "_replace_in_dict", "replace"],
        "within one call that replaces names, and holds what it asks meanwhile",
    ),
    "bsbpool/pool/caching.py": (["__init__", "cached"], "a memory in the index by id keeps its node and owner alive"),
    "bsbpool/cli/replay.py": (["bare"], "within one walk over exceptions, which the first of them keeps alive"),
    "bsbpool/pool/job_pool.py": (["__init__"], "whether a pool's id can be hashed at all"),
    "bsbpool/pool/port.py": (["was_not_scheduled"], "as in bsbpool/pool/scheduling.py"),
    "bsbpool/pool/scheduling.py": (
        ["_schedule", "_schedule_node"],
        "nodes that were not scheduled are kept with their ids",
    ),
    "bsbpool/trace/listener.py": (["_hear_of_job"], "jobs of BSB's pool are kept with their ids, until it closes"),
    "bsbpool/tracebacks.py": (["_gathered"], "within one walk over the causes of an error, which it keeps alive"),
    "sim/bsbpool_sim/python/finalizers.py": (["_is_told"], "what one walk has met is kept until it is over"),
    "sim/bsbpool_sim/pytest_plugin/own_objects.py": (
        ["_change", "_copied", "_of_mpi", "_pair", "_value", "follow"],
        "what has a counterpart is kept with it, and what one walk has met until it is over",
    ),
    "sim/bsbpool_sim/pytest_plugin/own_modules.py": (
        ["_holds_something_of", "_reaches"],
        "within one walk over what modules hold, which keeps it alive",
    ),
    "sim/bsbpool_sim/random_streams.py": (["_memory_of"], "the address of a generator that is alive"),
    "sim/bsbpool_sim/tape.py": (["__hash__"], "of what a tape says, which is the same for equal tapes"),
    "sim/bsbpool_sim/python/logs.py": (["change", "kept"], "of loggers and their manager, which logging keeps"),
    "sim/bsbpool_sim/python/locks.py": (
        [
            "_give_back",
            "_given_back",
            "_hand_over",
            "_is_set",
            "_lock_locked",
            "_lock_release",
            "_queue_get",
            "_queue_put",
            "_recursion_count",
            "_rlock_locked",
            "_take",
            "_take_again",
        ],
        "of locks that are kept while they are held, and of queues for which somebody waits",
    ),
    "sim/bsbpool_sim/scenario/always.py": (["_of_pool"], "of errors, which the run keeps"),
    "sim/bsbpool_sim/scenario/blaming.py": (["owners_of_errors"], "of errors, which their jobs keep"),
    "sim/bsbpool_sim/standstill.py": (["_of_module", "of"], "within one reading of variables, which keeps them alive"),
}

#: By file: what of a module grows while a program runs, and what bounds it.
KEPT = {
    "bsbpool/pool/jobs.py": {"KINDS": "classes of one name take each other's place"},
    "bsbpool/worlds/duplicates.py": {"spare": "duplicates that wait for the next communicator of the same ranks"},
    "bsbpool/worlds/local.py": {"PROCESS": "pools that are open; a pool takes itself out"},
    "sim/bsbpool_sim/checks/audit.py": {"_users": "files of code that calls MPI"},
    "sim/bsbpool_sim/mpi/endpoint.py": {"CLASSES": "the classes of communicators, as their files are loaded"},
    "sim/bsbpool_sim/mpi/handles.py": {"_predefined": "what MPI predefines, as its chapters are loaded"},
    "sim/bsbpool_sim/mpi/constants.py": {"_real": "names of mpi4py"},
    "sim/bsbpool_sim/mpi/datatypes.py": {"DATATYPES": "the predefined datatypes"},
    "sim/bsbpool_sim/mpi/kept_by_rank.py": {"_outside": "names and handles of datatypes, of a program that simulates"},
    "sim/bsbpool_sim/python/logs.py": {
        "_classes": "classes of logging, and what stands for them",
        "_real": "functions of the standard library",
    },
    "sim/bsbpool_sim/python/late_imports.py": {"OF_LATE": "names of functions"},
    "sim/bsbpool_sim/python/locks.py": {
        "OF_LOCKS": "names of functions",
        "_held": "locks that are held; forgotten with their simulation",
        "_queues": "what is waited for; who ends to wait takes itself out",
    },
    "sim/bsbpool_sim/python/process.py": {"OF_PROCESS": "names of functions"},
    "sim/bsbpool_sim/python/threads.py": {"OF_THREADS": "names of functions"},
    "sim/bsbpool_sim/python/warning_settings.py": {"_real": "functions of the standard library"},
    "sim/bsbpool_sim/replay/recorded_stubs.py": {
        "_ERROR_CLASSES": "names of errors in traces, which are pickled by them",
        "job_class": "names of classes in traces, which are pickled by them",
    },
    "sim/bsbpool_sim/substitutes.py": {
        "_classes": "classes of Python's whose methods are replaced; found once",
        "_modules": "modules whose names are replaced; found once",
        "_places": "attributes of classes that are replaced; found once",
        "_prepared": "names of modules of the standard library",
        "_undo": "as long as a simulation runs",
    },
    "sim/bsbpool_sim/virtual.py": {"VIRTUAL": "names of functions", "real": "functions of the standard library"},
}

#: By file: the functions in which a test computes with a clock, and why that asserts nothing about a real one.
CLOCKS = {
    "tests/pool/test_limits.py": (["deaf", "fill"], "a job that waits on; and virtual time"),
    "tests/pool/test_same_instant.py": (["deaf"], "a job that waits on"),
    "tests/unit/test_compute.py": (["program"], "virtual time"),
    "tests/unit/test_substitutes.py": (["test_clocks_stay_real_for_others"], "that a sleep is not too short"),
}


def within(tree, matches, where=""):
    """The names of the functions in which a node matches."""
    found = set()
    for node in ast.iter_child_nodes(tree):
        inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else where
        if matches(node):
            found.add(inner)
        found |= within(node, matches, inner)
    return found


def everywhere(matches, pattern, *folders):
    """By file: the names of the functions in which a node matches."""
    found = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob(pattern)):
            if functions := within(ast.parse(path.read_text(encoding="utf-8")), matches):
                found[path.relative_to(ROOT).as_posix()] = sorted(functions)
    return found


def test_each_place_that_goes_by_id_or_hash_was_looked_at():
    def matches(node):
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("id", "hash")

    found = everywhere(matches, "*.py", "bsbpool", "sim/bsbpool_sim")
    assert found == {name: functions for name, (functions, _) in CALLS.items()}


def test_what_modules_keep_as_long_as_the_process_is_bounded():
    """Empty collections of modules are there to be filled while a program runs, and so are caches without a limit."""
    found = {}
    for folder in ("bsbpool", "sim/bsbpool_sim"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                name = None
                if isinstance(node, ast.AnnAssign) and node.value is not None:
                    if ast.unparse(node.value) in ("{}", "[]", "set()", "dict()", "deque()", "WeakValueDictionary()"):
                        name = ast.unparse(node.target)
                elif isinstance(node, ast.FunctionDef) and node.args.args:  # without arguments there is one result
                    cached = {ast.unparse(each) for each in node.decorator_list} & {"cache", "functools.cache"}
                    name = node.name if cached else None
                if name is not None and "_NO" not in name:  # which stand for nothing, and are never filled
                    found.setdefault(path.relative_to(ROOT).as_posix(), set()).add(name)
    assert found == {name: set(kept) for name, kept in KEPT.items()}


def test_no_test_measures_real_time():
    """A machine may be four times slower, or busy: a test says what happens, in which order, or how often. What takes
    how long is printed by the benchmarks."""

    def matches(node):
        return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and any(
            isinstance(side, ast.Call) and ast.unparse(side.func).removeprefix("time.") in READ
            for side in (node.left, node.right)
        )  # fmt: skip

    found = everywhere(matches, "test_*.py", "tests")
    assert found == {name: functions for name, (functions, _) in CLOCKS.items()}


READ = ("monotonic", "perf_counter", "process_time", "time", "time_ns", "monotonic_ns", "perf_counter_ns")
