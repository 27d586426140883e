"""The rules of a pool: which job runs where, when, and what becomes of it.

No file of this package does I/O, reads a clock, waits or starts anything. Who carries out what is decided here is in
`bsbpool.pool`.
"""
