"""What a host is: all that the manager wants to know of it at once."""

# pathlib would add a third to the time that this takes.
# ruff: noqa: PTH110, PTH111, PTH118, PTH119, PTH120, PTH123, PTH207
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
_VERSION = (
    "import sys; print('%d.%d.%d' % sys.version_info[:3], "
    "getattr(sys, '_base_executable', '') or sys.executable)"
)
_COMMAND_LIMIT_S = 5.0
_READ_S = 0.05
_MOST_PYTHONS = 16


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

    Of what is left the plain ``python3`` comes first, then the newest. Paths are those that each
    says of itself, so that a wrapper script and what it leads to are one.
    """
    home = os.path.expanduser("~")
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += [os.path.join(home, ".local/bin")]
    folders += glob.glob(os.path.join(home, ".local/share/uv/python/*/bin"))
    paths = [path for name in _PATTERNS for folder in folders for path in _matches(folder, name)]
    said = _ask_all(_distinct([first, *paths])[:_MOST_PYTHONS])
    plain = next((path for path in said if os.path.basename(path) == "python3"), "")
    newest = sorted(said, key=lambda path: _numbers(said[path][0]), reverse=True)
    ordered = [path for path in (first, plain) if path in said] + newest
    found: dict[str, tuple[str, str]] = {}
    for version, path in (said[path] for path in ordered):
        found.setdefault(os.path.realpath(path), (version, path))
    return list(found.values())


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


def _distinct(paths: list[str]) -> list[str]:
    """The paths that lead to different programs."""
    real = {os.path.realpath(path): path for path in reversed(paths) if os.access(path, os.X_OK)}
    return [path for path in paths if real.pop(os.path.realpath(path), None) is not None]


def _ask_all(paths: list[str]) -> dict[str, tuple[str, str]]:
    """What each of these Pythons says of its version and path, all asked at the same time."""
    import subprocess  # noqa: PLC0415

    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    asked = []
    for path in paths:
        try:
            argv = [path, "-I", "-c", _VERSION]
            asked.append((path, subprocess.Popen(argv, **pipes)))  # type: ignore[call-overload]
        except OSError:  # what does not start is none
            continue
    said, end = {}, time.monotonic() + _COMMAND_LIMIT_S
    for path, process in asked:
        try:
            # What has answered meanwhile is read, also when the others used up the time.
            left = max(_READ_S, end - time.monotonic())
            words = process.communicate(timeout=left)[0].decode()
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            continue
        version, _, real = words.strip().partition(" ")
        if process.returncode == 0 and real:
            said[path] = (version, real)
    return said


def _output(argv: list[str]) -> tuple[int, str]:
    try:
        code, out, _ = attempt(argv, {}, argv[0], limit_s=_COMMAND_LIMIT_S)
    except (Fault, OSError):  # what does not run, or hangs, is not there
        return 1, ""
    return code, out


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


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
