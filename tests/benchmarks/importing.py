"""What ``import bsbpool`` costs: the cumulative time that a fresh Python reports for it."""

from __future__ import annotations

import subprocess
import sys

from measure import console, environment

RUNS = 5


def cumulative() -> float:
    """Seconds for bsbpool and all that it imports, by ``python -X importtime``."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import bsbpool"],
        env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    (line,) = [line for line in run.stderr.splitlines() if line.endswith("| bsbpool")]
    return int(line.split("|")[1]) / 1e6


def show(repetitions: int) -> None:
    cumulative()  # writes what is compiled
    best = min(cumulative() for _ in range(RUNS))
    console.print(f"import bsbpool: {best * 1e3:.1f} ms, cumulative, the best of {RUNS} fresh processes")
