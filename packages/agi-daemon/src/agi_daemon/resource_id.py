"""Names of new resources: readable, in order of time, and never the same twice."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def new_id(target: str) -> str:
    """An id such as ``flights-20261122-201502-4f1c9a27``."""
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{target}-{moment}-{secrets.token_hex(4)}"
