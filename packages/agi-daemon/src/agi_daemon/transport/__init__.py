"""How the daemon reaches a host: one protocol, near and far."""
