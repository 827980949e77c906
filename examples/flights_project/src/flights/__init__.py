"""The manager side of the flights app, and the data that both sides read."""
