"""Checks for errors that MPI does not raise: leaked resources, mismatched types, conflicting accesses to memory.

Calls that MPI forbids raise where they are made; what is made of that, and of deadlocks, is in `exploring.findings`.
"""
