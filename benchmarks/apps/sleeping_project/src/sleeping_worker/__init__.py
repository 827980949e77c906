"""The worker side of an app that sleeps."""
