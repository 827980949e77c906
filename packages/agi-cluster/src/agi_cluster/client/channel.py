"""How channels to the daemon are set up."""

from __future__ import annotations

OPTIONS: tuple[tuple[str, int], ...] = (
    # A daemon that restarts is back within a second; gRPC's own pauses start at one.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A page of ten thousand partitions with payloads is larger than the usual 4 MiB.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # A watch has no deadline: this is how it notices a daemon that is stopped, not gone.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Channels of one process share connections otherwise: then closing one client would not.
    ("grpc.use_local_subchannel_pool", 1),
)
