"""A plan as a text that people edit: written, read back, opened in their editor."""
