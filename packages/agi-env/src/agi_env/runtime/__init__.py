"""What runs on a host: an app's own classes, and the processes that execute them.

Nothing is imported here, so that each process loads only its own part.
"""
