"""Measures the processor time of this thread."""

from __future__ import annotations

# By name: on simulated ranks `time` is virtual.
from time import thread_time_ns


def processor_time_ns() -> int:
    """Nanoseconds for which the processor has worked on this thread."""
    return thread_time_ns()
