"""A replay of a trace in which a line was doubled, or moved, never ended.

Line 2. Held by:
  tests/property/test_mutated_traces.py::test_a_replay_that_did_not_end_does
"""

from trying import TRACES, bsbpool, last, verdict

said = [bsbpool("replay", TRACES / f"replay_never_ends_{n}.trace", limit=10) for n in (1, 2)]
verdict(all(done.status in (1, 2) for done in said), " / ".join(last(done.said)[:60] for done in said))
