"""The AGI facade and the typed clients of the agi daemon."""
