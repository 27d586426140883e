"""`bsbpool explore` of scenario files: explores all orders of events of the same instant, with faults."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bsbpool.text import label

from . import say
from .exploring_report import Progress, Report, complain, schedules_of
from .outputs import OutputFile

if TYPE_CHECKING:
    from bsbpool_sim.exploring.exploration import Exploration
    from bsbpool_sim.exploring.findings import Finding


class _Explored(NamedTuple):
    """What came of a scenario.

    :ivar exploration: None: it was explored before, or can't be.
    :ivar wrong: why it can't be; "" if it can.
    :ivar before: schedules that it was found to have before.
    """

    title: str
    faults: int
    seed: int
    exploration: Exploration | None
    wrong: str
    before: int


def are_scenarios(files: Sequence[str]) -> bool:
    """Whether these are scenario files, or folders of them."""
    return bool(files) and all(Path(file).is_dir() or Path(file).suffix in (".yaml", ".yml") for file in files)


def explore_scenarios(
    files: Sequence[str], outputs: Sequence[OutputFile], limits: Mapping[str, Any], jobs: int, keep: str | None
) -> None:
    """Explore scenarios, with a line for each and what was found in it; then exit.

    :param limits: the budget and the faults, where they are not what each scenario says.
    :param jobs: how many processes explore, each another scenario.
    :param keep: the folder of what was covered before.
    """
    from bsbpool_sim.errors import SimulationError
    from bsbpool_sim.exploring import kept
    from bsbpool_sim.exploring.covered import Covered, identity
    from bsbpool_sim.exploring.processes import can_fork, in_processes
    from bsbpool_sim.exploring.scenarios import explore_scenario
    from bsbpool_sim.scenario import ScenarioError, load

    quiet = any(each.to_standard_output for each in outputs)
    report = Report(quiet, 4)
    try:
        covered = None if keep is None else Covered(keep)
    except SimulationError as error:
        complain(str(error))
        sys.exit(2)
    said = [json.dumps({key: limits[key] for key in ("faults", "strategy")})]

    def explored(file: str) -> _Explored:
        """Explore one, unless that was done. Returns what there is to say, so that another process can."""
        try:
            scenario = load(file)
            more = dict(limits)
            if covered is not None:
                before = covered.of(file, identity(*said, files=(file,)))
                if before.get("complete") and not before["findings"]:
                    return _Explored(scenario.title, 0, scenario.seeds[0], None, "", before["schedules"])
                more["begin"] = before.get("drawn", 0)
                if before.get("tried") and more["strategy"] == "auto":
                    more["strategy"] = "portfolio"
            faults = scenario.model.explore.faults if limits["faults"] is None else limits["faults"]
            with Progress() as progress:  # one process alone writes to the terminal
                exploration = explore_scenario(scenario, progress=progress.show if jobs == 1 else None, **more)
        except (ScenarioError, SimulationError) as error:
            wrong = str(error) if isinstance(error, ScenarioError) else f"{file} can't be explored: {error}"
            return _Explored("", 0, 0, None, wrong, 0)
        return _Explored(scenario.title, faults, scenario.seeds[0], exploration, "", 0)

    found: list[dict[str, Any]] = []
    wrong_ones: list[tuple[str, Exploration, Callable[[Finding], str]]] = []
    first: tuple[str, Finding, int] | None = None
    unusable = interrupted = False
    one_by_one: Iterator[_Explored] = map(explored, files)
    if jobs > 1 and can_fork():
        one_by_one = in_processes([functools.partial(explored, file) for file in files], jobs)
    try:
        for file, (title, faults, seed, exploration, wrong, before) in zip(files, one_by_one, strict=True):
            if wrong:
                unusable = True
                complain(wrong)
                continue
            if exploration is None:
                say(f"✓ {label(title)}  {file}: complete before: {schedules_of(before)}; no findings", err=quiet)
                found.append({"scenario": file, "findings": [], "schedules": 0, "complete": True})
                continue
            if exploration.findings and first is None:
                first = file, exploration.findings[0], faults
            mark = "✗" if exploration.findings else "✓"
            say(f"{mark} {label(title)}  {file}: {exploration}", err=quiet)
            again = functools.partial(kept.scenario_again, path=file, seed=seed, faults=faults)
            report.findings(exploration, again)
            if exploration.findings:
                wrong_ones.append((f"{title}  {file}", exploration, again))
            data = kept.as_data(exploration, again)
            found.append({"scenario": file, "faults": faults, **data})
            if covered is not None:
                try:
                    covered.add(file, identity(*said, files=(file,)), exploration, data["findings"])
                except SimulationError as error:
                    unusable = True
                    complain(str(error))
            if interrupted := exploration.interrupted:
                break
    except KeyboardInterrupt:  # while none was explored
        interrupted = True
    findings = [{"scenario": each["scenario"], **finding} for each in found for finding in each["findings"]]
    everything = {
        "generator": "bsbpool explore",
        "findings": findings,
        "schedules": sum(each["schedules"] for each in found),
        "complete": not interrupted and not unusable and all(each["complete"] for each in found),
        "scenarios": found,
    }
    complete = sum(each["complete"] for each in found)
    report = Report(quiet)
    of = f"{len(found)} of {len(files)} scenarios explored, {complete} of them completely"
    how_many = f"{len(findings) or 'no'} finding{'s' if len(findings) != 1 else ''}"
    stopped = " (interrupted)" if interrupted else ""
    report.line(f"{of}: {schedules_of(everything['schedules'])}; {how_many}{stopped}")
    for output in outputs:
        if output.kind == "findings":
            output.write((json.dumps(everything) + "\n").encode())
        elif output.kind == "page" and wrong_ones:
            from bsbpool_sim.exploring.findings_page import findings_page

            output.write(findings_page(wrong_ones).encode())
        elif first is not None:
            output.write(_smaller(*first).encode())
    sys.exit(2 if unusable else int(bool(findings)))


def _smaller(file: str, finding: Finding, faults: int) -> str:
    """The text of the smallest scenario that was found in which something of this kind is wrong, or of the scenario as
    it is, with the finding on top."""
    from bsbpool_sim.exploring.cutting import cut
    from bsbpool_sim.scenario import load

    made = cut(load(file), finding, faults=faults)
    text = Path(file).read_text(encoding="utf-8") if made is None else made.text
    if made is not None:
        finding = made.finding
    lines = [f"{finding.kind}: {finding.message}", *map(str, finding.choices)]
    lines.append(f"bsbpool run FILE --faults {faults} --tape {finding.tape}")
    return "".join(f"# {' '.join(line.split())}\n" for line in lines) + text
