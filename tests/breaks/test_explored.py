"""Exploring finds planted mistakes: a share of them here, all of them with ``python tests/breaks/explored.py``."""

import pytest
from explored import ALL, find

pytestmark = [pytest.mark.unmeasured, pytest.mark.unwatched]

#: Every so manyth mistake.
EVERY = 12


@pytest.mark.parametrize("what", [*ALL][::EVERY])
def test_a_planted_mistake_is_found_and_cut(what):
    row = find(what)
    print(row)
    assert row.scenario, "nothing was found"
    assert row.seconds < 60
