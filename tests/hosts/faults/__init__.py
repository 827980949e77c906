"""What can go wrong with a host: each fault is undone by what ``host.fault(...)`` returns."""
