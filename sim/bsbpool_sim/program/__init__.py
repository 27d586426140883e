"""Whole programs on simulated ranks: `bsbpool simulate`, which is also ``python -m bsbpool_sim``.

`running` starts a program on ranks and says how it ended, `output` has what ranks print, `faults` reads what befalls
them. What a rank has to itself is in `bsbpool_sim.python`.
"""
