"""What exploring finds of the mistakes that are planted in the pool.

``python tests/breaks/explored.py [PROCESSES [MISTAKE …]]`` prints it, of all mistakes or of those that are named.

Each mistake is made in a process of its own. The shipped scenarios are explored, each with one fault, until one shows
it, and what is found is cut down. Some mistakes are in what simulated ranks have of MPI and no pool uses, and some in
scripts. So the right twins of faulty programs are explored too, and a program with a script (`tests/explore`). The
table has for each mistake where it was found, after how many schedules and seconds of processor time, and what it was
cut to. What was cut is explored again without the mistake: nothing may be found in it, or it was cut to something else.
"""

from __future__ import annotations

import functools
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from breaks import BREAKS, Gone
from fresh import FRESH
from later import LATER
from subtle import SUBTLE

from bsbpool.worlds.local import ThreadedWorld
from bsbpool_sim import explore
from bsbpool_sim.exploring.cutting import cut
from bsbpool_sim.exploring.processes import in_processes
from bsbpool_sim.exploring.scenarios import explore_scenario
from bsbpool_sim.exploring.whole_programs import explore_program
from bsbpool_sim.program.beginning import Program
from bsbpool_sim.scenario import Scenario, load

sys.path.append(str(Path(__file__).parents[1] / "explore"))
from scripted import SCRIPTED
from variants import PAIRS

ROOT = Path(__file__).parents[2] / "scenarios"
ALL = {**BREAKS, **SUBTLE, **LATER, **FRESH}

#: Seconds for each mistake, and for cutting what was found.
SECONDS, CUTTING = 60.0, 10.0

#: Schedules of each scenario, in each round: what shows at once is found before anything is searched for long.
#: None: the programs are explored.
ROUNDS = (2, None, 40, 1000)

#: Schedules of each program.
OF_A_PROGRAM = 20

#: To how much 90 % of what is found is cut: departures, ranks, jobs.
SMALL = 3, 3, 5

#: How a kind begins of which something is found in what was cut although the mistake is not made.
WITHOUT = "also without it: "


class Row(NamedTuple):
    """What came of one mistake; scenario: "" if none shows it, and no program."""

    what: str
    scenario: str = ""
    kind: str = ""
    schedules: int = 0
    seconds: float = 0.0
    departures: int = 0
    ranks: int = 0
    jobs: int = 0
    cutting: float = 0.0

    @property
    def small(self) -> bool:
        """Whether it was cut far enough, and soon enough."""
        size = self.departures, self.ranks, self.jobs
        return all(one <= most for one, most in zip(size, SMALL, strict=True)) and self.cutting <= CUTTING

    def __str__(self) -> str:
        if not self.scenario:
            return f"| {self.what} | nowhere | | {self.schedules} | {self.seconds:.1f} | | |"
        size = f"{self.departures}, {self.ranks}, {self.jobs}"
        return (
            f"| {self.what} | `{self.scenario}` | {self.kind} | {self.schedules} | {self.seconds:.1f} | {size} | "
            f"{self.cutting:.1f} |"
        )


@functools.cache
def scenarios() -> Sequence[tuple[str, Scenario]]:
    """The shipped ones with their names, small ones first."""
    files = [path for path in ROOT.rglob("*.yaml") if path.parent.name not in ("large", "recorded")]
    loaded = [(str(path.relative_to(ROOT).with_suffix("")), load(path)) for path in sorted(files)]
    return sorted(loaded, key=lambda each: (len(each[1].plan.jobs), each[1].model.ranks))


def find(what: str, seconds: float = SECONDS) -> Row:
    """Make a mistake, and explore scenarios until one shows it; what is cut to show it must show nothing without it."""
    row, smaller = _find(what, seconds)
    if smaller is not None:
        found = explore_scenario(smaller, faults=1, seconds=5, strategy="exhaustive", quick=True, expectations=False)
        if found.findings:
            return row._replace(kind=f"{WITHOUT}{row.kind}", cutting=2 * CUTTING)
    return row


