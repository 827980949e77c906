"""The worker side of an app of sixteen equal partitions."""
