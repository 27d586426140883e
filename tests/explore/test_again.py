"""The command below each finding shows it again: the same line, in one run or in what exploring compares."""

import shlex
import subprocess
import sys

import pytest
from variants import PAIRS

from bsbpool_sim.exploring.kept import again
from bsbpool_sim.exploring.whole_programs import explore_program
from bsbpool_sim.program.beginning import Program

#: For each kind of finding, the first two faulty programs in which it is expected.
CASES = [
    (kind, pair)
    for kind in sorted({kind for pair in PAIRS for kind in pair.expected})
    for pair in [each for each in PAIRS if kind in each.expected][:2]
]


@pytest.mark.unmeasured
@pytest.mark.parametrize(("kind", "pair"), CASES, ids=[f"{kind}-{pair.name}" for kind, pair in CASES])
def test_the_command_shows_the_finding_again(kind, pair, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(pair.faulty)
    findings = explore_program(Program(str(path)), pair.ranks, schedules=60).findings
    for finding in findings:
        command = shlex.split(again(finding, ["-n", str(pair.ranks), str(path)]))
        shown = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, timeout=300)
        assert shown.returncode, command
        # A traceback has Python's form of a line; who ends with a status has none.
        forms = (f"program.py:{finding.line}", f'program.py", line {finding.line}', "ended with exit status")
        assert any(form in shown.stdout + shown.stderr for form in forms), (command, shown)
