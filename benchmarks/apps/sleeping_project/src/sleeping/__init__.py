"""The manager side of an app that sleeps."""
