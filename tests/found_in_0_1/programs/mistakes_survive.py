"""Scenarios caught none of 26 subtle mistakes in the pool that they can reach, such as this one.

Line 22. Held by:
  tests/breaks/test_breaks.py::test_a_scenario_catches
  tests/breaks/test_breaks.py::test_another_test_catches_a_subtle_mistake
  tests/property/test_messages.py::test_a_mailbox_matches_as_mpi_does
  tests/property/test_invariants.py::test_the_invariants_hold_in_cases_that_nobody_has_seen
"""

from trying import CHECKOUT, verdict

from bsbpool_sim.scenario import load

try:
    from bsbpool.pool import worker
except ImportError:  # 0.1
    from bsbpool import worker

# A rank that is told to give back all that stands in its line keeps the last job, which is lost then.
usual = worker.Worker.__dict__
name = next(each for each in ("_return_line", "_give_all_back", "_give_back") if each in usual)
wrong = {}
import inspect
import textwrap

source = textwrap.dedent(inspect.getsource(usual[name]))
text = next(
    each for each in ("for each in self._line]", "for each in line]", "for job, *_ in self._line]") if each in source
)
exec(
    "from __future__ import annotations\n" + source.replace(text, text.replace("self._line]", "[*self._line][:-1]]")),
    vars(worker), wrong,
)  # fmt: skip
setattr(worker.Worker, name, wrong[name])
seen = [
    path for path in sorted((CHECKOUT / "scenarios").rglob("*.yaml")) if path.parent.name not in ("large", "recorded")
]
caught = []
for path in seen:
    try:
        ok = load(path).run().ok
    except Exception:  # whatever the mistake makes the simulation raise, it is caught
        ok = False
    if not ok:
        caught.append(path.stem)
verdict(bool(caught), f"a rank keeps a job that it is to give back: {len(caught)} of {len(seen)} scenarios fail")
