"""The worker side of an app that does nothing."""
