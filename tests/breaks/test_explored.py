"""Exploring finds planted mistakes: a share of them here, all of them with ``python tests/breaks/explored.py``."""

import pytest
from explored import ALL, find
from fresh import UNSEEN
from test_breaks import BY_OTHERS

pytestmark = [pytest.mark.unmeasured, pytest.mark.unwatched]

#: Every so manyth mistake, of those that have to do with scenarios.
EVERY = 12

SOME = [what for what in ALL if what not in (*BY_OTHERS, *UNSEEN)][::EVERY]


@pytest.mark.parametrize("what", SOME)
def test_a_planted_mistake_is_found_and_cut(what):
    row = find(what)
    print(row)
    assert row.scenario, "nothing was found"
    assert row.seconds < 60
