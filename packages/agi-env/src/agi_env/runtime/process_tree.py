"""Processes and their descendants, as the kernel knows them: found in /proc, killed by handle.

Linux only. A process is its pid *and* its start time: a pid alone may be somebody else's by now.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agi_env.errors import InternalError

_PROC = Path("/proc")
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PAUSE_S = 0.005


@dataclass(frozen=True, slots=True)
class Process:
    """One process of this boot.

    Attributes:
        pid: Its number.
        parent: Its parent's number.
        start_time: When it started, in clock ticks since the boot.
        state: The kernel's letter for its state; ``Z`` has ended and was not waited for.
    """

    pid: int
    parent: int
    start_time: int
    state: str

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.state in "ZX"


def boot_id() -> str:
    """A text that differs after every boot of this machine."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def find(pid: int) -> Process | None:
    """The process that has this number now."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in parentheses, may hold anything: what counts comes after the last of them.
    state, parent, *rest = stat[stat.rindex(b")") + 2 :].split()
    return Process(pid, int(parent), int(rest[17]), state.decode())


def descendants(root: int) -> list[Process]:
    """All living descendants of a process, nearest first, in any session or group."""
    children: defaultdict[int, list[Process]] = defaultdict(list)
    for process in _all():
        children[process.parent].append(process)
    found, queue = [], [root]
    while queue:
        nearest = [child for pid in queue for child in children[pid]]
        found += nearest
        queue = [child.pid for child in nearest]
    return [process for process in found if not process.has_ended]


def marked(variable: str, value: str) -> list[Process]:
    """All living processes of ours that were executed with this environment variable.

    It finds what a broken chain of parents has lost. Processes of inner pid namespaces are another
    machine's, though they are visible from here.
    """
    mark, home = f"{variable}={value}".encode(), _namespace(os.getpid())
    found = [each for each in _all() if not each.has_ended and mark in _environment(each.pid)]
    return [each for each in found if _namespace(each.pid) == home]


def kill(process: Process) -> None:
    """Send SIGKILL to this very process; one that has ended is passed over."""
    _send(process, signal.SIGKILL)


def kill_tree(pid: int, timeout_s: float = 5.0) -> list[Process]:
    """Kill a process with all its descendants, and those that they start meanwhile.

    The caller still has to wait for the process if it is its child.

    Args:
        pid: The root.
        timeout_s: Seconds to go on until none is left.

    Returns:
        What could not be killed in time, such as a process that waits for a dead disk.
    """
    deadline = time.monotonic() + timeout_s
    root = find(pid)
    if root is None:
        return []
    # The root goes last, for without it its descendants would not be found; and starts no more.
    _send(root, signal.SIGSTOP)
    while left := descendants(pid):
        _kill_all(left)
        if time.monotonic() > deadline:
            break
        time.sleep(_PAUSE_S)
    kill(root)
    return left


def kill_marked(variable: str, value: str, timeout_s: float) -> list[Process]:
    """Kill all processes that ``marked`` finds, and those that they start meanwhile.

    Args:
        variable: The environment variable.
        value: Its value.
        timeout_s: Seconds to go on until none is left.

    Returns:
        What could not be killed in time.
    """
    deadline = time.monotonic() + timeout_s
    while left := marked(variable, value):
        _kill_all(left)
        if time.monotonic() > deadline:
            break
        time.sleep(_PAUSE_S)
    return left


def kill_own_descendants(timeout_s: float) -> list[Process]:
    """Kill and reap everything below this process, which has to be a subreaper.

    Args:
        timeout_s: Seconds to go on until none is left.

    Returns:
        What could not be killed in time.
    """
    deadline = time.monotonic() + timeout_s
    # Orphans become our children, so having none means that nothing is left, however it forked.
    while _reap():
        left = descendants(os.getpid())
        _kill_all(left)
        if time.monotonic() > deadline:
            return left
        time.sleep(_PAUSE_S)
    return []


def become_subreaper() -> None:
    """Become the parent of every orphan among the descendants."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that made it ends.

    Args:
        parent: The pid of the parent. If it has ended already, this process ends here.
    """
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def outlive_parent() -> None:
    """Take back ``die_with_parent``."""
    _prctl(_PR_SET_PDEATHSIG, 0)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = [ctypes.c_ulong(number) for number in (value, 0, 0, 0)]
    if libc.prctl(ctypes.c_int(option), *arguments) != 0:
        raise InternalError(f"prctl {option} failed: {os.strerror(ctypes.get_errno())}")


def _all() -> Iterator[Process]:
    for name in os.listdir(_PROC):  # noqa: PTH208 - names only, hundreds of them, often
        if name.isdigit() and (process := find(int(name))) is not None:
            yield process


def _namespace(pid: int) -> str:
    try:
        return str((_PROC / str(pid) / "ns/pid").readlink())
    except OSError:  # it has ended
        return ""


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or belongs to somebody else
        return []


def _send(process: Process, number: signal.Signals) -> None:
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        now = find(process.pid)
        if now is not None and now.start_time == process.start_time:
            signal.pidfd_send_signal(handle, number)
    except (ProcessLookupError, PermissionError):  # ended meanwhile, or became another user's
        return
    finally:
        os.close(handle)


def _kill_all(processes: list[Process]) -> None:
    for process in processes:
        kill(process)


def _reap() -> bool:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
