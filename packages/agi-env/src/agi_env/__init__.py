"""What an app is, where things are, and the runtime that runner and worker execute."""
