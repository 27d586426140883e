"""How large a simulation may be: for commands and pytest's plugin, too, which name the limit without the simulator."""

#: Ranks that the simulator is made for, at the most.
MOST_RANKS = 10_000
