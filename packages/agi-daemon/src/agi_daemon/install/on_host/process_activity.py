"""What a command and all that it started have done so far, and its end with all of them."""

# pathlib would add a third to the time that a check takes.
# ruff: noqa: PTH123, PTH208
from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_PARENT, _USER_TICKS, _SYSTEM_TICKS = 1, 11, 12  # in /proc/PID/stat, after the name


def activity(pid: int) -> int:
    """A number that grows as long as a process, or one below it, computes, reads or writes."""
    return sum(_ticks(each) + _bytes(each) for each in _tree(pid))


def kill_tree(pid: int) -> None:
    """Kill a process and all below it."""
    import signal  # noqa: PLC0415 - with enum, for what hardly ever happens

    for each in _tree(pid):
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _tree(pid: int) -> Sequence[int]:
    parents = {int(name): _parent(name) for name in os.listdir("/proc") if name.isdigit()}
    found = [pid]
    for known in found:  # grows while it is walked
        found += [child for child, parent in parents.items() if parent == known]
    return found


def _parent(name: str) -> int:
    fields = _stat(name)
    return int(fields[_PARENT]) if fields else 0


def _ticks(pid: int) -> int:
    fields = _stat(str(pid))
    return int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS]) if fields else 0


def _bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            return sum(int(line.split()[1]) for line in file if line[1:5] == "char")
    except OSError:  # it has ended
        return 0


def _stat(name: str) -> Sequence[str]:
    try:
        with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:  # it has ended
        return ()
