"""Large messages and early ends: a rank that leaves serves no large message any more, and nobody may wait for it."""

import pytest
from helpers import Ear, executed, fail

LARGE = b"x" * 200_000


def take(owner, argument):
    return len(argument)


@pytest.mark.ranks(2, 4)
@pytest.mark.parametrize("early", ["fail-fast", "listener"])
def test_a_stop_reaches_ranks_for_which_large_arguments_are_on_their_way(worlds, early):
    def program(comm):
        def reply(progress, word):
            if early == "listener" and word == "3 success":
                raise RuntimeError("enough")

        def fill(pool):
            for i in range(400):
                pool.queue(*((fail,) if early == "fail-fast" and i == 3 else (take, (LARGE,))))

        return executed(comm, fill, listeners=[Ear(reply)], fail_fast=True)

    for _ in range(5):
        outcomes = worlds(program)
        assert [outcome["error"] is not None for outcome in outcomes] == [True] * worlds.ranks
        assert set(outcomes[0]["statuses"][4:]) <= {"success", "cancelled", "aborted"}
