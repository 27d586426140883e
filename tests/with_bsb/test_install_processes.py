"""`bsbpool.bsb` in processes of their own: in each order of imports, from the shell, on ranks, on some ranks only."""

import json
import shutil
from pathlib import Path

import pytest
from launching import MPIRUN, needs_mpich, run

from bsbpool.worlds.launcher import launcher

HERE = Path(__file__).parent
TOOL = HERE.parent / "unit" / "run_bsbpool.py"

# Under `mpirun` these tests would start programs on ranks of their own from each rank.
pytestmark = pytest.mark.skipif(launcher() is not None, reason="starts its own ranks")


def on(ranks):
    return (MPIRUN, "-n", str(ranks)) if ranks > 1 else ()


def compiles(order, ranks, which="all", folder=None):
    """What the program `compiles.py` prints: by rank, a line for each of its two compiles."""
    status, said, complaints = run(
        *on(ranks), program=[HERE / "compiles.py", order, which, folder], cwd=folder, limit=600
    )
    assert status == 0, complaints
    return json.loads(said)


# -- when it is called ----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["before", "early"])
def test_a_compile_uses_this_pool_whenever_it_is_installed(tmp_path, order):
    assert compiles(order, 1, folder=tmp_path) == [["bsbpool.pool.job_pool, running is told"] * 2]


@needs_mpich
def test_on_ranks_running_is_announced(tmp_path):
    main, *others = compiles("after", 3, folder=tmp_path)
    assert main == ["bsbpool.pool.job_pool, running is told"] * 2 and others == [["bsbpool.pool.job_pool"] * 2] * 2


# -- ranks that do not agree ----------------------------------------------------------------------------


@needs_mpich
@pytest.mark.parametrize(
    ("which", "says"),
    [
        ("0", "rank 0 of 3 called bsbpool.bsb.install(), ranks 1, 2 did not"),
        ("0,2", "ranks 0, 2 of 3 called bsbpool.bsb.install(), rank 1 did not"),
    ],
)
def test_if_main_uses_this_pool_and_not_all_do_each_rank_says_so_and_goes_on_with_bsbs(tmp_path, which, says):
    for first, second in compiles("before", 3, which, tmp_path):
        assert first.startswith("JobPoolError The ranks do not use the same job pool: ") and says in first
        assert "Call it on every rank, before the pool is made" in first
        # What each rank then uses is BSB's own, and a compile works.
        assert second == "bsb.services.pool"


@needs_mpich
def test_if_main_uses_bsbs_pool_a_rank_that_does_not_lets_it_fail_and_goes_on_with_it(tmp_path):
    lines = compiles("before", 2, "1", tmp_path)
    says = "rank 1 called bsbpool.bsb.install(), and main (rank 0) did not"
    assert lines[1][0].startswith("JobPoolError The ranks do not use the same job pool: ") and says in lines[1][0]
    assert lines[0][0].startswith("WorkflowError ") and says in lines[0][0]
    assert [second for _, second in lines] == ["bsb.services.pool"] * 2


# -- from the shell -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """BSB's own starting example, with two cell types and a connection; its network file is in another folder."""
    folder = tmp_path_factory.mktemp("example")
    status, said, complaints = run(program=["-m", "bsb", "new", "demo", ".", "--quickstart", "--json"], cwd=folder)
    assert status == 0, said + complaints
    path = folder / "demo" / "network_configuration.json"
    network = json.loads(path.read_text())
    network["network"] = {"x": 100, "y": 100, "z": 100, "chunk_size": [50, 50, 100]}
    network["cell_types"]["other"] = {"spatial": {"radius": 2, "density": 1e-4}}
    network["placement"]["others"] = {
        "strategy": "bsb.placement.RandomPlacement", "cell_types": ["other"], "partitions": ["base_layer"],
    }  # fmt: skip
    network["connectivity"]["to_other"] = {
        "strategy": "bsb.connectivity.FixedIndegree",
        "indegree": 2,
        "presynaptic": {"cell_types": ["base_type"]},
        "postsynaptic": {"cell_types": ["other"]},
    }
    path.write_text(json.dumps(network))
    return path.parent


@pytest.fixture
def project(example, tmp_path):
    """A copy of it, for one test."""
    return shutil.copytree(example, tmp_path / "demo")


