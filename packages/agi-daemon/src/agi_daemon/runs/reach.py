"""What it means that a host does not answer: nothing is judged by it."""

from __future__ import annotations

from agi_env.errors import HostConnectionLostError, HostUnreachableError, HostUnresolvedError

OUT_OF_REACH = (HostUnreachableError, HostUnresolvedError, HostConnectionLostError)
"""Nothing is judged by these: the host may answer again, and what runs there runs on."""
