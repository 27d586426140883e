"""How well ranks were used: three factors, worked out by hand, and their product."""

import pytest
from test_idle import ended, opened, queued, ready, sent, told

from bsbpool.trace import Trace
from bsbpool.trace.efficiency import efficiency
from bsbpool.trace.history import History


def of(*events):
    trace = Trace({"ranks": 3})
    for event in events:
        for each in event if isinstance(event, list) else [event]:
            trace.append(each)
    return efficiency(History(trace))


def test_each_loss_is_in_one_factor():
    found = of(
        opened(), queued(0, 0), queued(0, 1), queued(0, 2, 0, 1), ready(0, 0), ready(0, 1), sent(0, 0, 1),
        sent(5, 1, 2), told(30, 0, 1, 0, 20), told(100, 1, 2, 5, 100), ready(100, 2), sent(100, 2, 1),
        told(200, 2, 1, 100, 200), ended(200),
    )  # fmt: skip
    # Of 400 ns of two ranks: 5 until main had sent job 1, and 10 in which the outcome of job 0 was on its way; then 70
    # in which rank 1 waited for job 1; at the end rank 2 idled for 100, and 215 were work.
    assert found.transfer == pytest.approx(385 / 400)
    assert found.serialisation == pytest.approx(315 / 385)
    assert found.load_balance == pytest.approx(215 / 315)
    assert found.total == pytest.approx(215 / 400)
    assert found.total == pytest.approx(found.load_balance * found.serialisation * found.transfer)


def test_ranks_that_never_idle_are_used_fully():
    found = of(opened(ranks=2), queued(0, 0), ready(0, 0), sent(0, 0, 1), told(9, 0, 1, 0, 9), ended(9))
    assert (found.total, found.load_balance, found.serialisation, found.transfer) == (1.0, 1.0, 1.0, 1.0)


def test_where_nothing_ran_because_of_main_alone_that_is_the_factor():
    found = of(opened(), queued(0, 0), ready(0, 0), ended(50))
    assert (found.total, found.load_balance, found.serialisation, found.transfer) == (0.0, 1.0, 1.0, 0.0)


def test_of_what_is_not_told_there_is_no_efficiency():
    assert of(opened(), ("announced", 0, 1), ended(50)) is None
    assert of(opened()) is None
