"""The estimate of what is left was off by three times with equal jobs.

Line 21. Held by:
  tests/unit/test_listeners.py::test_what_is_left_of_equal_jobs_is_told_exactly
"""

import time

from trying import verdict

import bsbpool
from bsbpool.listeners.tally import Tally
from bsbpool_sim import simulate

told = []


class Estimates:
    def __init__(self):
        self.tally = Tally()

    def __call__(self, progress):
        self.tally.count(progress)
        now = time.monotonic()
        left = self.tally.left(int(now * 1e9))
        if left is not None:
            told.append((now, left))


def program(comm):
    with bsbpool.job_pool(comm, quiet=True) as pool:
        if pool.is_main():
            pool.add_listener(Estimates(), max_wait=0.25)
            for _ in range(4):
                pool.queue(lambda owner: time.sleep(1.0), submitter="equal")
        pool.execute()


end = simulate(program, 4).elapsed
ratios = [left / (end - now) for now, left in told if end - now > 0.2]
worst = max(ratios, key=lambda ratio: max(ratio, 1 / max(ratio, 1e-3)))
verdict(0.8 < worst < 1.25, f"an estimate is {worst:.2f} times what was left")
