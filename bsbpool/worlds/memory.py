"""Measures the memory that this process uses, and the memory that is available."""

from __future__ import annotations

import os
from pathlib import Path


def memory_taken(statm: str = "/proc/self/statm") -> int:
    """Bytes of memory that this process has in use; 0 where the system does not tell."""
    try:
        return int(Path(statm).read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0


def memory_available(meminfo: str = "/proc/meminfo", cgroup: str = "/sys/fs/cgroup") -> int | None:
    """Bytes of memory that this process may still take, without swapping; None where the system does not tell."""
    found = [each for each in (_of_machine(meminfo), _of_group(Path(cgroup))) if each is not None]
    return min(found, default=None)


def _of_machine(meminfo: str) -> int | None:
    try:
        lines = Path(meminfo).read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    return None


def _of_group(folder: Path) -> int | None:
    """What the group of processes that this one is in, such as a container, may still take."""
    try:
        most, taken = ((folder / name).read_text().strip() for name in ("memory.max", "memory.current"))
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        # What is there of files can be given up.
        return max(0, int(most) - int(taken) + int(statistics.get("inactive_file", 0)))
    except (OSError, ValueError):
        return None
