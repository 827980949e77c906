"""From an app's sources to a verified build of them on every host."""
