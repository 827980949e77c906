"""What it means that a host does not answer: nothing is judged by it."""

from __future__ import annotations

from agi_env.errors import (
    HostConnectionLostError,
    HostError,
    HostLoginError,
    HostUnreachableError,
    HostUnresolvedError,
    LoginShellHangsError,
    OutOfTimeError,
)

OUT_OF_REACH = (
    HostUnreachableError,
    HostUnresolvedError,
    HostConnectionLostError,
    HostLoginError,
    LoginShellHangsError,
)
"""The host does not answer, or lets nobody in; it may again."""

UNHEARD = (HostError, OutOfTimeError)
"""Whatever keeps a runner from being heard, a login that is refused or a shell that hangs as well
as a cut line, says nothing about the runner: it runs on."""
