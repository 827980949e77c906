"""The truth of what was asked, in one SQLite file."""
