"""The worker side of the flights app."""
