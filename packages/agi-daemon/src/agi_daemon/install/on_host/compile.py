"""Compiling a worker package on this host: bounded, apart, and named by what it is made of."""

# pathlib would add a third to the time that a check takes; these paths are all below our root.
# ruff: noqa: PTH103, PTH110, PTH118, PTH120, PTH123, S108
from __future__ import annotations

import hashlib
import os
import resource
import shutil
import signal
import sys
import sysconfig
import zipfile
from contextlib import suppress

from agi_daemon.install.on_host.check import wheel_path
from agi_daemon.install.on_host.command import ending
from agi_daemon.install.on_host.diagnosis import fault_of
from agi_daemon.install.on_host.extension_wheel import repacked
from agi_daemon.install.on_host.files import read_json
from agi_daemon.install.on_host.realise import receive
from agi_daemon.install.on_host.talk import Fault, say, serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, BinaryIO

_KEPT = ("PATH", "HOME", "LANG", "CC", "CXX")
_SAID_BYTES = 256 * 1024
_PACKAGES = (
    (("debian", "ubuntu"), "sudo apt-get install -y gcc g++ python3-dev"),
    (("fedora", "rhel", "centos"), "sudo dnf install -y gcc gcc-c++ python3-devel"),
    (("suse", "opensuse"), "sudo zypper install -y gcc gcc-c++ python3-devel"),
    (("arch",), "sudo pacman -S --noconfirm gcc"),
    (("alpine",), "apk add gcc g++ musl-dev python3-dev"),
)


def compile_worker(root: str, request: Mapping[str, Any], stream: BinaryIO) -> dict[str, Any]:
    """Take the sources, compile them, and keep the wheel; answer with what it is."""
    for folder in ("", "/wheels", "/tmp"):
        os.makedirs(root + folder, 0o700, exist_ok=True)
    receive(root, request["sources"], stream)
    require_compiler()
    place = f"{root}/tmp/compile-{request['sources'][0][:12]}.{os.getpid()}"
    try:
        say("compiling", package=request["package"])
        made = _compiled(request, wheel_path(root, request["sources"]), place)
        name, content = repacked(wheel_path(root, request["sources"]), made)
        return {"wheel": _keep(root, name, content)}
    finally:
        shutil.rmtree(place, ignore_errors=True)


def require_compiler() -> None:
    """See that there are a C compiler and the headers of this Python.

    Raises:
        Fault: One is missing; it tells the command that installs both.
    """
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    header = os.path.join(sysconfig.get_path("include"), "Python.h")
    missing = ""
    if shutil.which(compiler) is None:
        missing = f"there is no C compiler on this host: {compiler} is not found"
    elif not os.path.exists(header):
        missing = f"the headers of Python are not on this host: there is no {header}"
    if missing:
        command = install_command()
        remedy = f"Install them with `{command}`, or run without bit 2"
        raise Fault("COMPILER_MISSING", missing, "", remedy=remedy, command=command)


def install_command() -> str:
    """The command with which this system gets a compiler and the headers of Python."""
    words = set(_os_release())
    named = [command for systems, command in _PACKAGES if words.intersection(systems)]
    return named[0] if named else _PACKAGES[0][1]


def _os_release() -> list[str]:
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            lines = [line.partition("=") for line in file]
    except FileNotFoundError:
        return []
    told = [value for key, _, value in lines if key in ("ID", "ID_LIKE")]
    return " ".join(told).replace('"', " ").split()


def _compiled(request: Mapping[str, Any], sources: str, place: str) -> dict[str, bytes]:
    os.makedirs(place + "/src", 0o700)
    with zipfile.ZipFile(sources) as archive:
        archive.extractall(place + "/src")
    os.chdir(place + "/src")
    report, jobs = place + "/report.json", str(len(os.sched_getaffinity(0)))
    argv = [request["python"], "-I", "-c", request["program"], report, request["package"], jobs]
    code, said = _bounded([*argv, *request["flags"]], place, float(request["limit_s"]))
    names = read_json(report)
    if code or names is None:
        raise fault_of(said, ending(code) or "left no report")
    if not names:
        raise Fault("COMPILE_FAILED", f"the package {request['package']} has no module to compile")
    return {name: _content(f"{place}/lib/{name}") for name in names}


def _bounded(argv: Sequence[str], place: str, limit_s: float) -> tuple[int, str]:
    """Run in a session of its own, which ends with us or when its time is up."""
    import subprocess  # noqa: PLC0415 - a check that finds all in order runs no command

    env = {key: os.environ[key] for key in _KEPT if key in os.environ}
    env.update(TMPDIR=place, PYTHONDONTWRITEBYTECODE="1")
    with open(place + "/said", "wb") as said:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=env,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - this process has one thread
        )
    try:
        code = child.wait(limit_s)
    except subprocess.TimeoutExpired:
        raise Fault("COMPILE_FAILED", f"compiling did not end in {limit_s:g} s") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    with open(place + "/said", encoding="utf-8", errors="replace") as file:
        return code, file.read(_SAID_BYTES)


def _die_with_parent() -> None:
    import ctypes  # noqa: PLC0415 - only the child needs it

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _keep(root: str, name: str, content: bytes) -> list[Any]:
    wheel = [hashlib.sha256(content).hexdigest(), name, len(content)]
    path = wheel_path(root, wheel)
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    draft = f"{path}.{os.getpid()}"
    with open(draft, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(draft, path)  # noqa: PTH104
    return wheel


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def main(stream: BinaryIO) -> None:
    """Do the one thing that the stream asks."""
    sys.dont_write_bytecode = True
    serve(stream, compile_worker)
