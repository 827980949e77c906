"""The namespaces of one host, held by its PID 1: switched on and off, and entered from outside."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from hosts import programs
from hosts.programs import DEADLINE_S, SYSTEM_PATH, ProgramError

INIT = Path(__file__).with_name("init.py")
ENVIRONMENT = {"HOME": "/root", "USER": "root", "SHELL": "/bin/bash", "PATH": SYSTEM_PATH}
_NAMESPACES = ("--mount", "--net", "--uts", "--ipc", "--pid")


class Machine:
    """A host as hardware: on or off.

    Args:
        folder: Where its ``spec.json`` is; what PID 1 complains of is in ``boot.log`` there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._holder: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._boots = 0

    @property
    def on(self) -> bool:
        """Whether it is switched on."""
        return self._holder is not None and self._holder.poll() is None

    @property
    def boot(self) -> int:
        """Which boot this is; 0 while it is off."""
        return self._boots if self.on else 0

    @property
    def pid(self) -> int:
        """The number that its PID 1 has on this machine.

        Raises:
            RuntimeError: It is off.
        """
        if not self.on or not self._pid:
            raise RuntimeError(f"{self.folder.name} is off")
        return self._pid

    def switch_on(self) -> None:
        """Begin to boot; `await_boot` sees the end of it."""
        command = [programs.found("unshare"), *_NAMESPACES, "--fork", "--kill-child=KILL", "--"]
        command += ["/usr/bin/python3", "-I", "-S", str(INIT), str(self.folder / "spec.json")]
        (self.folder / "root").mkdir(exist_ok=True)
        self._boots += 1
        with (self.folder / "boot.log").open("ab") as log:
            self._holder = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )

    def await_boot(self) -> None:
        """Return once it is on and its SSH server starts.

        Raises:
            ProgramError: It did not come up.
        """
        assert self._holder is not None
        out = self._holder.stdout
        assert out is not None
        ready, _, _ = select.select([out], [], [], DEADLINE_S)
        word = os.read(out.fileno(), 16) if ready else b""
        if word != b"on\n":
            self.switch_off()
            raise ProgramError(f"{self.folder.name}: {(self.folder / 'boot.log').read_text()}")
        out.close()
        self._pid = _only_child(self._holder.pid)

    def switch_off(self) -> None:
        """Kill its PID 1 and thereby everything on it; nothing where it is off."""
        holder, self._holder = self._holder, None
        pid, self._pid = self._pid, 0
        if holder is None:
            return
        if pid and holder.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        else:
            holder.kill()
        with holder:
            holder.wait(DEADLINE_S)

    def run(
        self,
        *argv: str,
        text: str | None = None,
        timeout_s: float = DEADLINE_S,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on it as root, without SSH; see `programs.finish`."""
        stdin = subprocess.DEVNULL if text is None else subprocess.PIPE
        process = self.start(*argv, stdin=stdin)
        return programs.finish(process, text=text, timeout_s=timeout_s, check=check)

    def start(self, *argv: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Start a command on it as root, in its home; the caller ends it."""
        plain = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        at_home = ["env", "-i", *plain, "sh", "-c", 'cd && exec "$@"', "sh"]
        return programs.start([*self.enter(), *at_home, *argv], stdin=stdin)

    def enter(self, *namespaces: str) -> list[str]:
        """The words before a command that is to run in its namespaces; by default in all."""
        chosen = namespaces or _NAMESPACES
        return ["nsenter", "--target", str(self.pid), *chosen, "--"]

    def processes(self) -> dict[int, str]:
        """The command lines of its living processes, by the number that they have here."""
        inside = Path(f"/proc/{self.pid}/ns/pid").readlink()
        found = {}
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and (entry / "ns/pid").readlink() == inside:
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(entry.name)] = line.decode(errors="replace").strip()
        return found

    def kill(self, mark: str) -> None:
        """Kill its processes whose command lines hold this text."""
        for pid, line in self.processes().items():
            if mark in line:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def leftovers(folder: Path) -> list[int]:
    """The processes that hold hosts whose specifications are below this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            if os.fsencode(INIT.name) in map(os.path.basename, words):
                spec = Path(os.fsdecode(words[-2]))
                if spec.is_relative_to(folder):
                    found.append(int(entry.name))
    return found


def _only_child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
