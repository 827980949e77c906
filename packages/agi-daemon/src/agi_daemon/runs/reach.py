"""What it means that a host does not answer: nothing is judged by it."""

from __future__ import annotations

from agi_env.errors import (
    HostConnectionLostError,
    HostError,
    HostUnreachableError,
    HostUnresolvedError,
    OutOfTimeError,
)

OUT_OF_REACH = (HostUnreachableError, HostUnresolvedError, HostConnectionLostError)
"""The host itself does not answer, and may answer again."""

UNHEARD = (HostError, OutOfTimeError)
"""Whatever keeps a runner from being heard, a login that is refused or a shell that hangs as well
as a cut line, says nothing about the runner: it runs on."""
