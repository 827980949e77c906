"""Forgetting what is old: nothing that is not settled, and no published result."""
