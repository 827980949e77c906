"""The processes of one daemon by their roles, on all machines of a round; hit by handle.

On this machine they are found by the daemon's state directory: it is a temporary one of the
harness, so whatever carries its path was started by the harness or on its behalf. On a test host
everything is ours but PID 1 and the SSH server. A process is its pid *and* its start time.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from agi_env.runtime import process_tree
from agi_env.runtime.identity import Identity
from harness.machines import Machines, Seen

_RUN_DIR_MARK = "AGI_RUN_DIR="


class Role(StrEnum):
    """What a process is."""

    DAEMON = "daemon"
    ATTACH = "attach"
    SUPERVISOR = "supervisor"
    RUNNER = "runner"
    WORKER_ATTACH = "worker-attach"
    WORKER_SUPERVISOR = "worker-supervisor"
    WORKER = "worker"
    EXECUTOR = "executor"
    OTHER = "other"
    """Such as a tool of an install, or a child of an app."""


_MODULES = {
    "agi_daemon": Role.DAEMON,
    "agi_env.runtime.attach": Role.ATTACH,
    "agi_env.runtime.worker_attach": Role.WORKER_ATTACH,
    "agi_env.runtime.executor": Role.EXECUTOR,
}
_FORKS = {
    Role.ATTACH: (Role.SUPERVISOR, Role.RUNNER),
    Role.WORKER_ATTACH: (Role.WORKER_SUPERVISOR, Role.WORKER),
}
"""What an attach forks, and what that forks: all three have the same command line."""
_OF_A_SLOT = (Role.WORKER_ATTACH, Role.WORKER_SUPERVISOR, Role.WORKER)


@dataclass(frozen=True, slots=True)
class Victim:
    """A process that may be hit.

    Attributes:
        pid: Its number on this machine.
        start_time: When it started, in clock ticks since the boot.
        parent: Its parent's number when it was found.
        role: What it is.
        run_dir: The directory, seen from here, of the run that it serves; none when it serves none.
        words: Its command line.
        host: The name of the test host that it is on; empty for this machine.
        own_pid: Its number on that host.
    """

    pid: int
    start_time: int
    parent: int
    role: Role
    run_dir: Path | None
    words: tuple[str, ...]
    host: str
    own_pid: int

    @property
    def run(self) -> str:
        """The id of its run; empty when it serves none."""
        return self.run_dir.name if self.run_dir else ""

    @property
    def command(self) -> str:
        """Its command line as text."""
        return " ".join(self.words)

    @property
    def slot(self) -> str:
        """The slot whose worker it is, supervises or is attached to; empty for all others."""
        return self.words[self.words.index("--slot") + 1] if self.role in _OF_A_SLOT else ""

    @property
    def home(self) -> Path | None:
        """Where its supervisor has written who it is; none for what is no attach or fork of one."""
        if self.run_dir is None:
            return None
        if self.slot:
            return self.run_dir / "workers" / self.slot
        return self.run_dir if self.role in (Role.ATTACH, *_FORKS[Role.ATTACH]) else None

    def hit(self, number: signal.Signals) -> bool:
        """Send a signal to this very process; false when it has ended."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            now = process_tree.find(self.pid)
            if now is None or now.start_time != self.start_time or now.has_ended:
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True


class Census:
    """Counts the living processes of a round."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    def take(self) -> list[Victim]:
        """All of them, in order of their start."""
        found = {victim.pid: victim for victim in self._ours()}
        whole = [_in_family(victim, found) for victim in found.values()]
        return sorted(whole, key=lambda each: (each.start_time, each.pid))

    def of(self, role: Role) -> list[Victim]:
        """Those of one role."""
        return [victim for victim in self.take() if victim.role is role]

    def _ours(self) -> Iterator[Victim]:
        seen = self._machines.seen()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError):  # it has ended, or is somebody else's: none of ours either way
                machine = seen.get(str((entry / "ns/pid").readlink()))
                if machine is not None and (victim := _victim(entry, machine)) is not None:
                    yield victim


def _victim(entry: Path, machine: Seen) -> Victim | None:
    words, environment = _texts(entry / "cmdline"), _texts(entry / "environ")
    process = process_tree.find(int(entry.name))
    if process is None or process.has_ended or not machine.owns(process.pid, words, environment):
        return None
    role = next((_MODULES[word] for word in words if word in _MODULES), Role.OTHER)
    marks = [text.removeprefix(_RUN_DIR_MARK) for text in environment]
    run_dir = machine.run_dir((*words, *marks))
    if run_dir is None and role is Role.ATTACH:
        # It was loaded before it had a run. What it forks works in the run's directory.
        run_dir = machine.run_dir((str((entry / "cwd").readlink()),))
    own = _own_pid(entry)
    who = (process.pid, process.start_time, process.parent)
    return Victim(*who, role, run_dir, tuple(words), machine.name, own)


def _own_pid(entry: Path) -> int:
    lines = (entry / "status").read_text().splitlines()
    return int(next(line.split()[-1] for line in lines if line.startswith("NSpid:")))


def _in_family(victim: Victim, found: dict[int, Victim]) -> Victim:
    """Tell a supervisor and what it supervises, which are forks of an attach, from the attach."""
    if victim.home is None:
        return victim
    supervisor, supervised = _FORKS[victim.role]
    if _is_supervisor(victim, victim.home):
        return replace(victim, role=supervisor)
    parent = found.get(victim.parent)
    if parent is None or parent.home != victim.home:
        return victim
    # A child of a supervisor is supervised; one of an attach will be a supervisor in a moment.
    is_supervised = _is_supervisor(parent, victim.home)
    return replace(victim, role=supervised if is_supervised else supervisor)


def _is_supervisor(victim: Victim, home: Path) -> bool:
    identity = Identity.read(home)
    return (
        identity is not None
        and identity.pid == victim.own_pid
        and identity.start_time == victim.start_time
    )


def _texts(path: Path) -> Sequence[str]:
    return path.read_bytes().decode(errors="replace").split("\0")
