"""How many schedules a second of processor time exploring runs: of a loop of receives from any rank, and of a pool; and
the loop beside other explorers' of a like program.
"""

from __future__ import annotations

from asyncio_loops import PROGRAMS, explorers, rate
from measure import console, median, noop, note, table, timed

import bsbpool
from bsbpool_sim import explore, simulate
from bsbpool_sim.exploring.exploration import CHECKS

#: Explorations of the loop for one measurement, and schedules of the pool.
TIMES, SCHEDULES = 30, 200

#: Runs by another explorer for one measurement.
OTHERS = 100


def loop(comm):
    """Rank 0 receives from any rank; it has 6 schedules on 4 ranks."""
    if comm.rank:
        return comm.send(comm.rank, 0)
    return [comm.recv() for _ in range(comm.size - 1)]


def pool(comm):
    """12 jobs."""
    with bsbpool.job_pool(comm, quiet=True) as opened:
        if opened.is_main():
            for _ in range(12):
                opened.queue(noop)
        opened.execute()


def _loops(checks: tuple[str, ...]) -> None:
    for _ in range(TIMES):
        assert explore(loop, 4, checks=checks).complete


def _pools() -> None:
    assert explore(pool, 4, strategy="walk", schedules=SCHEDULES, seconds=None).schedules == SCHEDULES


def _simulations(program, times: int) -> None:
    for _ in range(times):
        simulate(program, 4)


def show(repetitions: int) -> None:
    rows = {
        "loop, 4 ranks": (lambda: _loops(()), 6 * TIMES, loop),
        "the same, with all checks": (lambda: _loops(CHECKS), 6 * TIMES, loop),
        "pool, 12 jobs on 4 ranks": (_pools, SCHEDULES, pool),
    }  # fmt: skip
    shown = table("Schedules a second of processor time", ["program", "schedules/s", "simulations/s", "ratio"])
    for name, (call, count, program) in rows.items():
        call(), simulate(program, 4)  # once for what is made once
        pairs = [(count / timed(call), count / timed(_simulations, program, count)) for _ in range(repetitions)]
        explored, simulated = (median(pair[i] for pair in pairs) for i in (0, 1))
        shown.add_row(name, f"{explored:,.0f}", f"{simulated:,.0f}", f"{explored / simulated:.2f}")
        note(f"exploring, {name} / simulate", explored / simulated)
    console.print(shown)
    others(repetitions)


def own_rate() -> float:
    """The schedules of the loop in a second of processor time, in this process."""
    _loops(())
    return 6 * TIMES / timed(_loops, ())


def others(repetitions: int) -> None:
    """The loop, and what is the same for asyncio, in turns, each in a process of its own."""
    found = explorers()
    if not found:
        console.print(
            "simloop and simloom, which explore programs for asyncio, are not installed: pip install simloop simloom"
        )
        return
    rows = [(where, name, kind) for where in ("a script", "pytest") for name in found for kind in PROGRAMS]
    columns = ["in", "explorer", "ranks are tasks that use", "theirs/s", "bsbpool/s", "ratio", "lowest", "highest"]
    shown = table("The loop on 4 ranks, schedules a second of processor time", columns)
    for where, name, kind in rows:
        call, in_pytest = f"measured({name!r}, {kind!r}, {OTHERS})", where == "pytest"
        pairs = [
            (rate("asyncio_loops", call, in_pytest), rate("exploring", "own_rate()", in_pytest))
            for _ in range(repetitions)
        ]
        theirs, ours = (median(pair[i] for pair in pairs) for i in (0, 1))
        ratios = [pair[1] / pair[0] for pair in pairs]
        shown.add_row(
            where, name, kind, f"{theirs:,.0f}", f"{ours:,.0f}",
            *(f"{each:.1f}" for each in (median(ratios), min(ratios), max(ratios))),
        )  # fmt: skip
        note(f"exploring, loop, bsbpool / {name} with {kind}, in {where}", median(ratios))
    console.print(shown)
