"""What the daemon does by itself from time to time."""
