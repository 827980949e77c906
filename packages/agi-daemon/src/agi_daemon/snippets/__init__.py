"""Generated Python: honest programs that anyone can run."""
