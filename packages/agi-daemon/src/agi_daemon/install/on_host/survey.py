"""What a host is: all that the manager wants to know of it at once."""

# pathlib would add a third to the time that this takes.
# ruff: noqa: PTH110, PTH111, PTH118, PTH120, PTH123, PTH207, UP031
from __future__ import annotations

import glob
import os
import sys
import time

from agi_daemon.install.on_host.command import attempt
from agi_daemon.install.on_host.facts import find_uv, libc, resources, uv_version
from agi_daemon.install.on_host.talk import Fault, serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

OLDEST = (3, 11)
"""The oldest Python that runtimes run on."""

_PATTERNS = ("python3", "python3.[0-9]", "python3.[0-9][0-9]")
_VERSION = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
_COMMAND_LIMIT_S = 5.0


def survey(root: str, request: Mapping[str, Any], _: BinaryIO) -> dict[str, Any]:
    """Everything that is kept of a host."""
    if request["shared_home"]:
        root = os.path.join(root, os.uname().nodename)
    pythons = found_pythons(request["python"])
    chosen = next((each for each in pythons if _numbers(each[0]) >= OLDEST), ("", ""))
    uv = find_uv(request["uv"])
    return {
        "account": _account(),
        "home": os.path.expanduser("~"),
        "root": root,
        **resources(),
        "platform": f"{sys.platform}-{os.uname().machine}",
        "os": _os_name(),
        "libc": libc(),
        "python_version": chosen[0],
        "python_path": chosen[1],
        "pythons": [f"{version} {path}" for version, path in pythons],
        "uv_path": uv,
        "uv_version": _version_of_uv(root, uv),
        "gpus": gpus(),
        "disk_free_bytes": _free(root),
        "boot_id": _first_line("/proc/sys/kernel/random/boot_id"),
        "time": time.time(),
    }


def found_pythons(first: str) -> list[tuple[str, str]]:
    """Version and path of each Python: the one that is wanted first, then as a login finds them.

    Of what is left the plain ``python3`` comes first, then the newest.
    """
    home = os.path.expanduser("~")
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += [os.path.join(home, ".local/bin")]
    folders += glob.glob(os.path.join(home, ".local/share/uv/python/*/bin"))
    paths = [path for name in _PATTERNS for folder in folders for path in _matches(folder, name)]
    versions: dict[str, tuple[str, str]] = {}
    for path in [first, sys.executable, *paths]:
        real = os.path.realpath(path) if path else ""
        version = _version(path) if real and real not in versions else ""
        if version:
            versions[real] = (version, path)
    found = list(versions.values())
    kept = 1 if found and found[0][1] == first else 0
    plain = sorted(found[kept:], key=lambda each: (_is_plain(each[1]), _numbers(each[0])))
    return found[:kept] + plain[::-1]


def gpus() -> list[str]:
    """A line for each GPU; empty where nvidia-smi is not there or does not answer."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    if not any(os.access(os.path.join(folder, "nvidia-smi"), os.X_OK) for folder in folders):
        return []
    code, out = _output(["nvidia-smi", "-L"])
    return [line.strip() for line in out.splitlines() if line.startswith("GPU ")][
        : 0 if code else 64
    ]


def main(stream: BinaryIO) -> None:
    """Answer the one question that the stream asks."""
    serve(stream, survey)


def _matches(folder: str, name: str) -> list[str]:
    return sorted(glob.glob(os.path.join(glob.escape(folder), name)))


def _version(path: str) -> str:
    if path == sys.executable:
        return "%d.%d.%d" % sys.version_info[:3]
    if not os.access(path, os.X_OK):
        return ""
    code, out = _output([path, "-I", "-S", "-c", _VERSION])
    return "" if code else out.strip()


def _output(argv: list[str]) -> tuple[int, str]:
    try:
        code, out, _ = attempt(argv, {}, argv[0], limit_s=_COMMAND_LIMIT_S)
    except (Fault, OSError):  # what does not run, or hangs, is not there
        return 1, ""
    return code, out


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _is_plain(path: str) -> bool:
    return os.path.basename(path) == "python3"


def _version_of_uv(root: str, uv: str) -> str:
    try:
        return uv_version(root, uv)
    except (Fault, OSError):  # a uv that does not run is none; the path says which
        return ""


def _account() -> str:
    import pwd  # noqa: PLC0415

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _os_name() -> str:
    try:
        with open("/etc/os-release", encoding="utf-8", errors="replace") as file:
            facts = dict(line.rstrip("\n").partition("=")[::2] for line in file)
    except OSError:
        return os.uname().sysname
    return facts.get("PRETTY_NAME", os.uname().sysname).strip("\"'")


def _free(root: str) -> int:
    while not os.path.exists(root):
        root = os.path.dirname(root)
    space = os.statvfs(root)
    return space.f_bavail * space.f_frsize


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip()
    except OSError:
        return ""
