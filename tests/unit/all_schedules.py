"""How a program ends in all schedules, for tests that compare a search that leaves some out with one that tries all."""

from bsbpool_sim.exploring.exhaustive import Exhaustive, Redundant
from bsbpool_sim.exploring.schedules import Function


def ends_of(program, size, received, reduced):
    """How each schedule ended that a search ran to its end.

    :param received: by rank, the list to which it adds what it sees; emptied before each schedule.
    :param reduced: whether orders are left out that lead to nothing new.
    """
    run, search, found, more = Function(program, size, None, {"max_events": 300}), Exhaustive(reduced), [], True
    while more:
        for each in received:
            each.clear()
        try:
            schedule = run(search, None, late=True)
            found.append(f"{received} {type(schedule.stopped).__name__}")
        except Redundant:
            pass
        more = search.advance()
    return found