@pytest.mark.parametrize("ranks", [1, pytest.param(3, marks=needs_mpich)])
def test_a_command_of_bsbs_runs_with_this_pool_and_is_recorded_and_replayed(project, ranks):
    command = ["compile", "network_configuration.json", "--clear"]
    program = [TOOL, "record", "-o", "run.trace", "-m", "bsbpool.bsb", *command]
    status, said, complaints = run(*on(ranks), program=program, cwd=project, limit=600)
    assert status == 0, complaints
    assert "bsbpool: recorded in run.trace" in complaints
    assert said.count("JobStatus.SUCCESS {root}.connectivity.to_other") == 4
    status, said, complaints = run(program=[TOOL, "show", "run.trace"], cwd=project)
    assert status == 0 and "12 succeeded." in said, said + complaints
    status, said, complaints = run(program=[TOOL, "replay", "run.trace"], cwd=project, limit=600)
    assert status == 0 and "The same happened again" in said, said + complaints


@pytest.mark.measured
@pytest.mark.parametrize("ranks", [1, pytest.param(3, marks=needs_mpich)])
def test_a_failed_job_of_a_command_runs_again_in_the_debugger(project, tmp_path, ranks):
    path = project / "network_configuration.json"
    network = json.loads(path.read_text())
    network["components"] = ["parts.py"]
    network["connectivity"]["to_other"]["strategy"] = "parts.Fails"
    path.write_text(json.dumps(network))
    (project / "parts.py").write_text(
        "from bsb import config\n"
        "from bsb.connectivity.general import FixedIndegree\n"
        "@config.node\n"
        "class Fails(FixedIndegree):\n"
        "    def connect(self, pre, post):\n"
        "        cells = sum(map(len, pre.placement))\n"
        "        raise ValueError(f'{self.name}: {cells > 0}')\n"
    )
    command = ["compile", "network_configuration.json", "--clear"]
    program = [TOOL, "record", "-o", "run.trace", "--capture", "failed", "-m", "bsbpool.bsb", *command]
    status, said, complaints = run(*on(ranks), program=program, cwd=project, limit=600)
    assert status != 0 and "bsbpool: recorded in run.trace" in complaints, said + complaints
    (tmp_path / "elsewhere").mkdir()
    call = json.loads((project / "run.trace.calls").read_bytes().splitlines()[1])
    again = [TOOL, "replay", project / "run.trace", "--trust", "--job", f"{call['pool']}:{call['job']}", "--pdb"]
    status, said, complaints = run(program=again, cwd=tmp_path / "elsewhere", typed="p (self.name, cells)\nq\n")
    assert "now:  ValueError: to_other: True" in said and "(Pdb) ('to_other', " in said, said + complaints
    assert f"> {project / 'parts.py'}(7)connect()" in said
    if ranks == 1:
        (project / "parts.py").unlink()
        status, said, complaints = run(program=again, cwd=tmp_path / "elsewhere")
        assert status == 2 and "can't be made again here: BootError: " in complaints
        assert "because of " in complaints and "parts" in complaints.partition("because of ")[2]


def test_a_command_ends_and_complains_as_with_bsbs_own(project):
    ends = []
    for module in ("bsb", "bsbpool.bsb"):
        for command in (["compile", "nowhere.json"], ["nonsense"]):
            status, said, complaints = run(program=["-m", module, *command], cwd=project)
            last = (said + complaints).strip().splitlines()[-1]
            ends.append((status, last))
    assert ends[:2] == ends[2:]
    assert ends[0][0] == 1 and "FileNotFoundError" in ends[0][1]


def test_an_empty_recording_says_that_bsb_used_its_own_pool(project):
    program = [TOOL, "record", "-o", "run.trace", "-m", "bsb", "compile", "network_configuration.json", "--clear"]
    status, _, complaints = run(program=program, cwd=project, limit=600)
    assert status == 0 and not (project / "run.trace").exists()
    assert "BSB used its own pool: start it with `-m bsbpool.bsb compile …`" in complaints


def test_the_doctor_tells_of_bsb(project):
    status, said, _ = run(program=[TOOL, "doctor"], cwd=project)
    assert status == 0 and "bsb-core 8.0.2, which is tested; it uses its own pool" in said
    program = (
        "import bsbpool.bsb, bsbpool.cli, sys; bsbpool.bsb.install(); sys.argv = ['x', 'doctor']; bsbpool.cli.main()"
    )
    status, said, _ = run(program=["-c", program], cwd=project)
    assert status == 0 and "bsb-core 8.0.2, which is tested; it uses this pool" in said


# -- spans ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranks", [1, pytest.param(3, marks=needs_mpich)])
def test_spans_are_those_of_bsbs_own_pool(tmp_path, ranks):
    status, said, complaints = run(*on(ranks), program=[HERE / "spans.py", tmp_path], cwd=tmp_path, limit=600)
    assert status == 0, complaints
    pools, spans = zip(*(line.split(" ", 1) for line in said.splitlines()), strict=True)
    assert pools == ("bsb.services.pool", "bsbpool.pool.job_pool")
    assert spans[0] == spans[1] and spans[0].startswith("ranks of main and others: (")
