"""The same run in several modes: measured, compared, kept."""
