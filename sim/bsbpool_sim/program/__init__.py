"""Whole programs on simulated ranks: `bsbpool simulate`, which is also ``python -m bsbpool_sim``.

`beginning` has what a program is and how Python begins it, `program_run` starts it on ranks and reports how it ended,
`output` has the output of ranks, and `package` is the package mpi4py that they import. `bsbpool_sim.python` has the
state of Python that each rank has for itself.
"""
