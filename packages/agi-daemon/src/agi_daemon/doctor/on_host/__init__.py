"""What the doctor has a host do: these modules, sent there as `HostProgram` says.

None of them waits for a file system that may hang: what touches one is a child that is given up.
"""

from __future__ import annotations

from agi_daemon.install.on_host import TALK
from agi_daemon.transport.host_program import HostProgram

_INSTALL = "agi_daemon.install.on_host"
_LOOKING = ("files", "process_activity", "command", "devices", "facts")

SHARE = HostProgram((*TALK, f"{__name__}.patience", f"{__name__}.share"))
"""Offers, reads, answers and withdraws a sentinel on the share."""

SURVEY = HostProgram(
    (
        *TALK,
        *(f"{_INSTALL}.{name}" for name in _LOOKING),
        f"{__name__}.patience",
        f"{__name__}.survey",
    )
)
"""Tells what the host has: Python, uv, disk, clock."""

SLEEPER = HostProgram((*TALK, f"{__name__}.sleeper"))
"""Starts a detached process, and looks whether one is still there."""

PORT = HostProgram((*TALK, f"{__name__}.port"))
"""Listens at a port for a moment, or connects to one."""
