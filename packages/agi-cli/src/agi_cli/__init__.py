"""``agi`` at a terminal: a thin client of the daemon, which it starts as a program if need be."""
