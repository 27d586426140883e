"""The state of Python that each simulated rank has for itself when it runs a whole program: modules, streams, settings.

`module_ownership` decides which modules belong to the program, `modules` loads them for each rank, `process` has other
state of a process, `logs` the configuration of logging, and `chance` the global generators. Starting a program belongs
in `program`.
"""
