"""The manager side of an app of sixteen equal partitions."""
