"""The machines that the daemon knows."""
