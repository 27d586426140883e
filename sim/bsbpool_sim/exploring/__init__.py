"""Explores the schedules of a program: runs it in every order that MPI allows, or in a sample, and says what fails.

`exploration` is the face. What one schedule is and how it ended is in `schedules`, what counts as a finding in
`findings`, how to go through all schedules in `exhaustive`; each strategy that draws some of them has a file of its
own. What can be chosen at all is decided by `bsbpool_sim.matches` and the others who ask `bsbpool_sim.choices`.
"""
