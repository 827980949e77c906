"""Pipelines: the file of steps, and its executions."""