def _find(what: str, seconds: float) -> tuple[Row, Scenario | None]:
    """What came of it, and the scenario that it was cut to, if it could be cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ThreadedWorld, "now", time.process_time_ns)  # budgets are of processor time
        ALL[what](patch)
        began, count = time.process_time(), 0
        for schedules in ROUNDS:
            if schedules is None:
                row = _in_programs(what, seconds - (time.process_time() - began))
                count += row.schedules
                if row.scenario:
                    return row._replace(schedules=count, seconds=time.process_time() - began), None
                continue
            for name, scenario in scenarios():
                left = seconds - (time.process_time() - began)
                if left <= 0:
                    return Row(what, schedules=count, seconds=seconds - left), None
                try:
                    exploration = explore_scenario(
                        scenario, faults=1, seconds=left, strategy="exhaustive", schedules=schedules, quick=True
                    )
                except (Exception, Gone) as error:  # so broken that no schedule comes to its end
                    found = type(error).__name__
                    row = Row(what, name, found, count + 1, time.process_time() - began, 0, *_size(scenario))
                    return row, None
                count += exploration.schedules
                if exploration.findings:
                    return _cut(what, name, scenario, schedules, count, time.process_time() - began)
    return Row(what, schedules=count, seconds=time.process_time() - began), None


def _in_programs(what: str, seconds: float) -> Row:
    """What comes of a mistake in programs in which nothing is found without it, explored one after the other."""
    count, began = 0, time.process_time()
    for each in SCRIPTED:
        exploration = explore(each.program, each.ranks, script=each.script(), schedules=OF_A_PROGRAM)
        count += exploration.schedules
        for finding in exploration.findings:
            departures = len(finding.tape.departures)
            return Row(what, each.name, finding.kind, count, 0.0, departures, each.ranks, each.jobs)
    with tempfile.TemporaryDirectory() as folder:
        for pair in PAIRS:
            left = seconds - (time.process_time() - began)
            if left <= 0:
                break
            path = Path(folder) / f"{pair.name.replace('/', '_')}.py"
            path.write_text(pair.right)
            exploration = explore_program(Program(str(path)), pair.ranks, schedules=OF_A_PROGRAM, seconds=left)
            count += exploration.schedules
            for finding in exploration.findings:
                departures = len(finding.tape.departures)
                return Row(what, pair.name, finding.kind, count, 0.0, departures, pair.ranks)
    return Row(what, schedules=count)


def _size(scenario: Scenario) -> tuple[int, int]:
    return scenario.model.ranks, len(scenario.plan.jobs)


def _cut(
    what: str, name: str, scenario: Scenario, schedules: int, count: int, seconds: float
) -> tuple[Row, Scenario | None]:
    began = time.process_time()
    try:
        explore = functools.partial(explore_scenario, scenario, faults=1, strategy="exhaustive", schedules=schedules)
        finding = explore(seconds=5, quick=True).findings[0]
        smaller = cut(scenario, finding, faults=1, seconds=CUTTING - 3)
        if smaller is None:
            finding = min(explore(seconds=5, compare=False).findings, key=lambda each: len(each.tape.departures))
    except (Exception, Gone) as error:  # it was found, and can't be cut
        took = time.process_time() - began
        kind = f"not cut: {type(error).__name__}"
        return Row(what, name, kind, count, seconds, 0, *_size(scenario), 2 * CUTTING + took), None
    if smaller is not None:
        scenario, finding = smaller.scenario, smaller.finding
    took = time.process_time() - began
    row = Row(what, name, finding.kind, count, seconds, len(finding.tape.departures), *_size(scenario), took)
    return row, None if smaller is None else scenario


def main() -> None:
    """Print the table as it comes, and then how many were found, and cut."""
    scenarios()
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    names = sys.argv[2:] or [*ALL]
    print("| mistake | found in | as | schedules | seconds | departures, ranks, jobs | seconds to cut |")
    print("|---|---|---|---|---|---|---|", flush=True)
    rows = []
    for row in in_processes([functools.partial(find, what) for what in names], processes):
        rows.append(row)
        print(row, flush=True)
    found = [row for row in rows if row.scenario]
    small = [row for row in found if row.small]
    print(f"\nfound: {len(found)} of {len(rows)}, {len(found) / len(rows):.1%}")
    print(f"cut to at most {SMALL[0]} departures, {SMALL[1]} ranks, {SMALL[2]} jobs: {len(small) / len(found):.1%}")


if __name__ == "__main__":
    main()
