"""Checks for errors that MPI does not raise: leaked resources, mismatched types, conflicting accesses to memory.

Calls that MPI forbids raise an error at once; `exploring.findings` makes findings of these errors and of deadlocks.
"""
