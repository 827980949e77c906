"""The manager side of an app that does nothing."""
