"""The apps that the daemon knows, and what a call on one of them means."""
