"""queue(f, np.array([0])) lost its argument, and np.array([0, 1]) was an error.

Line 8. Held by:
  tests/pool/test_values.py::test_args_are_a_sequence_whatever_they_are_kept_in
  tests/pool/test_values.py::test_arguments_context_submitter_and_results_are_handed_on
"""

import numpy as np
from trying import verdict

import bsbpool


def one(owner, x):
    return int(x)


def two(owner, x, y):
    return int(x), int(y)


seen = []
for function, args in ((one, np.array([5])), (one, np.array([0])), (two, np.array([0, 1]))):
    try:
        with bsbpool.job_pool(quiet=True) as pool:
            job = pool.queue(function, args, submitter="f")
            pool.execute()
            seen.append(job.result)
    except Exception as error:
        seen.append(str(getattr(error, "exceptions", [error])[0]))
verdict(seen == [5, 0, (0, 1)], seen)
