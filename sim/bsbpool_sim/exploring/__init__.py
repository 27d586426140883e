"""Explores the schedules of a program: runs it in every order that MPI allows, or in a sample, and reports what fails.

`exploration` has the public function. `schedules` runs one schedule, `findings` decides what is a finding, `exhaustive`
searches all schedules, and each strategy that draws schedules has its own file. `bsbpool_sim.matches` and the other
callers of `bsbpool_sim.choices` decide which choices exist.
"""
