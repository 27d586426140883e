"""A scenario with thousands of jobs that fail took minutes: cost grew with the square of what failed.

Line 4. Held by:
  tests/unit/test_bounds.py::test_comparing_failed_jobs_takes_steps_as_they_are_many
  tests/unit/test_bounds.py::test_blaming_failed_jobs_takes_steps_as_they_are_many
"""

import resource

from trying import scenario, verdict

TEXT = """scenario: many fail
ranks: 4
jobs:
- {{name: "golgi {{i}}", repeat: {many}, raises: "ValueError: no voxels", takes: 1s}}
expect:
  errors: {{"golgi *": "ValueError: no voxels"}}
"""
took = []
for many in (2500, 5000, 10000):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "many fail" in scenario(TEXT.format(many=many), limit=100).said
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took.append(after.ru_utime - before.ru_utime)
grows = (took[2] - took[1]) / max(took[1] - took[0], 0.01)
verdict(grows < 3, f"2500, 5000, 10000 jobs take {', '.join(f'{t:.1f}' for t in took)} s of the processor")
