"""How ratios changed from one measurement to the next: a file with a line for each, which `--save` appends to.

Ratios only, of two things that took turns on one machine: seconds say more of the machine than of the project. What is
measured belongs to the subjects; how the file is drawn, to docs/benchmark_chart.py.
"""

from __future__ import annotations

import datetime
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("history.jsonl")


def entry(ratios: Mapping[str, float], machine: str, version: str) -> dict[str, Any]:
    """What one line of the file says.

    :param ratios: by what was measured.
    :param machine: what it was measured on.
    :param version: that of bsbpool.
    """
    return {
        "date": datetime.date.today().isoformat(),
        "version": version,
        "commit": _commit(),
        "machine": machine,
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
    }


def _commit() -> str | None:
    """The commit that was measured, with a + if files were changed since; None without git."""
    describe = ["git", "describe", "--always", "--abbrev=10", "--dirty=+", "--exclude=*"]
    try:
        run = subprocess.run(describe, cwd=FILE.parent, capture_output=True, text=True)
    except OSError:
        return None
    return run.stdout.strip() or None


def append(line: Mapping[str, Any], file: Path = FILE) -> None:
    """Add a line to the file."""
    with file.open("a", encoding="utf-8") as history:
        history.write(json.dumps(line, ensure_ascii=False) + "\n")
