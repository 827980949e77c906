"""What an install does on a host: these modules, sent there as `HostProgram` says.

After the request, standard input carries the bytes of the wheels that it announces.

::

    <root>/wheels/<sha256>/<filename>    wheels that were shipped
    <root>/builds/<digest>/              a build: a virtual environment, manifest.json, files.txt
    <root>/builds/<digest>.lock          shared by runs of it; its time is when it was used last
    <root>/tmp/<digest>.<pid>/           a build in the making
    <root>/tmp/<digest>.lock             held while it is made
    <root>/uv-cache/                     uv's, shared by the builds through hard links
"""

from __future__ import annotations

from agi_daemon.transport.host_program import HostProgram

_COMMANDS = ("process_activity", "command")


def _program(*names: str) -> HostProgram:
    return HostProgram(tuple(f"{__name__}.{name}" for name in names))


SURVEY = _program("talk", "files", *_COMMANDS, "facts", "survey")
"""Asks a host what it is."""

CHECK = _program("talk", "files", *_COMMANDS, "facts", "check")
"""Looks at a host and at what is installed there."""

REALISE = _program("talk", "files", *_COMMANDS, "facts", "check", "bytecode", "build", "realise")
"""Takes wheels and makes a build of them."""

PRUNE = _program("talk", "files", "prune")
"""Finds what nothing needs, and removes it."""
