"""Runs: accepted, driven to a settled state, and told about."""
