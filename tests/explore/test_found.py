"""What exploring finds in faulty programs, with its kind and line; and that it finds nothing in right ones."""

import pytest
from scripted import SCRIPTED
from variants import PAIRS

from bsbpool_sim import explore
from bsbpool_sim.exploring.whole_programs import explore_program
from bsbpool_sim.program.beginning import Program

each_pair = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)


def explored(text, ranks, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(text)
    return explore_program(Program(str(path)), ranks, schedules=60)


@each_pair
def test_what_is_wrong_is_found_with_its_kind_and_line(pair, tmp_path):
    findings = explored(pair.faulty, pair.ranks, tmp_path).findings
    assert any(each.line in pair.expected.get(each.kind, []) for each in findings), findings
    assert {each.file for each in findings} == {str(tmp_path / "program.py")}


@each_pair
def test_nothing_is_found_in_the_right_twin(pair, tmp_path):
    assert explored(pair.right, pair.ranks, tmp_path).findings == []


@pytest.mark.parametrize("each", SCRIPTED, ids=lambda each: each.name)
def test_nothing_is_found_in_a_program_that_runs_under_a_script(each):
    exploration = explore(each.program, each.ranks, script=each.script(), schedules=60)
    assert exploration.findings == []
    assert exploration.schedules
