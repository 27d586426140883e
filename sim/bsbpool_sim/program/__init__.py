"""Whole programs on simulated ranks: `bsbpool simulate`, which is also ``python -m bsbpool_sim``.

`program_run` starts a program on ranks and says how it ended, `output` has what ranks print, `package` is the package
mpi4py that they import. What a rank has to itself is in `bsbpool_sim.python`.
"""
