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

TALK = (f"{__name__}.json_text", f"{__name__}.talk")
"""What every program needs that is asked and answers."""

_COMMANDS = ("process_activity", "command")


def _program(*names: str) -> HostProgram:
    return HostProgram((*TALK, *(f"{__name__}.{name}" for name in names)))


_CHECK = ("files", *_COMMANDS, "devices", "facts", "check")
_REALISE = (*_CHECK, "bytecode", "build", "realise")
_COMPILE = (*_REALISE, "diagnosis", "extension_wheel", "compile")

SURVEY = _program("files", *_COMMANDS, "devices", "facts", "survey")
"""Asks a host what it is."""

CHECK = _program(*_CHECK)
"""Looks at a host and at what is installed there."""

REALISE = _program(*_REALISE)
"""Takes wheels and makes a build of them."""

COMPILE = _program(*_COMPILE)
"""Takes the sources of a package and makes a wheel of extension modules of them."""

PROBE = _program(*_COMPILE, "probe")
"""Asks a host what it can do beyond plain Python."""

CYTHONIZE = f"{__name__}.cythonize"
"""What a build's Python is given, to compile in a process of its own."""

PRUNE = _program("files", "prune")
"""Finds what nothing needs, and removes it."""
