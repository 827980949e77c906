"""What a host executes about the directories of runs: standard library alone, sent each time."""
