"""How often the kernel killed something here because memory ran out."""

from __future__ import annotations

from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_PROC = Path("/proc")


def oom_kills(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> int:
    """The count so far; what matters is whether it grew.

    It is that of this process's control group, where it has one of its own, plus that of the
    whole machine.
    """
    return _count(proc / "vmstat") + _count(cgroups / _own_group(proc) / "memory.events")


def _own_group(proc: Path) -> str:
    for line in _lines(proc / "self" / "cgroup"):
        if line.startswith("0::/"):
            return line[len("0::/") :]
    return "."


def _count(path: Path) -> int:
    for line in _lines(path):
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.isdigit():
            return int(value)
    return 0


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:  # an old kernel, or a container that hides it: the cause stays a signal
        return []
