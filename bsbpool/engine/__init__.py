"""The rules of a pool: which job runs on which rank, when, and its status after that.

No file of this package does I/O, reads a clock, waits or starts anything. `bsbpool.pool` executes the decisions.
"""
