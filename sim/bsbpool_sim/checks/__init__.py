"""Checks what MPI forbids although nothing raises: what a run leaves behind, types that differ, memory that is shared.

Calls that MPI forbids raise where they are made; what is made of that, and of deadlocks, is in `exploring.findings`.
"""
