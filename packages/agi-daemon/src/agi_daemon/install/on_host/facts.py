"""What the manager has to know of a host."""

# pathlib would add a third to the time that a check takes; these paths are all below our root.
# ruff: noqa: PTH103, PTH111, PTH116, PTH118, UP031
from __future__ import annotations

import os
import sys

from agi_daemon.install.on_host.command import run
from agi_daemon.install.on_host.devices import cuda_version
from agi_daemon.install.on_host.files import read_json, write_file
from agi_daemon.install.on_host.json_text import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def host_facts(root: str, uv: str) -> dict[str, Any]:
    """Platform, cores, memory and uv of this host."""
    platform = host_platform()
    return {
        "platform": platform,
        "key": platform_key(platform),
        **resources(),
        "uv_version": uv_version(root, find_uv(uv)),
        "root": root,
    }


def resources() -> dict[str, int]:
    """Cores and memory."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


def host_platform() -> dict[str, Any]:
    """Tag, Python version, lasting environment markers and CUDA of this interpreter's host."""
    name, system, python = sys.implementation.name, os.uname(), _python_version()
    short = {"cpython": "cp", "pypy": "pp"}.get(name, name)
    interpreter = "%s%d%d%s" % (short, *sys.version_info[:2], getattr(sys, "abiflags", ""))
    machine = "i686" if sys.maxsize < 2**32 and system.machine == "x86_64" else system.machine
    markers = {
        "implementation_name": name,
        "implementation_version": python,
        "os_name": os.name,
        "platform_machine": system.machine,
        "platform_python_implementation": {"cpython": "CPython", "pypy": "PyPy"}.get(name, name),
        "platform_system": system.sysname,
        "python_full_version": python,
        "python_version": "%d.%d" % sys.version_info[:2],
        "sys_platform": sys.platform,
    }
    tag = f"{interpreter}-{sys.platform}_{machine}-{libc()}"
    return {"tag": tag, "python": python, "markers": markers, "cuda": cuda_version()}


def platform_key(platform: dict[str, Any]) -> str:
    """The name of a platform, by which the manager offers builds for it."""
    cuda = f"-cuda{platform['cuda']}" if platform["cuda"] else ""
    return f"{platform['tag']}-{platform['python']}{cuda}"


def find_uv(uv: str) -> str:
    """Path of the uv to use: the one given, else the first that a login would find, or empty."""
    home = os.path.expanduser("~")
    folders = os.environ.get("PATH", "").split(os.pathsep)
    folders += [os.path.join(home, ".local/bin"), os.path.join(home, ".cargo/bin")]
    found = [uv, *(os.path.join(folder, "uv") for folder in folders if folder)]
    return next((path for path in found if os.access(path, os.X_OK)), "")


def _python_version() -> str:
    info = sys.version_info
    suffix = "" if info[3] == "final" else f"{info[3][0]}{info[4]}"
    return "%d.%d.%d" % info[:3] + suffix


def libc() -> str:
    """The C library and its version, such as ``glibc2.36``."""
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "glibc 2.17").replace(" ", "")
    except (ValueError, OSError):  # not the GNU library
        return "musl1.2"


def uv_version(root: str, path: str) -> str:
    """The version of the uv at a path, remembered below our root; empty for no path."""
    if not path:
        return ""
    info = os.stat(path)
    stamp = [path, info.st_size, info.st_mtime_ns]
    memo = os.path.join(root, "uv.json")
    known = read_json(memo)
    if known is None or known["stamp"] != stamp:
        words = run([path, "--version"], {}, "uv --version").split()
        known = {"stamp": stamp, "version": words[1] if len(words) > 1 else ""}
        os.makedirs(root, 0o700, exist_ok=True)
        write_file(memo, dumps(known))
    return str(known["version"])
