"""What an install does on a host: these modules, read and executed by the host's own Python.

They are sent over standard input, in the order of ``SENT``; nothing of ours has to be there. So
they use the standard library and each other alone, and are written for Python 3.8, that a host
whose Python is too old can say so. After the modules, standard input carries one JSON line, then
the bytes of the wheels it announces; standard output carries JSON lines, the last of which is the
answer, or ``{"error": {"code", "metadata"}}``.

::

    <root>/wheels/<sha256>/<filename>    wheels that were shipped
    <root>/builds/<digest>/              a build: a virtual environment, manifest.json, files.txt
    <root>/tmp/<digest>.<pid>/           a build in the making
    <root>/tmp/<digest>.lock             held while it is made
    <root>/uv-cache/                     uv's, shared by the builds through hard links
"""

_CHECK = ("talk", "files", "command", "devices", "facts", "check")
_REALISE = (*_CHECK, "bytecode", "build", "realise")
_COMPILE = (*_REALISE, "diagnosis", "extension_wheel", "compile")

SENT = {
    "check": _CHECK,
    "realise": _REALISE,
    "compile": _COMPILE,
    "probe": (*_COMPILE, "probe"),
}
"""The modules that each command needs, each before those that import it; the last has ``main``."""
