"""Domain values: what the daemon's core computes with and what the clients return.

They know nothing of protobuf; ``agi_cluster.wire`` translates. Import each from its own module.
"""
