"""What each simulated rank has of its own in Python when it runs a whole program: modules, streams, settings.

`module_ownership` decides which modules are the program's, `modules` gives each rank its own, `process` has what else a
process has, `logs` the configuration of logging, `chance` the global generators. How a program is started is in
`program`.
"""
