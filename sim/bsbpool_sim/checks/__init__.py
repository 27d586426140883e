"""Checks what MPI forbids although nothing raises: what a run has left behind when it ends.

Calls that MPI forbids raise where they are made; what is made of that, and of deadlocks, is in `exploring.findings`.
"""
