"""Tests use what is public, so that the inside can change without them. Which private names are used, and why."""

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]

#: Names that begin with an underscore and are documented none the less: by Python, or as what BSB and the pool have of
#: each other.
DOCUMENTED = {
    "_exit": "os",
    "_getframe": "sys",
    "_replace": "named tuples",
    "_util": "a module of the reference",
    "_mocked": "whether a module of `_util` is the real one",
    "_comm": "an owner has it",
    "_pool_cache": "an owner has it",
    "_deps": "code that was written for BSB reads it of a job",
    "_max_wait": "code that was written for BSB sets it on a pool",
    "_workflow": "BSB's scaffold has it",
    "_ui": "BSB's listener has it",
    "_hypothesis_internal_use_settings": "Hypothesis has no other way to ask for the settings of a test",
}

#: By file: what is private, and why its tests can't do without. Those in breaks/ are not in it: they break rules of the
#: inside one by one, to see that the tests of each rule fail.
PRIVATE = {
    "mpi/test_channel.py": (
        {"_all_there", "_announced", "_asleep", "_behind", "_duplicate"},
        "how long a channel naps, and what it has left in MPI, is seen nowhere else",
    ),
    "mpi/test_waiting.py": ({"_poll"}, "how often a channel asks MPI is seen nowhere else"),
    "pool/test_faults.py": (
        {"_close", "_closed", "_member"},
        "faults strike while the channel is open; and without the last step of the pool the checks must fail",
    ),
    "pool/test_jobs.py": ({"_callbacks"}, "a callback comes between two statements of the pool"),
    "unit/test_api.py": ({"_services"}, "takes a service away again, which nobody else does"),
    "unit/test_bounds.py": ({"_callbacks"}, "whether a list is copied is seen in the list only"),
    "unit/test_engine.py": ({"_dependents"}, "Ctrl-C comes between two statements of the engine"),
    "unit/test_explore_pools.py": ({"_return_line", "_run"}, "breaks a worker, to see that it is found, and cut"),
    "unit/test_global_generators.py": (
        {"_inst", "_rand"},
        "libraries take the generators behind the functions of Python and NumPy by these names",
    ),
    "unit/test_rules.py": (
        {"_engine", "_how_many", "_rank", "_status"},
        "changes rules of the engine in the file of each, and counts the jobs that are sent ahead",
    ),
    "unit/test_scenario_running.py": ({"_free", "_give_back", "_run"}, "breaks a worker, to see that it is found"),
    "watching.py": ({"_simulation"}, "looks at every simulation of the tests as it ends"),
    "with_bsb/test_values_of_bsb.py": ({"_chunks"}, "that a job keeps chunks as BSB's own type has no public name yet"),
    "unit/test_mpi_communicators.py": (
        ["_comm_lock", "_comm_lock_table", "_commctx_inter", "_commctx_intra"],
        "what mpi4py's own package asks of MPI by these names",
    ),
}


def private_names(text):
    """The private names of others that a file uses: attributes, imports, and names for `getattr` and `setattr`."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                found.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found |= {name for each in node.names for name in (each.name, *(node.module or "").split("."))}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            ("getattr", "setattr", "delattr", "hasattr")
        ):
            constants = [each.value for each in node.args if isinstance(each, ast.Constant)]
            found |= {part for each in constants if isinstance(each, str) for part in each.split(".")}
    return {name for name in found if name.startswith("_") and not name.startswith("__") and name.isidentifier()}


def test_tests_use_public_names():
    found = {}
    for path in sorted(TESTS.rglob("*.py")):
        if names := private_names(path.read_text(encoding="utf-8")) - {*DOCUMENTED, "_"}:
            found[path.relative_to(TESTS).as_posix()] = names
    found = {name: names for name, names in found.items() if not name.startswith("breaks/")}
    assert found == {name: {*names} for name, (names, _) in PRIVATE.items()}


def test_each_way_to_use_a_private_name_is_found():
    ways = [
        "pool._world.now()",
        "from bsbpool.worlds.machine import _quota",
        "from bsbpool._hidden import found",
        "setattr(pool, '_close', None)",
        "monkeypatch.setattr('bsbpool.pool._close', None)",
        "getattr(pool, '_close')",
    ]
    assert all(private_names(way) for way in ways)
    assert private_names("self._mine = __name__\npool.__class__\nmonkeypatch.setenv('_HOME', '1')") == set()
